//! Messages as JSON.

use prost_reflect::{DynamicMessage, Value};

use super::options::DecodeOptions;
use super::out::Out;
use super::{address, float, integer, quopri, unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Element, present, unknown_fields};
use crate::schema::{Field, FieldKind, IntegerHint, MessageType, Shape, Types};

/// How messages are printed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
    /// Numbers in the form that their field's hint asks for.
    pub(super) pretty: bool,
    /// Integers that a double can't hold are quoted.
    pub(super) quote_big_ints: bool,
}

impl From<&DecodeOptions> for Style {
    fn from(options: &DecodeOptions) -> Self {
        Style {
            pretty: options.pretty,
            quote_big_ints: options.quote_big_ints,
        }
    }
}

/// Prints the members of a message, without the braces around them.
pub(super) fn members(
    out: &mut Out<'_>,
    style: Style,
    ty: &MessageType,
    message: &DynamicMessage,
) -> Result<()> {
    let printer = Printer {
        style,
        types: &ty.types,
        has_unknown: true,
    };
    printer.members(out, ty.shape(), message, false)
}

/// The same of the message that an element holds.
pub(super) fn element(out: &mut Out<'_>, style: Style, element: &Element) -> Result<()> {
    let printer = Printer::of(element, style);
    printer.members(out, element.ty().shape(), element.message(), false)
}

/// Prints the value of a field as it stands behind its key.
pub(super) fn field_value(
    out: &mut Out<'_>,
    style: Style,
    types: &Types,
    field: &Field,
    value: &Value,
) -> Result<()> {
    let printer = Printer {
        style,
        types,
        has_unknown: true,
    };
    printer.field(out, field, value, false)
}

pub(super) struct Printer<'a> {
    pub(super) style: Style,
    pub(super) types: &'a Types,
    /// Messages may have fields that the schema lacks: to ask each of them costs as much as a field.
    pub(super) has_unknown: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn of(element: &'a Element, style: Style) -> Self {
        Printer {
            style,
            types: &element.ty().types,
            has_unknown: element.has_unknown(),
        }
    }

    /// `hex`: every integer is shown in hex, because a field further out says so.
    pub(super) fn members(
        &self,
        out: &mut Out<'_>,
        shape: &Shape,
        message: &DynamicMessage,
        hex: bool,
    ) -> Result<()> {
        for field in &shape.fields {
            self.member(out, field, message, hex)?;
        }
        self.unknown(out, message)
    }

    /// A field with its key, when it is set.
    #[inline]
    fn member(
        &self,
        out: &mut Out<'_>,
        field: &Field,
        message: &DynamicMessage,
        hex: bool,
    ) -> Result<()> {
        let Some(value) = present(message, field) else {
            return Ok(());
        };
        out.item();
        out.raw(&field.key);
        self.field(out, field, value, hex)
    }

    /// The fields that the schema lacks.
    fn unknown(&self, out: &mut Out<'_>, message: &DynamicMessage) -> Result<()> {
        if !self.has_unknown {
            return Ok(());
        }
        let unknown_here = unknown_fields(message)?;
        if !unknown_here.is_empty() {
            out.unknown_fields += unknown_here.len() as u64;
            out.member("@unknown");
            unknown::print(out, self.style.quote_big_ints, &unknown_here)?;
        }
        Ok(())
    }

    /// Whether the words of a list are to be printed as an address; encode takes it of such words alone.
    pub(super) fn is_address(&self, field: &Field) -> bool {
        self.style.pretty && field.hints.ip && matches!(field.kind, FieldKind::Uint32)
    }

    fn field(&self, out: &mut Out<'_>, field: &Field, value: &Value, hex: bool) -> Result<()> {
        let hex = hex || field.hints.hex;
        let Value::List(list) = value else {
            return self.one(out, field, value, hex);
        };
        out.open(b'[');
        let address = if self.is_address(field) {
            let words: Vec<u32> = list.iter().filter_map(Value::as_u32).collect();
            address::print(&words)
        } else {
            None
        };
        if let Some(address) = address {
            out.item();
            out.quoted(&address);
        } else {
            for value in list {
                out.item();
                self.one(out, field, value, hex)?;
                out.spill()?;
            }
        }
        out.close(b']');
        Ok(())
    }

    pub(super) fn one(
        &self,
        out: &mut Out<'_>,
        field: &Field,
        value: &Value,
        hex: bool,
    ) -> Result<()> {
        match (value, &field.kind) {
            (Value::U32(v), _) => self.unsigned(out, field, u64::from(*v), hex),
            (Value::U64(v), _) => self.unsigned(out, field, *v, hex),
            (Value::I32(v), _) => self.signed(out, field, i64::from(*v), hex),
            (Value::I64(v), _) => self.signed(out, field, *v, hex),
            (Value::Bool(v), _) => out.raw(if *v { "true" } else { "false" }),
            (Value::EnumNumber(v), FieldKind::Enum(names)) => match names.name_of(*v) {
                Some(name) => out.quoted(name),
                None => out.number(*v),
            },
            (Value::F32(v), _) => float::print_float(out, *v),
            (Value::F64(v), _) => float::print_double(out, *v),
            (Value::Bytes(bytes), _) => self.bytes(out, field, bytes)?,
            (Value::Message(message), FieldKind::Message(index) | FieldKind::Group(index)) => {
                out.open(b'{');
                self.members(out, self.types.shape(*index), message, hex)?;
                out.close(b'}');
            }
            _ => {
                let what = "the value is not of the field's type".to_owned();
                return Err(Error::new(ErrorKind::Value(what)).in_field(&field.name));
            }
        }
        Ok(())
    }

    /// A string or bytes, of any length.
    pub(super) fn bytes(&self, out: &mut Out<'_>, field: &Field, bytes: &[u8]) -> Result<()> {
        match (&field.kind, std::str::from_utf8(bytes)) {
            (FieldKind::String, Ok(text)) => out.long_string(text),
            (FieldKind::String, Err(_)) => {
                out.open(b'{');
                out.member("@bytes");
                out.base64(bytes)?;
                out.close(b'}');
                Ok(())
            }
            _ if field.hints.unix_name => {
                out.text.push(b'"');
                quopri::encode_long(bytes, &mut |piece| out.piece(piece))?;
                out.text.push(b'"');
                Ok(())
            }
            _ => out.base64(bytes),
        }
    }

    fn unsigned(&self, out: &mut Out<'_>, field: &Field, value: u64, hex: bool) {
        if self.style.pretty && self.hinted(out, field, i128::from(value), hex) {
            return;
        }
        if self.style.quote_big_ints && value > integer::EXACT_IN_DOUBLE {
            out.quoted(&value.to_string());
        } else {
            out.number(value);
        }
    }

    fn signed(&self, out: &mut Out<'_>, field: &Field, value: i64, hex: bool) {
        if self.style.pretty && self.hinted(out, field, i128::from(value), hex) {
            return;
        }
        if self.style.quote_big_ints && value.unsigned_abs() > integer::EXACT_IN_DOUBLE {
            out.quoted(&value.to_string());
        } else {
            out.number(value);
        }
    }

    /// Prints the pretty form of an integer, when it has one.
    fn hinted(&self, out: &mut Out<'_>, field: &Field, value: i128, hex: bool) -> bool {
        let hint = if hex {
            &IntegerHint::Hex
        } else {
            &field.hints.integer
        };
        let text = integer::pretty(value, hint);
        text.inspect(|text| out.string(text)).is_some()
    }
}
