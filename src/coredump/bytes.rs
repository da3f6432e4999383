//! The fields of C structs, one after the other, little-endian as all machines here.

/// A struct that grows.
#[derive(Debug)]
pub(super) struct Bytes {
    bytes: Vec<u8>,
    word: usize,
}

impl Bytes {
    /// For a machine with words of so many bytes.
    pub(super) fn new(word: usize) -> Self {
        Bytes {
            bytes: Vec::new(),
            word,
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The low 16 bits.
    #[allow(clippy::cast_possible_truncation)] // what the field of the struct takes
    pub(super) fn half(&mut self, value: u64) -> &mut Self {
        self.raw(&(value as u16).to_le_bytes())
    }

    /// The low 32 bits.
    #[allow(clippy::cast_possible_truncation)] // what the field of the struct takes
    pub(super) fn int(&mut self, value: u64) -> &mut Self {
        self.raw(&(value as u32).to_le_bytes())
    }

    pub(super) fn long(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// A `long` of the machine.
    pub(super) fn word(&mut self, value: u64) -> &mut Self {
        if self.word == 4 {
            self.int(value)
        } else {
            self.long(value)
        }
    }

    pub(super) fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    /// Zeros up to a length, which must not be exceeded yet.
    pub(super) fn up_to(&mut self, length: usize) -> &mut Self {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self
    }

    /// Zeros up to a multiple of this.
    pub(super) fn align(&mut self, to: usize) -> &mut Self {
        self.up_to(self.bytes.len().next_multiple_of(to))
    }

    /// A text in a field of so many bytes, the last of which is zero.
    pub(super) fn text(&mut self, text: &[u8], length: usize) -> &mut Self {
        let shown = text.get(..length - 1).unwrap_or(text);
        self.raw(shown).zeros(length - shown.len())
    }

    pub(super) fn done(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
