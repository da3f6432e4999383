//! The forms that an integer may have in JSON: printing and reading of each side by side.
//!
//! A hint of the schema chooses the form, see [`IntegerHint`].

use std::fmt::Write as _;

use crate::error::nearest;
use crate::schema::IntegerHint;

/// The kernel keeps this many bits of minor number in its own device numbers.
const KERNEL_MINOR_BITS: u32 = 20;

/// The largest integer that a double (and so JavaScript, and jq before 1.7) holds exactly.
pub(super) const EXACT_IN_DOUBLE: u64 = (1 << 53) - 1;

/// The pretty form of a value; `None` when it is the number itself.
pub(super) fn pretty(value: i128, hint: &IntegerHint) -> Option<String> {
    match hint {
        IntegerHint::None => None,
        IntegerHint::Hex | IntegerHint::Flags(None) => Some(hex(value)),
        IntegerHint::Device => {
            let minor = value & ((1 << KERNEL_MINOR_BITS) - 1);
            Some(format!("{}:{minor}", value >> KERNEL_MINOR_BITS))
        }
        IntegerHint::UserDevice => {
            let major = (value >> 8 & 0xfff) | (value >> 32 & 0xffff_f000);
            let minor = (value & 0xff) | (value >> 12 & 0xffff_ff00);
            Some(format!("{major}:{minor}"))
        }
        IntegerHint::Flags(Some(table)) => {
            let mut text = String::new();
            let mut rest = value;
            for (name, bit) in table.iter() {
                let bit = i128::from(bit);
                if value & bit != 0 {
                    append(&mut text, name);
                }
                rest &= !bit;
            }
            if rest != 0 {
                append(&mut text, &hex(rest));
            }
            Some(text)
        }
        IntegerHint::Dict(table) => {
            let name = table.as_ref()?.name(u64::try_from(value).ok()?)?;
            Some(name.to_owned())
        }
    }
}

fn append(text: &mut String, flag: &str) {
    if !text.is_empty() {
        text.push_str(" | ");
    }
    text.push_str(flag);
}

/// `0x1f`; a negative number as Python prints it, `0x-1f`.
fn hex(value: i128) -> String {
    let mut text = String::from("0x");
    if value < 0 {
        text.push('-');
    }
    // Writing to a String can't fail.
    let _ = write!(text, "{:x}", value.unsigned_abs());
    text
}

/// The value of a string in any of its forms: a number, or what the hint allows. `lenient` takes
/// numbers as Python's `int(text, 0)` does.
pub(super) fn parse(text: &str, hint: &IntegerHint, lenient: bool) -> Result<i128, String> {
    let number = if lenient { python_number } else { number };
    match hint {
        IntegerHint::Device if text.contains(':') => {
            let (major, minor) = device(text)?;
            if minor >= 1 << KERNEL_MINOR_BITS {
                return Err(format!(
                    "`{text}`: a minor number has {KERNEL_MINOR_BITS} bits"
                ));
            }
            Ok(major << KERNEL_MINOR_BITS | minor)
        }
        IntegerHint::UserDevice if text.contains(':') => {
            let (major, minor) = device(text)?;
            Ok((major & 0xfff) << 8
                | (major & 0xffff_f000) << 32
                | minor & 0xff
                | (minor & 0xffff_ff00) << 12)
        }
        IntegerHint::Flags(Some(table)) => {
            let mut value = 0;
            if text.is_empty() {
                return Ok(0);
            }
            for part in text.split('|').map(str::trim) {
                value |= match table.bit(part) {
                    Some(bit) => i128::from(bit),
                    None => number(part)
                        .ok_or_else(|| unknown("flag", part, table.iter().map(|(name, _)| name)))?,
                };
            }
            Ok(value)
        }
        IntegerHint::Dict(Some(table)) => match table.value(text) {
            Some(value) => Ok(i128::from(value)),
            None => number(text)
                .ok_or_else(|| unknown("name", text, table.iter().map(|(_, name)| name))),
        },
        _ => number(text).ok_or_else(|| format!("`{text}` is not an integer")),
    }
}

fn unknown<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(text, known) {
        Some(near) => format!("unknown {what} `{text}`: did you mean `{near}`?"),
        None => format!("unknown {what} `{text}`"),
    }
}

