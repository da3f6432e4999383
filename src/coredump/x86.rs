//! The registers of x86-64 and 32-bit x86.
//!
//! CRIU's `images/core-x86.proto` has them, Linux's `arch/x86/include/uapi/asm/ptrace-abi.h` and
//! `sigcontext.h` say how core files do. The state beyond SSE is written at the places where Intel's
//! processors have it (the standard form of XSAVE), which is what debuggers assume.

use object::elf;

use super::bytes::Bytes;
use super::registers::{Note, Registers, list, words};
use crate::message::Record;

/// `user_regs_struct`, by CRIU's names.
const GENERAL_64: [&str; 27] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
];

/// `user_regs_struct` of 32-bit x86.
const GENERAL_32: [&str; 17] = [
    "bx", "cx", "dx", "si", "di", "bp", "ax", "ds", "es", "fs", "gs", "orig_ax", "ip", "cs",
    "flags", "sp", "ss",
];

/// The parts of the extended state: field, bytes of an element, elements, place, and the bit of the
/// part in XCR0.
const PARTS: [(&str, usize, usize, usize, u32); 7] = [
    ("ymmh_space", 4, 64, 576, 2),
    ("bndreg_state", 8, 8, 960, 3),
    ("bndcsr_state", 8, 8, 1024, 4),
    ("opmask_reg", 8, 8, 1088, 5),
    ("zmm_upper", 8, 64, 1152, 6),
    ("hi16_zmm", 8, 128, 1664, 7),
    ("pkru", 4, 2, 2688, 9),
];

/// The bits of x87 and SSE in XCR0.
const LEGACY: u64 = 3;

pub(super) fn registers_64(info: Record<'_>, general: Record<'_>) -> Registers {
    let mut notes = Vec::new();
    if let Some(state) = info.record("fpregs") {
        let legacy = legacy_area(state);
        let extended = extended(state, &legacy);
        notes.push(Note::core(elf::NT_FPREGSET, legacy));
        notes.extend(extended);
    }
    Registers {
        general: words(general, &GENERAL_64, 8),
        notes,
    }
}

pub(super) fn registers_32(info: Record<'_>, general: Record<'_>) -> Registers {
    let mut notes = Vec::new();
    if let Some(state) = info.record("fpregs") {
        let legacy = legacy_area(state);
        let extended = extended(state, &legacy);
        notes.push(Note::core(elf::NT_FPREGSET, x87_environment(state)));
        notes.push(Note::linux(elf::NT_PRXFPREG, legacy));
        notes.extend(extended);
    }
    Registers {
        general: words(general, &GENERAL_32, 4),
        notes,
    }
}

/// The 512 bytes that FXSAVE writes.
fn legacy_area(state: Record<'_>) -> Vec<u8> {
    let number = |name| state.number(name).unwrap_or(0);
    Bytes::new(8)
        .half(number("cwd"))
        .half(number("swd"))
        .half(number("twd"))
        .half(number("fop"))
        .long(number("rip"))
        .long(number("rdp"))
        .int(number("mxcsr"))
        .int(number("mxcsr_mask"))
        .raw(&list(state, "st_space", 4, 32))
        .raw(&list(state, "xmm_space", 4, 64))
        .up_to(512)
        .done()
}

/// `NT_X86_XSTATE`: what XSAVE writes. Which parts there are (XCR0) stands at byte 464, where the
/// kernel puts it.
fn extended(state: Record<'_>, legacy: &[u8]) -> Option<Note> {
    let xsave = state.record("xsave")?;
    let here: Vec<_> = PARTS
        .iter()
        .filter(|(name, ..)| !xsave.numbers(name).is_empty())
        .collect();
    let mask = here.iter().fold(LEGACY, |mask, (.., bit)| mask | 1 << bit);
    let mut bytes = Bytes::new(8);
    bytes
        .raw(legacy.get(..464).unwrap_or(legacy))
        .long(mask)
        .up_to(512)
        .long(xsave.number("xstate_bv").unwrap_or(0) & mask)
        .up_to(576);
    for (name, size, count, place, _) in here {
        bytes.up_to(*place).raw(&list(xsave, name, *size, *count));
    }
    Some(Note::linux(elf::NT_X86_XSTATE, bytes.done()))
}

/// `user_i387_struct`: what FSAVE writes, 108 bytes.
fn x87_environment(state: Record<'_>) -> Vec<u8> {
    let number = |name| state.number(name).unwrap_or(0);
    let stack = list(state, "st_space", 4, 32);
    let high = 0xffff_0000;
    let (rip, rdp) = (number("rip"), number("rdp"));
    let mut bytes = Bytes::new(4);
    bytes
        .int(number("cwd") | high)
        .int(number("swd") | high)
        .int(tags(number("twd"), number("swd"), &stack) | high)
        .int(rip)
        .int(rip >> 32 & 0xffff | number("fop") << 16)
        .int(rdp)
        .int(rdp >> 32 & 0xffff | high);
    for register in stack.chunks(16) {
        bytes.raw(register.get(..10).unwrap_or_default());
    }
    bytes.done()
}

/// The tag word with two bits for each register, out of FXSAVE's with one.
fn tags(in_use: u64, status: u64, stack: &[u8]) -> u64 {
    const VALID: u64 = 0;
    const ZERO: u64 = 1;
    const SPECIAL: u64 = 2;
    const EMPTY: u64 = 3;
    let top = status >> 11 & 7;
    let mut tags = 0;
    for register in 0..8u64 {
        let place = usize::try_from(register.wrapping_sub(top) & 7).unwrap_or(0) * 16;
        let bytes = stack.get(place..place + 10).unwrap_or(&[0; 10]);
        let (mantissa, exponent) = bytes.split_at(8);
        let is_zero = mantissa.iter().all(|byte| *byte == 0);
        let integer_bit = mantissa.last().is_some_and(|byte| byte & 0x80 != 0);
        let exponent = match exponent {
            [low, high] => u16::from_le_bytes([*low, *high & 0x7f]),
            _ => 0,
        };
        let tag = if in_use >> register & 1 == 0 {
            EMPTY
        } else {
            match exponent {
                0 if is_zero => ZERO,
                0 | 0x7fff => SPECIAL,
                _ if integer_bit => VALID,
                _ => SPECIAL,
            }
        };
        tags |= tag << (2 * register);
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_word_tells_numbers_zeros_and_empty_registers_apart() {
        // Top is 6: registers 6 and 7 are st0 (pi) and st1 (zero); st2, register 0, is infinite.
        let mut stack = vec![0; 128];
        stack[..10].copy_from_slice(&[0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40]);
        stack[32..42].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f]);
        let tags = tags(0b1100_0001, 6 << 11, &stack);
        assert_eq!(tags, 0b01_00_11_11_11_11_11_10);
    }
}
