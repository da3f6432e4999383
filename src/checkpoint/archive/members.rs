//! The walk over the members of a tar archive, with every claim bounded.
//!
//! The layout of a header block is the `tar` crate's business. What may follow which header, and how
//! much of it is believed, is decided here: long names (GNU's `L` and `K`, POSIX's `x` and `g`) are
//! read up to a limit, and nothing of a member's content is.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use tar::{EntryType, Header};

use super::packing::Unpacked;
use crate::checkpoint::member::{Member, MemberKind};
use crate::limits::{ARCHIVE_END, MEMBER_HEADER, MEMBER_NAME};
use crate::text::Text;

/// A block of a tar archive, in bytes.
const BLOCK: u64 = 512;

/// Walks over the headers of an archive.
pub(super) struct Members {
    input: Unpacked,
    /// Where the input stands, in unpacked bytes.
    at: u64,
    /// How many bytes of the last member, with its padding, are still before the next header.
    pending: u64,
    /// How many of these are padding.
    padding: u64,
    /// Whether the zeros that end an archive were met.
    ended: bool,
}

/// A member, and where its content begins in the unpacked archive.
pub(super) struct Found {
    pub(super) member: Member,
    pub(super) offset: u64,
    /// What was odd about it.
    pub(super) oddity: Option<String>,
}

/// What extended headers say of the next member.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    too_long: bool,
}

impl Members {
    pub(super) fn new(input: Unpacked) -> Self {
        Members {
            input,
            at: 0,
            pending: 0,
            padding: 0,
            ended: false,
        }
    }

