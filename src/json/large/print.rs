//! A large message as JSON, out of its bytes: field by field, element by element, without a dynamic
//! message of all of it.
//!
//! What it prints is what [`super::super::print`] prints of the same message. What it holds besides the bytes is
//! at most three times as much: messages that came in pieces, and where the fields stand that
//! the schema lacks.

use super::super::out::Out;
use super::super::print::{Printer, Style};
use super::super::{address, unknown};
use super::pieces;
use crate::bytes::{Cursor, Wire};
use crate::error::Result;
use crate::limits::{MESSAGE_DEPTH, WARNINGS};
use crate::message::{Element, NO_VALUE, Places, missing_fields, scalar};
use crate::schema::{Field, FieldKind, MessageType};

/// Prints the members of a message, without the braces around them.
///
/// Messages in it are decoded when they have no more than `whole` bytes. The required fields that are
/// missing are added to `missing`, up to [`WARNINGS`]. Offsets in errors count from the start of `bytes`.
pub(in crate::json) fn members(
    out: &mut Out<'_>,
    style: Style,
    ty: &MessageType,
    bytes: &[u8],
    whole: usize,
    missing: &mut Vec<String>,
) -> Result<()> {
    let printer = Printer {
        style,
        types: &ty.types,
        has_unknown: true,
    };
    let mut walk = Walk {
        printer,
        ty,
        whole,
        missing,
        path: Vec::new(),
    };
    walk.message(out, ty.index, bytes, false, MESSAGE_DEPTH)
}

struct Walk<'a> {
    printer: Printer<'a>,
    ty: &'a MessageType,
    whole: usize,
    missing: &'a mut Vec<String>,
    /// The fields around what is printed, with the place in their list.
    path: Vec<(&'a str, Option<u64>)>,
}

impl<'a> Walk<'a> {
    /// Prints a message of the type at this index. `hex`: as a field further out says.
    fn message(
        &mut self,
        out: &mut Out<'_>,
        index: usize,
        bytes: &[u8],
        hex: bool,
        depth: usize,
    ) -> Result<()> {
        let shape = self.ty.types.shape(index);
        let places = Places::find(shape, bytes, depth)?;
        let depth = depth.saturating_sub(1);
        for (index, field) in shape.fields.iter().enumerate() {
            if places.count(index) == 0 {
                if field.required {
                    self.note(field);
                }
                continue;
            }
            out.item();
            out.raw(&field.key);
            let hex = hex || field.hints.hex;
            let at = Position {
                places: &places,
                index,
                field,
                hex,
                depth,
            };
            let printed = match field.repeated {
                true => self.list(out, &at),
                false => self.single(out, &at),
            };
            printed.map_err(|error| error.placed(|error| error.in_field(&field.name)))?;
        }
        if places.unknown() > 0 {
            out.unknown_fields += places.unknown() as u64;
            out.member("@unknown");
            out.open(b'[');
            let quote = self.printer.style.quote_big_ints;
            places.each_unknown(&mut |cursor| {
                unknown::field(out, quote, cursor, MESSAGE_DEPTH)?;
                out.spill()
            })?;
            out.close(b']');
        }
        Ok(())
    }

    /// Prints what is no list.
    fn single(&mut self, out: &mut Out<'_>, at: &Position<'a, '_>) -> Result<()> {
        let Some(inner) = at.field.kind.message() else {
            return at
                .places
                .last(at.index, &mut |cursor, _| self.scalar(out, at, cursor));
        };
        self.path.push((&at.field.name, None));
        let mut element = None;
        if at.places.count(at.index) == 1 {
            at.places.last(at.index, &mut |cursor, _| {
                let (bytes, base) = at.places.inside(at.field, cursor)?;
                self.inner(out, at, &mut element, inner, bytes)
                    .map_err(|error| error.placed(|error| error.shifted(base)))
            })?;
        } else {
            self.pieces(out, at, inner)?;
        }
        self.path.pop();
        Ok(())
    }

