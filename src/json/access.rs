//! Fields of an entry by path, with values as the JSON contract has them.

use prost_reflect::{DynamicMessage, Value};
use serde::de::DeserializeSeed;

use super::options::Dialect;
use super::out::Out;
use super::print::{self, Style};
use super::read::{FieldSeed, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Entry;
use crate::schema::{Field, FieldKind, Shape, Types};

impl Entry {
    /// The value at a path such as `tc.comm` or `vmas[3].start`, as `decode` prints it:
    /// null when the field is absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Path`] when the message has no such field, or the list no such element.
    pub fn get(&self, path: &str) -> Result<serde_json::Value> {
        let types = &self.ty.types;
        let mut shape = self.ty.shape();
        let mut message = self.message.clone();
        let mut steps = steps(path)?.into_iter().peekable();
        while let Some(step) = steps.next() {
            let field = step.field(shape)?;
            if !message.has_field(&field.desc) {
                return Ok(serde_json::Value::Null);
            }
            let mut value = message.get_field(&field.desc).into_owned();
            if let Some(index) = step.index {
                value = element(value, index, path)?;
            }
            match (steps.peek(), value, field.inner()) {
                (None, value, _) => return json_value(types, field, &value),
                (Some(_), Value::Message(inner), Some(index)) => {
                    shape = types.shape(index);
                    message = inner;
                }
                _ => return Err(no_message(path, field)),
            }
        }
        Err(bad_path(path))
    }

    /// Sets the value at a path; the messages on the way are made when they are absent.
    ///
    /// The value may have any form that `encode` takes: an enum's name, `0x10`, an IP address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Path`] as for [`Entry::get`]; [`ErrorKind::Value`] when the value does not fit.
    pub fn set(&mut self, path: &str, value: impl Into<serde_json::Value>) -> Result<()> {
        let ty = self.ty.clone();
        let steps = steps(path)?;
        let mut shape = ty.shape();
        let mut message: &mut DynamicMessage = &mut self.message;
        let Some((last, way)) = steps.split_last() else {
            return Err(bad_path(path));
        };
        for step in way {
            let field = step.field(shape)?;
            let inner = field.inner().ok_or_else(|| no_message(path, field))?;
            message = match (message.get_field_mut(&field.desc), step.index) {
                (Value::Message(inner), None) => inner,
                (Value::List(list), Some(index)) => match list.get_mut(index) {
                    Some(Value::Message(inner)) => inner,
                    _ => return Err(no_element(path, index)),
                },
                _ => return Err(no_message(path, field)),
            };
            shape = ty.types.shape(inner);
        }
        let field = last.field(shape)?;
        let mut reading = Reading::new(Dialect::Criu, false);
        let read = |reading: &mut Reading, value: serde_json::Value| {
            let seed = FieldSeed {
                reading,
                types: &ty.types,
                field,
            };
            seed.deserialize(value)
        };
        let value = value.into();
        let located = |mut reading: Reading, error| reading.error(error, (0, 0)).in_field(path);
        match last.index {
            None => {
                let value = read(&mut reading, value).map_err(|e| located(reading, e))?;
                message.set_field(&field.desc, value);
            }
            Some(index) => {
                // One element of a list: read as a list of one.
                let one = serde_json::Value::Array(vec![value]);
                let value = read(&mut reading, one).map_err(|e| located(reading, e))?;
                let slot = match message.get_field_mut(&field.desc) {
                    Value::List(list) => list.get_mut(index),
                    _ => None,
                };
                match (slot, value) {
                    (Some(slot), Value::List(mut one)) if one.len() == 1 => {
                        if let Some(value) = one.pop() {
                            *slot = value;
                        }
                    }
                    _ => return Err(no_element(path, index)),
                }
            }
        }
        self.raw = None;
        self.complete = false;
        Ok(())
    }
}

/// A field name with an optional index.
struct Step<'a> {
    name: &'a str,
    index: Option<usize>,
}

impl Step<'_> {
    fn field<'s>(&self, shape: &'s Shape) -> Result<&'s Field> {
        shape.field_named(self.name).ok_or_else(|| {
            let what = format!("{} has no field `{}`", shape.desc.name(), self.name);
            Error::new(ErrorKind::Path(what)).did_you_mean(self.name, shape.names())
        })
    }
}

impl Field {
    /// The index of the message type of this field.
    fn inner(&self) -> Option<usize> {
        match self.kind {
            FieldKind::Message(index) | FieldKind::Group(index) => Some(index),
            _ => None,
        }
    }
}

fn steps(path: &str) -> Result<Vec<Step<'_>>> {
    path.split('.')
        .map(|part| {
            let (name, index) = match part.strip_suffix(']').and_then(|p| p.split_once('[')) {
                Some((name, index)) => (name, Some(index.parse().map_err(|_| bad_path(path))?)),
                None => (part, None),
            };
            if name.is_empty() {
                Err(bad_path(path))
            } else {
                Ok(Step { name, index })
            }
        })
        .collect()
}

fn element(value: Value, index: usize, path: &str) -> Result<Value> {
    match value {
        Value::List(mut list) if index < list.len() => Ok(list.swap_remove(index)),
        _ => Err(no_element(path, index)),
    }
}

fn json_value(types: &Types, field: &Field, value: &Value) -> Result<serde_json::Value> {
    let mut out = Out::new(None, false);
    print::field_value(&mut out, Style::default(), types, field, value)?;
    serde_json::from_slice(&out.text)
        .map_err(|error| Error::new(ErrorKind::Json(error.to_string())))
}

fn bad_path(path: &str) -> Error {
    let what = format!("`{path}` is not a path such as `tc.comm` or `vmas[3].start`");
    Error::new(ErrorKind::Path(what))
}

fn no_message(path: &str, field: &Field) -> Error {
    let what = format!("`{path}`: `{}` holds no single message", field.name);
    Error::new(ErrorKind::Path(what))
}

fn no_element(path: &str, index: usize) -> Error {
    Error::new(ErrorKind::Path(format!(
        "`{path}`: the list has no element {index}"
    )))
}
