//! Whether a message is what it would be encoded to, seen by its bytes alone.
//!
//! What [`super::encode`] writes has its fields in the order of their numbers, each at most once unless
//! it is a list, lengths and numbers in the fewest bytes. Bytes that are so come back from what they say.

use prost_reflect::Value;

use super::decode::{NO_VALUE, scalar};
use super::encode::put_scalar;
use crate::bytes::{Cursor, Wire, put_key, put_varint, too_deep};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{Field, FieldKind, MessageType, Shape, Types};

/// What is known of the bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canonical {
    /// Encoding what they say gives them again.
    pub(crate) canonical: bool,
    /// Every required field is there; not said of bytes that are not canonical.
    pub(crate) complete: bool,
}

/// Looks at the bytes of a message, which can be decoded.
pub(crate) fn canonical(ty: &MessageType, bytes: &[u8]) -> Result<Canonical> {
    let mut look = Look {
        types: &ty.types,
        complete: true,
        value: NO_VALUE,
        anew: Vec::new(),
    };
    let canonical = look.message(ty.shape(), bytes, MESSAGE_DEPTH)?;
    Ok(Canonical {
        canonical,
        complete: canonical && look.complete,
    })
}

struct Look<'a> {
    types: &'a Types,
    complete: bool,
    value: Value,
    /// A key, length or number as it is written.
    anew: Vec<u8>,
}

impl Look<'_> {
    fn message(&mut self, shape: &Shape, bytes: &[u8], depth: usize) -> Result<bool> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(too_deep());
        };
        let mut cursor = Cursor::new(bytes);
        // Of one number, what the schema has stands before what contradicts it.
        let mut last = (0, false);
        let mut seen = 0u128;
        while !cursor.is_empty() {
            let Some((number, wire)) = self.key(&mut cursor)? else {
                return Ok(false);
            };
            let known = shape.taking(number, wire);
            let place = (number, known.is_none());
            let again = known.is_none_or(|(_, field)| field.repeated && !field.packed);
            if place < last || (place == last && !again) {
                return Ok(false);
            }
            last = place;
            let same = match known {
                Some((index, field)) => {
                    seen |= if index < 128 { 1 << index } else { 0 };
                    self.field(field, wire, &mut cursor, depth)?
                }
                None => self.unknown(number, wire, &mut cursor, depth)?,
            };
            if !same {
                return Ok(false);
            }
        }
        self.complete &= shape.required & !seen == 0;
        Ok(true)
    }

    fn field(
        &mut self,
        field: &Field,
        wire: Wire,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<bool> {
        match &field.kind {
            FieldKind::Message(index) => {
                let Some(inside) = self.delimited(cursor)? else {
                    return Ok(false);
                };
                self.message(self.types.shape(*index), inside, depth)
            }
            FieldKind::Group(index) => {
                let inside = cursor.clone().group(field.number, depth)?;
                if !self.message(self.types.shape(*index), inside, depth)? {
                    return Ok(false);
                }
                cursor.bytes(inside.len() as u64, "a group")?;
                self.key(cursor).map(|key| key.is_some())
            }
            FieldKind::String | FieldKind::Bytes => {
                self.delimited(cursor).map(|inside| inside.is_some())
            }
            kind if field.repeated && (wire == Wire::Bytes || field.packed) => {
                if !field.packed || wire != Wire::Bytes {
                    return Ok(false);
                }
                let Some(inside) = self.delimited(cursor)? else {
                    return Ok(false);
                };
                let mut elements = Cursor::new(inside);
                while !elements.is_empty() {
                    if !self.scalar(kind, &mut elements)? {
                        return Ok(false);
                    }
                }
                Ok(!inside.is_empty())
            }
            kind => self.scalar(kind, cursor),
        }
    }

    /// A field that the schema lacks: a group keeps the order of what is in it.
    fn unknown(
        &mut self,
        number: u32,
        wire: Wire,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<bool> {
        match wire {
            Wire::Varint => self.varint(cursor),
            Wire::Bytes => self.delimited(cursor).map(|inside| inside.is_some()),
            Wire::Fixed32 | Wire::Fixed64 => cursor.skip(number, wire, depth).map(|()| true),
            Wire::Group | Wire::GroupEnd => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(too_deep());
                };
                loop {
                    match self.key(cursor)? {
                        None => return Ok(false),
                        Some((_, Wire::GroupEnd)) => return Ok(true),
                        Some((inner, wire)) => {
                            if !self.unknown(inner, wire, cursor, depth)? {
                                return Ok(false);
                            }
                        }
                    }
                }
            }
        }
    }

    fn key(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<(u32, Wire)>> {
        let start = cursor.position();
        let (number, wire) = cursor.key()?;
        self.anew.clear();
        put_key(&mut self.anew, number, wire);
        Ok((cursor.since(start) == self.anew).then_some((number, wire)))
    }

    fn varint(&mut self, cursor: &mut Cursor<'_>) -> Result<bool> {
        let start = cursor.position();
        let value = cursor.varint()?;
        self.anew.clear();
        put_varint(&mut self.anew, value);
        Ok(cursor.since(start) == self.anew)
    }

    fn scalar(&mut self, kind: &FieldKind, cursor: &mut Cursor<'_>) -> Result<bool> {
        let start = cursor.position();
        scalar(kind, cursor, &mut self.value)?;
        self.anew.clear();
        put_scalar(kind, &self.value, &mut self.anew)?;
        Ok(cursor.since(start) == self.anew)
    }

    /// What has its length in front.
    fn delimited<'b>(&mut self, cursor: &mut Cursor<'b>) -> Result<Option<&'b [u8]>> {
        let mut length = cursor.clone();
        let shortest = self.varint(&mut length)?;
        let inside = cursor.delimited()?;
        Ok(shortest.then_some(inside))
    }
}