    /// Prints a message that stands there more than once: what is in all of them makes one message.
    fn pieces(&mut self, out: &mut Out<'_>, at: &Position<'a, '_>, inner: usize) -> Result<()> {
        let mut whole = Vec::with_capacity(pieces::length(at.places, at.index, at.field)?);
        let depth = at.depth.saturating_sub(1);
        let base = pieces::concatenate(at.places, at.index, at.field, depth, &mut whole)?;
        let types = &self.ty.types;
        let whole = pieces::put_together(types, inner, whole, self.whole, at.depth)
            .map_err(|error| error.shifted(base))?;
        self.inner(out, at, &mut None, inner, &whole)
            .map_err(|error| error.placed(|error| error.shifted(base)))
    }

    fn list(&mut self, out: &mut Out<'_>, at: &Position<'a, '_>) -> Result<()> {
        out.open(b'[');
        if let Some(inner) = at.field.kind.message() {
            let mut element = None;
            let mut count = 0u64;
            at.places.each(at.index, &mut |cursor, _| {
                let (bytes, base) = at.places.inside(at.field, cursor)?;
                out.item();
                self.path.push((&at.field.name, Some(count)));
                self.inner(out, at, &mut element, inner, bytes)
                    .map_err(|error| {
                        error.placed(|error| error.shifted(base).in_field(&format!("[{count}]")))
                    })?;
                self.path.pop();
                count += 1;
                out.spill()
            })?;
        } else if let Some(address) = self.address(at)? {
            out.item();
            out.quoted(&address);
        } else {
            let own = at.field.kind.wire();
            at.places.each(at.index, &mut |cursor, wire| {
                if wire == own {
                    out.item();
                    self.scalar(out, at, cursor)?;
                    return out.spill();
                }
                let packed = cursor.delimited()?;
                let base = (cursor.position() - packed.len()) as u64;
                let mut elements = Cursor::new(packed);
                while !elements.is_empty() {
                    out.item();
                    self.scalar(out, at, &mut elements)
                        .map_err(|error| error.placed(|error| error.shifted(base)))?;
                    out.spill()?;
                }
                Ok(())
            })?;
        }
        out.close(b']');
        Ok(())
    }

    /// The words of a list as an address, when it is to be printed so.
    fn address(&self, at: &Position<'a, '_>) -> Result<Option<String>> {
        /// One more than the longest address has.
        const ENOUGH: usize = 5;
        if !self.printer.is_address(at.field) {
            return Ok(None);
        }
        let mut words = Vec::new();
        at.places.each(at.index, &mut |cursor, wire| {
            let mut value = NO_VALUE;
            let mut take = |cursor: &mut Cursor<'_>| {
                scalar(&at.field.kind, cursor, &mut value)?;
                if words.len() < ENOUGH {
                    words.extend(value.as_u32());
                }
                Ok(())
            };
            if wire != Wire::Bytes {
                return take(cursor);
            }
            let mut elements = Cursor::new(cursor.delimited()?);
            while !elements.is_empty() {
                take(&mut elements)?;
            }
            Ok(())
        })?;
        Ok(address::print(&words))
    }

    /// Prints a message inside of another, in its braces.
    fn inner(
        &mut self,
        out: &mut Out<'_>,
        at: &Position<'a, '_>,
        element: &mut Option<Element>,
        index: usize,
        bytes: &[u8],
    ) -> Result<()> {
        out.open(b'{');
        if bytes.len() > self.whole {
            self.message(out, index, bytes, at.hex, at.depth)?;
        } else {
            let element =
                element.get_or_insert_with(|| Element::new(self.ty.types.message(index), None));
            element.read(bytes, at.depth)?;
            if !element.is_complete() {
                self.note_inside(element);
            }
            let printer = Printer::of(element, self.printer.style);
            let shape = element.ty().shape();
            printer.members(out, shape, element.message(), at.hex)?;
        }
        out.close(b'}');
        Ok(())
    }

    /// Prints the value at a cursor, which is no message.
    fn scalar(
        &self,
        out: &mut Out<'_>,
        at: &Position<'a, '_>,
        cursor: &mut Cursor<'_>,
    ) -> Result<()> {
        if matches!(at.field.kind, FieldKind::String | FieldKind::Bytes) {
            return self.printer.bytes(out, at.field, cursor.delimited()?);
        }
        let mut value = NO_VALUE;
        scalar(&at.field.kind, cursor, &mut value)?;
        self.printer.one(out, at.field, &value, at.hex)
    }

    /// A required field is missing.
    fn note(&mut self, field: &Field) {
        if self.missing.len() < WARNINGS {
            let path = format!("{}{}", self.prefix(), field.name);
            self.missing.push(path);
        }
    }

    /// The same of a message that was decoded.
    fn note_inside(&mut self, element: &Element) {
        if self.missing.len() < WARNINGS {
            let prefix = self.prefix();
            let inside = missing_fields(element.ty(), element.message());
            let inside = inside.iter().map(|field| format!("{prefix}{field}"));
            self.missing.extend(inside);
        }
    }

    fn prefix(&self) -> String {
        let steps = self.path.iter().map(|(name, index)| match index {
            Some(index) => format!("{name}[{index}]."),
            None => format!("{name}."),
        });
        steps.collect()
    }
}

