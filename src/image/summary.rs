//! What `info` tells: the kind and the number of entries.

use std::io::Read;
use std::sync::Arc;

use super::input::Input;
use super::reader::ImageReader;
use super::start::{Start, start};
use crate::descriptor::ImageKind;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Schema;

/// The kind of an image and the number of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The kind.
    pub kind: Arc<ImageKind>,
    /// The number of entries. As upstream counts them: a head that differs from the entries
    /// (pagemaps have one) is none; the chunks of a ghost file are.
    pub count: u64,
}

/// Reads through an image and counts its entries.
///
/// Messages are stepped over, not decoded, except those whose fields say how much payload follows.
///
/// # Errors
///
/// As [`ImageReader::new`] and [`ImageReader::read_entry`].
pub fn summarize<R: Read>(schema: &Schema, input: R, name: Option<&str>) -> Result<Summary> {
    let named = |error: Error| match name {
        Some(name) => error.in_file(name),
        None => error,
    };
    let mut input = Input::new(input);
    match start(schema, &mut input, name).map_err(named)? {
        Start::Messages(layout, head) => {
            let kind = Arc::clone(&layout.kind);
            let reader = ImageReader::starting(input, layout, head, name);
            let count = reader.count_entries()?;
            let heads = u64::from(kind.head.is_some());
            Ok(Summary {
                count: count.saturating_sub(heads),
                kind,
            })
        }
        Start::PageRecords(kind) => {
            let count = count_page_records(&mut input).map_err(named)?;
            Ok(Summary { kind, count })
        }
    }
}

/// A record is a 64-bit address and 4096 bytes.
fn count_page_records<R: Read>(input: &mut Input<R>) -> Result<u64> {
    const RECORD: u64 = 8 + 4096;
    for count in 0.. {
        if input.peek(1)?.is_empty() {
            return Ok(count);
        }
        let offset = input.offset();
        input.skip(RECORD).map_err(|error| match *error.kind() {
            ErrorKind::Truncated { left, .. } => Error::new(ErrorKind::Truncated {
                what: "a page record",
                wanted: RECORD,
                left,
            })
            .in_entry(count)
            .at_offset(offset),
            _ => error,
        })?;
    }
    Ok(0)
}
