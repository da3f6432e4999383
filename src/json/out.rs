//! JSON text as Python's `json.dump` writes it, compact or with an indent of four.

use std::io::Write;

use crate::error::{Error, Result};

/// Text is handed to the sink once there is this much of it, in bytes.
pub(super) const SPILL: usize = 64 << 10;

/// So much of a long value is printed before its text is handed over, in bytes.
const PIECE: usize = 16 << 10;

/// Where JSON text goes.
pub(super) struct Out<'w> {
    pub(super) text: Vec<u8>,
    sink: Option<&'w mut dyn Write>,
    pretty: bool,
    depth: usize,
    /// Whether the array or object that is open has nothing in it yet.
    empty: bool,
    /// How many fields were printed that the schema lacks.
    pub(super) unknown_fields: u64,
}

impl<'w> Out<'w> {
    pub(super) fn new(sink: Option<&'w mut dyn Write>, pretty: bool) -> Self {
        Out {
            text: Vec::with_capacity(if sink.is_some() { SPILL + SPILL / 4 } else { 0 }),
            sink,
            pretty,
            depth: 0,
            empty: true,
            unknown_fields: 0,
        }
    }

    /// Opens an array (`[`) or an object (`{`).
    pub(super) fn open(&mut self, bracket: u8) {
        self.text.push(bracket);
        self.depth += 1;
        self.empty = true;
    }

    /// Closes it (`]` or `}`).
    pub(super) fn close(&mut self, bracket: u8) {
        self.depth = self.depth.saturating_sub(1);
        if !self.empty {
            self.new_line();
        }
        self.text.push(bracket);
        self.empty = false;
    }

    /// Ends a text of its own and begins the next on a new line.
    pub(super) fn next_line(&mut self) {
        self.text.push(b'\n');
        self.empty = true;
    }

    /// Begins an element, or a member with its key.
    #[inline]
    pub(super) fn item(&mut self) {
        if !self.empty {
            self.text.push(b',');
            if !self.pretty {
                self.text.push(b' ');
            }
        }
        self.empty = false;
        self.new_line();
    }

    /// Begins a member of this key, which is plain ASCII.
    pub(super) fn member(&mut self, key: &str) {
        self.item();
        self.quoted(key);
        self.raw(": ");
    }

    #[inline]
    fn new_line(&mut self) {
        if self.pretty {
            self.text.push(b'\n');
            self.text.resize(self.text.len() + 4 * self.depth, b' ');
        }
    }

    /// Text as it is.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Text that needs no escapes, in quotes.
    pub(super) fn quoted(&mut self, text: &str) {
        self.text.push(b'"');
        self.raw(text);
        self.text.push(b'"');
    }

    /// Any text, escaped and in quotes: everything that is not printable ASCII as `\uxxxx`.
    pub(super) fn string(&mut self, text: &str) {
        self.text.push(b'"');
        self.escape(text);
        self.text.push(b'"');
    }

    /// The same of text of any length, which is handed over as it goes.
    pub(super) fn long_string(&mut self, text: &str) -> Result<()> {
        self.text.push(b'"');
        let mut rest = text;
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (now, later) = rest.split_at(end);
            self.piece(now)?;
            rest = later;
        }
        self.text.push(b'"');
        Ok(())
    }

    /// A piece of text inside of quotes.
    pub(super) fn piece(&mut self, text: &str) -> Result<()> {
        self.escape(text);
        self.spill()
    }

    fn escape(&mut self, text: &str) {
        if text
            .bytes()
            .all(|b| matches!(b, b' '..=b'~' if b != b'"' && b != b'\\'))
        {
            self.raw(text);
        } else {
            text.chars().for_each(|c| self.escaped(c));
        }
    }

    fn escaped(&mut self, c: char) {
        let short = match c {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            ' '..='~' => {
                self.text.extend(c.to_string().as_bytes());
                return;
            }
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.text.extend(format!("\\u{unit:04x}").as_bytes());
                }
                return;
            }
        };
        self.text.extend([b'\\', short]);
    }

    /// Bytes as base64 lines in quotes: any number of them, handed over as it goes.
    pub(super) fn base64(&mut self, bytes: &[u8]) -> Result<()> {
        self.text.push(b'"');
        let mut lines = super::base64::Lines::default();
        for piece in bytes.chunks(PIECE) {
            lines.push(piece, &mut self.text);
            self.spill()?;
        }
        lines.finish(&mut self.text);
        self.text.push(b'"');
        Ok(())
    }

    /// A decimal number.
    #[inline]
    pub(super) fn number(&mut self, value: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        self.raw(digits.format(value));
    }

    /// Hands the text over when there is much of it.
    #[inline]
    pub(super) fn spill(&mut self) -> Result<()> {
        if self.text.len() >= SPILL {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Hands the text over.
    pub(super) fn flush(&mut self) -> Result<()> {
        if let Some(sink) = &mut self.sink {
            sink.write_all(&self.text).map_err(Error::writing)?;
            self.text.clear();
        }
        Ok(())
    }
}
