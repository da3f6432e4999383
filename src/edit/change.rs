//! Changes of the fields of a message.

use prost_reflect::{DynamicMessage, Value};

use super::path::{Select, Step};
use crate::descriptor::FieldMeanings;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{json_value, read_text};
use crate::message::present;
use crate::schema::{Field, Shape, Types};

/// What is done to what a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The field gets this value.
    Set(String),
    /// The list gets one more element.
    Append(String),
    /// Elements of the list that have this value go.
    Remove(String),
    /// The field, element or entry goes.
    Delete,
}

/// A field that has another value than before.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Changed {
    /// The path to it, with places for all selections.
    pub path: String,
    /// The value before, as pretty JSON has it; null when there was none.
    pub before: serde_json::Value,
    /// The value now.
    pub after: serde_json::Value,
    /// The values are permissions, which people read as octal numbers.
    #[serde(skip)]
    pub octal: bool,
}

impl Changed {
    pub(crate) fn new(
        path: String,
        before: impl Into<serde_json::Value>,
        after: impl Into<serde_json::Value>,
    ) -> Self {
        Changed {
            path,
            before: before.into(),
            after: after.into(),
            octal: false,
        }
    }
}

/// Goes along a path in one entry.
pub(super) struct Walker<'a> {
    types: &'a Types,
    /// Told of each field that a path leads to.
    pub(super) changed: Vec<Changed>,
    /// How many places the path led to, changed or not.
    pub(super) reached: u64,
}

impl<'a> Walker<'a> {
    pub(super) fn new(types: &'a Types) -> Self {
        Walker {
            types,
            changed: Vec::new(),
            reached: 0,
        }
    }

