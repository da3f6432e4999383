//! Protobuf bytes to a dynamic message.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use super::selection::Selection;
use super::unknown::wrap_stray;
use crate::bytes::{Cursor, Wire, too_deep};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{Field, FieldKind, MessageType, Shape, Types};

/// A decoded message.
pub(crate) struct Decoded {
    pub(crate) message: DynamicMessage,
    /// Whether every required field was there.
    pub(crate) complete: bool,
}

/// Decodes a message. Offsets in errors count from the start of `bytes`.
pub(crate) fn decode(ty: &MessageType, bytes: &[u8]) -> Result<Decoded> {
    decode_selected(ty, bytes, None)
}

/// The same, but only of the fields that are selected; all others, unknown ones too, are stepped over.
pub(crate) fn decode_selected(
    ty: &MessageType,
    bytes: &[u8],
    selection: Option<&Selection>,
) -> Result<Decoded> {
    let mut message = DynamicMessage::new(ty.descriptor().clone());
    let mut decoder = Decoder::new(&ty.types, selection);
    decoder.message(ty.shape(), &mut message, bytes, MESSAGE_DEPTH)?;
    Ok(Decoded {
        message,
        complete: decoder.complete,
    })
}

/// Decodes into a message that may hold fields already, as protobuf merges them.
///
/// `depth` is how deep messages may still nest. The result says whether every required field of
/// the message is there.
pub(crate) fn decode_into(
    types: &Types,
    shape: &Shape,
    message: &mut DynamicMessage,
    bytes: &[u8],
    depth: usize,
) -> Result<bool> {
    let mut decoder = Decoder::new(types, None);
    decoder.message(shape, message, bytes, depth)?;
    Ok(decoder.complete)
}

pub(super) struct Decoder<'a> {
    types: &'a Types,
    /// What is wanted of the message at hand; all when it is absent.
    selection: Option<&'a Selection>,
    pub(super) complete: bool,
    /// The number of a field that was not selected but stepped over.
    pub(super) skipped: Option<u32>,
    /// A field that the schema lacks was kept.
    pub(super) kept_unknown: bool,
    /// What the message holds is of another that is done with: its fields, at any depth, make place for
    /// those that are read, and those that are not read go.
    pub(super) over: bool,
    /// Which fields the outermost message may have of the other.
    pub(super) set: u128,
    /// Which of the first 128 fields were read in the message that ended last.
    pub(super) seen: u128,
}

/// The values of a repeated field that stand one after the other: they are handed to the message
/// once, not one by one.
#[derive(Default)]
struct Run {
    index: usize,
    values: Vec<Value>,
    /// What the lists hold is of another message: these were emptied of it.
    over: Option<u128>,
}

impl Run {
    fn flush(&mut self, shape: &Shape, message: &mut DynamicMessage) {
        if self.values.is_empty() {
            return;
        }
        if let Some(field) = shape.fields.get(self.index)
            && let Value::List(list) = message.get_field_mut(&field.desc)
        {
            if self.is_of_another() {
                list.clear();
                let bit = self.bit();
                self.over.iter_mut().for_each(|emptied| *emptied |= bit);
            }
            list.append(&mut self.values);
        }
        self.values = Vec::new();
    }

    /// Whether what the list holds is of a message that is done with.
    fn is_of_another(&self) -> bool {
        self.over.is_some_and(|emptied| emptied & self.bit() == 0)
    }

    fn bit(&self) -> u128 {
        1 << (self.index & 127)
    }
}

impl<'a> Decoder<'a> {
    pub(super) fn new(types: &'a Types, selection: Option<&'a Selection>) -> Self {
        Decoder {
            types,
            selection,
            complete: true,
            skipped: None,
            kept_unknown: false,
            over: false,
            set: u128::MAX,
            seen: 0,
        }
    }