fn device(text: &str) -> Result<(i128, i128), String> {
    let parts = text.split_once(':');
    let parsed = parts
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    parsed
        .map(|(major, minor)| (i128::from(major), i128::from(minor)))
        .ok_or_else(|| format!("`{text}` is not a device number: major:minor"))
}

/// A number as Python's `int(text, 0)` reads it.
fn python_number(text: &str) -> Option<i128> {
    let text = text.trim().replace('_', "").to_lowercase();
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) if text.starts_with('-') => (-1, digits),
        Some(digits) => (1, digits),
        None => (1, text.as_str()),
    };
    let radix = [("0o", 8), ("0b", 2)];
    let magnitude = radix
        .iter()
        .find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, *radix)))
        .map_or_else(
            || number(digits),
            |(digits, radix)| u64::from_str_radix(digits, radix).ok().map(i128::from),
        )?;
    Some(sign * magnitude)
}

/// A decimal or `0x` number, with or without a sign. No zeros in front of a decimal one: C takes
/// such a number for octal.
pub(super) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (negative, magnitude) = match digits.strip_prefix("0x") {
        Some(hex) => {
            // Python's own spelling of a negative one, 0x-1f, is what upstream prints.
            let (negative, hex) = match hex.strip_prefix('-') {
                Some(hex) if !negative => (true, hex),
                _ => (negative, hex),
            };
            let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
            (
                negative,
                u64::from_str_radix(hex, 16).ok().filter(|_| plain)?,
            )
        }
        None => {
            let plain = digits.bytes().all(|b| b.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'));
            (negative, digits.parse::<u64>().ok().filter(|_| plain)?)
        }
    };
    let magnitude = i128::from(magnitude);
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::Names;

    fn both(value: i128, text: &str, hint: &IntegerHint) {
        assert_eq!(pretty(value, hint).as_deref(), Some(text));
        assert_eq!(parse(text, hint, false), Ok(value));
    }

    #[test]
    fn every_form_is_read_as_it_is_printed() {
        both(0x7fff_0000, "0x7fff0000", &IntegerHint::Hex);
        both(-31, "0x-1f", &IntegerHint::Hex);
        both(0x0080_0001, "8:1", &IntegerHint::Device);
        both(0x801, "8:1", &IntegerHint::UserDevice);
        both(0x12_3456_789a, "1656:19088794", &IntegerHint::UserDevice);
        let names = Names::bundled().unwrap();
        let prot = IntegerHint::Flags(names.flags("mmap.prot").cloned());
        both(0, "", &prot);
        both(5, "PROT_READ | PROT_EXEC", &prot);
        both(0x19, "PROT_READ | 0x18", &prot);
        let family = IntegerHint::Dict(names.dictionary("sk", "family").cloned());
        both(10, "INET6", &family);
        assert_eq!(pretty(99, &family), None);
        assert_eq!(parse("99", &family, false), Ok(99));
    }

    #[test]
    fn lenient_numbers_are_those_of_python() {
        for (text, value) in [
            (" 1 ", 1),
            ("+1", 1),
            ("0X1f", 31),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("-0x10", -16),
        ] {
            assert_eq!(parse(text, &IntegerHint::None, true), Ok(value), "{text}");
        }
        assert!(parse("017", &IntegerHint::None, true).is_err());
        let names = Names::bundled().unwrap();
        let prot = IntegerHint::Flags(names.flags("mmap.prot").cloned());
        for text in [" ", "|", "PROT_READ |"] {
            assert!(parse(text, &prot, false).is_err(), "{text}");
        }
        let status = IntegerHint::Flags(names.flags("mmap.status").cloned());
        assert_eq!(parse("VMA_AREA_NONE", &status, false), Ok(0));
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_nearest_known_one() {
        let names = Names::bundled().unwrap();
        let prot = IntegerHint::Flags(names.flags("mmap.prot").cloned());
        assert_eq!(
            parse("PROT_READ | PROT_EXE", &prot, false).unwrap_err(),
            "unknown flag `PROT_EXE`: did you mean `PROT_EXEC`?"
        );
        for text in [
            "",
            "x",
            "1.5",
            "1e3",
            "0x",
            "+1",
            "--1",
            "0x+1",
            "18446744073709551616",
            "017",
            "0o17",
        ] {
            assert!(parse(text, &IntegerHint::None, false).is_err(), "{text}");
        }
    }
}
