//! Fields that the schema does not have, and fields whose wire type contradicts it.
//!
//! A dynamic message keeps the first kind by itself. The second kind it can't hold under its own
//! number, so it is wrapped in a group under a number that no schema uses ([`STRAY`]), and
//! unwrapped wherever unknown fields are looked at. A real unknown field of that number is wrapped
//! as well, so that the two are never mistaken for each other.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, Value};

use super::record::present;
use crate::bytes::{Cursor, Wire, put_key, put_varint};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{FieldKind, MessageType, Shape, Types};

/// The number of the wrapping group: the largest there is.
pub(super) const STRAY: u32 = 0x1fff_ffff;

/// A field as it stands on the wire, without a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unknown {
    pub(crate) number: u32,
    pub(crate) wire: Wire,
    pub(crate) value: UnknownValue,
}

/// The value of an unknown field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum UnknownValue {
    Number(u64),
    Bytes(Vec<u8>),
    Group(Vec<Unknown>),
}

impl Unknown {
    /// Appends the field's bytes.
    #[allow(clippy::cast_possible_truncation)] // a fixed32 was read from, or checked to be, 32 bits
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_key(out, self.number, self.wire);
        match &self.value {
            UnknownValue::Number(v) if self.wire == Wire::Fixed32 => {
                out.extend((*v as u32).to_le_bytes());
            }
            UnknownValue::Number(v) if self.wire == Wire::Fixed64 => out.extend(v.to_le_bytes()),
            UnknownValue::Number(v) => put_varint(out, *v),
            UnknownValue::Bytes(bytes) => {
                put_varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            UnknownValue::Group(fields) => {
                fields.iter().for_each(|field| field.put(out));
                put_key(out, self.number, Wire::GroupEnd);
            }
        }
    }
}

/// The unknown fields of a message (not of the messages inside it), in the order of their numbers.
pub(crate) fn unknown_fields(message: &DynamicMessage) -> Result<Vec<Unknown>> {
    let mut found = Vec::new();
    let mut bytes = Vec::new();
    for field in message.unknown_fields() {
        bytes.clear();
        field.encode(&mut bytes);
        for unknown in parse(&bytes, MESSAGE_DEPTH + 1)? {
            match unknown.value {
                UnknownValue::Group(strays) if unknown.number == STRAY => found.extend(strays),
                _ => found.push(unknown),
            }
        }
    }
    found.sort_by_key(|unknown| unknown.number);
    Ok(found)
}

/// A field that the schema lacks, or has with another wire type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnknownPath {
    /// The path of the message, then the number, such as `tc.99`.
    pub(crate) path: String,
    /// The name of the field of this number, whose wire type is another.
    pub(crate) contradicts: Option<String>,
}

/// Returns the unknown fields of a message and of the messages inside it, each once.
pub(crate) fn unknown_paths(
    ty: &MessageType,
    message: &DynamicMessage,
) -> Result<BTreeSet<UnknownPath>> {
    let mut found = BTreeSet::new();
    collect(&ty.types, ty.shape(), message, "", &mut found)?;
    Ok(found)
}

fn collect(
    types: &Types,
    shape: &Shape,
    message: &DynamicMessage,
    prefix: &str,
    found: &mut BTreeSet<UnknownPath>,
) -> Result<()> {
    for unknown in unknown_fields(message)? {
        let field = shape.field(unknown.number);
        found.insert(UnknownPath {
            path: format!("{prefix}{}", unknown.number),
            contradicts: field.map(|field| field.name.to_string()),
        });
    }
    for field in &shape.fields {
        let (FieldKind::Message(index) | FieldKind::Group(index)) = &field.kind else {
            continue;
        };
        let inner = types.shape(*index);
        match present(message, field) {
            Some(Value::Message(message)) => {
                let prefix = format!("{prefix}{}.", field.name);
                collect(types, inner, message, &prefix, found)?;
            }
            Some(Value::List(list)) => {
                let prefix = format!("{prefix}{}[].", field.name);
                for element in list.iter().filter_map(Value::as_message) {
                    collect(types, inner, element, &prefix, found)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A field's bytes in the wrapping group.
pub(super) fn wrap_stray(raw: &[u8]) -> Vec<u8> {
    let mut wrapped = Vec::with_capacity(raw.len() + 10);
    put_key(&mut wrapped, STRAY, Wire::Group);
    wrapped.extend_from_slice(raw);
    put_key(&mut wrapped, STRAY, Wire::GroupEnd);
    wrapped
}

fn parse(bytes: &[u8], depth: usize) -> Result<Vec<Unknown>> {
    let mut cursor = Cursor::new(bytes);
    let mut fields = Vec::new();
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        let value = match wire {
            Wire::Varint => UnknownValue::Number(cursor.varint()?),
            Wire::Fixed32 => UnknownValue::Number(u64::from(cursor.fixed32()?)),
            Wire::Fixed64 => UnknownValue::Number(cursor.fixed64()?),
            Wire::Bytes => UnknownValue::Bytes(cursor.delimited()?.to_vec()),
            Wire::Group | Wire::GroupEnd => {
                let inside = cursor.group(number, depth)?;
                UnknownValue::Group(parse(inside, depth.saturating_sub(1))?)
            }
        };
        fields.push(Unknown {
            number,
            wire,
            value,
        });
    }
    Ok(fields)
}
