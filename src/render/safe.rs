//! Names out of a dump are hostile: nothing in them may reach a terminal as a control sequence.

/// Text with everything escaped that is not safe to print.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_safe(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// The same for bytes: what is not UTF-8 stands as `\xff`.
pub(crate) fn printable_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        safe.push_str(&printable(chunk.valid()));
        for byte in chunk.invalid() {
            safe.push_str(&format!("\\x{byte:02x}"));
        }
    }
    safe
}

/// Control characters, and those that change the direction or hide what stands beside them, are not.
pub(super) fn is_safe(c: char) -> bool {
    // Lines are ended by the caller.
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_bytes};

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(
            printable("a\x1b[31mb\n\u{202e}ü"),
            "a\\u{1b}[31mb\\u{a}\\u{202e}ü"
        );
        assert_eq!(
            printable_bytes(b"a\xff\xfe-\x9b1m\xc3\xbc"),
            "a\\xff\\xfe-\\x9b1mü"
        );
    }
}
