//! IP addresses in lists of words: each word holds four bytes in network order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address in these words; `None` when they are none.
pub(crate) fn ip_address(words: &[u32]) -> Option<IpAddr> {
    match words {
        [word] => Some(Ipv4Addr::from(word.to_le_bytes()).into()),
        [a, b, c, d] => {
            let mut octets = [0u8; 16];
            for (four, word) in octets.chunks_exact_mut(4).zip([a, b, c, d]) {
                four.copy_from_slice(&word.to_le_bytes());
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// The address in these words, as Python's `ipaddress` prints it; `None` when it is none.
pub(super) fn print(words: &[u32]) -> Option<String> {
    ip_address(words).map(|address| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => ipv6(&address.segments()),
    })
}

/// Rust prints IPv4-mapped addresses with dots; Python 3.11, and so upstream, does not.
fn ipv6(groups: &[u16; 8]) -> String {
    let hex = |part: &[u16]| {
        part.iter()
            .map(|g| format!("{g:x}"))
            .collect::<Vec<_>>()
            .join(":")
    };
    // The longest run of zeros, the first of equals, when it is longer than one.
    let mut zeros = 0..0;
    let mut start = 0;
    for (i, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = i + 1;
        } else if i + 1 - start > zeros.len() {
            zeros = start..i + 1;
        }
    }
    if zeros.len() < 2 {
        return hex(groups);
    }
    let before = groups.get(..zeros.start).unwrap_or_default();
    let after = groups.get(zeros.end..).unwrap_or_default();
    format!("{}::{}", hex(before), hex(after))
}

/// The words of an address.
pub(super) fn parse(text: &str) -> Option<Vec<u32>> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(vec![u32::from_le_bytes(address.octets())]);
    }
    let octets = text.parse::<Ipv6Addr>().ok()?.octets();
    let words = octets.chunks_exact(4);
    Some(
        words
            .filter_map(|word| word.first_chunk().map(|w| u32::from_le_bytes(*w)))
            .collect(),
    )
}

/// Whether a string looks like an address rather than a number.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.contains(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: Python 3.11's ipaddress.
    #[test]
    fn addresses_look_as_python_prints_them_and_come_back() {
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "::",
            "::1",
            "::ffff:102:304",
            "fe80::1",
            "2001:db8::1:0:0:1",
            "1:0:2:3:4:5:6:7",
            "1:2:3:4:5:6:7::".trim_end_matches("::"),
        ] {
            let Some(words) = parse(text) else { continue };
            assert_eq!(print(&words).as_deref(), Some(text));
        }
        assert_eq!(print(&[0x0100_007f]).as_deref(), Some("127.0.0.1"));
        let words = parse("1:2:3:4:5:6:0:0").unwrap();
        assert_eq!(print(&words).as_deref(), Some("1:2:3:4:5:6::"));
        let words = parse("1:2:3:4:5:6:7:0").unwrap();
        assert_eq!(print(&words).as_deref(), Some("1:2:3:4:5:6:7:0"));
        assert_eq!(print(&[1, 2]), None);
    }
}
