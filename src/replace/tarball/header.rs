//! The headers of a tarball's members: what is read of them, and how they are written anew.

use std::io;

use tar::{EntryType, Header};

use crate::error::{Error, ErrorKind, Result};

/// The size of a header, and of a block of content, in bytes.
pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

/// What stands in front of a member and belongs to it.
#[derive(Default)]
pub(super) struct Front {
    /// The blocks, as they are.
    pub(super) blocks: Vec<u8>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    /// The records of a POSIX header.
    pub(super) records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Front {
    pub(super) fn record(&self, key: &[u8]) -> Option<&[u8]> {
        let found = self.records.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The record with the name of a sparse file, as GNU tar writes it.
pub(super) const SPARSE_NAME: &[u8] = b"GNU.sparse.name";

/// The number of an owner: a record of a POSIX header goes before the field.
pub(super) fn number(front: &Front, key: &[u8], field: io::Result<u64>) -> Result<Option<u64>> {
    match front.record(key) {
        Some(text) => Ok(std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())),
        None => field.map(Some).map_err(|error| damaged(&error)),
    }
}

/// What a member has from now on.
pub(super) struct New {
    pub(super) name: Option<Vec<u8>>,
    /// The name of a sparse file of the POSIX format.
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
}

impl New {
    /// Puts it into the header; returns the blocks in front.
    pub(super) fn put(self, mut front: Front, block: &mut Block) -> Result<Vec<u8>> {
        /// The fields of a header: name and link, each of 100 bytes; the prefix of a POSIX name.
        const NAME: (usize, usize) = (0, 100);
        const LINK: (usize, usize) = (157, 257);
        const PREFIX: (usize, usize) = (345, 500);
        if let Some(new) = self.sparse_name {
            let mut records = front.records.iter_mut();
            if let Some((_, value)) = records.find(|(key, _)| key == SPARSE_NAME) {
                *value = new;
            }
        }
        let is_posix = block.get(257..263) == Some(b"ustar\0");
        let mut blocks = Vec::new();
        let records = &mut front.records;
        let texts = [
            (&b"path"[..], self.name, &mut front.name, NAME, b'L'),
            (&b"linkpath"[..], self.link, &mut front.link, LINK, b'K'),
        ];
        for (key, new, old, (start, end), kind) in texts {
            if let Some(new) = new {
                let record = records.iter_mut().find(|(name, _)| name == key);
                match record {
                    Some((_, value)) => value.clone_from(&new),
                    None => *old = (new.len() > end - start).then(|| new.clone()),
                }
                let field = block.get_mut(start..end).unwrap_or_default();
                field.fill(0);
                field
                    .iter_mut()
                    .zip(&new)
                    .for_each(|(to, from)| *to = *from);
                if is_posix && kind == b'L' {
                    let (start, end) = PREFIX;
                    block.get_mut(start..end).unwrap_or_default().fill(0);
                }
            }
            if let Some(long) = old {
                blocks.extend(special(kind, &[long.as_slice(), b"\0"].concat())?);
            }
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        for (key, owner) in [(&b"uid"[..], self.uid), (&b"gid"[..], self.gid)] {
            let Some(owner) = owner else {
                continue;
            };
            if let Some((_, value)) = records.iter_mut().find(|(name, _)| name == key) {
                *value = owner.to_string().into_bytes();
            }
            match key {
                b"uid" => header.set_uid(owner),
                _ => header.set_gid(owner),
            }
        }
        block.copy_from_slice(header.as_bytes());
        put_checksum(block);
        if !records.is_empty() {
            let text: Vec<u8> = records
                .iter()
                .flat_map(|(key, value)| record(key, value))
                .collect();
            blocks.extend(special(b'x', &text)?);
        }
        Ok(blocks)
    }
}

/// The place of the sum of a header's bytes.
const SUM: std::ops::Range<usize> = 148..156;

/// The sum of a header's bytes, where those of the sum itself count as blanks.
pub(super) fn checksum(block: &Block) -> Option<u32> {
    let field: u32 = block.get(SUM)?.iter().map(|byte| u32::from(*byte)).sum();
    let all: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    Some(all - field + u32::from(b' ') * 8)
}

/// Puts the sum of a header's bytes into it, in the form that GNU tar gives it.
fn put_checksum(block: &mut Block) {
    let text = format!("{:06o}\0 ", checksum(block).unwrap_or(0));
    if let Some(field) = block.get_mut(SUM) {
        field.copy_from_slice(text.as_bytes());
    }
}

/// A member in front of another: its header and its content.
fn special(kind: u8, content: &[u8]) -> Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    let name = match kind {
        b'x' => "././@PaxHeader",
        _ => "././@LongLink",
    };
    header.set_path(name).map_err(|error| damaged(&error))?;
    header.set_entry_type(EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut blocks = header.as_bytes().to_vec();
    blocks.extend_from_slice(content);
    blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    Ok(blocks)
}

/// The records of a POSIX header: a length, a blank, key, `=`, value and a newline each.
pub(super) fn records(text: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut records = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let wrong = || malformed("a record of a POSIX header is malformed");
        let blank = memchr::memchr(b' ', rest).ok_or_else(wrong)?;
        let length = rest
            .get(..blank)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let length: usize = length
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(wrong)?;
        let record = rest.get(blank + 1..length).ok_or_else(wrong)?;
        let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
        let sign = memchr::memchr(b'=', record).ok_or_else(wrong)?;
        let (key, value) = record.split_at(sign);
        records.push((key.to_vec(), value.get(1..).unwrap_or_default().to_vec()));
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(records)
}

/// A record, whose length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let inner = key.len() + value.len() + 3;
    let mut length = inner + 1;
    while length != inner + length.to_string().len() {
        length = inner + length.to_string().len();
    }
    let length = length.to_string();
    [length.as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

pub(super) fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Value(format!("the tarball of a tmpfs: {what}")))
}

pub(super) fn damaged(error: &io::Error) -> Error {
    malformed(&error.to_string())
}
