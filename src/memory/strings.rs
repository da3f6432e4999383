//! Printable texts in memory, as `strings` finds them in files.

use serde::Serialize;

use super::Memory;
use super::sweep::{Scanner, Selection, Window};
use crate::error::Result;
use crate::limits::MATCH_LENGTH;

/// A text in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Found {
    /// The address of its first character.
    pub address: u64,
    /// Printable ASCII and tabs.
    pub text: String,
}

impl Memory {
    /// Hands over the runs of at least `shortest` printable ASCII characters, in the order of their
    /// addresses. One of more than [`MATCH_LENGTH`] comes in parts.
    ///
    /// # Errors
    ///
    /// As [`Memory::search`].
    pub fn strings(
        &self,
        shortest: usize,
        selection: &Selection,
        progress: &mut dyn FnMut(u64),
        each: &mut dyn FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        let shortest = shortest.clamp(1, MATCH_LENGTH);
        let mut scanner = Printable { shortest, each };
        self.sweep(selection, &mut scanner, progress)
    }
}

struct Printable<'a> {
    shortest: usize,
    each: &'a mut dyn FnMut(Found) -> Result<()>,
}

impl Printable<'_> {
    fn found(&mut self, window: &Window<'_>, start: usize, end: usize) -> Result<()> {
        let bytes = window.bytes.get(start..end).unwrap_or_default();
        if bytes.len() < self.shortest {
            return Ok(());
        }
        (self.each)(Found {
            address: window.address_of(start),
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }
}

impl Scanner for Printable<'_> {
    fn reach(&self) -> usize {
        MATCH_LENGTH
    }

    fn looks_at_zeros(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn scan(&mut self, window: &Window<'_>) -> Result<usize> {
        let is_printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        let length = window.bytes.len();
        let mut start = window.from;
        loop {
            let rest = window.bytes.get(start..).unwrap_or_default();
            let Some(skip) = rest.iter().position(is_printable) else {
                return Ok(length);
            };
            start += skip;
            let rest = window.bytes.get(start..).unwrap_or_default();
            let most = rest.get(..MATCH_LENGTH).unwrap_or(rest);
            let run = most.iter().position(|byte| !is_printable(byte));
            let end = start + run.unwrap_or(most.len());
            // It may go on in the next window.
            if end == length && end - start < MATCH_LENGTH && !window.last {
                return Ok(start);
            }
            self.found(window, start, end)?;
            start = end;
        }
    }
}
