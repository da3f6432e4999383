//! Cuts a stream of JSON text into values without parsing them: entry by entry is how an image of
//! any size is encoded in the memory that one entry takes.

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use tempfile::SpooledTempFile;

use super::base64::Decoder;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{JSON_DEPTH, PAYLOAD_IN_MEMORY};

/// How much is read at once, in bytes.
const STEP: usize = 64 << 10;

/// JSON text that is cut into values.
pub(super) struct Splitter<R> {
    input: R,
    /// What was read and is not done with; `at` is where it goes on.
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// The line and column, from 1, where `buffer` begins.
    line: u64,
    column: u64,
}

/// A payload that was too large to keep in memory: decoded, in a file without a name.
pub(super) struct Spooled {
    pub(super) data: SpooledTempFile,
    /// In bytes.
    pub(super) length: u64,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(input: R) -> Self {
        Self::continued(input, (1, 1))
    }

    /// A splitter for text that was cut out of another at this line and column.
    pub(super) fn continued(input: R, (line, column): (u64, u64)) -> Self {
        Splitter {
            input,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            line,
            column,
        }
    }

    /// The line and column of a place in the buffer.
    fn place_of(&self, index: usize) -> (u64, u64) {
        let before = self.buffer.get(..index).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        match memchr::memrchr(b'\n', before) {
            Some(newline) => (self.line + lines, (index - newline) as u64),
            None => (self.line, self.column + index as u64),
        }
    }

    /// The line and column where it goes on.
    pub(super) fn place(&self) -> (u64, u64) {
        self.place_of(self.at)
    }

    pub(super) fn fail(&self, what: impl Into<String>) -> Error {
        self.fail_at(self.at, what.into())
    }

    fn fail_at(&self, index: usize, what: String) -> Error {
        let (line, column) = self.place_of(index);
        Error::new(ErrorKind::Json(what)).at_line(line, column)
    }

    /// Forgets what is done with.
    fn compact(&mut self) {
        if self.at > STEP {
            (self.line, self.column) = self.place();
            self.buffer.drain(..self.at);
            self.at = 0;
        }
    }

