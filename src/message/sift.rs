//! A message whose long list is not kept: its elements are decoded one by one and dropped.
//!
//! The areas of a large address space are one message of several megabytes; as one dynamic message
//! they would take a multiple of that.

use super::decode::{Decoded, decode};
use super::element::Element;
use super::record::Record;
use super::selection::Selection;
use crate::bytes::{Cursor, Wire};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{FieldKind, MessageType};

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
    let field = ty.shape().field_named(list);
    let Some((field, FieldKind::Message(index))) =
        field.map(|f| (f, &f.kind)).filter(|(f, _)| f.repeated)
    else {
        return decode(ty, bytes);
    };
    let selection = Selection::of_elements(ty, list, fields);
    let inner = ty.types.message(*index);
    let mut element = Element::new(inner, selection);
    let mut rest = Vec::new();
    let mut cursor = Cursor::new(bytes);
    let mut count = 0u64;
    while !cursor.is_empty() {
        let start = cursor.position();
        let (number, wire) = cursor.key()?;
        if number == field.number && wire == Wire::Bytes {
            let inside = cursor.delimited()?;
            let base = (cursor.position() - inside.len()) as u64;
            element
                .read(inside, MESSAGE_DEPTH - 1)
                .and_then(&mut *each)
                .map_err(|error| {
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
