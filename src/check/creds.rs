//! Credentials that the kernel refuses to set (`pie/restorer.c`, `restore_creds`).

use super::checker::Checker;
use crate::message::Record;

const PATH: &str = "thread_core.creds";

pub(super) fn check(checker: &Checker<'_>, creds: Record<'_>, image: &str) {
    let error = |rule, field: &str, what: &str| {
        checker.error(rule, image, (0, format!("{PATH}.{field}")), what);
    };
    let caps = |field| -> u64 {
        let words = creds.words(field);
        let word = |index: usize| u64::from(words.get(index).copied().unwrap_or(0));
        word(0) | word(1) << 32
    };
    let (inheritable, permitted) = (caps("cap_inh"), caps("cap_prm"));
    // The last capability that Linux has is 40; restore drops bits above the target's.
    let known = (1u64 << 41) - 1;
    if caps("cap_eff") & !permitted & known != 0 {
        error(
            "capabilities",
            "cap_eff",
            "it has capabilities that are not permitted",
        );
    }
    if caps("cap_amb") & !(permitted & inheritable) & known != 0 {
        let what = "it has capabilities that are not both permitted and inheritable";
        error("capabilities", "cap_amb", what);
    }
    if inheritable & !caps("cap_bnd") & known != 0 {
        let what = "it has capabilities beyond the bounding set";
        error("capabilities", "cap_inh", what);
    }
    if let Some(value) = creds.number("no_new_privs").filter(|value| *value > 1) {
        let what = format!("{value} is neither 0 nor 1");
        error("capabilities", "no_new_privs", &what);
    }
    /// The bits of `SECUREBITS` in `linux/securebits.h`, with those of Linux 6.14.
    const SECURE_BITS: u64 = 0xfff;
    if let Some(bits) = creds
        .number("secbits")
        .filter(|bits| bits & !SECURE_BITS != 0)
    {
        let what = format!("0x{bits:x} has bits that are not secure bits");
        error("capabilities", "secbits", &what);
    }
    /// `SECBIT_NO_CAP_AMBIENT_RAISE`.
    const NO_AMBIENT: u64 = 1 << 6;
    if creds.number("secbits").unwrap_or(0) & NO_AMBIENT != 0 && caps("cap_amb") & known != 0 {
        let what = "secbits forbid ambient capabilities, and there are some";
        error("capabilities", "secbits", what);
    }
}