    /// Does something to what the steps lead to from a message on.
    pub(super) fn apply(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        steps: &[Step],
        action: &Action,
        way: &str,
    ) -> Result<()> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(());
        };
        let field = shape.known_field(&step.name)?;
        let way = format!("{way}.{}", step.name);
        if rest.is_empty() {
            return match &step.select {
                None => self.whole(shape, field, message, action, way),
                Some(select) => self.elements(field, message, select, action, &way),
            };
        }
        let inner = inner_shape(self.types, field)?;
        let Some(select) = &step.select else {
            if field.repeated {
                return Err(which_element(&way));
            }
            // Only what sets a value makes the messages on the way to it.
            if !message.has_field(&field.desc)
                && !matches!(action, Action::Set(_) | Action::Append(_))
            {
                return Ok(());
            }
            if let Value::Message(message) = message.get_field_mut(&field.desc) {
                self.apply(inner, message, rest, action, &way)?;
            }
            return Ok(());
        };
        let places = self.places(field, message, select, &way)?;
        if places.is_empty() {
            return Ok(());
        }
        if let Value::List(list) = message.get_field_mut(&field.desc) {
            for place in places {
                if let Some(Value::Message(message)) = list.get_mut(place) {
                    self.apply(inner, message, rest, action, &format!("{way}[{place}]"))?;
                }
            }
        }
        Ok(())
    }

    /// A field as a whole.
    fn whole(
        &mut self,
        shape: &Shape,
        field: &Field,
        message: &mut DynamicMessage,
        action: &Action,
        path: String,
    ) -> Result<()> {
        self.reached += 1;
        let before = self.json(field, present(message, field))?;
        match action {
            Action::Set(text) => {
                let value = read_text(self.types, field, text, false)
                    .map_err(|error| error.in_field(&path))?;
                message.set_field(&field.desc, value);
            }
            Action::Append(text) | Action::Remove(text) => {
                if !field.repeated {
                    let what = format!("`{path}` is no list");
                    return Err(Error::new(ErrorKind::Path(what)));
                }
                let value = read_text(self.types, field, text, true)
                    .map_err(|error| error.in_field(&path))?;
                if let Value::List(list) = message.get_field_mut(&field.desc) {
                    if matches!(action, Action::Append(_)) {
                        list.push(value);
                    } else {
                        list.retain(|element| *element != value);
                    }
                }
            }
            Action::Delete => message.clear_field(&field.desc),
        }
        let after = self.json(field, present(message, field))?;
        if before != after {
            self.changed.push(Changed {
                octal: FieldMeanings::bundled()?.is_octal(shape.desc.name(), &field.name),
                ..Changed::new(path, before, after)
            });
        }
        Ok(())
    }

    /// Elements of a list.
    fn elements(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        select: &Select,
        action: &Action,
        way: &str,
    ) -> Result<()> {
        let places = self.places(field, message, select, way)?;
        self.reached += places.len() as u64;
        let before = present(message, field)
            .and_then(Value::as_list)
            .unwrap_or_default()
            .to_vec();
        let Value::List(list) = message.get_field_mut(&field.desc) else {
            return Err(which_element(way));
        };
        // From behind: what goes does not move what is still to be looked at.
        for place in places.into_iter().rev() {
            let path = format!("{way}[{place}]");
            let after = match action {
                Action::Set(text) => {
                    let value = read_text(self.types, field, text, true)
                        .map_err(|error| error.in_field(&path))?;
                    if let Some(slot) = list.get_mut(place) {
                        *slot = value.clone();
                    }
                    Some(value)
                }
                Action::Delete => {
                    list.remove(place);
                    None
                }
                Action::Append(_) | Action::Remove(_) => {
                    let what = format!("`{path}` is an element: += and -= are for the list");
                    return Err(Error::new(ErrorKind::Path(what)));
                }
            };
            let before = before.get(place);
            if before != after.as_ref() {
                let (before, after) = (
                    self.element(field, before)?,
                    self.element(field, after.as_ref())?,
                );
                self.changed.push(Changed::new(path, before, after));
            }
        }
        Ok(())
    }

    /// The values that the steps lead to, with their paths.
    pub(super) fn values(
        &self,
        shape: &Shape,
        message: &DynamicMessage,
        steps: &[Step],
        way: &str,
        found: &mut Vec<(String, serde_json::Value)>,
    ) -> Result<()> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(());
        };
        let field = shape.known_field(&step.name)?;
        let way = format!("{way}.{}", step.name);
        let inner = if rest.is_empty() {
            None
        } else {
            Some(inner_shape(self.types, field)?)
        };
        let Some(select) = &step.select else {
            let value = present(message, field);
            match (inner, value) {
                (None, value) => found.push((way, self.json(field, value)?)),
                (Some(_), _) if field.repeated => return Err(which_element(&way)),
                (Some(inner), Some(Value::Message(message))) => {
                    self.values(inner, message, rest, &way, found)?;
                }
                // The fields that the rest names must exist all the same.
                (Some(inner), _) => {
                    let empty = DynamicMessage::new(inner.desc.clone());
                    self.values(inner, &empty, rest, &way, found)?;
                }
            }
            return Ok(());
        };
        for place in self.places(field, message, select, &way)? {
            let list = present(message, field).and_then(Value::as_list);
            let element = list.and_then(|list| list.get(place));
            let way = format!("{way}[{place}]");
            match (inner, element) {
                (Some(inner), Some(Value::Message(message))) => {
                    self.values(inner, message, rest, &way, found)?;
                }
                (_, element) => found.push((way, self.element(field, element)?)),
            }
        }
        Ok(())
    }

    /// The places of the elements that are selected.
    fn places(
        &self,
        field: &Field,
        message: &DynamicMessage,
        select: &Select,
        way: &str,
    ) -> Result<Vec<usize>> {
        if !field.repeated {
            let what = format!("`{way}` is no list");
            return Err(Error::new(ErrorKind::Path(what)));
        }
        let list = present(message, field)
            .and_then(Value::as_list)
            .unwrap_or_default();
        Ok(match select {
            Select::All | Select::Only => (0..list.len()).collect(),
            Select::At(place) => match usize::try_from(*place) {
                Ok(place) if place < list.len() => vec![place],
                _ => {
                    let what = format!("`{way}` has no element {place}: it has {}", list.len());
                    return Err(Error::new(ErrorKind::Path(what)));
                }
            },
            Select::Where(steps, text) => {
                let inner = inner_shape(self.types, field)?;
                let mut places = Vec::new();
                for (place, element) in list.iter().enumerate() {
                    if let Value::Message(message) = element
                        && matches(self.types, inner, message, steps, text)?
                    {
                        places.push(place);
                    }
                }
                places
            }
        })
    }

    fn json(&self, field: &Field, value: Option<&Value>) -> Result<serde_json::Value> {
        value.map_or(Ok(serde_json::Value::Null), |value| {
            json_value(self.types, field, value, true)
        })
    }

    /// The JSON of an element: a list of one is printed, and taken out of it.
    fn element(&self, field: &Field, value: Option<&Value>) -> Result<serde_json::Value> {
        let Some(value) = value else {
            return Ok(serde_json::Value::Null);
        };
        let list = Value::List(vec![value.clone()]);
        Ok(match json_value(self.types, field, &list, true)? {
            serde_json::Value::Array(mut list) if list.len() == 1 => list.remove(0),
            other => other,
        })
    }
}

/// Whether the field at a path has this value.
pub(super) fn matches(
    types: &Types,
    shape: &Shape,
    message: &DynamicMessage,
    steps: &[Step],
    text: &str,
) -> Result<bool> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(false);
    };
    let field = shape.known_field(&step.name)?;
    let value = present(message, field);
    if rest.is_empty() {
        let wanted =
            read_text(types, field, text, false).map_err(|error| error.in_field(&step.name))?;
        return Ok(value == Some(&wanted));
    }
    let inner = inner_shape(types, field)?;
    match value {
        Some(Value::Message(message)) => matches(types, inner, message, rest, text),
        _ => Ok(false),
    }
}

fn inner_shape<'t>(types: &'t Types, field: &Field) -> Result<&'t Shape> {
    let index = field.kind.message().ok_or_else(|| {
        let what = format!("`{}` is no message: no path goes on from it", field.name);
        Error::new(ErrorKind::Path(what))
    })?;
    Ok(types.shape(index))
}

fn which_element(way: &str) -> Error {
    let what = format!("`{way}` is a list: which element?");
    Error::new(ErrorKind::Path(what)).with_hint("[0], [*], or [FIELD=VALUE] behind it")
}
