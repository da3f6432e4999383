//! `@unknown`: fields that the schema lacks, as JSON has them.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::base64;
use super::integer;
use super::out::Out;
use crate::bytes::{Cursor, Wire};
use crate::error;
use crate::limits::MESSAGE_DEPTH;
use crate::message::{Unknown, UnknownValue};

/// Prints them as an array.
pub(super) fn print(
    out: &mut Out<'_>,
    quote_big_ints: bool,
    fields: &[Unknown],
) -> error::Result<()> {
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
) -> error::Result<()> {
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
    type Value = Result<Vec<Unknown>, String>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        Ok(match Given::deserialize(input)? {
            Given::List(fields) => fields,
            _ => Err(bad("they stand in an array")),
        })
    }
}

/// A value of JSON as far as it can be a part of an unknown field: each is made as it is read, without
/// a tree in between.
enum Given {
    Number(u64),
    Text(String),
    List(Result<Vec<Unknown>, String>),
    Field(Result<Unknown, String>),
    Other,
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an unknown field")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Given, E> {
        Ok(Given::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
        let mut fields = Ok(Vec::new());
        while let Some(given) = seq.next_element::<Given>()? {
            let field = match given {
                Given::Field(field) => field,
                _ => Err(bad(ALL)),
            };
            match (&mut fields, field) {
                (Ok(fields), Ok(field)) => fields.push(field),
                (Ok(_), Err(what)) => fields = Err(what),
                (Err(_), _) => {}
            }
        }
        Ok(Given::List(fields))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        let (mut number, mut wire, mut value) = (None, None, None);
        let mut others = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "number" => number = Some(map.next_value()?),
                "wire" => wire = Some(map.next_value()?),
                "value" => value = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    others = true;
                }
            }
        }
        Ok(Given::Field(match (number, wire, value) {
            (Some(number), Some(wire), Some(value)) if !others => unknown(&number, &wire, value),
            _ => Err(bad(ALL)),
        }))
    }
}

/// What a field has.
const ALL: &str = "these three and no others";

fn bad(what: &str) -> String {
    format!("an unknown field needs number, wire and value: {what}")
}

impl Given {
    fn number(&self) -> Option<u64> {
        match self {
            Given::Number(number) => Some(*number),
            Given::Text(text) => integer::number(text).and_then(|value| u64::try_from(value).ok()),
            _ => None,
        }
    }
}

fn unknown(number: &Given, wire: &Given, value: Given) -> Result<Unknown, String> {
    let integer = |limit: u64| {
        let value = value.number().filter(|value| *value <= limit);
        value
            .map(UnknownValue::Number)
            .ok_or_else(|| bad("value is out of range"))
    };
    let Given::Text(wire) = wire else {
        return Err(bad(WIRES));
    };
    let (wire, value) = match (wire.as_str(), &value) {
        ("varint", _) => (Wire::Varint, integer(u64::MAX)?),
        ("fixed32", _) => (Wire::Fixed32, integer(u64::from(u32::MAX))?),
        ("fixed64", _) => (Wire::Fixed64, integer(u64::MAX)?),
        ("bytes", Given::Text(text)) => (
            Wire::Bytes,
            UnknownValue::Bytes(base64::decode(text, false)?),
        ),
        ("bytes", _) => return Err(bad("value is not a string")),
        ("group", Given::List(_)) => match value {
            Given::List(fields) => (Wire::Group, UnknownValue::Group(fields?)),
            _ => return Err(bad("value is not an array")),
        },
        ("group", _) => return Err(bad("value is not an array")),
        _ => return Err(bad(WIRES)),
    };
    let number = number
        .number()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=0x1fff_ffff).contains(number))
        .ok_or_else(|| bad("number is 1 to 536870911"))?;
    Ok(Unknown {
        number,
        wire,
        value,
    })
}

const WIRES: &str = "wire is varint, fixed32, fixed64, bytes or group";
