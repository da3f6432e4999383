//! One checked cursor over bytes that come from outside: the only place that slices them by
//! numbers found in them.

use crate::error::{Error, ErrorKind, Result};

/// How a field's value stands on the wire (the low three bits of its key).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint,
    Fixed64,
    Bytes,
    Group,
    GroupEnd,
    Fixed32,
}

impl Wire {
    /// The word for it in JSON (`"wire"` of an unknown field).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Wire::Varint => "varint",
            Wire::Fixed64 => "fixed64",
            Wire::Bytes => "bytes",
            Wire::Group | Wire::GroupEnd => "group",
            Wire::Fixed32 => "fixed32",
        }
    }

    pub(crate) fn code(self) -> u32 {
        match self {
            Wire::Varint => 0,
            Wire::Fixed64 => 1,
            Wire::Bytes => 2,
            Wire::Group => 3,
            Wire::GroupEnd => 4,
            Wire::Fixed32 => 5,
        }
    }
}

/// Reads protobuf's primitives from a slice and knows where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(all: &'a [u8]) -> Self {
        Cursor { all, at: 0 }
    }

    /// A cursor that begins at a position.
    pub(crate) fn at(all: &'a [u8], at: usize) -> Self {
        Cursor { all, at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.all.len()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.all.get(self.at..).unwrap_or_default()
    }

    /// What was read since this position.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.all.get(start..self.at).unwrap_or_default()
    }

    fn fail(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::Wire(why)).at_offset(self.at as u64)
    }

    pub(crate) fn bytes(&mut self, length: u64, what: &'static str) -> Result<&'a [u8]> {
        let left = self.rest();
        match usize::try_from(length).ok().and_then(|n| left.get(..n)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(Error::new(ErrorKind::Truncated {
                what,
                wanted: length,
                left: left.len() as u64,
            })
            .at_offset(self.at as u64)),
        }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N as u64, what)?);
        Ok(array)
    }

    pub(crate) fn fixed32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array("a 32-bit value")?))
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array("a 64-bit value")?))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        match self.all.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        let mut shift = 0;
        for (i, &byte) in self.rest().iter().enumerate() {
            if i == 10 || (i == 9 && byte > 1) {
                return Err(self.fail("a varint of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.at += i + 1;
                return Ok(value);
            }
            shift += 7;
        }
        Err(self.fail("it ends in the middle of a varint"))
    }

    /// A field's key: its number and wire type.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<(u32, Wire)> {
        let start = self.at;
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            3 => Wire::Group,
            4 => Wire::GroupEnd,
            5 => Wire::Fixed32,
            _ => {
                self.at = start;
                return Err(self.fail("a wire type that protobuf does not have"));
            }
        };
        match u32::try_from(key >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => Ok((number, wire)),
            _ => {
                self.at = start;
                Err(self.fail("a field number outside 1 to 536870911"))
            }
        }
    }

    /// The bytes of a length-delimited value.
    pub(crate) fn delimited(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        self.bytes(length, "a field")
    }

    /// Steps over the value of a field whose key was just read; a group is followed to its end.
    pub(crate) fn skip(&mut self, number: u32, wire: Wire, depth: usize) -> Result<()> {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.fixed64().map(drop),
            Wire::Fixed32 => self.fixed32().map(drop),
            Wire::Bytes => self.delimited().map(drop),
            Wire::Group => self.group(number, depth).map(drop),
            Wire::GroupEnd => Err(self.fail("the end of a group that did not begin")),
        }
    }

    /// The inside of the group whose key was just read, without the end key.
    pub(crate) fn group(&mut self, number: u32, depth: usize) -> Result<&'a [u8]> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(too_deep());
        };
        let start = self.at;
        loop {
            if self.is_empty() {
                return Err(self.fail("it ends in the middle of a group"));
            }
            let key_at = self.at;
            match self.key()? {
                (end, Wire::GroupEnd) if end == number => {
                    return Ok(self.all.get(start..key_at).unwrap_or_default());
                }
                (_, Wire::GroupEnd) => {
                    self.at = key_at;
                    return Err(self.fail("the end of another group than the one that began"));
                }
                (inner, wire) => self.skip(inner, wire, depth)?,
            }
        }
    }
}

/// The error for messages nested too deep.
pub(crate) fn too_deep() -> Error {
    Error::new(ErrorKind::TooDeep(crate::limits::MESSAGE_DEPTH))
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a field's key.
#[inline]
pub(crate) fn put_key(out: &mut Vec<u8>, number: u32, wire: Wire) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire.code()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_comes_back_at_every_width() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                let mut cursor = Cursor::new(&bytes);
                assert_eq!(cursor.varint().unwrap(), value);
                assert!(cursor.is_empty());
            }
        }
    }

    #[test]
    fn a_varint_that_never_ends_is_refused() {
        let error = Cursor::new(&[0xff; 20]).varint().unwrap_err();
        assert_eq!(
            error.to_string(),
            "offset 0x0: malformed message: a varint of more than 64 bits"
        );
    }

    #[test]
    fn a_length_beyond_the_end_says_how_many_bytes_are_left() {
        let error = Cursor::new(&[5, 1, 2]).delimited().unwrap_err();
        assert_eq!(
            error.to_string(),
            "offset 0x1: a field needs 5 bytes, 2 are left"
        );
    }

    #[test]
    fn groups_nested_too_deep_are_refused_and_do_not_overflow_the_stack() {
        let deep = vec![0x0b; 100_000];
        let mut cursor = Cursor::new(&deep);
        let (number, wire) = cursor.key().unwrap();
        let error = cursor.skip(number, wire, 100).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooDeep(_)), "{error}");
    }
}
