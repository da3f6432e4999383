//! A reader that counts, and that believes a length only as far as bytes follow.

use std::io::{self, BufRead, BufReader, Read};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::READ_STEP;

pub(super) struct Input<R> {
    inner: BufReader<R>,
    /// Bytes read so far.
    offset: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Input {
            inner: BufReader::with_capacity(64 << 10, inner),
            offset: 0,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes that come next, without taking them; fewer than asked for at the end.
    pub(super) fn peek(&mut self) -> Result<&[u8]> {
        Ok(self.inner.fill_buf()?)
    }

    /// A 32-bit word; `None` when the input ended before it.
    pub(super) fn word(&mut self, what: &'static str) -> Result<Option<u32>> {
        let start = self.offset;
        let mut word = [0; 4];
        match self.read_full(&mut word)? {
            0 => Ok(None),
            4 => Ok(Some(u32::from_le_bytes(word))),
            n => Err(Error::new(ErrorKind::Truncated {
                what,
                wanted: 4,
                left: n as u64,
            })
            .at_offset(start)),
        }
    }

    /// Appends this many bytes to `buffer`. On a short input, the error is the number that there were.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, length: u64) -> Result<Result<(), u64>> {
        let mut left = length;
        while left > 0 {
            let step = usize::try_from(left).map_or(READ_STEP, |left| left.min(READ_STEP));
            let start = buffer.len();
            buffer.resize(start + step, 0);
            let got = self.read_full(buffer.get_mut(start..).unwrap_or_default())?;
            left -= got as u64;
            if got < step {
                buffer.truncate(start + got);
                return Ok(Err(length - left));
            }
        }
        Ok(Ok(()))
    }

    /// Appends this many bytes of a payload to `buffer`.
    pub(super) fn payload(&mut self, buffer: &mut Vec<u8>, length: u64) -> Result<()> {
        let start = self.offset;
        self.append(buffer, length)?
            .map_err(|left| short_payload(length, left).at_offset(start))
    }

    /// Steps over this many bytes of a payload.
    pub(super) fn skip(&mut self, length: u64) -> Result<()> {
        let start = self.offset;
        let skipped = io::copy(&mut self.inner.by_ref().take(length), &mut io::sink())?;
        self.offset += skipped;
        if skipped < length {
            return Err(short_payload(length, skipped).at_offset(start));
        }
        Ok(())
    }

    /// Reads until the buffer is full or the input ends.
    pub(super) fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.offset += got as u64;
        Ok(got)
    }
}

pub(super) fn short_payload(wanted: u64, left: u64) -> Error {
    Error::new(ErrorKind::Truncated {
        what: "the payload",
        wanted,
        left,
    })
}