    pub(super) fn message(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        bytes: &[u8],
        depth: usize,
    ) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(too_deep());
        };
        let mut over = self.over;
        // Of a message inside nothing is known.
        let set = std::mem::replace(&mut self.set, u128::MAX);
        if over && shape.fields.len() > 128 {
            message.clear();
            over = false;
        }
        let mut cursor = Cursor::new(bytes);
        let mut run = Run {
            over: over.then_some(0),
            ..Run::default()
        };
        // One bit for each of the first 128 fields: enough for every message of CRIU.
        let mut seen = 0u128;
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key()?;
            let index = shape.index_of(number);
            let whole = self.selection;
            let part = match whole {
                None => None,
                Some(selection) => match index.and_then(|index| selection.wants(index)) {
                    Some(part) => part,
                    None => {
                        cursor.skip(number, wire, depth)?;
                        self.skipped = Some(number);
                        continue;
                    }
                },
            };
            let Some(index) = index else {
                cursor.skip(number, wire, depth)?;
                let raw = cursor.since(start);
                self.kept_unknown = true;
                if number == super::unknown::STRAY {
                    keep(message, &wrap_stray(raw), start)?;
                } else {
                    keep(message, raw, start)?;
                }
                continue;
            };
            let Some(field) = shape.fields.get(index) else {
                continue;
            };
            if !run.values.is_empty() && run.index != index {
                run.flush(shape, message);
            }
            run.index = index;
            self.selection = part;
            // A second occurrence of a message is merged into the first, as protobuf has it.
            self.over = over && seen >> index & 1 == 0;
            let known = self
                .field(field, wire, message, &mut run, &mut cursor, depth)
                .map_err(|error| error.in_field(&field.name))?;
            self.selection = whole;
            if known {
                seen |= if index < 128 { 1 << index } else { 0 };
            } else {
                cursor.skip(number, wire, depth)?;
                self.kept_unknown = true;
                keep(message, &wrap_stray(cursor.since(start)), start)?;
            }
        }
        run.flush(shape, message);
        if over {
            // A list may be there without an element.
            let emptied = run.over.unwrap_or(0);
            for (index, field) in shape.fields.iter().enumerate() {
                let filled = if field.repeated { emptied } else { seen };
                let may_be_set = set >> index & 1 == 1;
                if may_be_set && filled >> index & 1 == 0 && message.has_field(&field.desc) {
                    message.clear_field(&field.desc);
                }
            }
        }
        self.over = over;
        self.seen = seen;
        self.complete &= shape.required & !seen == 0
            || shape
                .fields
                .iter()
                .all(|field| !field.required || message.has_field(&field.desc));
        Ok(())
    }

    /// Reads one occurrence of a field. False when its wire type contradicts the schema; the
    /// cursor stands where it stood then.
    fn field(
        &mut self,
        field: &Field,
        wire: Wire,
        message: &mut DynamicMessage,
        run: &mut Run,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<bool> {
        let start = cursor.position();
        let inner = match (&field.kind, wire) {
            (FieldKind::Message(index), Wire::Bytes) => {
                let bytes = cursor.delimited()?;
                Some((*index, bytes, cursor.position() - bytes.len()))
            }
            (FieldKind::Group(index), Wire::Group) => {
                Some((*index, cursor.group(field.number, depth)?, start))
            }
            _ => None,
        };
        if let Some((index, bytes, base)) = inner {
            let shape = self.types.shape(index);
            let base = base as u64;
            if field.repeated {
                let mut element = DynamicMessage::new(shape.desc.clone());
                self.over = false;
                self.message(shape, &mut element, bytes, depth)
                    .map_err(|error| {
                        let list = message.get_field(&field.desc);
                        let before = match run.is_of_another() {
                            true => 0,
                            false => list.as_list().map_or(0, <[Value]>::len),
                        };
                        let index = before + run.values.len();
                        error.shifted(base).in_field(&format!("[{index}]"))
                    })?;
                run.values.push(Value::Message(element));
            } else if let Value::Message(whole) = message.get_field_mut(&field.desc) {
                self.message(shape, whole, bytes, depth)
                    .map_err(|e| e.shifted(base))?;
            }
            return Ok(true);
        }
        let packable = !matches!(field.kind.wire(), Wire::Bytes | Wire::Group);
        if field.repeated && wire == Wire::Bytes && packable {
            let packed = cursor.delimited()?;
            let base = (cursor.position() - packed.len()) as u64;
            let mut elements = Cursor::new(packed);
            while !elements.is_empty() {
                run.values.push(NO_VALUE);
                if let Some(value) = run.values.last_mut() {
                    scalar(&field.kind, &mut elements, value).map_err(|e| e.shifted(base))?;
                }
            }
            return Ok(true);
        }
        if wire != field.kind.wire() {
            return Ok(false);
        }
        // Values are written where they belong: to move one costs more than to read it.
        let place = if field.repeated {
            run.values.push(NO_VALUE);
            run.values.last_mut()
        } else {
            Some(message.get_field_mut(&field.desc))
        };
        if let Some(place) = place {
            scalar(&field.kind, cursor, place)?;
        }
        Ok(true)
    }
}

