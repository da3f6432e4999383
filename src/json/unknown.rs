//! `@unknown`: fields that the schema lacks, as JSON has them.

use serde::de::{DeserializeSeed, Deserializer};

use super::base64;
use super::integer;
use super::out::Out;
use crate::bytes::{Cursor, Wire};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::message::{Unknown, UnknownValue};

/// Prints them as an array.
pub(super) fn print(out: &mut Out<'_>, quote_big_ints: bool, fields: &[Unknown]) -> Result<()> {
    let mut bytes = Vec::new();
    out.open(b'[');
    for unknown in fields {
        bytes.clear();
        unknown.put(&mut bytes);
        let depth = MESSAGE_DEPTH + 1;
        field(out, quote_big_ints, &mut Cursor::new(&bytes), depth)?;
    }
    out.close(b']');
    Ok(())
}

/// Prints the field at a cursor, which stands at its key. `depth` is how deep groups may nest in it.
pub(super) fn field(
    out: &mut Out<'_>,
    quote_big_ints: bool,
    cursor: &mut Cursor<'_>,
    depth: usize,
) -> Result<()> {
    let (number, wire) = cursor.key()?;
    out.item();
    out.open(b'{');
    out.member("number");
    out.number(number);
    out.member("wire");
    out.quoted(wire.name());
    out.member("value");
    let value = match wire {
        Wire::Varint => cursor.varint()?,
        Wire::Fixed32 => u64::from(cursor.fixed32()?),
        Wire::Fixed64 => cursor.fixed64()?,
        Wire::Bytes => {
            out.base64(cursor.delimited()?)?;
            out.close(b'}');
            return Ok(());
        }
        Wire::Group | Wire::GroupEnd => {
            let mut inside = Cursor::new(cursor.group(number, depth)?);
            out.open(b'[');
            while !inside.is_empty() {
                field(out, quote_big_ints, &mut inside, depth.saturating_sub(1))?;
                out.spill()?;
            }
            out.close(b']');
            out.close(b'}');
            return Ok(());
        }
    };
    if quote_big_ints && value > integer::EXACT_IN_DOUBLE {
        out.quoted(&value.to_string());
    } else {
        out.number(value);
    }
    out.close(b'}');
    Ok(())
}

/// Reads such an array.
///
/// What it refuses it says in words, which the caller gives a place.
pub(super) struct UnknownSeed;

impl<'de> DeserializeSeed<'de> for UnknownSeed {
    type Value = std::result::Result<Vec<Unknown>, String>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        input: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        let fields = <Vec<serde_json::Value> as serde::Deserialize>::deserialize(input)?;
        Ok(fields.iter().map(unknown_field).collect())
    }
}

fn unknown_field(field: &serde_json::Value) -> std::result::Result<Unknown, String> {
    let text = |key| field.get(key).and_then(serde_json::Value::as_str);
    let number = |key| {
        let value = field.get(key)?;
        let text = value.as_str().and_then(integer::number);
        let text = text.and_then(|value| u64::try_from(value).ok());
        value.as_u64().or(text)
    };
    let bad = |what: &str| format!("an unknown field needs number, wire and value: {what}");
    if field.as_object().is_none_or(|members| members.len() != 3) {
        return Err(bad("these three and no others"));
    }
    let value = field.get("value").ok_or_else(|| bad("value is missing"))?;
    let integer = |limit: u64| {
        let value = number("value").filter(|v| *v <= limit);
        value
            .map(UnknownValue::Number)
            .ok_or_else(|| bad("value is out of range"))
    };
    let (wire, value) = match text("wire") {
        Some("varint") => (Wire::Varint, integer(u64::MAX)?),
        Some("fixed32") => (Wire::Fixed32, integer(u64::from(u32::MAX))?),
        Some("fixed64") => (Wire::Fixed64, integer(u64::MAX)?),
        Some("bytes") => {
            let text = value.as_str().ok_or_else(|| bad("value is not a string"))?;
            (
                Wire::Bytes,
                UnknownValue::Bytes(base64::decode(text, false)?),
            )
        }
        Some("group") => {
            let inner = value
                .as_array()
                .ok_or_else(|| bad("value is not an array"))?;
            let inner = inner
                .iter()
                .map(unknown_field)
                .collect::<std::result::Result<_, _>>()?;
            (Wire::Group, UnknownValue::Group(inner))
        }
        _ => return Err(bad("wire is varint, fixed32, fixed64, bytes or group")),
    };
    let number = number("number")
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=0x1fff_ffff).contains(number))
        .ok_or_else(|| bad("number is 1 to 536870911"))?;
    Ok(Unknown {
        number,
        wire,
        value,
    })
}
