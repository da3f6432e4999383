//! JSON over several lines, for people and programs.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::safe::is_safe;

/// Lines are set in up to this level: a hostile process tree would be mostly blanks.
const DEEPEST: usize = 64;

/// Two blanks for each level.
struct Indented {
    level: usize,
    empty: bool,
}

impl Indented {
    fn line<W: ?Sized + Write>(&self, out: &mut W) -> io::Result<()> {
        write!(
            out,
            "\n{:indent$}",
            "",
            indent = 2 * self.level.min(DEEPEST)
        )
    }

    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.empty = true;
        out.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.level = self.level.saturating_sub(1);
        if !self.empty {
            self.line(out)?;
        }
        self.empty = false;
        out.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        self.empty = false;
        self.line(out)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    /// Names are hostile here too: what is not safe to print is escaped, which JSON allows anywhere.
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut start = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| !is_safe(*c)) {
            out.write_all(text.get(start..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            start = at + c.len_utf8();
        }
        out.write_all(text.get(start..).unwrap_or_default().as_bytes())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// Writes a value, whose inner lines are set in by this level and more.
pub(crate) fn json(
    out: &mut (impl Write + ?Sized),
    value: &impl Serialize,
    level: usize,
) -> io::Result<()> {
    let formatter = Indented { level, empty: true };
    let mut serializer = serde_json::Serializer::with_formatter(out, formatter);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn json_escapes_what_a_terminal_might_obey() {
        let value = serde_json::json!("a\u{9b}31m\u{202e}\u{e0041}\u{7f}ü\n");
        let mut text = Vec::new();
        json(&mut text, &value, 0).unwrap();
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            "\"a\\u009b31m\\u202e\\udb40\\udc41\\u007fü\\n\""
        );
        let back: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn json_has_a_line_for_each_member_and_empty_lists_on_theirs() {
        let value = serde_json::json!({"a": [1, {"b": []}], "c": {}});
        let mut text = Vec::new();
        json(&mut text, &value, 0).unwrap();
        let expected = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
