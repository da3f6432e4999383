//! Values for people: permissions as octal numbers.

use serde_json::Value;

use crate::descriptor::FieldMeanings;
use crate::error::Result;
use crate::schema::{Field, MessageType, Shape, Types};

/// Returns a value of an entry with permissions as octal text, such as `0o644`; `None` if there are none
/// in it. `path` leads to it from the entry, with anything in brackets; nothing for the whole entry.
///
/// # Errors
///
/// None with the table of meanings as it is.
pub(crate) fn with_octal(ty: &MessageType, path: &str, value: &Value) -> Result<Option<Value>> {
    let meanings = FieldMeanings::bundled()?;
    let show = Show {
        types: &ty.types,
        meanings,
    };
    let mut at = At::Message(ty.shape());
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.split('[').next().unwrap_or(step);
        let At::Message(shape) = at else {
            return Ok(None);
        };
        let Some(field) = shape.field_named(name) else {
            return Ok(None);
        };
        at = show.inside(shape, field);
    }
    let mut shown = value.clone();
    Ok(show.apply(at, &mut shown).then_some(shown))
}

/// What a value is of.
#[derive(Clone, Copy)]
enum At<'a> {
    Message(&'a Shape),
    /// A field that is no message.
    Plain {
        is_octal: bool,
    },
}

struct Show<'a> {
    types: &'a Types,
    meanings: &'a FieldMeanings,
}

impl<'a> Show<'a> {
    fn inside(&self, shape: &Shape, field: &Field) -> At<'a> {
        match field.kind.message() {
            Some(index) => At::Message(self.types.shape(index)),
            None => At::Plain {
                is_octal: self.meanings.is_octal(shape.desc.name(), &field.name),
            },
        }
    }

    /// Writes the permissions in a value as text; true if there are any.
    fn apply(&self, at: At<'a>, value: &mut Value) -> bool {
        match (value, at) {
            (Value::Array(list), at) => {
                let mut any = false;
                for element in list {
                    any |= self.apply(at, element);
                }
                any
            }
            (Value::Object(fields), At::Message(shape)) => {
                let mut any = false;
                for (name, value) in fields {
                    if let Some(field) = shape.field_named(name) {
                        any |= self.apply(self.inside(shape, field), value);
                    }
                }
                any
            }
            (value, At::Plain { is_octal: true }) => match value.as_u64() {
                Some(mode) => {
                    *value = format!("0o{mode:o}").into();
                    true
                }
                None => false,
            },
            _ => false,
        }
    }
}
