//! Quoted-printable text, byte for byte as Python's `quopri.encodestring` writes it: the form that
//! the names of unix sockets have in JSON.

/// The longest line, without the newline.
const LINE: usize = 76;

/// The text of these bytes. Unlike Python's, it always comes back: a name whose newlines would be
/// taken for others has them escaped.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let text = encode_with(bytes, false);
    match decode(&text, false) {
        Ok(back) if back == bytes => text,
        _ => encode_with(bytes, true),
    }
}

/// The longest name that is put into memory as a whole, in bytes. Linux has none of more than 108.
const WHOLE: usize = 4096;

/// Hands over the text of these bytes piece by piece.
///
/// Of a long name all newlines are escaped, since it can't be tried whether it comes back otherwise.
pub(super) fn encode_long(
    bytes: &[u8],
    each: &mut dyn FnMut(&str) -> crate::error::Result<()>,
) -> crate::error::Result<()> {
    // Quoted-printable text is ASCII.
    if bytes.len() <= WHOLE {
        return each(&String::from_utf8_lossy(&encode(bytes)));
    }
    let mut encoder = Encoder::new(bytes, true);
    while encoder.go_on(WHOLE) {
        each(&String::from_utf8_lossy(&encoder.out))?;
        encoder.out.clear();
    }
    Ok(())
}

fn encode_with(bytes: &[u8], escape_newlines: bool) -> Vec<u8> {
    let mut encoder = Encoder::new(bytes, escape_newlines);
    encoder.go_on(usize::MAX);
    encoder.out
}

struct Encoder<'a> {
    bytes: &'a [u8],
    at: usize,
    escape_newlines: bool,
    newline: &'static [u8],
    column: usize,
    out: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(bytes: &'a [u8], escape_newlines: bool) -> Self {
        let first_newline = memchr::memchr(b'\n', bytes);
        let crlf = !escape_newlines
            && first_newline.is_some_and(|at| {
                at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'\r')
            });
        Encoder {
            bytes,
            at: 0,
            escape_newlines,
            newline: if crlf { b"\r\n" } else { b"\n" },
            column: 0,
            out: Vec::new(),
        }
    }

    /// Encodes on until there is this much text, in bytes; false when there is none left.
    fn go_on(&mut self, enough: usize) -> bool {
        while self.out.len() < enough
            && let Some(&byte) = self.bytes.get(self.at)
        {
            self.byte(byte);
        }
        !self.out.is_empty()
    }

    fn byte(&mut self, byte: u8) {
        let next = self.bytes.get(self.at + 1).copied();
        if must_escape(byte, next, self.column, self.escape_newlines) {
            if self.column + 3 >= LINE {
                self.soft_break();
            }
            escape(byte, &mut self.out);
            self.column += 3;
            self.at += 1;
            return;
        }
        if byte == b'\n' || (byte == b'\r' && next == Some(b'\n')) {
            // A blank at the end of a line would be lost on the way.
            if let Some(blank @ (b' ' | b'\t')) = self.out.last().copied() {
                self.out.pop();
                escape(blank, &mut self.out);
            }
            self.out.extend_from_slice(self.newline);
            self.column = 0;
            self.at += if byte == b'\r' { 2 } else { 1 };
            return;
        }
        if next.is_some_and(|next| next != b'\n') && self.column + 1 >= LINE {
            self.soft_break();
        }
        self.out.push(byte);
        self.column += 1;
        self.at += 1;
    }

    /// Goes to a new line that is none in the name.
    fn soft_break(&mut self) {
        self.out.push(b'=');
        self.out.extend_from_slice(self.newline);
        self.column = 0;
    }
}

fn must_escape(byte: u8, next: Option<u8>, column: usize, escape_newlines: bool) -> bool {
    match byte {
        b'=' | 127.. => true,
        b'.' => column == 0 && matches!(next, None | Some(b'\n' | b'\r' | 0)),
        b' ' | b'\t' => next.is_none(),
        b'\r' | b'\n' => escape_newlines,
        _ => byte < b' ',
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    out.extend([b'=', digit(byte >> 4), digit(byte & 0xf)]);
}

/// The bytes of this text. `lenient` takes a `=` that escapes nothing as itself, as Python does.
pub(super) fn decode(text: &[u8], lenient: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        match rest {
            [b'\n', ..] => at += 1,
            [b'\r', b'\n', ..] => at += 2,
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |c: u8| char::from(c).to_digit(16).unwrap_or(0);
                let value = digit(*high) << 4 | digit(*low);
                out.push(u8::try_from(value).unwrap_or_default());
                at += 2;
            }
            // As Python has it: `==` is a `=`, one at the end is nothing, any other is itself.
            [b'=', ..] if lenient => {
                out.push(b'=');
                at += 1;
            }
            [] if lenient => {}
            _ if lenient => out.push(b'='),
            _ => return Err("bad quoted-printable text: `=` without two hex digits".to_owned()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(encode(bytes)).unwrap()
    }

    // Expected values: Python 3.11's quopri.encodestring.
    #[test]
    fn names_look_as_python_prints_them() {
        assert_eq!(text(b""), "");
        assert_eq!(text(b"/run/x.sock"), "/run/x.sock");
        assert_eq!(
            text(b"\0crit\x01\x02=\xff abs\0tail"),
            "=00crit=01=02=3D=FF abs=00tail"
        );
        assert_eq!(text(b"end "), "end=20");
        assert_eq!(text(b"a \nb"), "a=20\nb");
        assert_eq!(text(b"."), "=2E");
        assert_eq!(text(b".\n"), "=2E\n");
        assert_eq!(text(b"..\n"), "..\n");
        assert_eq!(
            text(&[b'x'; 80]),
            format!("{}=\n{}", "x".repeat(75), "x".repeat(5))
        );
    }

    #[test]
    fn every_name_comes_back_also_with_mixed_newlines() {
        let mut state = 1u32;
        let alphabet = b"\r\n\t =.ab\0\xff~\x7f";
        for length in 0..200 {
            for _ in 0..20 {
                let mut bytes = Vec::new();
                for _ in 0..length {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    bytes.push(alphabet[(state >> 24) as usize % alphabet.len()]);
                }
                assert_eq!(decode(&encode(&bytes), false).unwrap(), bytes);
            }
        }
    }
}
