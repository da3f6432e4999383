//! Fields of a message by name, for those who read a few known ones: absent is an ordinary answer.
//!
//! A field may be absent because it is not set, because this schema has none of that name, or
//! because it has one of another type: schemas are loaded at run time, and CRIUs differ.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, Value};

use crate::schema::{Field, FieldKind, MessageType, Shape, Types};
use crate::text::Text;

/// The value of a field that is set, without copying it.
pub(crate) fn present<'a>(message: &'a DynamicMessage, field: &Field) -> Option<&'a Value> {
    // A field that is not set has an owned value, its default; every field of the plain twin of a
    // schema has presence, but an empty list counts as not set.
    match message.get_field(&field.desc) {
        Cow::Borrowed(Value::List(list)) if list.is_empty() => None,
        Cow::Borrowed(value) => Some(value),
        Cow::Owned(_) => None,
    }
}

/// A message with its type.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    types: &'a Types,
    shape: &'a Shape,
    message: &'a DynamicMessage,
    skipped: Option<u32>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(ty: &'a MessageType, message: &'a DynamicMessage) -> Self {
        Record {
            types: &ty.types,
            shape: ty.shape(),
            message,
            skipped: None,
        }
    }

    pub(super) fn without(self, skipped: Option<u32>) -> Self {
        Record { skipped, ..self }
    }

    /// A field that is set but was not asked for, where only some fields were decoded: by its name,
    /// or by its number where this schema lacks it. It may change what the others mean.
    pub(crate) fn skipped(self) -> Option<String> {
        let number = self.skipped?;
        Some(match self.shape.field(number) {
            Some(field) => format!("`{}`", field.name),
            None => format!("{number}, which the schema lacks"),
        })
    }

    fn value(self, name: &str) -> Option<(&'a Field, &'a Value)> {
        self.value_at(self.column(name))
    }

    /// A number: an integer that is not negative, a bool, or an enum's number.
    pub(crate) fn number(self, name: &str) -> Option<u64> {
        as_number(self.value(name)?.1)
    }

    /// Where a field stands in messages of this type, for [`Record::number_at`].
    pub(crate) fn column(self, name: &str) -> Option<usize> {
        self.shape.index_named(name)
    }

    /// The same as [`Record::number`], without looking for the name again.
    pub(crate) fn number_at(self, column: Option<usize>) -> Option<u64> {
        as_number(self.value_at(column)?.1)
    }

    fn value_at(self, column: Option<usize>) -> Option<(&'a Field, &'a Value)> {
        let field = self.shape.fields.get(column?)?;
        present(self.message, field).map(|value| (field, value))
    }

    /// The same as [`Record::word`], without looking for the name again.
    pub(crate) fn word_at(self, column: Option<usize>) -> Option<u32> {
        self.number_at(column).and_then(|v| u32::try_from(v).ok())
    }

    /// The same as [`Record::record`], without looking for the name again.
    pub(crate) fn record_at(self, column: Option<usize>) -> Option<Record<'a>> {
        let (field, value) = self.value_at(column)?;
        self.inner(field, value)
    }

    /// A number of up to 32 bits; a larger one is absent.
    pub(crate) fn word(self, name: &str) -> Option<u32> {
        self.number(name).and_then(|v| u32::try_from(v).ok())
    }

    /// An integer with its sign.
    pub(crate) fn signed(self, name: &str) -> Option<i64> {
        match self.value(name)?.1 {
            Value::I32(v) => Some(i64::from(*v)),
            Value::I64(v) => Some(*v),
            value => as_number(value).and_then(|v| i64::try_from(v).ok()),
        }
    }

    /// A bool that is set and true.
    pub(crate) fn is(self, name: &str) -> bool {
        self.number(name).is_some_and(|v| v != 0)
    }

    /// The bytes of a string or bytes field.
    pub(crate) fn bytes(self, name: &str) -> Option<&'a [u8]> {
        match self.value(name)?.1 {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The same, to be kept.
    pub(crate) fn text(self, name: &str) -> Option<Text> {
        self.bytes(name).map(Text::from)
    }

    /// The name of an enum's value, or its number when it has none.
    pub(crate) fn enum_name(self, name: &str) -> Option<Cow<'a, str>> {
        self.enum_name_at(self.column(name))
    }

    /// The same as [`Record::enum_name`], without looking for the name again.
    pub(crate) fn enum_name_at(self, column: Option<usize>) -> Option<Cow<'a, str>> {
        match self.value_at(column)? {
            (field, Value::EnumNumber(number)) => match &field.kind {
                FieldKind::Enum(names) => Some(match names.name_of(*number) {
                    Some(name) => Cow::Borrowed(name),
                    None => Cow::Owned(number.to_string()),
                }),
                _ => None,
            },
            _ => None,
        }
    }

    /// A message inside this one.
    pub(crate) fn record(self, name: &str) -> Option<Record<'a>> {
        let (field, value) = self.value(name)?;
        self.inner(field, value)
    }

    /// The messages of a list.
    pub(crate) fn records(self, name: &str) -> impl Iterator<Item = Record<'a>> {
        let list = match self.value(name) {
            Some((field, Value::List(list))) => Some((field, list.as_slice())),
            _ => None,
        };
        list.into_iter()
            .flat_map(move |(field, list)| list.iter().filter_map(move |v| self.inner(field, v)))
    }

    /// The numbers of a list.
    pub(crate) fn numbers(self, name: &str) -> Vec<u64> {
        match self.value(name) {
            Some((_, Value::List(list))) => list.iter().filter_map(as_number).collect(),
            _ => Vec::new(),
        }
    }

    /// The numbers of a list of 32-bit words.
    pub(crate) fn words(self, name: &str) -> Vec<u32> {
        let numbers = self.numbers(name).into_iter();
        numbers.filter_map(|v| u32::try_from(v).ok()).collect()
    }

    /// The texts of a list.
    pub(crate) fn texts(self, name: &str) -> Vec<Text> {
        match self.value(name) {
            Some((_, Value::List(list))) => list
                .iter()
                .filter_map(|value| match value {
                    Value::Bytes(bytes) => Some(Text::from(&**bytes)),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn inner(self, field: &Field, value: &'a Value) -> Option<Record<'a>> {
        match (value, &field.kind) {
            (Value::Message(message), FieldKind::Message(index) | FieldKind::Group(index)) => {
                Some(Record {
                    types: self.types,
                    shape: self.types.shape(*index),
                    message,
                    skipped: None,
                })
            }
            _ => None,
        }
    }
}

fn as_number(value: &Value) -> Option<u64> {
    match value {
        Value::U32(v) => Some(u64::from(*v)),
        Value::U64(v) => Some(*v),
        Value::Bool(v) => Some(u64::from(*v)),
        Value::I32(v) | Value::EnumNumber(v) => u64::try_from(*v).ok(),
        Value::I64(v) => u64::try_from(*v).ok(),
        _ => None,
    }
}
