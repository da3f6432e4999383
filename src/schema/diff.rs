//! What differs between two schemas.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Schema;
use super::describe::{Contents, EnumInfo, FieldInfo, MessageInfo};
use crate::error::Result;

/// A difference between two schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What kind of thing: `magic`, `message`, `field`, `enum`, `value`, `file`.
    pub what: &'static str,
    /// `added`, `removed`, or how it changed: `renamed`, `retyped`, `relabelled`, `options`, `default`,
    /// `message`, `renumbered`; `broken` for a file that does not compile.
    pub change: &'static str,
    /// Its name; for fields and values with the message or enum in front.
    pub name: String,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// All differences from `a` to `b`, magics first.
///
/// # Errors
///
/// The files of either can't be listed. One that does not compile is among the changes.
pub fn diff(a: &Schema, b: &Schema) -> Result<Vec<Change>> {
    let mut changes = Changes(Vec::new());
    changes.magics(&magics(a), &magics(b));
    let (a, b) = (a.contents()?, b.contents()?);
    changes.broken(&a, &b);
    changes.each("message", &a.messages, &b.messages, Changes::message);
    changes.each("enum", &a.enums, &b.enums, Changes::values);
    Ok(changes.0)
}

/// Magic words, with name and message.
type Magics = BTreeMap<String, (String, Option<String>)>;

fn magics(schema: &Schema) -> Magics {
    let main = schema.kinds().iter().filter(|kind| kind.alias_of.is_none());
    main.filter_map(|kind| {
        // Messages in files that don't compile are told of as such.
        let info = schema.kind_info(kind);
        let message = info.message?;
        Some((info.magic?, (info.name, Some(message))))
    })
    .collect()
}

struct Changes(Vec<Change>);

impl Changes {
    fn add(
        &mut self,
        what: &'static str,
        change: &'static str,
        name: &str,
        old: Option<String>,
        new: Option<String>,
    ) {
        self.0.push(Change {
            what,
            change,
            name: name.to_owned(),
            old,
            new,
        });
    }

    fn magics(&mut self, a: &Magics, b: &Magics) {
        for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
            match (a.get(key), b.get(key)) {
                (Some((name, message)), None) => {
                    self.add("magic", "removed", name, message.clone(), None);
                }
                (None, Some((name, message))) => {
                    self.add("magic", "added", name, None, message.clone());
                }
                (Some((old, _)), Some((new, _))) if old != new => {
                    self.add(
                        "magic",
                        "renamed",
                        key,
                        Some(old.clone()),
                        Some(new.clone()),
                    );
                }
                (Some((name, old)), Some((_, new))) if old != new => {
                    self.add("magic", "message", name, old.clone(), new.clone());
                }
                _ => {}
            }
        }
    }

    /// Files that can't be compared, because they don't compile.
    fn broken(&mut self, a: &Contents, b: &Contents) {
        for error in &a.errors {
            self.add("file", "broken", "old", Some(error.to_string()), None);
        }
        for error in &b.errors {
            self.add("file", "broken", "new", None, Some(error.to_string()));
        }
    }

    /// Compares things of the same name.
    fn each<T>(
        &mut self,
        what: &'static str,
        a: &BTreeMap<String, T>,
        b: &BTreeMap<String, T>,
        compare: fn(&mut Self, &T, &T),
    ) {
        for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
            match (a.get(name), b.get(name)) {
                (Some(_), None) => self.add(what, "removed", name, None, None),
                (None, Some(_)) => self.add(what, "added", name, None, None),
                (Some(old), Some(new)) => compare(self, old, new),
                (None, None) => {}
            }
        }
    }

    fn message(&mut self, a: &MessageInfo, b: &MessageInfo) {
        let by_number = |message: &MessageInfo| -> BTreeMap<u32, FieldInfo> {
            message
                .fields
                .iter()
                .map(|f| (f.number, f.clone()))
                .collect()
        };
        let (old, new) = (by_number(a), by_number(b));
        for number in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            match (old.get(number), new.get(number)) {
                (Some(f), None) => {
                    let name = format!("{}.{}", a.name, f.name);
                    self.add("field", "removed", &name, Some(f.declaration()), None);
                }
                (None, Some(f)) => {
                    let name = format!("{}.{}", a.name, f.name);
                    self.add("field", "added", &name, None, Some(f.declaration()));
                }
                (Some(old), Some(new)) => self.field(&a.name, old, new),
                (None, None) => {}
            }
        }
    }

    fn field(&mut self, message: &str, old: &FieldInfo, new: &FieldInfo) {
        let name = format!("{message}.{}", new.name);
        let mut compare = |change, old: String, new: String| {
            if old != new {
                self.add("field", change, &name, Some(old), Some(new));
            }
        };
        compare("renamed", old.name.clone(), new.name.clone());
        compare("retyped", old.ty.clone(), new.ty.clone());
        compare("relabelled", old.label.to_owned(), new.label.to_owned());
        compare("options", old.options_text(), new.options_text());
        let default =
            |field: &FieldInfo| field.default.clone().unwrap_or_else(|| "none".to_owned());
        compare("default", default(old), default(new));
    }

    fn values(&mut self, a: &EnumInfo, b: &EnumInfo) {
        let by_name =
            |desc: &EnumInfo| -> BTreeMap<String, i32> { desc.values.iter().cloned().collect() };
        let (old, new) = (by_name(a), by_name(b));
        for value in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let name = format!("{}.{value}", a.name);
            match (old.get(value), new.get(value)) {
                (Some(number), None) => {
                    self.add("value", "removed", &name, Some(number.to_string()), None);
                }
                (None, Some(number)) => {
                    self.add("value", "added", &name, None, Some(number.to_string()));
                }
                (Some(old), Some(new)) if old != new => {
                    self.add(
                        "value",
                        "renumbered",
                        &name,
                        Some(old.to_string()),
                        Some(new.to_string()),
                    );
                }
                _ => {}
            }
        }
    }
}