    /// Reads what is behind the last member, so that the checksums of the packing are looked at; what
    /// should not be there, or be otherwise.
    pub(super) fn rest(&mut self) -> io::Result<Option<&'static str>> {
        if !self.ended {
            return Ok(Some("it ends without the zeros that end an archive"));
        }
        let mut buffer = vec![0; 64 << 10];
        let mut left = match self.input {
            Unpacked::Plain { .. } => ARCHIVE_END,
            // Its own limits hold.
            Unpacked::Packed { .. } => u64::MAX,
        };
        loop {
            let read = match self.input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let zeros = buffer.iter().take(read).all(|byte| *byte == 0);
            if read == 0 {
                return Ok(None);
            }
            left = left.saturating_sub(read as u64);
            if !zeros || left == 0 {
                return Ok(Some("behind its end are bytes that are not read"));
            }
        }
    }

    /// The next member; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        let mut extended = Extended::default();
        loop {
            self.skip_pending()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    extended.name = self.long_name(size, &mut extended.too_long)?;
                }
                EntryType::GNULongLink => {
                    extended.link = self.long_name(size, &mut extended.too_long)?;
                }
                EntryType::XHeader => {
                    let records = self.content(size)?;
                    match records {
                        Some(records) => pax(&records, &mut extended)?,
                        None => extended.too_long = true,
                    }
                }
                // Records for all that follows. No tar that packs checkpoints puts names or sizes there.
                EntryType::XGlobalHeader => self.pend(size)?,
                kind => return self.member(&header, kind, size, extended).map(Some),
            }
        }
    }

    fn member(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extended: Extended,
    ) -> io::Result<Found> {
        let raw_name = extended
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let raw_link = extended
            .link
            .or_else(|| header.link_name_bytes().map(|link| link.into_owned()))
            .unwrap_or_default();
        let mut oddity = extended.too_long.then(|| "its name is too long".to_owned());
        let sparse = extended.sparse || kind == EntryType::GNUSparse;
        if sparse {
            oddity = Some("a sparse member: its holes are not filled, it is not read".to_owned());
            // More blocks of GNU's sparse map stand before the content.
            if header.as_gnu().is_some_and(tar::GnuHeader::is_extended) {
                while self.block()?.and_then(|block| block.get(504).copied()) == Some(1) {}
            }
        }
        let member_kind = match kind {
            _ if sparse => MemberKind::Special,
            // Tars older than POSIX mark a directory by the slash behind its name alone.
            EntryType::Regular if raw_name.ends_with(b"/") => MemberKind::Directory,
            EntryType::Regular | EntryType::Continuous => MemberKind::File,
            EntryType::Directory => MemberKind::Directory,
            EntryType::Symlink => MemberKind::Link(raw_link.into()),
            EntryType::Link => MemberKind::HardLink(raw_link.into()),
            _ => MemberKind::Special,
        };
        // These have no content, whatever their size says.
        let has_content = !matches!(
            kind,
            EntryType::Link
                | EntryType::Symlink
                | EntryType::Char
                | EntryType::Block
                | EntryType::Directory
                | EntryType::Fifo
        );
        let size = if has_content {
            extended.size.unwrap_or(size)
        } else {
            0
        };
        let modified = header.mtime().ok().map(Duration::from_secs);
        let modified = modified.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        let offset = self.at;
        self.pend(size)?;
        let name = plain_name(&raw_name);
        if leads_out(&name) {
            oddity.get_or_insert_with(|| "its name leads out of the archive".to_owned());
        }
        Ok(Found {
            member: Member {
                name: Text::from(name),
                size,
                kind: member_kind,
                modified,
            },
            offset,
            oddity,
        })
    }

    /// Appends the content of the member that was found last to `kept`.
    pub(super) fn keep(&mut self, length: u64, kept: &mut Vec<u8>) -> io::Result<()> {
        let got = self.input.by_ref().take(length).read_to_end(kept)? as u64;
        self.at += got;
        self.pending = self.pending.saturating_sub(got);
        if got < length {
            return Err(truncated());
        }
        Ok(())
    }

    fn pend(&mut self, size: u64) -> io::Result<()> {
        let padded = size
            .checked_next_multiple_of(BLOCK)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a member of 2^64 bytes"))?;
        self.pending = padded;
        self.padding = padded - size;
        Ok(())
    }

    fn skip_pending(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let skipped = self.input.skip(pending)?;
        self.at += skipped;
        // The padding behind the last member may be missing, but nothing of its content.
        if skipped < pending.saturating_sub(self.padding) {
            return Err(truncated());
        }
        Ok(())
    }

    /// The next header; `None` at the end, which is a block of zeros or the end of the file.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block.iter().all(|byte| *byte == 0) {
            self.ended = true;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        // The sum is of all bytes, those of the sum itself taken for blanks.
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            let what = if self.at == BLOCK {
                "this is no tar archive"
            } else {
                "a tar header whose checksum is wrong"
            };
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Some(header))
    }

    fn block(&mut self) -> io::Result<Option<[u8; 512]>> {
        let mut block = Vec::with_capacity(512);
        self.input.by_ref().take(BLOCK).read_to_end(&mut block)?;
        self.at += block.len() as u64;
        match block.len() {
            0 => Ok(None),
            512 => Ok(block.try_into().ok()),
            _ => Err(truncated()),
        }
    }

    /// The content of an extended header; `None` when it is longer than any should be.
    fn content(&mut self, size: u64) -> io::Result<Option<Vec<u8>>> {
        self.pend(size)?;
        if size > MEMBER_HEADER {
            return Ok(None);
        }
        let mut content = Vec::new();
        self.keep(size, &mut content)?;
        Ok(Some(content))
    }

    fn long_name(&mut self, size: u64, too_long: &mut bool) -> io::Result<Option<Vec<u8>>> {
        let content = self.content(size)?;
        *too_long |= content.is_none();
        Ok(content.map(|mut name| {
            if let Some(end) = name.iter().position(|byte| *byte == 0) {
                name.truncate(end);
            }
            name
        }))
    }
}

/// Reads the records of a POSIX extended header: `LENGTH KEY=VALUE\n`, again and again.
fn pax(mut records: &[u8], extended: &mut Extended) -> io::Result<()> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "a malformed extended header");
    while !records.is_empty() {
        let blank = records
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(bad)?;
        let digits = records
            .get(..blank)
            .and_then(|d| std::str::from_utf8(d).ok());
        let length: usize = digits.and_then(|d| d.parse().ok()).ok_or_else(bad)?;
        let record = records
            .get(blank + 1..length)
            .and_then(|record| record.strip_suffix(b"\n"))
            .ok_or_else(bad)?;
        records = records.get(length..).unwrap_or_default();
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(bad)?;
        let (key, value) = record.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        match key {
            b"path" => extended.name = Some(value.to_vec()),
            b"linkpath" => extended.link = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                extended.size = Some(size.ok_or_else(bad)?);
            }
            key if key.starts_with(b"GNU.sparse.") => extended.sparse = true,
            _ => {}
        }
    }
    Ok(())
}

/// A member's name without `./` and `/` in front, `/` behind, and without empty parts.
fn plain_name(raw: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(raw.len().min(MEMBER_NAME));
    for part in raw
        .split(|byte| *byte == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
    {
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(part);
        if name.len() > MEMBER_NAME {
            name.truncate(MEMBER_NAME);
            break;
        }
    }
    name
}

fn leads_out(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'/').any(|part| part == b"..")
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is truncated")
}
