//! A dynamic message to protobuf bytes: fields in the order of their numbers, unknown ones among
//! them, as CRIU's own protobuf-c writes them.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use super::record::present;
use super::unknown::unknown_fields;
use crate::bytes::{Wire, put_key, put_varint};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Field, FieldKind, MessageType, Shape, Types};

/// Appends the bytes of a message.
///
/// # Errors
///
/// A value that is not of its field's type: the message was not made from this type.
pub(crate) fn encode(ty: &MessageType, message: &DynamicMessage, out: &mut Vec<u8>) -> Result<()> {
    encode_as(&ty.types, ty.shape(), message, out)
}

/// The same of a message of this shape.
pub(crate) fn encode_as(
    types: &Types,
    shape: &Shape,
    message: &DynamicMessage,
    out: &mut Vec<u8>,
) -> Result<()> {
    if message.descriptor() != shape.desc {
        let what = format!(
            "a {} where a {} should be",
            message.descriptor().full_name(),
            shape.desc.full_name()
        );
        return Err(Error::new(ErrorKind::Value(what)));
    }
    let unknown = unknown_fields(message)?;
    let mut unknown = unknown.iter().peekable();
    for field in &shape.fields {
        let Some(value) = present(message, field) else {
            continue;
        };
        while let Some(before) = unknown.next_if(|u| u.number < field.number) {
            before.put(out);
        }
        put_field(types, field, value, out).map_err(|e| e.in_field(&field.name))?;
    }
    unknown.for_each(|after| after.put(out));
    Ok(())
}

fn put_field(types: &Types, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::List(list) if field.repeated && field.packed => {
            put_key(out, field.number, Wire::Bytes);
            delimited(out, |out| {
                list.iter()
                    .try_for_each(|value| put_scalar(&field.kind, value, out).map(drop))
            })
        }
        Value::List(list) if field.repeated => list
            .iter()
            .try_for_each(|value| put_one(types, field, value, out)),
        value => put_one(types, field, value, out),
    }
}

fn put_one(types: &Types, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match (&field.kind, value) {
        (FieldKind::Message(index), Value::Message(message)) => {
            put_key(out, field.number, Wire::Bytes);
            delimited(out, |out| {
                encode_as(types, types.shape(*index), message, out)
            })
        }
        (FieldKind::Group(index), Value::Message(message)) => {
            put_key(out, field.number, Wire::Group);
            encode_as(types, types.shape(*index), message, out)?;
            put_key(out, field.number, Wire::GroupEnd);
            Ok(())
        }
        (kind, value) => {
            let key_at = out.len();
            put_key(out, field.number, kind.wire());
            put_scalar(kind, value, out).inspect_err(|_| out.truncate(key_at))
        }
    }
}

/// Appends what `body` writes, with its length in front.
fn delimited(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let start = begin_delimited(out);
    body(out)?;
    end_delimited(out, start);
    Ok(())
}

/// Leaves place for the length of what is appended from here on.
pub(crate) fn begin_delimited(out: &mut Vec<u8>) -> usize {
    // Nearly every message is shorter than 128 bytes: its length takes the one byte left here.
    out.push(0);
    out.len() - 1
}

/// Puts the length of what was appended into the place that was left for it.
pub(crate) fn end_delimited(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start - 1;
    if length < 0x80 {
        if let (Some(slot), Ok(length)) = (out.get_mut(start), u8::try_from(length)) {
            *slot = length;
        }
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    put_varint(&mut prefix, length as u64);
    out.splice(start..=start, prefix);
}

pub(crate) fn put_scalar(kind: &FieldKind, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match (kind, value) {
        (FieldKind::Int32, Value::I32(v)) | (FieldKind::Enum(_), Value::EnumNumber(v)) => {
            put_varint(out, i64::from(*v).cast_unsigned());
        }
        (FieldKind::Sint32, Value::I32(v)) => {
            put_varint(out, u64::from(((v << 1) ^ (v >> 31)).cast_unsigned()));
        }
        (FieldKind::Int64, Value::I64(v)) => put_varint(out, v.cast_unsigned()),
        (FieldKind::Sint64, Value::I64(v)) => {
            put_varint(out, ((v << 1) ^ (v >> 63)).cast_unsigned());
        }
        (FieldKind::Uint32, Value::U32(v)) => put_varint(out, u64::from(*v)),
        (FieldKind::Uint64, Value::U64(v)) => put_varint(out, *v),
        (FieldKind::Bool, Value::Bool(v)) => put_varint(out, u64::from(*v)),
        (FieldKind::Sfixed32, Value::I32(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::Sfixed64, Value::I64(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::Fixed32, Value::U32(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::Fixed64, Value::U64(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::Float, Value::F32(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::Double, Value::F64(v)) => out.extend(v.to_le_bytes()),
        (FieldKind::String | FieldKind::Bytes, Value::Bytes(bytes)) => {
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        _ => {
            return Err(Error::new(ErrorKind::Value(
                "the value is not of the field's type".to_owned(),
            )));
        }
    }
    Ok(())
}