    /// Reads more; false at the end.
    fn more(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let old = self.buffer.len();
        // It grows by a quarter: what is read of a long value takes more besides.
        if self.buffer.capacity() - old < STEP {
            self.buffer.reserve_exact(STEP.max(old / 4));
        }
        self.buffer.resize(old + STEP, 0);
        let got = loop {
            match self
                .input
                .read(self.buffer.get_mut(old..).unwrap_or_default())
            {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(old + *got.as_ref().unwrap_or(&0));
        self.ended = got? == 0;
        Ok(!self.ended)
    }

    /// The byte at this index, reading on as needed; `None` at the end.
    fn byte(&mut self, index: usize) -> Result<Option<u8>> {
        loop {
            if let Some(&byte) = self.buffer.get(index) {
                return Ok(Some(byte));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// The first bytes of the text, without taking them.
    pub(super) fn beginning(&mut self) -> Result<&[u8]> {
        while self.buffer.len() < self.at + 64 && self.more()? {}
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        Ok(rest.get(..64).unwrap_or(rest))
    }

    /// Takes the mark that some editors put in front of UTF-8.
    pub(super) fn skip_byte_order_mark(&mut self) -> Result<()> {
        if self.beginning()?.starts_with(b"\xef\xbb\xbf") {
            self.at += 3;
        }
        Ok(())
    }

    /// The next byte that is not white space, without taking it.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        self.compact();
        loop {
            match self.byte(self.at)? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return Ok(other),
            }
        }
    }

    /// Takes this byte if it comes next.
    pub(super) fn take(&mut self, wanted: u8) -> Result<bool> {
        let found = self.peek()? == Some(wanted);
        self.at += usize::from(found);
        Ok(found)
    }

    /// Takes this byte, which must come next.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<()> {
        if self.take(wanted)? {
            return Ok(());
        }
        Err(match self.peek()? {
            Some(byte) => self.fail(format!(
                "expected `{}`, found `{}`",
                char::from(wanted),
                char::from(byte).escape_default()
            )),
            None => self.fail(format!(
                "the text ends where `{}` should stand",
                char::from(wanted)
            )),
        })
    }

    /// Takes the next value whole. `spool_extra`: a string `extra` of the outermost object that is
    /// too long for memory is decoded into a file, and `null` stands in the text instead.
    pub(super) fn value(
        &mut self,
        spool_extra: Option<&SpoolRule>,
    ) -> Result<(Value<'_, R>, Option<Spooled>)> {
        self.peek()?;
        let start = self.at;
        let mut spooled = None;
        let mut depth = 0usize;
        let mut index = start;
        loop {
            let Some(byte) = self.byte(index)? else {
                return Err(
                    self.fail_at(start, "the text ends in the middle of a value".to_owned())
                );
            };
            match byte {
                b'"' => {
                    index = self.string(index, depth, spool_extra, &mut spooled)?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > JSON_DEPTH {
                        let what = format!("nested deeper than {JSON_DEPTH} levels");
                        return Err(self.fail_at(index, what));
                    }
                    index += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    index += 1;
                }
                b'}' | b']' | b',' | b':' if depth == 0 => {
                    let what = format!("expected a value, found `{}`", char::from(byte));
                    return Err(self.fail_at(index, what));
                }
                _ if depth == 0 => index = self.bare_word(index)?,
                _ => {
                    // Numbers, words, white space and separators mean nothing here.
                    let rest = self.buffer.get(index..).unwrap_or_default();
                    let matters = |b: &u8| matches!(b, b'"' | b'{' | b'[' | b'}' | b']');
                    index += rest.iter().position(matters).unwrap_or(rest.len());
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.at = index;
        let value = Value {
            splitter: self,
            range: start..index,
        };
        Ok((value, spooled))
    }

    /// The end of a number or a word outside of arrays and objects.
    fn bare_word(&mut self, mut index: usize) -> Result<usize> {
        while let Some(byte) = self.byte(index)? {
            if matches!(
                byte,
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']' | b':'
            ) {
                break;
            }
            index += 1;
        }
        Ok(index)
    }

    /// The index behind the string that begins here.
    fn string(
        &mut self,
        start: usize,
        depth: usize,
        rule: Option<&SpoolRule>,
        spooled: &mut Option<Spooled>,
    ) -> Result<usize> {
        let mut index = start + 1;
        loop {
            let rest = self.buffer.get(index..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(at) if rest.get(at) == Some(&b'"') => return Ok(index + at + 1),
                Some(at) => index += at + 2,
                None => {
                    index = self.buffer.len().max(index);
                    if let Some(rule) = rule
                        && depth == 1
                        && index - start > PAYLOAD_IN_MEMORY
                        && spooled.is_none()
                        && self.key_before(start) == Some(b"extra".as_slice())
                    {
                        let (behind, data) = self.spool(start, rule)?;
                        *spooled = Some(data);
                        return Ok(behind);
                    }
                    if !self.more()? {
                        let what = "the text ends in the middle of a string".to_owned();
                        return Err(self.fail_at(start, what));
                    }
                }
            }
        }
    }

    /// The key in front of the value that begins here, when it is written without escapes.
    fn key_before(&self, value: usize) -> Option<&[u8]> {
        let before = self.buffer.get(self.at..value)?.trim_ascii_end();
        let before = before.strip_suffix(b":")?.trim_ascii_end();
        let before = before.strip_suffix(b"\"")?;
        let quote = memchr::memrchr(b'"', before)?;
        before.get(quote + 1..)
    }

    /// Decodes the base64 string that begins at `start` into a file, puts `null` in its place, and
    /// gives the index behind that.
    fn spool(&mut self, start: usize, rule: &SpoolRule) -> Result<(usize, Spooled)> {
        let place = self.place_of(start);
        let bad = |what: String| {
            let (line, column) = place;
            Error::new(ErrorKind::Value(what))
                .in_field("extra")
                .at_line(line, column)
        };
        let mut data = SpooledTempFile::new(PAYLOAD_IN_MEMORY);
        let mut decoder = Decoder::new(rule.lenient);
        let mut decoded = Vec::new();
        let mut length = 0;
        let mut from = start + 1;
        loop {
            let piece = self.buffer.get(from..).unwrap_or_default();
            let end = memchr::memchr2(b'"', b'\\', piece).unwrap_or(piece.len());
            if piece.iter().take(end).any(u8::is_ascii_control) {
                return Err(bad("a control character in a string".to_owned()));
            }
            decoder
                .push(piece.get(..end).unwrap_or_default(), &mut decoded)
                .map_err(bad)?;
            if decoded.len() >= STEP {
                data.write_all(&decoded).map_err(Error::temporary)?;
                length += decoded.len() as u64;
                decoded.clear();
            }
            match piece.get(end) {
                Some(b'"') => {
                    from += end + 1;
                    break;
                }
                Some(_) => {
                    let (escape, byte) = self.escape(from + end)?.ok_or_else(|| {
                        bad("bad base64: an escape that stands for none of its characters".into())
                    })?;
                    from += end + escape;
                    decoder.push(&[byte], &mut decoded).map_err(bad)?;
                }
                None => {
                    // A string has no line breaks, so the line numbers stay right; columns behind
                    // it on the same line are those of the text without it.
                    self.buffer.truncate(start + 1);
                    from = start + 1;
                    if !self.more()? {
                        return Err(bad("the text ends in the middle of a string".to_owned()));
                    }
                }
            }
        }
        decoder.finish(&mut decoded).map_err(bad)?;
        data.write_all(&decoded).map_err(Error::temporary)?;
        length += decoded.len() as u64;
        data.seek(SeekFrom::Start(0)).map_err(Error::temporary)?;
        self.buffer.splice(start..from, *b"null");
        Ok((start + 4, Spooled { data, length }))
    }

    /// The length of the escape that begins here, and the character that it stands for; `None` when
    /// that is not ASCII, or no escape at all: base64 has no such character.
    fn escape(&mut self, backslash: usize) -> Result<Option<(usize, u8)>> {
        Ok(match self.byte(backslash + 1)? {
            Some(b'n') => Some((2, b'\n')),
            Some(b'r') => Some((2, b'\r')),
            Some(b't') => Some((2, b'\t')),
            Some(c @ (b'/' | b'\\' | b'"')) => Some((2, c)),
            Some(b'u') => {
                let mut value = Some(0);
                for index in backslash + 2..backslash + 6 {
                    let digit = self.byte(index)?.and_then(|c| char::from(c).to_digit(16));
                    value = value.zip(digit).map(|(value, digit)| value << 4 | digit);
                }
                let byte = value.and_then(|value| u8::try_from(value).ok());
                byte.map(|byte| (6, byte))
            }
            _ => None,
        })
    }

    /// Copies the next value as it is, in the memory of one step.
    pub(super) fn copy_value(&mut self, output: &mut dyn Write) -> Result<()> {
        let mut depth = 0usize;
        let mut in_string = false;
        let mut escaped = false;
        self.peek()?;
        loop {
            let Some(byte) = self.byte(self.at)? else {
                return Err(self.fail("the text ends in the middle of a value"));
            };
            if escaped {
                escaped = false;
            } else if in_string {
                escaped = byte == b'\\';
                in_string = byte != b'"';
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b',' if depth == 0 => return Ok(()),
                    b'}' | b']' if depth == 0 => return Ok(()),
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            output.write_all(&[byte]).map_err(Error::temporary)?;
            self.at += 1;
            self.compact();
        }
    }

    /// Nothing but white space may be left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.fail("something stands behind the image")),
        }
    }
}

/// How payloads are decoded into files.
pub(super) struct SpoolRule {
    pub(super) lenient: bool,
}

/// A value that was cut out.
pub(super) struct Value<'a, R> {
    splitter: &'a Splitter<R>,
    range: Range<usize>,
}

impl<'a, R: Read> Value<'a, R> {
    pub(super) fn text(&self) -> &'a [u8] {
        self.splitter
            .buffer
            .get(self.range.clone())
            .unwrap_or_default()
    }

    /// The line and column where it begins. Counting them takes time: for errors only.
    pub(super) fn place(&self) -> (u64, u64) {
        self.splitter.place_of(self.range.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its text in pieces of a few bytes.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    #[test]
    fn values_are_cut_the_same_however_the_text_arrives() {
        let text = br#" [ {"a": "}\"]", "b": [1, {}]} , -1.5e3,"x\\" , [], null ]"#;
        for step in 1..20 {
            let mut splitter = Splitter::new(Slow(text, step));
            splitter.expect(b'[').unwrap();
            let mut values = Vec::new();
            loop {
                let (value, _) = splitter.value(None).unwrap();
                values.push(String::from_utf8(value.text().to_vec()).unwrap());
                if !splitter.take(b',').unwrap() {
                    break;
                }
            }
            splitter.expect(b']').unwrap();
            splitter.end().unwrap();
            assert_eq!(
                values,
                [
                    r#"{"a": "}\"]", "b": [1, {}]}"#,
                    "-1.5e3",
                    r#""x\\""#,
                    "[]",
                    "null"
                ]
            );
        }
    }

    #[test]
    fn a_long_extra_is_decoded_into_a_file_and_the_text_around_it_kept() {
        let data: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        let mut lines = Vec::new();
        super::super::base64::encode(&data, &mut lines);
        let text = format!(
            "{{\"mode\": 1,\n \"extra\" : \"{}\", \"z\": 2}} x",
            String::from_utf8(lines).unwrap()
        );
        let mut splitter = Splitter::new(text.as_bytes());
        let rule = SpoolRule { lenient: false };
        let (value, spooled) = splitter.value(Some(&rule)).unwrap();
        assert_eq!(value.text(), b"{\"mode\": 1,\n \"extra\" : null, \"z\": 2}");
        let mut spooled = spooled.unwrap();
        let mut back = Vec::new();
        spooled.data.read_to_end(&mut back).unwrap();
        assert_eq!(spooled.length, data.len() as u64);
        assert!(back == data);
        assert!(splitter.end().is_err());
    }

    #[test]
    fn errors_name_the_line_and_column() {
        let mut splitter = Splitter::new(b"{\n  \"a\" 1".as_slice());
        splitter.expect(b'{').unwrap();
        splitter.value(None).unwrap();
        let error = splitter.expect(b':').unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2 column 7: expected `:`, found `1`"
        );
    }

    #[test]
    fn text_nested_too_deep_is_refused() {
        let text = "[".repeat(100_000);
        let error = Splitter::new(text.as_bytes()).value(None).err().unwrap();
        assert!(error.to_string().contains("nested deeper than"), "{error}");
    }
}
