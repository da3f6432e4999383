//! Two images, entry by entry.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::Read;

use serde_json::{Map, Value};

use super::Difference;
use super::value::{KEYS, compare, key_of, pairs, text};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, ImageReader, Payload};
use crate::json::{entry_value, with_octal};

/// What differs between two images of one kind.
///
/// What is the same at the beginning of both is not kept; memory use is a multiple of the rest.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{ImageReader, Schema, compare::images};
///
/// let schema = Schema::bundled()?;
/// let open = |name| ImageReader::new(&schema, std::fs::File::open(name)?);
/// let mut a = open("tests/images/predump/1/pagemap-100.img")?;
/// let mut b = open("tests/images/predump/2/pagemap-100.img")?;
/// let differences = images(&mut a, &mut b)?;
/// assert_eq!(differences[0].field, "flags");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Either is malformed, or they are of two kinds.
pub fn images<A: Read, B: Read>(
    a: &mut ImageReader<A>,
    b: &mut ImageReader<B>,
) -> Result<Vec<Difference>> {
    if a.kind().name != b.kind().name {
        let what = format!(
            "one is of the kind {}, the other {}",
            a.kind().name,
            b.kind().name
        );
        return Err(Error::new(ErrorKind::Value(what)));
    }
    let (mut rest_a, mut rest_b) = (Vec::new(), Vec::new());
    let mut index = 0u64;
    loop {
        let (next_a, next_b) = (a.read_entry()?, b.read_entry()?);
        if next_a.is_none() && next_b.is_none() {
            break;
        }
        let same = match (&next_a, &next_b) {
            (Some(a), Some(b)) => is_same(a, b)?,
            _ => false,
        };
        if !same {
            for (entry, rest) in [(next_a, &mut rest_a), (next_b, &mut rest_b)] {
                if let Some(entry) = entry {
                    rest.push(Item::of(index, &entry)?);
                }
            }
        }
        index += 1;
    }
    let (head, ty) = (a.layout().head.clone(), a.layout().entry.clone());
    let mut found = differences(rest_a, rest_b);
    for difference in &mut found {
        let is_head = difference.entry_a.or(difference.entry_b) == Some(0);
        let ty = head.as_ref().filter(|_| is_head).unwrap_or(&ty);
        let shown = |value| with_octal(ty, &difference.field, value);
        let (before, after) = (shown(&difference.before)?, shown(&difference.after)?);
        difference.before_shown = before;
        difference.after_shown = after;
    }
    Ok(found)
}

fn is_same(a: &Entry, b: &Entry) -> Result<bool> {
    let (mut bytes_a, mut bytes_b) = (Vec::new(), Vec::new());
    a.encode(&mut bytes_a)?;
    b.encode(&mut bytes_b)?;
    Ok(bytes_a == bytes_b && a.payload() == b.payload())
}

/// An entry that is not the same at its place.
struct Item {
    index: u64,
    fields: Map<String, Value>,
}

impl Item {
    fn of(index: u64, entry: &Entry) -> Result<Self> {
        let fields = match entry_value(entry)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let mut item = Item { index, fields };
        if let Some(payload) = entry.payload() {
            item.fields
                .insert("extra".to_owned(), payload_value(payload));
        }
        Ok(item)
    }
}

/// Entries with the same key are compared; the others were added or removed.
fn differences(a: Vec<Item>, b: Vec<Item>) -> Vec<Difference> {
    let all = || a.iter().chain(&b).map(|item| &item.fields);
    // What all have, though one may stand twice in the two images.
    let key = KEYS
        .into_iter()
        .find(|key| all().all(|fields| fields.get(*key).is_some_and(|v| !v.is_object())));
    let unique = |items: &[Item]| key_of(items.iter().map(|item| &item.fields)).is_some();
    let key = key.filter(|_| unique(&a) || unique(&b) || (!a.is_empty() && !b.is_empty()));
    let name = |item: &Item| {
        let value = key.and_then(|key| Some((key, item.fields.get(key)?)));
        value.map(|(key, value)| format!("{key}={}", text(value)))
    };
    let matched_by = |items: &[Item]| -> Vec<String> {
        let names = items
            .iter()
            .map(|item| name(item).unwrap_or_else(|| item.index.to_string()));
        names.collect()
    };
    let mut found = Vec::new();
    for (of_a, of_b) in pairs(&matched_by(&a), &matched_by(&b)) {
        let of_a = of_a.and_then(|place| a.get(place));
        let of_b = of_b.and_then(|place| b.get(place));
        let value = |item: Option<&Item>| match item {
            Some(item) => Value::Object(item.fields.clone()),
            None => Value::Null,
        };
        let mut fields = Vec::new();
        compare(&value(of_a), &value(of_b), "", &mut fields);
        found.extend(fields.into_iter().map(|(field, before, after)| Difference {
            entry_a: of_a.map(|item| item.index),
            entry_b: of_b.map(|item| item.index),
            key: of_a.or(of_b).and_then(name).unwrap_or_default(),
            field,
            before,
            after,
            before_shown: None,
            after_shown: None,
        }));
    }
    found
}

/// What is shown of a payload.
fn payload_value(payload: &Payload) -> Value {
    match payload {
        Payload::Bytes(bytes) => summary(bytes),
        Payload::Queues(queues) => {
            let queues = queues.iter();
            let queues = queues.map(|(name, bytes)| (name.clone(), summary(bytes)));
            Value::Object(queues.collect())
        }
        Payload::Words(words) => words.iter().map(|word| Value::from(*word)).collect(),
        Payload::Messages(messages) => messages
            .iter()
            .map(|message| summary(&message.data))
            .collect(),
    }
}

/// Short text as it is; else a length and a checksum: it may be a gigabyte.
fn summary(bytes: &[u8]) -> Value {
    const SHORT: usize = 200;
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= SHORT => Value::from(text),
        _ => {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            let sum = hasher.finish();
            Value::from(format!("{} bytes, checksum {sum:016x}", bytes.len()))
        }
    }
}
