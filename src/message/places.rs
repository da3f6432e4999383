//! Where the fields of a message stand in its bytes: a large one is looked at so, field by field,
//! without being decoded as a whole.
//!
//! A dynamic message takes up to a hundred times the bytes of what it is decoded from.

use crate::bytes::{Cursor, Wire, too_deep};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Field, Shape};

/// The places of the fields in the bytes of a message.
pub(crate) struct Places<'a> {
    shape: &'a Shape,
    bytes: &'a [u8],
    /// How deep groups may nest in it.
    depth: usize,
    /// One for each field of the type.
    fields: Vec<Place>,
    /// How many fields the type lacks, or has of another wire type.
    unknown: usize,
}

/// Where a field stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// How often, empty lists of numbers not counted.
    count: usize,
    /// Where the first of it begins, the last begins, and the last ends.
    first: usize,
    last: usize,
    end: usize,
}

impl<'a> Places<'a> {
    /// Finds them. `depth` is how deep messages may still nest.
    pub(crate) fn find(shape: &'a Shape, bytes: &'a [u8], depth: usize) -> Result<Self> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        let mut fields = vec![Place::default(); shape.fields.len()];
        let mut unknown = 0;
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key()?;
            let value = cursor.position();
            cursor.skip(number, wire, depth)?;
            let Some((index, field)) = shape.taking(number, wire) else {
                unknown += 1;
                continue;
            };
            let packed = wire != field.kind.wire();
            // The length of an empty list is one byte, 0.
            if packed && Cursor::at(bytes, value).delimited()?.is_empty() {
                continue;
            }
            if let Some(place) = fields.get_mut(index) {
                if place.count == 0 {
                    place.first = start;
                }
                place.count += 1;
                place.last = start;
                place.end = cursor.position();
            }
        }
        Ok(Places {
            shape,
            bytes,
            depth,
            fields,
            unknown,
        })
    }

    /// How often the field at this index of the type's stands there: 0 when it is not set.
    pub(crate) fn count(&self, index: usize) -> usize {
        self.fields.get(index).map_or(0, |place| place.count)
    }

    /// Hands over the field of this index wherever it stands: the cursor is behind its key.
    pub(crate) fn each(
        &self,
        index: usize,
        each: &mut dyn FnMut(&mut Cursor<'a>, Wire) -> Result<()>,
    ) -> Result<()> {
        self.each_from(index, |place| place.first, each)
    }

    /// The same for the last of them alone: the one that counts, where it is not a list or a message.
    pub(crate) fn last(
        &self,
        index: usize,
        each: &mut dyn FnMut(&mut Cursor<'a>, Wire) -> Result<()>,
    ) -> Result<()> {
        self.each_from(index, |place| place.last, each)
    }

    fn each_from(
        &self,
        index: usize,
        start: impl FnOnce(&Place) -> usize,
        each: &mut dyn FnMut(&mut Cursor<'a>, Wire) -> Result<()>,
    ) -> Result<()> {
        // Of a field that is not there, everything is 0.
        let place = self.fields.get(index).copied().unwrap_or_default();
        let mut cursor = Cursor::at(self.bytes, start(&place));
        while cursor.position() < place.end {
            let (number, wire) = cursor.key()?;
            match self.shape.taking(number, wire) {
                Some((found, _)) if found == index => each(&mut cursor, wire)?,
                _ => cursor.skip(number, wire, self.depth)?,
            }
        }
        Ok(())
    }

    /// The bytes of the message that a cursor is at, and where they begin in those of this one.
    pub(crate) fn inside(&self, field: &Field, cursor: &mut Cursor<'a>) -> Result<(&'a [u8], u64)> {
        let start = cursor.position();
        if field.kind.wire() == Wire::Group {
            return Ok((cursor.group(field.number, self.depth)?, start as u64));
        }
        let inside = cursor.delimited()?;
        Ok((inside, (cursor.position() - inside.len()) as u64))
    }

    /// Hands over the fields that the type lacks, or has of another wire type, in the order of their
    /// numbers: the cursor is at the key.
    pub(crate) fn each_unknown(
        &self,
        each: &mut dyn FnMut(&mut Cursor<'a>) -> Result<()>,
    ) -> Result<()> {
        if self.unknown == 0 {
            return Ok(());
        }
        // Four bytes for each, which has two at least.
        let mut starts: Vec<u32> = Vec::with_capacity(self.unknown);
        let mut cursor = Cursor::new(self.bytes);
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key()?;
            cursor.skip(number, wire, self.depth)?;
            if self.shape.taking(number, wire).is_some() {
                continue;
            }
            starts.push(u32::try_from(start).map_err(|_| {
                let what = "a message of more than 4 GiB with fields that the schema lacks";
                Error::new(ErrorKind::Limit(what.to_owned()))
            })?);
        }
        let at = |start: &u32| Cursor::at(self.bytes, *start as usize);
        starts.sort_unstable_by_key(|start| {
            let key = at(start).key();
            (key.map(|(number, _)| number).unwrap_or_default(), *start)
        });
        starts.iter().try_for_each(|start| each(&mut at(start)))
    }

    /// How many fields the type lacks, or has of another wire type.
    pub(crate) fn unknown(&self) -> usize {
        self.unknown
    }
}
