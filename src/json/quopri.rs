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

fn encode_with(bytes: &[u8], escape_newlines: bool) -> Vec<u8> {
    let first_newline = memchr::memchr(b'\n', bytes);
    let crlf = !escape_newlines
        && first_newline.is_some_and(|at| {
            at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'\r')
        });
    let newline: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let mut out = Vec::with_capacity(bytes.len() * 2);
    let mut column = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        if must_escape(byte, next, column, escape_newlines) {
            if column + 3 >= LINE {
                out.push(b'=');
                out.extend_from_slice(newline);
                column = 0;
            }
            escape(byte, &mut out);
            column += 3;
            at += 1;
            continue;
        }
        if byte == b'\n' || (byte == b'\r' && next == Some(b'\n')) {
            // A blank at the end of a line would be lost on the way.
            if let Some(blank @ (b' ' | b'\t')) = out.last().copied() {
                out.pop();
                escape(blank, &mut out);
            }
            out.extend_from_slice(newline);
            column = 0;
            at += if byte == b'\r' { 2 } else { 1 };
            continue;
        }
        if next.is_some_and(|next| next != b'\n') && column + 1 >= LINE {
            out.push(b'=');
            out.extend_from_slice(newline);
            column = 0;
        }
        out.push(byte);
        column += 1;
        at += 1;
    }
    out
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
