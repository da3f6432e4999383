//! Base64 as Python's `base64.encodebytes` writes it: lines of 76 characters, each ended by a newline.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Bytes that make a line of 76 characters.
const LINE: usize = 57;

/// The end of a line, escaped as JSON has it.
const NEWLINE: &[u8] = b"\\n";

/// Prints base64 lines of bytes that come in pieces, without the quotes around them.
#[derive(Default)]
pub(super) struct Lines {
    /// The beginning of a line that is not full yet.
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            let missing = LINE - self.rest.len();
            let (now, later) = piece.split_at(missing.min(piece.len()));
            self.rest.extend_from_slice(now);
            piece = later;
            if self.rest.len() < LINE {
                return;
            }
            line(&std::mem::take(&mut self.rest), out);
        }
        let mut lines = piece.chunks_exact(LINE);
        lines.by_ref().for_each(|bytes| line(bytes, out));
        self.rest.extend_from_slice(lines.remainder());
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            line(&self.rest, out);
        }
    }
}

fn line(bytes: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; 76];
    if let Ok(length) = STANDARD.encode_slice(bytes, &mut text) {
        out.extend_from_slice(text.get(..length).unwrap_or_default());
    }
    out.extend_from_slice(NEWLINE);
}

/// The lines for these bytes, without the quotes around them.
#[cfg(test)]
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let mut lines = Lines::default();
    lines.push(bytes, out);
    lines.finish(out);
}

/// Reads base64, with or without line breaks, that comes in pieces.
pub(super) struct Decoder {
    /// Characters that don't make a whole group of four yet.
    rest: Vec<u8>,
    /// Read as upstream does: see [`Decoder::significant`].
    lenient: bool,
    /// Padding was complete: lenient reading stops there.
    ended: bool,
    /// Padding characters in a row.
    pads: usize,
    /// Characters of the group that has begun.
    begun: usize,
}

/// Why something is not base64.
pub(super) type Reason = String;

/// Takes the bits that a padded group leaves over, whatever they are, as upstream does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl Decoder {
    pub(super) fn new(lenient: bool) -> Self {
        Decoder {
            rest: Vec::new(),
            lenient,
            ended: false,
            pads: 0,
            begun: 0,
        }
    }

    /// Decodes what it can of a piece.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if self.lenient {
            for byte in piece {
                self.significant(*byte);
            }
        } else {
            let significant = piece.iter().filter(|byte| !byte.is_ascii_whitespace());
            self.rest.extend(significant);
        }
        // The last group waits for the end: only there may padding stand.
        let whole = self.rest.len().saturating_sub(1) / 4 * 4;
        let (groups, _) = self.rest.split_at(whole);
        if memchr::memchr(b'=', groups).is_some() {
            return Err("bad base64: padding before its end".to_owned());
        }
        decode_groups(groups, self.lenient, out)?;
        self.rest.drain(..whole);
        Ok(())
    }

    /// Takes a character as Python's `binascii.a2b_base64` does: what is not base64 is passed over,
    /// a padding character too early as well, and everything behind complete padding.
    fn significant(&mut self, byte: u8) {
        if self.ended {
            return;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
            self.pads = 0;
            self.begun = (self.begun + 1) % 4;
            self.rest.push(byte);
        } else if byte == b'=' && self.begun >= 2 {
            self.pads += 1;
            if self.begun + self.pads >= 4 {
                self.rest.extend(std::iter::repeat_n(b'=', 4 - self.begun));
                self.ended = true;
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), Reason> {
        decode_groups(&self.rest, self.lenient, out)
    }
}

fn decode_groups(text: &[u8], lenient: bool, out: &mut Vec<u8>) -> Result<(), Reason> {
    let engine = if lenient { &LENIENT } else { &STANDARD };
    engine
        .decode_vec(text, out)
        .map_err(|error| format!("bad base64: {}", error.to_string().to_lowercase()))
}

/// Reads base64 that is all there.
pub(super) fn decode(text: &str, lenient: bool) -> Result<Vec<u8>, Reason> {
    let mut decoder = Decoder::new(lenient);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    decoder.push(text.as_bytes(), &mut bytes)?;
    decoder.finish(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_the_same_however_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..=255).chain(0..=243).collect();
        let mut whole = Vec::new();
        encode(&bytes, &mut whole);
        let text = String::from_utf8(whole.clone())
            .unwrap()
            .replace("\\n", "\n");
        assert!(text.lines().all(|line| line.len() <= 76));
        assert_eq!(decode(&text, false).unwrap(), bytes);
        for cut in [1, 2, 56, 57, 58, 100] {
            let mut lines = Lines::default();
            let mut pieces = Vec::new();
            for piece in bytes.chunks(cut) {
                lines.push(piece, &mut pieces);
            }
            lines.finish(&mut pieces);
            assert_eq!(pieces, whole, "{cut}");
        }
    }

    #[test]
    fn base64_is_read_in_pieces_of_any_size_and_refused_when_it_is_none() {
        for cut in 1..9 {
            let mut decoder = Decoder::new(false);
            let mut bytes = Vec::new();
            for piece in b"aGVs\nbG8g\r\nd29ybGQ=\n".chunks(cut) {
                decoder.push(piece, &mut bytes).unwrap();
            }
            decoder.finish(&mut bytes).unwrap();
            assert_eq!(bytes, b"hello world");
        }
        assert!(decode("aGVs*G8=", false).is_err());
        assert!(decode("aGVsbG8", false).is_err());
        assert!(decode("aGVs=bG8", false).is_err());
        assert!(decode("YQ==YQ==", false).is_err());
        // Python's binascii.a2b_base64 gives the same.
        assert_eq!(decode("aG-Vs", true).unwrap(), b"hel");
        assert_eq!(decode("aGX=", true).unwrap(), b"he");
        assert_eq!(decode("aGk=aGk=", true).unwrap(), b"hi");
        assert_eq!(decode("=aGVs", true).unwrap(), b"hel");
        assert!(decode("aGk", true).is_err());
    }
}
