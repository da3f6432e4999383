//! The words in front of an image: which kind it is, and whether it is one.

use std::io::Read;
use std::sync::Arc;

use super::head::Head;
use super::input::Input;
use crate::descriptor::{Family, ImageKind, PayloadKind};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Layout, Schema};

/// What the first words of a file say.
pub(super) enum Start {
    Messages(Arc<Layout>, Head),
    /// Page contents with an address before each page, from CRIU 0.1 to 0.4.
    PageRecords(Arc<ImageKind>),
}

/// Reads the words in front, and says what follows them.
pub(super) fn start<R: Read>(
    schema: &Schema,
    input: &mut Input<R>,
    name: Option<&str>,
) -> Result<Start> {
    // Of a member of an archive too: `dump.tar:pages-1.img`.
    let base = name.map(|name| name.rsplit(['/', ':']).next().unwrap_or(name));
    let by_name = base.and_then(|base| schema.kinds().by_file_name(base));
    let raw = by_name.filter(|kind| kind.family == Family::Raw);
    let beginning = input.peek(64)?.to_vec();
    if let (Some(kind), 0..4) = (raw, beginning.len()) {
        return Err(raw_image(kind));
    }
    let first = input
        .word("the magic")?
        .ok_or_else(|| Error::new(ErrorKind::Empty))?;
    let families = [Family::Common, Family::Service];
    let family = families.into_iter().find(|f| f.first_word() == Some(first));
    let magic = match family {
        Some(_) => input.word("the magic")?.ok_or_else(|| {
            Error::new(ErrorKind::Truncated {
                what: "the magic",
                wanted: 4,
                left: 0,
            })
            .at_offset(4)
        })?,
        None => first,
    };
    let Some(kind) = schema.kind_of_magic(magic) else {
        return Err(match raw {
            Some(kind) => raw_image(kind),
            None => unknown_magic(magic, &beginning),
        });
    };
    if let Some(records) = page_records(schema, input, &kind, base)? {
        return Ok(Start::PageRecords(records));
    }
    let head = Head {
        family: family.unwrap_or(Family::None),
    };
    Ok(Start::Messages(schema.layout(&kind)?, head))
}

/// The kind of page records with this magic, when this file holds such records.
///
/// The file name says so; without one, the first word after the magic does: it is the low half of
/// a page's address there, and the size of a message of a few bytes in a pagemap.
fn page_records<R: Read>(
    schema: &Schema,
    input: &mut Input<R>,
    kind: &ImageKind,
    name: Option<&str>,
) -> Result<Option<Arc<ImageKind>>> {
    let mut candidates = schema
        .kinds()
        .iter()
        .filter(|row| row.magic == kind.magic && row.payload == Some(PayloadKind::PageRecords));
    let next = input.peek(4)?.first_chunk::<4>().copied();
    let size = next.map_or(0, u32::from_le_bytes);
    let by_shape = size >= 4096 && size % 4096 == 0;
    Ok(candidates
        .find(|row| match name {
            Some(name) => row.matches_file(name) && (by_shape || next.is_none()),
            None => by_shape,
        })
        .cloned())
}

pub(super) fn raw_image(kind: &ImageKind) -> Error {
    Error::new(ErrorKind::RawImage {
        kind: kind.name.clone(),
        about: kind.about.clone(),
    })
}

fn unknown_magic(magic: u32, beginning: &[u8]) -> Error {
    let text = beginning.trim_ascii_start();
    let is_text = beginning
        .iter()
        .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    match text.first() {
        Some(b'{') if is_text => Error::new(ErrorKind::NotAnImage { json: true })
            .with_hint("`crit encode` makes an image from JSON"),
        _ if is_text => Error::new(ErrorKind::NotAnImage { json: false }),
        _ => Error::new(ErrorKind::UnknownMagic(magic)).with_hint(
            "raw images (pages-*.img and others) have no magic; --schema-dir with a checkout of the \
             CRIU that wrote the image knows its magics, --message NAME takes it for entries of a message",
        ),
    }
}
