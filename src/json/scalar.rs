//! One value of JSON for one field: which forms are taken, and what is refused with which words.

use prost_reflect::Value;

use super::integer::{self, Numbers};
use super::options::Dialect;
use super::{address, base64, float, quopri};
use crate::error::nearest;
use crate::schema::{EnumType, Field, FieldKind};

/// A value of JSON that is neither an array nor an object.
pub(super) enum Json<'a> {
    Bool(bool),
    Integer(i128),
    /// A number with a fraction or exponent, or beyond 64 bits.
    Float(f64),
    Text(&'a str),
    /// The base64 text of `{"@bytes": ...}`.
    Bytes(&'a str),
}

/// Why a value was refused, and what might help.
pub(super) struct Refused {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Refused { what, hint: None }
    }
}

/// What a field of this kind wants, in words.
pub(super) fn expected(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "true or false",
        FieldKind::Float | FieldKind::Double => "a number",
        FieldKind::String => "a string",
        FieldKind::Bytes => "a base64 string",
        FieldKind::Enum(_) => "an enum's name",
        FieldKind::Message(_) | FieldKind::Group(_) => "an object",
        _ => "an integer",
    }
}

impl Json<'_> {
    fn describe(&self) -> String {
        match self {
            Json::Bool(v) => v.to_string(),
            Json::Integer(v) => v.to_string(),
            Json::Float(v) => v.to_string(),
            Json::Text(_) => "a string".to_owned(),
            Json::Bytes(_) => "`@bytes`".to_owned(),
        }
    }
}

/// The value of a field (of one element, when it is repeated). An IP address gives a list. Python's numbers
/// come with what else upstream's crit takes.
pub(super) fn read(
    json: &Json<'_>,
    field: &Field,
    dialect: Dialect,
    numbers: Numbers,
) -> Result<Value, Refused> {
    let lenient = numbers == Numbers::Python;
    let refuse = || {
        let wanted = expected(&field.kind);
        Refused::from(format!("expected {wanted}, found {}", json.describe()))
    };
    match &field.kind {
        FieldKind::Bool => match json {
            Json::Bool(v) => Ok(Value::Bool(*v)),
            Json::Integer(v) if lenient => Ok(Value::Bool(*v != 0)),
            _ => Err(refuse()),
        },
        FieldKind::Float => match json {
            Json::Text(text) => float::parse_float(text),
            #[allow(clippy::cast_possible_truncation)] // it was printed from a float
            _ => number(json).map(|v| v as f32),
        }
        .map(Value::F32)
        .ok_or_else(refuse),
        FieldKind::Double => match json {
            Json::Text(text) => float::parse_double(text),
            _ => number(json),
        }
        .map(Value::F64)
        .ok_or_else(refuse),
        FieldKind::String => match json {
            Json::Text(text) => Ok(Value::Bytes(text.as_bytes().to_vec().into())),
            Json::Bytes(text) => Ok(Value::Bytes(base64::decode(text, false)?.into())),
            Json::Integer(v) if lenient => Ok(Value::Bytes(v.to_string().into())),
            _ => Err(refuse()),
        },
        FieldKind::Bytes => match json {
            Json::Text(text) if field.hints.unix_name && dialect != Dialect::Go => Ok(
                Value::Bytes(quopri::decode(text.as_bytes(), lenient)?.into()),
            ),
            Json::Text(text) | Json::Bytes(text) => {
                Ok(Value::Bytes(base64::decode(text, lenient)?.into()))
            }
            _ => Err(refuse()),
        },
        FieldKind::Enum(names) => match json {
            Json::Text(text) => enum_value(text, names),
            Json::Integer(v) => i32::try_from(*v)
                .map(Value::EnumNumber)
                .map_err(|_| format!("{v} is out of range for an enum").into()),
            _ => Err(refuse()),
        },
        FieldKind::Message(_) | FieldKind::Group(_) => Err(refuse()),
        kind => match json {
            Json::Integer(v) => fit(kind, *v),
            Json::Text(text)
                if field.hints.ip
                    && field.repeated
                    && matches!(kind, FieldKind::Uint32)
                    && address::looks_like_one(text) =>
            {
                address::parse(text)
                    .map(|words| Value::List(words.into_iter().map(Value::U32).collect()))
                    .ok_or_else(|| format!("`{text}` is not an IP address").into())
            }
            Json::Text(text) => fit(kind, integer::parse(text, &field.hints.integer, numbers)?),
            Json::Bool(v) if lenient => fit(kind, i128::from(*v)),
            // JSON's -0 comes as a float.
            Json::Float(v) if *v == 0.0 && v.is_sign_negative() => fit(kind, 0),
            #[allow(clippy::cast_possible_truncation)] // as Python's int() cuts it; fit() checks the range
            Json::Float(v) if lenient && v.abs() < 2e19 => fit(kind, *v as i128),
            Json::Float(v) => Err(Refused {
                what: format!("{v} has a fraction, an exponent or more than 64 bits: not an integer"),
                hint: Some(
                    "jq before 1.7 rounds integers beyond 2^53; `crit decode --big-ints string` keeps them"
                        .to_owned(),
                ),
            }),
            _ => Err(refuse()),
        },
    }
}

fn number(json: &Json<'_>) -> Option<f64> {
    match json {
        Json::Float(v) => Some(*v),
        #[allow(clippy::cast_precision_loss)] // as JSON's numbers are defined
        Json::Integer(v) => Some(*v as f64),
        _ => None,
    }
}

fn enum_value(text: &str, names: &EnumType) -> Result<Value, Refused> {
    if let Some(number) = names.number_of(text) {
        return Ok(Value::EnumNumber(number));
    }
    if let Some(number) = integer::number(text).and_then(|v| i32::try_from(v).ok()) {
        return Ok(Value::EnumNumber(number));
    }
    Err(Refused {
        what: format!("{} has no value `{text}`", names.name),
        hint: nearest(text, names.names()).map(|near| format!("did you mean `{near}`?")),
    })
}

fn fit(kind: &FieldKind, value: i128) -> Result<Value, Refused> {
    let fitted = match kind {
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => {
            i32::try_from(value).ok().map(Value::I32)
        }
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => {
            i64::try_from(value).ok().map(Value::I64)
        }
        FieldKind::Uint32 | FieldKind::Fixed32 => u32::try_from(value).ok().map(Value::U32),
        _ => u64::try_from(value).ok().map(Value::U64),
    };
    fitted.ok_or_else(|| {
        let name = match kind {
            FieldKind::Int32 => "int32",
            FieldKind::Sint32 => "sint32",
            FieldKind::Sfixed32 => "sfixed32",
            FieldKind::Int64 => "int64",
            FieldKind::Sint64 => "sint64",
            FieldKind::Sfixed64 => "sfixed64",
            FieldKind::Uint32 => "uint32",
            FieldKind::Fixed32 => "fixed32",
            FieldKind::Uint64 => "uint64",
            _ => "fixed64",
        };
        format!("{value} is out of range for {name}").into()
    })
}
