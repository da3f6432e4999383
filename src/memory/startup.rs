//! What a task was started with, out of its memory.

use std::ops::Range;

use super::Memory;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::COMMAND_LINE;
use crate::text::Text;

impl Memory {
    /// The command line, as the task has it now: it may have written over it.
    ///
    /// # Errors
    ///
    /// The checkpoint does not hold all of it, or it is longer than [`COMMAND_LINE`].
    pub fn args(&self) -> Result<Vec<Text>> {
        self.texts(&self.address_space().args)
    }

    /// The environment that it was started with, as it has it now.
    ///
    /// # Errors
    ///
    /// As [`Memory::args`].
    pub fn env(&self) -> Result<Vec<Text>> {
        self.texts(&self.address_space().env)
    }

    fn texts(&self, range: &Range<u64>) -> Result<Vec<Text>> {
        let too_long = |what: String| {
            let most = COMMAND_LINE >> 20;
            let what = format!("{what}; Linux takes {most} MiB with the pointers to the strings");
            Error::new(ErrorKind::Limit(what)).in_file(&self.image)
        };
        let length = range.end.saturating_sub(range.start);
        if length > COMMAND_LINE {
            let what = format!("a command line or environment of {length} bytes");
            return Err(too_long(what));
        }
        let bytes = self.read(range.clone())?;
        // Each string ends with a zero; what a task wrote over them may lack the last.
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let count = memchr::memchr_iter(0, bytes).count() as u64 + 1;
        if start_up_cost(length, count) > COMMAND_LINE {
            let what = format!("a command line or environment of {count} strings");
            return Err(too_long(what));
        }
        Ok(bytes.split(|byte| *byte == 0).map(Text::from).collect())
    }
}

/// What so many strings of so many bytes take of what a program may be started with: the kernel counts
/// a pointer for each.
pub(crate) fn start_up_cost(bytes: u64, strings: u64) -> u64 {
    bytes.saturating_add(strings.saturating_mul(8))
}
