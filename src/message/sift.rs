//! A message whose long list is not kept: its elements are decoded one by one and dropped.
//!
//! The areas of a large address space are one message of several megabytes; as one dynamic message
//! they would take a multiple of that.

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::decode::{Decoded, Decoder, decode};
use super::record::Record;
use super::selection::Selection;
use crate::bytes::{Cursor, Wire};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{FieldKind, MessageType, Shape, Types};

/// A list of messages that is handed over element by element.
pub(crate) struct Sift<'a> {
    /// The field.
    pub(crate) list: &'a str,
    /// The fields of an element that are wanted.
    pub(crate) fields: &'a [&'a str],
    /// What takes the elements, in order.
    pub(crate) each: &'a mut dyn FnMut(Record<'_>) -> Result<()>,
}

/// Decodes a message without the elements of one list, which are handed over instead.
///
/// Offsets in errors count from the start of `bytes`, where the error is in an element; they are
/// close to it elsewhere.
pub(crate) fn decode_sifting(ty: &MessageType, bytes: &[u8], sift: Sift<'_>) -> Result<Decoded> {
    let Sift { list, fields, each } = sift;
    let types = &ty.types;
    let field = ty.shape().field_named(list);
    let Some((field, FieldKind::Message(index))) =
        field.map(|f| (f, &f.kind)).filter(|(f, _)| f.repeated)
    else {
        return decode(ty, bytes);
    };
    let selection = Selection::of_elements(ty, list, fields);
    let mut element = Element::new(types, types.shape(*index), selection.as_ref());
    let mut rest = Vec::new();
    let mut cursor = Cursor::new(bytes);
    let mut count = 0u64;
    while !cursor.is_empty() {
        let start = cursor.position();
        let (number, wire) = cursor.key()?;
        if number == field.number && wire == Wire::Bytes {
            let inside = cursor.delimited()?;
            let base = (cursor.position() - inside.len()) as u64;
            element.read(inside).and_then(&mut *each).map_err(|error| {
                let error = error.shifted(base).in_field(&format!("[{count}]"));
                error.in_field(list)
            })?;
            count += 1;
        } else {
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
            rest.extend_from_slice(cursor.since(start));
        }
    }
    decode(ty, &rest)
}

/// One message that takes the elements in turn: where a field was set before, its place is used again.
struct Element<'a> {
    types: &'a Types,
    shape: &'a Shape,
    selection: Option<&'a Selection>,
    message: DynamicMessage,
    /// Which fields are set; `None` when that can't be told.
    set: Option<u128>,
}

impl<'a> Element<'a> {
    fn new(types: &'a Types, shape: &'a Shape, selection: Option<&'a Selection>) -> Self {
        // Lists and messages would be added to, and unknown fields as well.
        let overwritten = shape.fields.len() <= 128
            && selection.is_some()
            && !shape
                .fields
                .iter()
                .any(|field| field.repeated || field.kind.message().is_some());
        Element {
            types,
            shape,
            selection,
            message: DynamicMessage::new(shape.desc.clone()),
            set: overwritten.then_some(0),
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Record<'_>> {
        if self.set.is_none() {
            self.message.clear();
        }
        let mut decoder = Decoder::new(self.types, self.selection);
        decoder.message(self.shape, &mut self.message, bytes, MESSAGE_DEPTH - 1)?;
        if let Some(before) = &mut self.set {
            let mut gone = *before & !decoder.seen;
            while gone != 0 {
                if let Some(field) = self.shape.fields.get(gone.trailing_zeros() as usize) {
                    self.message.clear_field(&field.desc);
                }
                gone &= gone - 1;
            }
            *before = decoder.seen;
        }
        Ok(Record::of(self.types, self.shape, &self.message))
    }
}
