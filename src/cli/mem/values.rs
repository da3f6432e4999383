//! Addresses, ranges and bytes as they are typed.

use std::ops::Range;

/// How many bytes are read where nothing is said.
const LENGTH: u64 = 256;

/// Bytes on the command line: one value, not a list of numbers.
#[derive(Debug, Clone)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// A range of addresses.
#[derive(Debug, Clone)]
pub(super) struct AddressRange(pub(super) Range<u64>);

/// A number: hexadecimal behind `0x`, or decimal.
fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no number: 4096 or 0x1000"))
}

/// An address: hexadecimal, with or without `0x`, as in `/proc/PID/maps`.
pub(super) fn parse_address(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    u64::from_str_radix(digits.unwrap_or(text), 16)
        .map_err(|_| format!("`{text}` is no address: hexadecimal, with or without 0x"))
}

pub(super) fn parse_range(text: &str) -> Result<AddressRange, String> {
    let too_far = || format!("`{text}` reaches beyond the last address");
    let (start, end) = if let Some((start, length)) = text.split_once('+') {
        let start = parse_address(start)?;
        (
            start,
            start.checked_add(number(length)?).ok_or_else(too_far)?,
        )
    } else if let Some((start, end)) = text.split_once('-') {
        (parse_address(start)?, parse_address(end)?)
    } else {
        let start = parse_address(text)?;
        (start, start.saturating_add(LENGTH))
    };
    if start >= end {
        return Err(format!("`{text}` has no bytes"));
    }
    Ok(AddressRange(start..end))
}

/// Bytes as hexadecimal numbers of two digits, with blanks between them or not.
pub(super) fn parse_hex(text: &str) -> Result<Bytes, String> {
    let wrong = || format!("`{text}` are no bytes: hexadecimal, two digits each");
    let digits: Vec<u8> = text
        .strip_prefix("0x")
        .unwrap_or(text)
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b':')
        .collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let bytes = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        // `u8::from_str_radix` takes a sign.
        let is_hex = pair.iter().all(u8::is_ascii_hexdigit);
        u8::from_str_radix(text, 16).ok().filter(|_| is_hex)
    });
    bytes
        .collect::<Option<Vec<u8>>>()
        .map(Bytes)
        .ok_or_else(wrong)
}

/// How many characters a string has at least. A directory behind `--strings` is taken for it.
pub(super) fn parse_shortest(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|_| {
        format!("`{text}` is no number of characters (DIR stands in front of --strings)")
    })?;
    if number == 0 {
        Err("a string has characters".to_owned())
    } else {
        Ok(number)
    }
}

/// Rights as `r`, `w`, `x` in any order; `-` is nothing.
pub(super) fn parse_protection(text: &str) -> Result<u32, String> {
    text.chars().try_fold(0, |bits, c| match c {
        'r' => Ok(bits | 1),
        'w' => Ok(bits | 2),
        'x' => Ok(bits | 4),
        '-' => Ok(bits),
        _ => Err(format!("`{text}` are no rights: letters of rwx")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_an_address_with_a_length_or_an_end() {
        let range = |text| parse_range(text).map(|range| range.0);
        assert_eq!(range("0x1000+16"), Ok(0x1000..0x1010));
        assert_eq!(range("1000+0x10"), Ok(0x1000..0x1010));
        assert_eq!(range("7f00-7f80"), Ok(0x7f00..0x7f80));
        assert_eq!(range("0x10"), Ok(0x10..0x110));
        assert!(range("10-10").is_err());
        assert!(range("ffffffffffffffff+2").is_err());
        assert!(range("heap").is_err());
    }

    #[test]
    fn bytes_are_pairs_of_hexadecimal_digits() {
        let bytes = |text| parse_hex(text).map(|bytes| bytes.0).ok();
        assert_eq!(bytes("7f454C46"), Some(b"\x7fELF".to_vec()));
        assert_eq!(bytes("7f 45:4c"), Some(b"\x7fEL".to_vec()));
        assert_eq!(bytes("7f4"), None);
        assert_eq!(bytes("+1"), None);
        assert_eq!(bytes(""), None);
    }
}
