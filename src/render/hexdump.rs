//! Bytes as people read memory.

use std::io::{self, Write};

/// Bytes in a line.
const WIDTH: usize = 16;

/// Prints lines of 16 bytes with their address, as hexadecimal numbers and as ASCII. Lines begin at
/// multiples of 16; lines like the one before are one `*`.
pub(crate) struct Hexdump<W> {
    out: W,
    /// What is put in front of every line.
    indent: &'static str,
    before: Option<[u8; WIDTH]>,
    starred: bool,
}

impl<W: Write> Hexdump<W> {
    pub(crate) fn new(out: W, indent: &'static str) -> Self {
        Hexdump {
            out,
            indent,
            before: None,
            starred: false,
        }
    }

    /// Prints bytes at an address. What is printed next goes on where these end, in a line of its own.
    pub(crate) fn bytes(&mut self, address: u64, bytes: &[u8]) -> io::Result<()> {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let skip = usize::try_from(at % WIDTH as u64).unwrap_or(0);
            let (line, after) = rest.split_at(rest.len().min(WIDTH - skip));
            let whole = <[u8; WIDTH]>::try_from(line).ok();
            // The last line is always printed: it says where the memory ends.
            if whole.is_some() && whole == self.before && !after.is_empty() {
                if !std::mem::replace(&mut self.starred, true) {
                    writeln!(self.out, "{}*", self.indent)?;
                }
            } else {
                self.starred = false;
                self.line(at, skip, line)?;
            }
            self.before = whole;
            at = at.wrapping_add(line.len() as u64);
            rest = after;
        }
        Ok(())
    }

    fn line(&mut self, address: u64, skip: usize, bytes: &[u8]) -> io::Result<()> {
        let start = address - skip as u64;
        let cell = |place: usize| bytes.get(place.checked_sub(skip)?);
        let mut hex = String::new();
        let mut text = String::new();
        for place in 0..WIDTH {
            match cell(place) {
                Some(byte) => {
                    hex.push_str(&format!("{byte:02x} "));
                    let shown = matches!(byte, b' '..=b'~');
                    text.push(if shown { char::from(*byte) } else { '.' });
                }
                None => {
                    hex.push_str("   ");
                    text.push(' ');
                }
            }
            if place == WIDTH / 2 - 1 {
                hex.push(' ');
            }
        }
        let indent = self.indent;
        writeln!(self.out, "{indent}{start:016x}  {hex} |{text}|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_at_multiples_of_16_and_equal_ones_are_a_star() {
        let mut out = Vec::new();
        let mut dump = Hexdump::new(&mut out, "");
        let mut bytes = b"abc".to_vec();
        bytes.extend([0; 64]);
        dump.bytes(0x100d, &bytes).unwrap();
        let expected = "\
0000000000001000                                          61 62 63  |             abc|
0000000000001010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
*
0000000000001040  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
