//! The registers of a thread on their way from a core image into notes.

use object::elf;

use super::bytes::Bytes;
use crate::error::{Error, ErrorKind};
use crate::message::Record;

/// The registers of a thread, as core files have them.
#[derive(Debug)]
pub(super) struct Registers {
    /// `elf_gregset_t`: the part of `NT_PRSTATUS`.
    pub(super) general: Vec<u8>,
    /// Further notes: owner, type, content.
    pub(super) notes: Vec<Note>,
}

/// A note of a core file.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) owner: &'static str,
    pub(super) kind: elf::NoteType,
    pub(super) content: Vec<u8>,
}

impl Note {
    /// A note that every Unix has.
    pub(super) fn core(kind: elf::NoteType, content: Vec<u8>) -> Self {
        let owner = "CORE";
        Note {
            owner,
            kind,
            content,
        }
    }

    /// A note of Linux's own.
    pub(super) fn linux(kind: elf::NoteType, content: Vec<u8>) -> Self {
        let owner = "LINUX";
        Note {
            owner,
            kind,
            content,
        }
    }
}

/// A part of the registers is missing.
pub(super) fn missing(field: &str) -> Error {
    Error::new(ErrorKind::MissingField(field.to_owned()))
}

/// Registers by name, in this order, as words.
pub(super) fn words(record: Record<'_>, names: &[&str], word: usize) -> Vec<u8> {
    let mut bytes = Bytes::new(word);
    for name in names {
        bytes.word(record.number(name).unwrap_or(0));
    }
    bytes.done()
}

/// Numbers of a list as little-endian values of `size` bytes: exactly `count`, the rest zeros.
pub(super) fn list(record: Record<'_>, name: &str, size: usize, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size * count);
    for number in record.numbers(name).into_iter().take(count) {
        bytes.extend(number.to_le_bytes().into_iter().take(size));
    }
    bytes.resize(size * count, 0);
    bytes
}
