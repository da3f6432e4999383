//! A reader that counts, and that believes a length only as far as bytes follow.

use std::io::{self, BufRead as _, BufReader, Read};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::READ_STEP;

pub(super) struct Input<R> {
    inner: BufReader<R>,
    /// Bytes that were looked at and not taken yet.
    ahead: Vec<u8>,
    /// Bytes taken so far.
    offset: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Input {
            inner: BufReader::with_capacity(64 << 10, inner),
            ahead: Vec::new(),
            offset: 0,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next bytes, without taking them: fewer than asked for only at the end.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8]> {
        let start = self.ahead.len();
        if start < length {
            self.ahead.resize(length, 0);
            let got = read_full(
                &mut self.inner,
                self.ahead.get_mut(start..).unwrap_or_default(),
            );
            self.ahead.truncate(start + *got.as_ref().unwrap_or(&0));
            got?;
        }
        Ok(self.ahead.get(..length).unwrap_or(&self.ahead))
    }

    /// The next bytes where all of them were read already: nearly always, since entries are small.
    #[inline]
    fn at_hand(&self, length: usize) -> Option<&[u8]> {
        match self.ahead.is_empty() {
            true => self.inner.buffer().get(..length),
            false => None,
        }
    }

    /// Takes bytes that are at hand.
    #[inline]
    fn take(&mut self, length: usize) {
        self.inner.consume(length);
        self.offset += length as u64;
    }

    /// A 32-bit word; `None` when the input ended before it.
    pub(super) fn word(&mut self, what: &'static str) -> Result<Option<u32>> {
        let start = self.offset;
        if let Some(word) = self.at_hand(4).and_then(|bytes| bytes.first_chunk()) {
            let word = u32::from_le_bytes(*word);
            self.take(4);
            return Ok(Some(word));
        }
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
        if let Some(bytes) = usize::try_from(length).ok().and_then(|n| self.at_hand(n)) {
            buffer.extend_from_slice(bytes);
            let taken = bytes.len();
            self.take(taken);
            return Ok(Ok(()));
        }
        let mut left = length;
        while left > 0 {
            let step = usize::try_from(left).map_or(READ_STEP, |left| left.min(READ_STEP));
            let start = buffer.len();
            // It grows in steps that double, but not beyond what is to come.
            if buffer.capacity() - start < step {
                let more = start.max(step) as u64;
                buffer.reserve_exact(usize::try_from(left.min(more)).unwrap_or(step));
            }
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
        let ahead = self
            .ahead
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX));
        self.ahead.drain(..ahead);
        let rest = length - ahead as u64;
        let skipped = io::copy(&mut self.inner.by_ref().take(rest), &mut io::sink())?;
        self.offset += ahead as u64 + skipped;
        if skipped < rest {
            return Err(short_payload(length, ahead as u64 + skipped).at_offset(start));
        }
        Ok(())
    }

    /// Reads until the buffer is full or the input ends.
    #[inline]
    pub(super) fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut got = 0;
        if !self.ahead.is_empty() {
            got = self.ahead.len().min(buffer.len());
            let (taken, _) = buffer.split_at_mut(got);
            taken.copy_from_slice(self.ahead.get(..got).unwrap_or_default());
            self.ahead.drain(..got);
        }
        let rest = buffer.get_mut(got..).unwrap_or_default();
        got += read_full(&mut self.inner, rest)?;
        self.offset += got as u64;
        Ok(got)
    }
}

/// Reads until the buffer is full or the input ends.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(got)
}

pub(super) fn short_payload(wanted: u64, left: u64) -> Error {
    Error::new(ErrorKind::Truncated {
        what: "the payload",
        wanted,
        left,
    })
}
