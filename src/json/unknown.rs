//! `@unknown`: fields that the schema lacks, as JSON has them.

use serde::de::{DeserializeSeed, Deserializer};

use super::base64;
use super::integer;
use super::out::Out;
use crate::bytes::Wire;
use crate::message::{Unknown, UnknownValue};

/// Prints them as an array.
pub(super) fn print(out: &mut Out<'_>, quote_big_ints: bool, fields: &[Unknown]) {
    out.open(b'[');
    for field in fields {
        out.item();
        out.open(b'{');
        out.member("number");
        out.number(field.number);
        out.member("wire");
        out.quoted(field.wire.name());
        out.member("value");
        match &field.value {
            UnknownValue::Number(v) if quote_big_ints && *v > integer::EXACT_IN_DOUBLE => {
                out.quoted(&v.to_string());
            }
            UnknownValue::Number(v) => out.number(*v),
            UnknownValue::Bytes(bytes) => out.base64(bytes),
            UnknownValue::Group(inner) => print(out, quote_big_ints, inner),
        }
        out.close(b'}');
    }
    out.close(b']');
}

/// Reads such an array.
///
/// What it refuses it says in words, which the caller gives a place.
pub(super) struct UnknownSeed;

impl<'de> DeserializeSeed<'de> for UnknownSeed {
    type Value = Result<Vec<Unknown>, String>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        let fields = <Vec<serde_json::Value> as serde::Deserialize>::deserialize(input)?;
        Ok(fields.iter().map(unknown_field).collect())
    }
}

fn unknown_field(field: &serde_json::Value) -> Result<Unknown, String> {
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
            let inner = inner.iter().map(unknown_field).collect::<Result<_, _>>()?;
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
