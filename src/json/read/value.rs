//! A value of JSON that is neither a message nor a list.

use std::fmt;

use prost_reflect::Value;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::super::scalar::{self, Json};
use super::Reading;
use crate::error::{Error, ErrorKind};
use crate::schema::Field;

/// Why a list with an IP address in it is refused.
pub(in crate::json) const NOT_ALONE: &str = "an IP address stands alone in its list";

/// Reads anything that is neither a message nor a list of the schema.
pub(in crate::json) struct ScalarVisitor<'a> {
    pub(in crate::json) reading: &'a mut Reading,
    pub(in crate::json) field: &'a Field,
}

impl ScalarVisitor<'_> {
    fn value<E: serde::de::Error>(self, json: &Json<'_>) -> Result<Value, E> {
        let reading = self.reading;
        scalar::read(json, self.field, reading.dialect, reading.numbers()).map_err(|refused| {
            let error = Error::new(ErrorKind::Value(refused.what));
            reading.fail(match refused.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        })
    }
}

impl<'de> Visitor<'de> for ScalarVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(scalar::expected(&self.field.kind))
    }

    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<Value, E> {
        self.value(&Json::Bool(v))
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Value, E> {
        self.value(&Json::Integer(i128::from(v)))
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Value, E> {
        self.value(&Json::Integer(i128::from(v)))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        self.value(&Json::Float(v))
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Value, E> {
        self.value(&Json::Text(v))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Err(self
            .reading
            .refuse("null is no value; leave the field out".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match map.next_key::<String>()? {
            Some(key) if key == "@bytes" => {
                let value = map.next_value_seed(BytesSeed(self))?;
                if map.next_key::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("`@bytes` stands alone in its object"));
                }
                Ok(value)
            }
            _ => {
                let expected = scalar::expected(&self.field.kind);
                Err(self
                    .reading
                    .refuse(format!("expected {expected}, found an object")))
            }
        }
    }
}

/// Reads the base64 text of `@bytes`, without a copy of the text.
struct BytesSeed<'a>(ScalarVisitor<'a>);

impl<'de> DeserializeSeed<'de> for BytesSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for BytesSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.value(&Json::Bytes(text))
    }
}
