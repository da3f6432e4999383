//! Machines: how big their words are, and which notes their registers go into.

use object::elf;

use super::arm;
use super::registers::{Registers, missing};
use super::x86;
use crate::error::{Error, ErrorKind, Result};
use crate::explore::is_compat;
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

impl Machine {
    /// The machine of the task that a core image is of.
    pub(super) fn of(core: Record<'_>) -> Result<Self> {
        let name = core.enum_name("mtype").unwrap_or_default();
        match &*name {
            "X86_64" if is_compat(core) => Ok(Machine::I386),
            "X86_64" => Ok(Machine::X86_64),
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

    pub(super) fn elf_flags(self) -> elf::FileFlags {
        match self {
            Machine::Arm => elf::EF_ARM_EABI_VER5,
            _ => elf::FileFlags::default(),
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
        let general = info
            .record("gpregs")
            .ok_or_else(|| missing(&format!("{message}.gpregs")))?;
        Ok(match self {
            Machine::X86_64 => x86::registers_64(info, general),
            Machine::I386 => x86::registers_32(info, general),
            Machine::Aarch64 => arm::registers_64(info, general),
            Machine::Arm => arm::registers_32(info, general),
        })
    }
}
