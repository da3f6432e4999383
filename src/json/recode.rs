//! Whether an image comes back byte for byte from its JSON.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::thread;

use super::options::{DecodeOptions, EncodeOptions};
use super::{decode, encode};
use crate::error::{Error, Result};
use crate::image::ImageReader;
use crate::schema::Schema;

/// What came back from the JSON of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recoded {
    /// The bytes of the image that was made from the JSON.
    pub bytes: u64,
    /// The first byte that is not that of the image; `None` when all are.
    pub differs_at: Option<u64>,
}

/// Decodes an image to JSON, plain or pretty, encodes that again, and compares.
///
/// Nothing is kept: the three go on side by side. `open` gives the image, which is read twice.
///
/// # Errors
///
/// The image can't be read, or its JSON not encoded.
pub fn recode<R: Read + Send>(
    schema: &Schema,
    name: &str,
    open: impl Fn() -> Result<R>,
    pretty: bool,
) -> Result<Recoded> {
    let mut reader = ImageReader::named(schema, open()?, name)?;
    let mut compared = Compare {
        original: BufReader::with_capacity(64 << 10, open()?),
        buffer: Vec::new(),
        recoded: Recoded {
            bytes: 0,
            differs_at: None,
        },
    };
    let (text, out) = io::pipe().map_err(Error::temporary)?;
    thread::scope(|scope| {
        let decoding = scope.spawn(move || {
            let mut out = BufWriter::with_capacity(64 << 10, out);
            let options = DecodeOptions::default().pretty(pretty);
            decode(&mut reader, &mut out, &options)?;
            out.flush().map_err(Error::writing)
        });
        // Statistics of old CRIUs lack what is required since.
        let options = EncodeOptions::default().lenient(true);
        let encoded = encode(schema, text, &mut compared, &options);
        // What is wrong with the image is why its JSON ends; where the JSON is wrong, nobody reads on.
        match decoding.join() {
            Ok(Err(error)) if !error.is_io(io::ErrorKind::BrokenPipe) => Err(error),
            _ => encoded,
        }
    })
    .map_err(|error| error.in_file(name))?;
    compared
        .end()
        .map_err(|error| Error::from(error).in_file(name))
}

/// Compares what is written to it.
struct Compare<R> {
    original: R,
    buffer: Vec<u8>,
    recoded: Recoded,
}

impl<R: Read> Compare<R> {
    fn differ(&mut self, at: usize) {
        let at = self.recoded.bytes.saturating_add(at as u64);
        self.recoded.differs_at.get_or_insert(at);
    }

    /// The original must be at its end as well.
    fn end(mut self) -> io::Result<Recoded> {
        if self.recoded.differs_at.is_none() && self.original.read(&mut [0])? > 0 {
            self.differ(0);
        }
        Ok(self.recoded)
    }
}

impl<R: Read> Write for Compare<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.recoded.differs_at.is_none() {
            self.buffer.clear();
            let mut part = (&mut self.original).take(bytes.len() as u64);
            part.read_to_end(&mut self.buffer)?;
            let same = self
                .buffer
                .iter()
                .zip(bytes)
                .take_while(|(a, b)| a == b)
                .count();
            if same < bytes.len() {
                self.differ(same);
            }
        }
        self.recoded.bytes = self.recoded.bytes.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
