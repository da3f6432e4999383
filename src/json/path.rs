//! Fields of an entry by path, with values as the JSON contract has them.

use prost_reflect::{DynamicMessage, Value};
use serde::de::DeserializeSeed;

use super::options::Dialect;
use super::out::Out;
use super::print::{self, Style};
use super::read::{FieldSeed, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Entry;
use crate::message::present;
use crate::schema::{Field, FieldKind, MessageType, Types};

impl Entry {
    /// The value at a path such as `tc.comm` or `vmas[3].start`, as `decode` prints it:
    /// null when the field is absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Path`] when the message has no such field, or the list no such element.
    pub fn get(&self, path: &str) -> Result<serde_json::Value> {
        let steps = steps(path)?;
        let (field, value) = walk(&self.ty, Some(&self.message), &steps, path)?;
        match value {
            None => Ok(serde_json::Value::Null),
            Some(value) => json_value(&self.ty.types, field, value, false),
        }
    }

    /// Sets the value at a path; the messages on the way are made when they are absent.
    ///
    /// The value may have any form that `encode` takes: an enum's name, `0x10`, an IP address. When
    /// it is refused, the entry stays as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Path`] as for [`Entry::get`]; [`ErrorKind::Value`] when the value does not fit.
    pub fn set(&mut self, path: &str, value: impl Into<serde_json::Value>) -> Result<()> {
        let ty = self.ty.clone();
        let steps = steps(path)?;
        // Everything that can be refused is, before anything is changed.
        let (field, _) = walk(&ty, Some(&self.message), &steps, path)?;
        let Some((last, way)) = steps.split_last() else {
            return Err(bad_path(path));
        };
        let value = read_value(&ty.types, field, last.index, value.into())
            .map_err(|error| error.in_field(path))?;
        let mut message: &mut DynamicMessage = &mut self.message;
        for step in way {
            let field = ty
                .types
                .shape_of(message)
                .and_then(|shape| shape.field_named(step.name))
                .ok_or_else(|| bad_path(path))?;
            message = match (message.get_field_mut(&field.desc), step.index) {
                (Value::Message(inner), None) => inner,
                (Value::List(list), Some(index)) => match list.get_mut(index) {
                    Some(Value::Message(inner)) => inner,
                    _ => return Err(no_element(path, index)),
                },
                _ => return Err(no_message(path, field)),
            };
        }
        match last.index {
            None => message.set_field(&field.desc, value),
            Some(index) => match message.get_field_mut(&field.desc) {
                Value::List(list) => match list.get_mut(index) {
                    Some(slot) => *slot = value,
                    None => return Err(no_element(path, index)),
                },
                _ => return Err(no_element(path, index)),
            },
        }
        self.touched();
        Ok(())
    }
}

/// Follows a path: the last field, and what stands there, if anything does.
fn walk<'a, 't>(
    ty: &'t MessageType,
    mut message: Option<&'a DynamicMessage>,
    steps: &[Step<'_>],
    path: &str,
) -> Result<(&'t Field, Option<&'a Value>)> {
    let mut shape = ty.shape();
    for (at, step) in steps.iter().enumerate() {
        let field = shape.known_field(step.name)?;
        let mut value = message.and_then(|message| present(message, field));
        if let Some(index) = step.index {
            let list = value.and_then(Value::as_list);
            let element = list.and_then(|list| list.get(index));
            value = Some(element.ok_or_else(|| no_element(path, index))?);
        }
        if at + 1 == steps.len() {
            return Ok((field, value));
        }
        let inner = field
            .kind
            .message()
            .ok_or_else(|| no_message(path, field))?;
        if field.repeated && step.index.is_none() {
            return Err(no_message(path, field));
        }
        shape = ty.types.shape(inner);
        message = value.and_then(Value::as_message);
    }
    Err(bad_path(path))
}

/// Reads a field's value, or, with an index, that of one element.
fn read_value(
    types: &Types,
    field: &Field,
    index: Option<usize>,
    value: serde_json::Value,
) -> Result<Value> {
    let mut reading = Reading::new(Dialect::Criu, false);
    reading.written = true;
    let seed = FieldSeed {
        reading: &mut reading,
        types,
        field,
    };
    // An element is read as a list of one.
    let whole = match index {
        Some(_) => serde_json::Value::Array(vec![value]),
        None => value,
    };
    let read = seed.deserialize(whole).map_err(|error| {
        if index.is_some() {
            reading.forget_outermost();
        }
        reading.error(error, (0, 0))
    })?;
    match (index, read) {
        (None, value) => Ok(value),
        (Some(_), Value::List(mut list)) if list.len() == 1 => {
            list.pop().ok_or_else(|| no_element(&field.name, 0))
        }
        (Some(index), _) => Err(no_element(&field.name, index)),
    }
}

/// The fields of an entry as pretty JSON.
pub(crate) fn entry_value(entry: &Entry) -> Result<serde_json::Value> {
    printed(true, |out, style| {
        out.text.push(b'{');
        print::members(out, style, &entry.ty, &entry.message)?;
        out.text.push(b'}');
        Ok(())
    })
}

/// What is printed, as a value.
fn printed(
    pretty: bool,
    print: impl FnOnce(&mut Out<'_>, Style) -> Result<()>,
) -> Result<serde_json::Value> {
    let mut out = Out::new(None, false);
    let style = Style {
        pretty,
        ..Style::default()
    };
    print(&mut out, style)?;
    serde_json::from_slice(&out.text)
        .map_err(|error| Error::new(ErrorKind::Json(error.to_string())))
}

/// Reads the value of a field, or of one element of its list, out of a text as people type it: in
/// any form that JSON may have it, without the quotes.
pub(crate) fn read_text(types: &Types, field: &Field, text: &str, element: bool) -> Result<Value> {
    use serde_json::Value as Json;
    let is_text = matches!(field.kind, FieldKind::String | FieldKind::Bytes);
    let is_json = match text.trim_start().chars().next() {
        Some('[') => field.repeated && !element,
        Some('{') => !is_text || text.contains("\"@bytes\""),
        _ => false,
    };
    let json = if is_json {
        serde_json::from_str(text).map_err(|error| syntax(&error))?
    } else {
        let value = match (&field.kind, text) {
            (FieldKind::String | FieldKind::Bytes, _) => Json::from(text),
            (FieldKind::Bool, "true" | "1") => Json::from(true),
            (FieldKind::Bool, "false" | "0") => Json::from(false),
            // Which number one with a leading zero is, the reader of numbers says.
            _ if text.trim_start_matches('-').starts_with('0') => Json::from(text),
            _ => match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => Json::from(number),
                (_, Ok(number)) => Json::from(number),
                _ => Json::from(text),
            },
        };
        if field.repeated && !element {
            Json::Array(vec![value])
        } else {
            value
        }
    };
    read_value(types, field, element.then_some(0), json)
}

/// The error of JSON in a value. Where a number is wrong, it may be an octal one.
fn syntax(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let is_number = text.starts_with("invalid number");
    let error = Error::new(ErrorKind::Json(text));
    match is_number {
        true => error.with_hint(super::read::OCTAL_HINT),
        false => error,
    }
}

/// A field name with an optional index.
struct Step<'a> {
    name: &'a str,
    index: Option<usize>,
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

/// The value of a field as JSON, plain or pretty.
pub(crate) fn json_value(
    types: &Types,
    field: &Field,
    value: &Value,
    pretty: bool,
) -> Result<serde_json::Value> {
    printed(pretty, |out, style| {
        print::field_value(out, style, types, field, value)
    })
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
