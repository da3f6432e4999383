//! Writes an image one entry at a time.

use std::io::{Read, Write};
use std::sync::Arc;

use super::entry::Entry;
use super::head::Head;
use super::payload::{self, Fit, Pending};
use crate::descriptor::ImageKind;
use crate::error::{Error, ErrorKind, Result};
use crate::message::missing_fields;
use crate::schema::{Layout, Schema};

/// Writes an image one entry at a time.
///
/// Entries that were read and not changed are written as they were, byte for byte. Output is
/// collected and written in larger pieces: what is left of it is written by
/// [`ImageWriter::finish`], and not at all when the writer is dropped, as after an error.
#[derive(Debug)]
pub struct ImageWriter<W> {
    output: W,
    layout: Arc<Layout>,
    count: u64,
    /// A payload goes on to the end of the image.
    ended: bool,
    /// Bytes that wait to be written.
    buffer: Vec<u8>,
    fit: Fit,
}

/// Output is written once there is this much of it, in bytes.
const PIECE: usize = 64 << 10;

impl<W: Write> ImageWriter<W> {
    /// Writes the words in front of an image.
    ///
    /// # Errors
    ///
    /// The kind is a raw one, the schema lacks its message, or writing fails.
    pub fn new(schema: &Schema, kind: &Arc<ImageKind>, head: Head, output: W) -> Result<Self> {
        let layout = schema.layout(kind)?;
        let mut buffer = Vec::with_capacity(2 * PIECE);
        buffer.extend(
            head.family
                .first_word()
                .into_iter()
                .flat_map(u32::to_le_bytes),
        );
        buffer.extend(kind.magic.unwrap_or_default().to_le_bytes());
        Ok(Self::starting(layout, buffer, output))
    }

    /// A writer of a file that is a single message, without magic and size.
    ///
    /// # Errors
    ///
    /// The schema has no such message.
    pub fn bare(schema: &Schema, message: &str, output: W) -> Result<Self> {
        let layout = schema.bare_layout(message)?;
        Ok(Self::starting(layout, Vec::new(), output))
    }

    fn starting(layout: Arc<Layout>, buffer: Vec<u8>, output: W) -> Self {
        ImageWriter {
            output,
            layout,
            count: 0,
            ended: false,
            buffer,
            fit: Fit::Strict,
        }
    }

    /// Takes what upstream's crit takes: required fields that are missing, payloads that don't fit
    /// the fields that give their size.
    #[must_use]
    pub fn lenient(mut self, yes: bool) -> Self {
        self.fit = if yes { Fit::Lenient } else { Fit::Strict };
        self
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// What must follow this message, by its fields.
    pub(crate) fn pending(&self, entry: &Entry) -> Pending {
        payload::pending(&self.layout, self.count, &entry.message)
    }

    /// Writes an entry.
    ///
    /// # Errors
    ///
    /// A required field is missing in a message that was made or changed, the payload does not fit
    /// the fields that give its size, the message is of another type, or writing fails.
    pub fn write_entry(&mut self, entry: &Entry) -> Result<()> {
        let index = self.count;
        self.put_entry(entry).map_err(|e| e.in_entry(index))
    }

    fn put_entry(&mut self, entry: &Entry) -> Result<()> {
        let start = self.buffer.len();
        let pending = self.pending(entry);
        if let Err(error) = self.put_whole(entry, &pending) {
            self.buffer.truncate(start);
            return Err(error);
        }
        self.written(&pending);
        if self.buffer.len() >= PIECE {
            self.write_out()
        } else {
            Ok(())
        }
    }

    fn put_whole(&mut self, entry: &Entry, pending: &Pending) -> Result<()> {
        self.put_message(entry)?;
        if let Some(raw) = &entry.raw_payload {
            self.buffer.extend_from_slice(raw);
        } else {
            payload::write(pending, entry.payload.as_ref(), self.fit, &mut self.buffer)?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        self.output
            .write_all(&self.buffer)
            .map_err(Error::writing)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes an entry whose payload of `length` bytes comes out of a temporary file.
    pub(crate) fn write_streamed(
        &mut self,
        entry: &Entry,
        length: u64,
        data: impl Read,
    ) -> Result<()> {
        let index = self.count;
        let pending = self.pending(entry);
        let streamed = payload::streamed(&pending, length, self.fit);
        let Some(streamed) = streamed.map_err(|e| e.in_entry(index))? else {
            return self.write_entry(entry);
        };
        let start = self.buffer.len();
        self.put_message(entry).map_err(|e| {
            self.buffer.truncate(start);
            e.in_entry(index)
        })?;
        self.write_out()?;
        let mut data = data.take(streamed.length);
        let mut piece = vec![0; PIECE];
        loop {
            let got = data.read(&mut piece).map_err(Error::temporary)?;
            if got == 0 {
                break;
            }
            let piece = piece.get(..got).unwrap_or_default();
            self.output.write_all(piece).map_err(Error::writing)?;
        }
        let zeros = usize::try_from(streamed.zeros).unwrap_or(0);
        self.buffer.resize(zeros, 0);
        self.written(&pending);
        self.write_out()
    }

    /// Counts an entry; nothing can follow a payload that goes on to the end of the image.
    fn written(&mut self, pending: &Pending) {
        self.count += 1;
        self.ended = self.layout.bare || *pending == Pending::Rest;
    }

    /// Puts the size and the message into the buffer.
    fn put_message(&mut self, entry: &Entry) -> Result<()> {
        if self.ended {
            let what = if self.layout.bare {
                "a bare file is one message, without others behind it"
            } else {
                "nothing can follow the content of a file that is not in chunks"
            };
            return Err(Error::new(ErrorKind::Payload(what.to_owned())));
        }
        let expected = self.layout.entry_type(self.count);
        if entry.ty != *expected {
            return Err(Error::new(ErrorKind::Value(format!(
                "the entry is a {}, this image has {} here",
                entry.ty.name(),
                expected.name()
            ))));
        }
        if entry.raw.is_none()
            && !entry.complete
            && self.fit == Fit::Strict
            && let Some(field) = missing_fields(&entry.ty, &entry.message).into_iter().next()
        {
            return Err(missing(field));
        }
        if self.layout.bare {
            return entry.encode(&mut self.buffer);
        }
        let start = self.buffer.len();
        self.buffer.extend([0; 4]);
        entry.encode(&mut self.buffer)?;
        let size = u32::try_from(self.buffer.len() - start - 4)
            .map_err(|_| Error::new(ErrorKind::Limit("a message of more than 4 GiB".to_owned())))?;
        if let Some(slot) = self.buffer.get_mut(start..start + 4) {
            slot.copy_from_slice(&size.to_le_bytes());
        }
        Ok(())
    }

    /// Writes what is left, flushes, and gives the output back.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn finish(mut self) -> Result<W> {
        self.write_out()?;
        self.output.flush().map_err(Error::writing)?;
        Ok(self.output)
    }
}

/// The error about a required field that an entry lacks.
pub(crate) fn missing(field: String) -> Error {
    Error::new(ErrorKind::MissingField(field)).with_hint("--lenient encodes it without the field")
}