/// A field in the bytes of its message.
struct Position<'a, 'b> {
    places: &'b Places<'b>,
    /// The field, and its index among those of the type.
    field: &'a Field,
    index: usize,
    hex: bool,
    /// How deep messages may nest in it.
    depth: usize,
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::super::super::{DecodeOptions, decode, print};
    use super::{Cursor, Out, Style, Wire};
    use crate::bytes::{put_key, put_varint};
    use crate::image::ImageReader;
    use crate::message;
    use crate::schema::Schema;

    fn images(directory: &Path, found: &mut Vec<Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                images(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "img") {
                found.push(std::fs::read(&path).unwrap());
            }
        }
    }

    pub(in crate::json) fn fixtures() -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
        images(&directory, &mut found);
        found.retain(|image| (24..20_000).contains(&image.len()));
        assert!(found.len() > 300, "{}", found.len());
        found
    }

    /// Numbers below the one given, the same in every run.
    pub(in crate::json) fn random() -> impl FnMut(usize) -> usize {
        let mut state = 7u32;
        move |below| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        }
    }

    /// The same fields, each string and message cut in two somewhere.
    fn in_pieces(raw: &[u8], random: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut cursor = Cursor::new(raw);
        while !cursor.is_empty() {
            let start = cursor.position();
            let (number, wire) = cursor.key().unwrap();
            if wire != Wire::Bytes {
                cursor.skip(number, wire, 100).unwrap();
                bytes.extend_from_slice(cursor.since(start));
                continue;
            }
            let value = cursor.delimited().unwrap();
            let (one, other) = value.split_at(random(value.len() + 1));
            for piece in [one, other] {
                put_key(&mut bytes, number, wire);
                put_varint(&mut bytes, piece.len() as u64);
                bytes.extend_from_slice(piece);
            }
        }
        bytes
    }

    /// The text, what is missing and how many fields are unknown; or that it failed.
    fn printed(
        schema: &Schema,
        image: &[u8],
        options: &DecodeOptions,
        whole: usize,
    ) -> Option<(String, Vec<String>, u64)> {
        let mut reader = ImageReader::new(schema, image).ok()?;
        reader.decode_whole_up_to(whole);
        let mut text = Vec::new();
        let report = decode(&mut reader, &mut text, options).ok()?;
        let warnings = report.warnings.iter().map(ToString::to_string).collect();
        let text = String::from_utf8(text).unwrap();
        Some((text, warnings, report.unknown_fields))
    }

    #[test]
    fn a_message_is_printed_the_same_whether_it_is_decoded_as_a_whole_or_not() {
        let schema = Schema::bundled().unwrap();
        let mut random = random();
        let (mut same, mut failed) = (0, 0);
        for image in fixtures() {
            for round in 0..60 {
                let mut image = image.clone();
                for _ in 0..[0, 1, 1, 3][round % 4] {
                    let at = 8 + random(image.len() - 8);
                    let with = [0, 1, 0x7f, 0x80, 0xff, random(256).to_le_bytes()[0]];
                    image[at] = with[random(with.len())];
                }
                let options = DecodeOptions::default()
                    .pretty(round % 2 == 1)
                    .exact(round % 3 == 1)
                    .quote_big_ints(round % 5 == 1);
                let whole = printed(&schema, &image, &options, usize::MAX);
                let parts = printed(&schema, &image, &options, [0, 30][round % 2]);
                assert_eq!(whole, parts);
                same += usize::from(whole.is_some());
                failed += usize::from(whole.is_none());
            }
        }
        assert!(same > 10_000 && failed > 5_000, "{same} and {failed}");
    }

    #[test]
    fn fields_in_pieces_and_in_any_order_are_printed_and_compared_as_decoded_ones() {
        let schema = Schema::bundled().unwrap();
        let mut random = random();
        let (mut canonical, mut others, mut failed) = (0, 0, 0);
        for image in fixtures() {
            let Ok(reader) = ImageReader::new(&schema, &*image) else {
                continue;
            };
            for entry in reader.map_while(Result::ok).take(20) {
                let (ty, raw) = (&entry.ty, entry.raw.as_deref().unwrap_or_default());
                for round in 0..40 {
                    let mut bytes = raw.to_vec();
                    let at = random(raw.len() + 1);
                    match round % 5 {
                        0 if at < bytes.len() => bytes[at] = random(256).to_le_bytes()[0],
                        // Fields in another order, fields that stand there twice, fewer fields.
                        1 => bytes.rotate_left(at),
                        2 => bytes.extend_from_slice(&raw[at..]),
                        3 => bytes = in_pieces(raw, &mut random),
                        _ => bytes.truncate(at),
                    }
                    let Ok(decoded) = message::decode(ty, &bytes) else {
                        let mut out = Out::new(None, false);
                        let style = Style::from(&DecodeOptions::default());
                        let printed =
                            super::members(&mut out, style, ty, &bytes, 0, &mut Vec::new());
                        assert!(printed.is_err(), "{bytes:?}");
                        failed += 1;
                        continue;
                    };
                    let mut anew = Vec::new();
                    message::encode(ty, &decoded.message, &mut anew).unwrap();
                    let found = message::canonical(ty, &bytes).unwrap();
                    assert_eq!(found.canonical, anew == bytes, "{bytes:?}");
                    assert_eq!(found.complete, found.canonical && decoded.complete);
                    let style = Style::from(&DecodeOptions::default().pretty(round % 8 < 4));
                    let mut whole = Out::new(None, false);
                    print::members(&mut whole, style, ty, &decoded.message).unwrap();
                    let mut parts = Out::new(None, false);
                    let mut missing = Vec::new();
                    let most = [0, 20][round % 2];
                    super::members(&mut parts, style, ty, &bytes, most, &mut missing).unwrap();
                    let [whole, parts] =
                        [whole, parts].map(|out| String::from_utf8(out.text).unwrap());
                    assert_eq!(whole, parts, "{bytes:?}");
                    assert_eq!(missing, message::missing_fields(ty, &decoded.message));
                    canonical += usize::from(found.canonical);
                    others += usize::from(!found.canonical);
                }
            }
        }
        assert!(canonical > 5_000 && others > 5_000, "{canonical}, {others}");
        assert!(failed > 5_000, "{failed}");
    }
}
