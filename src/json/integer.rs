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

/// Reads a number as people write it: decimal, or with the prefix of another base; without leading zeros.
///
/// The error says what the text is not, and what was perhaps meant.
#[cfg(feature = "cli")]
pub(crate) fn written_number(text: &str) -> Result<i128, String> {
    Numbers::Written
        .read(text)
        .ok_or_else(|| Numbers::Written.refuse(text))
}

/// The forms of numbers that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Decimal and hexadecimal ones.
    Plain,
    /// Octal and binary ones too, by their prefixes: what people write.
    Written,
    /// Those of Python's `int(text, 0)`.
    Python,
}

impl Numbers {
    fn read(self, text: &str) -> Option<i128> {
        match self {
            Numbers::Plain => number(text),
            Numbers::Written => number(text).or_else(|| prefixed(text)),
            Numbers::Python => python_number(text),
        }
    }

    /// Says that a text is no number, and what was perhaps meant.
    fn refuse(self, text: &str) -> String {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.trim_start_matches('0');
        let is_padded = plain.len() < digits.len()
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_padded {
            return match prefixed(text) {
                Some(number) => format!("`{text}` is not an integer of JSON: {number} is"),
                None => format!("`{text}` is not an integer"),
            };
        }
        let sign = if text.starts_with('-') { "-" } else { "" };
        let decimal = if plain.is_empty() { "0" } else { plain };
        match (u64::from_str_radix(digits, 8), self) {
            (Ok(octal), Numbers::Plain) => format!(
                "`{text}` has a leading zero: {sign}{octal} is the octal number, {sign}{decimal} the decimal one"
            ),
            (Ok(_), _) => format!(
                "`{text}` has a leading zero: {sign}0o{decimal} is the octal number, {sign}{decimal} the decimal one"
            ),
            (Err(_), _) => format!("`{text}` has a leading zero: {sign}{decimal} has none"),
        }
    }
}

/// The value of a string in any of its forms: a number, or what the hint allows.
pub(super) fn parse(text: &str, hint: &IntegerHint, numbers: Numbers) -> Result<i128, String> {
    let number = |text: &str| numbers.read(text);
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
        _ => number(text).ok_or_else(|| numbers.refuse(text)),
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
    let magnitude = prefixed(digits).or_else(|| number(digits))?;
    Some(sign * magnitude)
}

/// An octal or binary number by its prefix: `0o22`, `0b11`.
fn prefixed(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let radix = [("0o", 8), ("0b", 2)];
    let (digits, radix) = radix
        .iter()
        .find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let magnitude = u64::from_str_radix(digits, radix).ok().filter(|_| plain)?;
    Some(sign * i128::from(magnitude))
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
        assert_eq!(parse(text, hint, Numbers::Plain), Ok(value));
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
        assert_eq!(parse("99", &family, Numbers::Plain), Ok(99));
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
            assert_eq!(
                parse(text, &IntegerHint::None, Numbers::Python),
                Ok(value),
                "{text}"
            );
        }
        assert!(parse("017", &IntegerHint::None, Numbers::Python).is_err());
        let names = Names::bundled().unwrap();
        let prot = IntegerHint::Flags(names.flags("mmap.prot").cloned());
        for text in [" ", "|", "PROT_READ |"] {
            assert!(parse(text, &prot, Numbers::Plain).is_err(), "{text}");
        }
        let status = IntegerHint::Flags(names.flags("mmap.status").cloned());
        assert_eq!(parse("VMA_AREA_NONE", &status, Numbers::Plain), Ok(0));
    }

    #[test]
    fn octal_and_binary_numbers_are_taken_where_people_write_them() {
        let written = |text: &str| parse(text, &IntegerHint::None, Numbers::Written);
        assert_eq!(written("0o22"), Ok(18));
        assert_eq!(written("-0b101"), Ok(-5));
        assert_eq!(
            written("0100755").unwrap_err(),
            "`0100755` has a leading zero: 0o100755 is the octal number, 100755 the decimal one"
        );
        assert_eq!(
            written("08").unwrap_err(),
            "`08` has a leading zero: 8 has none"
        );
        for text in ["0o", "0o8", "0b2", "0o-1", "0o_1"] {
            assert!(written(text).is_err(), "{text}");
        }
        assert_eq!(
            parse("022", &IntegerHint::None, Numbers::Plain).unwrap_err(),
            "`022` has a leading zero: 18 is the octal number, 22 the decimal one"
        );
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_nearest_known_one() {
        let names = Names::bundled().unwrap();
        let prot = IntegerHint::Flags(names.flags("mmap.prot").cloned());
        assert_eq!(
            parse("PROT_READ | PROT_EXE", &prot, Numbers::Plain).unwrap_err(),
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
            assert!(
                parse(text, &IntegerHint::None, Numbers::Plain).is_err(),
                "{text}"
            );
        }
    }
}
