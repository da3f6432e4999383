//! A large message whose lists of messages are not decoded with it: their elements are decoded one by
//! one, when it is their turn.
//!
//! The areas of a large address space are one message of many megabytes; as one dynamic message they
//! would take forty times that.

use super::element::Element;
use crate::bytes::{Cursor, Wire};
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::{FieldKind, MessageType};

/// The bytes of a message, without those of its lists.
pub(crate) struct Lists {
    /// All but the elements of the lists.
    pub(crate) rest: Vec<u8>,
    /// The places of the lists that have elements, among the fields.
    places: Vec<usize>,
}

impl Lists {
    /// Takes the lists of messages out of a message; `None` when it has none.
    pub(crate) fn take(ty: &MessageType, bytes: &[u8]) -> Result<Option<Self>> {
        let mut lists = Lists {
            rest: Vec::new(),
            places: Vec::new(),
        };
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key()?;
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
            match list_of(ty, number, wire) {
                Some((place, _)) if lists.places.contains(&place) => {}
                Some((place, _)) => lists.places.push(place),
                None => lists.rest.extend_from_slice(cursor.since(start)),
            }
        }
        Ok((!lists.places.is_empty()).then_some(lists))
    }

    /// Whether the field at this place is a list that has elements.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.places.contains(&place)
    }
}

/// The place of the list of messages that a field of this number belongs to, and the index of their type.
fn list_of(ty: &MessageType, number: u32, wire: Wire) -> Option<(usize, usize)> {
    let shape = ty.shape();
    let place = shape.index_of(number)?;
    let field = shape.fields.get(place)?;
    match field.kind {
        FieldKind::Message(index) if field.repeated && wire == Wire::Bytes => Some((place, index)),
        _ => None,
    }
}

/// Decodes the elements of the list at a place of the fields of a message, one by one.
///
/// Offsets in errors count from the start of `bytes`.
pub(crate) fn each_element(
    ty: &MessageType,
    bytes: &[u8],
    list: usize,
    each: &mut dyn FnMut(&Element) -> Result<()>,
) -> Result<()> {
    let name = ty.shape().fields.get(list).map(|field| &*field.name);
    let mut cursor = Cursor::new(bytes);
    let mut element: Option<Element> = None;
    let mut count = 0u64;
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        let of = list_of(ty, number, wire).filter(|(place, _)| *place == list);
        let Some((_, index)) = of else {
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
            continue;
        };
        element
            .get_or_insert_with(|| Element::new(ty.types.message(index), None))
            .read_next(&mut cursor, name.unwrap_or_default(), count, each)?;
        count += 1;
    }
    Ok(())
}
