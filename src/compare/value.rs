//! What differs between two values.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// The fields that identify an element of a list, in this order: the first that all elements have, with
/// different values, does.
pub(super) const KEYS: [&str; 20] = [
    "pid", "fd", "mnt_id", "inode_id", "pipe_id", "map_id", "tty_id", "orig_id", "vaddr", "start",
    "id", "signo", "nsid", "number", "name", "dir_name", "dev", "ino", "key", "type",
];

/// A difference: where, and both values.
pub(super) type Found = (String, Value, Value);

/// Hands over what differs, with the way to it.
pub(super) fn compare(a: &Value, b: &Value, way: &str, found: &mut Vec<Found>) {
    if a == b {
        return;
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => objects(a, b, way, found),
        (Value::Array(a_list), Value::Array(b_list)) => {
            match (elements(a_list), elements(b_list)) {
                (Some(a), Some(b)) => lists(&a, &b, way, found),
                _ => found.push((way.to_owned(), a.clone(), b.clone())),
            }
        }
        _ => found.push((way.to_owned(), a.clone(), b.clone())),
    }
}

fn objects(a: &Map<String, Value>, b: &Map<String, Value>, way: &str, found: &mut Vec<Found>) {
    let inside = |name: &str| match way {
        "" => name.to_owned(),
        way => format!("{way}.{name}"),
    };
    for (name, before) in a {
        let after = b.get(name).unwrap_or(&Value::Null);
        compare(before, after, &inside(name), found);
    }
    for (name, after) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
        compare(&Value::Null, after, &inside(name), found);
    }
}

/// The elements of a list of messages; `None` for one of plain values.
fn elements(list: &[Value]) -> Option<Vec<&Map<String, Value>>> {
    list.iter().map(Value::as_object).collect()
}

fn lists(a: &[&Map<String, Value>], b: &[&Map<String, Value>], way: &str, found: &mut Vec<Found>) {
    let key = key_of(a.iter().copied())
        .filter(|key| key_of(b.iter().copied()) == Some(*key) || b.is_empty());
    let key = key.or_else(|| key_of(b.iter().copied()).filter(|_| a.is_empty()));
    let names = |list: &[&Map<String, Value>]| -> Vec<String> {
        list.iter()
            .enumerate()
            .map(
                |(place, element)| match key.and_then(|key| Some((key, element.get(key)?))) {
                    Some((key, value)) => format!("{key}={}", text(value)),
                    None => place.to_string(),
                },
            )
            .collect()
    };
    let (names_a, names_b) = (names(a), names(b));
    for pair in pairs(&names_a, &names_b) {
        let of_a = pair
            .0
            .and_then(|place| Some((a.get(place)?, names_a.get(place)?)));
        let of_b = pair
            .1
            .and_then(|place| Some((b.get(place)?, names_b.get(place)?)));
        let object = |element: &Map<String, Value>| Value::Object(element.clone());
        let (name, a, b) = match (of_a, of_b) {
            (Some((a, name)), Some((b, _))) => {
                objects(a, b, &format!("{way}[{name}]"), found);
                continue;
            }
            (Some((a, name)), None) => (name, object(a), Value::Null),
            (None, Some((b, name))) => (name, Value::Null, object(b)),
            (None, None) => continue,
        };
        found.push((format!("{way}[{name}]"), a, b));
    }
}

/// The places of what has the same name in two lists, in the order of the first, and then what only the
/// second has. Of several with one name, the first goes with the first.
pub(super) fn pairs(a: &[String], b: &[String]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut left: HashMap<&String, Vec<usize>> = HashMap::new();
    for (place, name) in b.iter().enumerate().rev() {
        left.entry(name).or_default().push(place);
    }
    let mut met = vec![false; b.len()];
    let mut pairs = Vec::with_capacity(a.len());
    for (place, name) in a.iter().enumerate() {
        let other = left.get_mut(name).and_then(Vec::pop);
        if let Some(met) = other.and_then(|place| met.get_mut(place)) {
            *met = true;
        }
        pairs.push((Some(place), other));
    }
    let alone = met.iter().enumerate().filter(|(_, met)| !**met);
    pairs.extend(alone.map(|(place, _)| (None, Some(place))));
    pairs
}

/// The field that identifies each of these.
pub(super) fn key_of<'a>(
    elements: impl Iterator<Item = &'a Map<String, Value>> + Clone,
) -> Option<&'static str> {
    KEYS.into_iter().find(|key| {
        let mut seen = HashSet::new();
        let mut any = false;
        elements.clone().all(|element| {
            any = true;
            element
                .get(*key)
                .is_some_and(|value| !value.is_object() && seen.insert(text(value)))
        }) && any
    })
}

/// A value as a key shows it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(a: Value, b: Value) -> Vec<Found> {
        let mut found = Vec::new();
        compare(&a, &b, "", &mut found);
        found
    }

    #[test]
    fn elements_of_lists_are_told_apart_by_what_identifies_them() {
        let a = json!({"vmas": [{"start": 1, "end": 2}, {"start": 5, "end": 6}]});
        let b = json!({"vmas": [{"start": 0, "end": 1}, {"start": 1, "end": 3}, {"start": 5, "end": 6}]});
        assert_eq!(
            found(a, b),
            [
                ("vmas[start=1].end".to_owned(), json!(2), json!(3)),
                (
                    "vmas[start=0]".to_owned(),
                    Value::Null,
                    json!({"start": 0, "end": 1})
                ),
            ]
        );
    }

    #[test]
    fn elements_without_anything_of_their_own_are_told_apart_by_their_places() {
        let a = json!({"list": [{"x": 1}, {"x": 1}], "same": 1, "gone": 2});
        let b = json!({"list": [{"x": 1}, {"x": 2}], "same": 1, "new": [3]});
        assert_eq!(
            found(a, b),
            [
                ("gone".to_owned(), json!(2), Value::Null),
                ("list[1].x".to_owned(), json!(1), json!(2)),
                ("new".to_owned(), Value::Null, json!([3])),
            ]
        );
    }
}