pub(crate) const NO_VALUE: Value = Value::Bool(false);

/// Keeps a field that the schema does not have.
fn keep(message: &mut DynamicMessage, raw: &[u8], at: usize) -> Result<()> {
    message.merge(raw).map_err(|_| {
        // The bytes were walked before; what is left is prost's own limit of nested groups.
        Error::new(ErrorKind::TooDeep(MESSAGE_DEPTH)).at_offset(at as u64)
    })
}

/// Reads a scalar, whose wire type is that of its kind, into its place.
#[allow(clippy::cast_possible_truncation)] // protobuf keeps the low bits of a varint wider than its field
pub(crate) fn scalar(kind: &FieldKind, cursor: &mut Cursor<'_>, place: &mut Value) -> Result<()> {
    match kind {
        FieldKind::Int32 => put_i32(place, (cursor.varint()? as u32).cast_signed()),
        FieldKind::Sint32 => {
            let raw = cursor.varint()? as u32;
            put_i32(place, (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
        }
        FieldKind::Sfixed32 => put_i32(place, cursor.fixed32()?.cast_signed()),
        FieldKind::Int64 => put_i64(place, cursor.varint()?.cast_signed()),
        FieldKind::Sint64 => {
            let raw = cursor.varint()?;
            put_i64(place, (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
        }
        FieldKind::Sfixed64 => put_i64(place, cursor.fixed64()?.cast_signed()),
        FieldKind::Uint32 => put_u32(place, cursor.varint()? as u32),
        FieldKind::Fixed32 => put_u32(place, cursor.fixed32()?),
        FieldKind::Uint64 => put_u64(place, cursor.varint()?),
        FieldKind::Fixed64 => put_u64(place, cursor.fixed64()?),
        FieldKind::Bool => *place = Value::Bool(cursor.varint()? != 0),
        FieldKind::Float => *place = Value::F32(f32::from_bits(cursor.fixed32()?)),
        FieldKind::Double => *place = Value::F64(f64::from_bits(cursor.fixed64()?)),
        FieldKind::Enum(_) => *place = Value::EnumNumber((cursor.varint()? as u32).cast_signed()),
        FieldKind::String | FieldKind::Bytes => {
            *place = Value::Bytes(cursor.delimited()?.to_vec().into());
        }
        FieldKind::Message(_) | FieldKind::Group(_) => {}
    }
    Ok(())
}

/// What is in the place nearly always is a value of the same kind: only its number changes then.
macro_rules! put {
    ($name:ident, $variant:ident, $number:ty) => {
        #[inline]
        fn $name(place: &mut Value, number: $number) {
            match place {
                Value::$variant(old) => *old = number,
                other => *other = Value::$variant(number),
            }
        }
    };
}
put!(put_i32, I32, i32);
put!(put_i64, I64, i64);
put!(put_u32, U32, u32);
put!(put_u64, U64, u64);
