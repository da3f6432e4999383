//! The registers of 64-bit and 32-bit Arm.
//!
//! CRIU's `images/core-aarch64.proto` and `core-arm.proto` have them, Linux's
//! `arch/arm64/include/uapi/asm/ptrace.h` and `arch/arm/include/asm/user.h` say how core files do.

use object::elf;

use super::bytes::Bytes;
use super::registers::{Note, Registers, list, words};
use crate::message::Record;

/// `pt_regs` of 32-bit Arm, by CRIU's names.
const GENERAL_32: [&str; 18] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "fp", "ip", "sp", "lr",
    "pc", "cpsr", "orig_r0",
];

pub(super) fn registers_64(info: Record<'_>, general: Record<'_>) -> Registers {
    let mut notes = Vec::new();
    if let Some(state) = info.record("fpsimd") {
        let content = Bytes::new(8)
            .raw(&list(state, "vregs", 8, 64))
            .int(state.number("fpsr").unwrap_or(0))
            .int(state.number("fpcr").unwrap_or(0))
            .zeros(8)
            .done();
        notes.push(Note::core(elf::NT_FPREGSET, content));
    }
    if let Some(tls) = info.number("tls") {
        let content = tls.to_le_bytes().to_vec();
        notes.push(Note::linux(elf::NT_ARM_TLS, content));
    }
    let mut bytes = list(general, "regs", 8, 31);
    bytes.extend(words(general, &["sp", "pc", "pstate"], 8));
    Registers {
        general: bytes,
        notes,
    }
}

pub(super) fn registers_32(info: Record<'_>, general: Record<'_>) -> Registers {
    let mut notes = Vec::new();
    if let Some(state) = info.record("fpstate") {
        let content = Bytes::new(4)
            .raw(&list(state, "vfp_regs", 8, 32))
            .int(state.number("fpscr").unwrap_or(0))
            .done();
        notes.push(Note::linux(elf::NT_ARM_VFP, content));
    }
    if let Some(tls) = info.number("tls") {
        let content = Bytes::new(4).int(tls).done();
        notes.push(Note::linux(elf::NT_ARM_TLS, content));
    }
    Registers {
        general: words(general, &GENERAL_32, 4),
        notes,
    }
}
