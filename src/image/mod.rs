//! Image files: the magic in front, then entries, each a message with, for some kinds, a payload.
//!
//! ```text
//! IMAGE   ::= [ FAMILY ] MAGIC { ENTRY }        every number is a little-endian 32-bit word
//! ENTRY   ::= SIZE MESSAGE [ PAYLOAD ]          SIZE = bytes of MESSAGE
//! ```
//!
//! CRIU writes them in `criu/image.c` (the words in front) and `criu/protobuf.c` (the entries).

mod entry;
mod head;
mod input;
pub(crate) mod payload;
mod reader;
mod start;
mod summary;
mod writer;

use std::io::{Read, Write};
use std::sync::Arc;

pub use entry::Entry;
pub use head::Head;
pub use payload::{Payload, QueuedMessage};
pub(crate) use reader::EntryForm;
pub use reader::ImageReader;
pub use summary::{Summary, summarize};
pub use writer::ImageWriter;
pub(crate) use writer::missing;

use crate::descriptor::ImageKind;
use crate::error::Result;
use crate::schema::Schema;

/// A whole image in memory: for images that are looked at or edited as a whole.
///
/// An image that was read and not changed is written back byte for byte, whatever it holds.
/// [`ImageReader`] and [`ImageWriter`] work one entry at a time instead.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Image, Schema};
///
/// let schema = Schema::bundled()?;
/// let bytes = std::fs::read("tests/images/simple/pstree.img")?;
/// let mut image = Image::read(&schema, bytes.as_slice())?;
/// assert_eq!(image.kind.name, "PSTREE");
/// assert_eq!(image.entries[0].get("threads[1]")?, 103);
///
/// image.entries[0].set("sid", 7)?;
/// let mut edited = Vec::new();
/// image.write(&mut edited)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Image {
    /// The kind of image.
    pub kind: Arc<ImageKind>,
    /// The words in front.
    pub head: Head,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    schema: Schema,
}

impl Image {
    /// An image of this kind (such as `PSTREE`) without entries.
    ///
    /// # Errors
    ///
    /// There is no such kind.
    pub fn new(schema: &Schema, kind: &str) -> Result<Self> {
        let kind = schema.kind(kind)?;
        Ok(Image {
            head: Head::of(&kind),
            kind,
            entries: Vec::new(),
            schema: schema.clone(),
        })
    }

    /// Reads a whole image.
    ///
    /// # Errors
    ///
    /// As [`ImageReader::new`] and [`ImageReader::read_entry`].
    pub fn read(schema: &Schema, input: impl Read) -> Result<Self> {
        let mut reader = ImageReader::new(schema, input)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.read_entry()? {
            entries.push(entry);
        }
        Ok(Image {
            kind: Arc::clone(reader.kind()),
            head: reader.head(),
            entries,
            schema: schema.clone(),
        })
    }

    /// Writes the image.
    ///
    /// # Errors
    ///
    /// As [`ImageWriter::write_entry`], with the entry's index.
    pub fn write(&self, output: impl Write) -> Result<()> {
        let mut writer = ImageWriter::new(&self.schema, &self.kind, self.head, output)?;
        for entry in &self.entries {
            writer.write_entry(entry)?;
        }
        writer.finish().map(drop)
    }
}
