//! A message whose long list is not kept: its elements are decoded one by one and dropped.
//!
//! The areas of a large address space are one message of several megabytes; as one dynamic message
//! they would take a multiple of that.

use super::decode::{Decoded, decode};
use super::element::Element;
use super::record::Record;
use super::selection::Selection;
use crate::bytes::{Cursor, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{MESSAGE_DEPTH, SIFTED_REST};
use crate::schema::{FieldKind, MessageType};

/// A list of messages that is handed over element by element.
pub(crate) struct Sift<'a> {
    /// The field.
    pub(crate) list: &'a str,
    /// The fields of an element that are wanted.
    pub(crate) fields: &'a [&'a str],
    /// The fields beside the list that are wanted: at the top of the message.
    pub(crate) beside: &'a [&'a str],
    /// What takes the elements, in order.
    pub(crate) each: &'a mut dyn FnMut(Record<'_>) -> Result<()>,
}

/// Decodes the fields of a message that are wanted, without the elements of one list, which are handed
/// over instead.
///
/// Offsets in errors count from the start of `bytes`, where the error is in an element; they are
/// close to it elsewhere.
pub(crate) fn decode_sifting(ty: &MessageType, bytes: &[u8], sift: Sift<'_>) -> Result<Decoded> {
    let Sift {
        list,
        fields,
        beside,
        each,
    } = sift;
    let shape = ty.shape();
    let field = shape.field_named(list).filter(|field| field.repeated);
    let mut elements = match field.map(|field| (field.number, &field.kind)) {
        Some((number, FieldKind::Message(index))) => {
            let selection = Selection::of_elements(ty, list, fields);
            let element = Element::new(ty.types.message(*index), selection);
            Some((number, element))
        }
        _ => None,
    };
    let wanted: Vec<u32> = beside
        .iter()
        .filter_map(|name| Some(shape.field_named(name)?.number))
        .collect();
    let mut rest = Vec::new();
    let mut cursor = Cursor::new(bytes);
    let mut count = 0u64;
    while !cursor.is_empty() {
        let start = cursor.position();
        let (number, wire) = cursor.key()?;
        match &mut elements {
            Some((list_number, element)) if *list_number == number && wire == Wire::Bytes => {
                element.read_next(&mut cursor, list, count, &mut |element| {
                    each(element.record())
                })?;
                count += 1;
            }
            _ => {
                cursor.skip(number, wire, MESSAGE_DEPTH)?;
                if wanted.contains(&number) {
                    rest.extend_from_slice(cursor.since(start));
                }
            }
        }
        if rest.len() > SIFTED_REST {
            let what = format!("the fields beside `{list}` have more than {SIFTED_REST} bytes");
            return Err(Error::new(ErrorKind::Limit(what)));
        }
    }
    decode(ty, &rest)
}
