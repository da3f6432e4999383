//! Messages that stand in their message more than once: what is in all of them makes one.
//!
//! They are put together level by level, so that there are never more than two copies of the bytes.

use crate::bytes::{Cursor, Wire, put_key, put_varint};
use crate::error::Result;
use crate::message::{Places, begin_delimited, end_delimited};
use crate::schema::{Field, Types};

/// The same message without messages in pieces, but in those that have no more than `whole` bytes.
///
/// `index` is that of its type, `depth` how deep messages may nest.
pub(super) fn put_together(
    types: &Types,
    index: usize,
    mut bytes: Vec<u8>,
    whole: usize,
    depth: usize,
) -> Result<Vec<u8>> {
    loop {
        // It gets shorter: several keys and lengths become one.
        let mut out = Vec::with_capacity(bytes.len());
        let mut pass = Pass {
            types,
            whole,
            changed: false,
        };
        pass.message(index, &bytes, depth, &mut out)?;
        if !pass.changed {
            return Ok(bytes);
        }
        bytes = out;
    }
}

/// Appends what is in all pieces of a field to `out`, and gives where the first of them began.
pub(super) fn concatenate(
    places: &Places<'_>,
    place: usize,
    field: &Field,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<u64> {
    let mut first = None;
    places.each(place, &mut |cursor, _| {
        let (bytes, base) = places.inside(field, cursor)?;
        first.get_or_insert(base);
        // Each is a message of its own: what one lacks at its end is not in the next.
        let mut fields = Cursor::new(bytes);
        while !fields.is_empty() {
            let key = fields.key();
            let skipped = key.and_then(|(number, wire)| fields.skip(number, wire, depth));
            skipped.map_err(|error| error.shifted(base))?;
        }
        out.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(first.unwrap_or_default())
}

/// How many bytes are in all pieces of a field.
pub(super) fn length(places: &Places<'_>, place: usize, field: &Field) -> Result<usize> {
    let mut length = 0;
    places.each(place, &mut |cursor, _| {
        length += places.inside(field, cursor)?.0.len();
        Ok(())
    })?;
    Ok(length)
}

/// Puts together the outermost messages in pieces.
struct Pass<'a> {
    types: &'a Types,
    whole: usize,
    /// There were any.
    changed: bool,
}

impl Pass<'_> {
    fn message(
        &mut self,
        index: usize,
        bytes: &[u8],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let shape = self.types.shape(index);
        let places = Places::find(shape, bytes, depth)?;
        let depth = depth.saturating_sub(1);
        let mut done = vec![false; shape.fields.len()];
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key()?;
            let value = cursor.clone();
            cursor.skip(number, wire, depth)?;
            let known = shape.taking(number, wire);
            let message =
                known.and_then(|(place, field)| Some((place, field, field.kind.message()?)));
            let Some((place, field, inner)) = message else {
                out.extend_from_slice(cursor.since(start));
                continue;
            };
            if !field.repeated && places.count(place) > 1 {
                if let Some(done) = done.get_mut(place).filter(|done| !**done) {
                    *done = true;
                    self.changed = true;
                    put_key(out, number, wire);
                    if wire == Wire::Bytes {
                        put_varint(out, length(&places, place, field)? as u64);
                    }
                    concatenate(&places, place, field, depth.saturating_sub(1), out)?;
                    end(out, number, wire);
                }
                continue;
            }
            let (inside, base) = places.inside(field, &mut value.clone())?;
            if inside.len() <= self.whole {
                out.extend_from_slice(cursor.since(start));
                continue;
            }
            put_key(out, number, wire);
            let start = (wire == Wire::Bytes).then(|| begin_delimited(out));
            self.message(inner, inside, depth, out)
                .map_err(|error| error.shifted(base).in_field(&field.name))?;
            if let Some(start) = start {
                end_delimited(out, start);
            }
            end(out, number, wire);
        }
        Ok(())
    }
}

/// Ends a group.
fn end(out: &mut Vec<u8>, number: u32, wire: Wire) {
    if wire == Wire::Group {
        put_key(out, number, Wire::GroupEnd);
    }
}
