//! Machines: how big their words are, and which notes their registers go into.

use object::elf;

use super::arm;
use super::bytes::Bytes;
use super::x86;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Record;

/// A machine whose core files are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// 32-bit x86: also a 32-bit task on x86-64.
    I386,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm.
    Arm,
}

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

impl Machine {
    /// The machine of the task that a core image is of.
    pub(super) fn of(core: Record<'_>) -> Result<Self> {
        let name = core.enum_name("mtype").unwrap_or_default();
        match &*name {
            "X86_64" => {
                let registers = core
                    .record("thread_info")
                    .and_then(|info| info.record("gpregs"));
                let mode = registers.and_then(|registers| registers.enum_name("mode"));
                // Before CRIU 3.0 there was no mode, and no 32-bit task.
                Ok(match mode.as_deref() {
                    Some("COMPAT") => Machine::I386,
                    _ => Machine::X86_64,
                })
            }
            "AARCH64" => Ok(Machine::Aarch64),
            "ARM" => Ok(Machine::Arm),
            other => {
                let what = format!("core files of the machine {other} can't be written");
                Err(Error::new(ErrorKind::Value(what)))
            }
        }
    }

    /// The bytes of a word: of an address, a register, a `long`.
    #[must_use]
    pub fn word(self) -> usize {
        match self {
            Machine::X86_64 | Machine::Aarch64 => 8,
            Machine::I386 | Machine::Arm => 4,
        }
    }

    pub(super) fn elf_machine(self) -> elf::Machine {
        match self {
            Machine::X86_64 => elf::EM_X86_64,
            Machine::I386 => elf::EM_386,
            Machine::Aarch64 => elf::EM_AARCH64,
            Machine::Arm => elf::EM_ARM,
        }
    }

    /// The registers in a core image.
    pub(super) fn registers(self, core: Record<'_>) -> Result<Registers> {
        let message = match self {
            Machine::X86_64 | Machine::I386 => "thread_info",
            Machine::Aarch64 => "ti_aarch64",
            Machine::Arm => "ti_arm",
        };
        let info = core.record(message).ok_or_else(|| missing(message))?;
        match self {
            Machine::X86_64 => x86::registers_64(info),
            Machine::I386 => x86::registers_32(info),
            Machine::Aarch64 => arm::registers_64(info),
            Machine::Arm => arm::registers_32(info),
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
