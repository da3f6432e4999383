//! The files of a tmpfs, which CRIU keeps as a gzipped tarball (`criu/filesystems.c`, `tmpfs_dump`): the
//! names and the owners of its members.
//!
//! Members are copied as they are, sparse ones too; only headers change. A long name is a member of its
//! own in front, as GNU tar writes it, or a record of a POSIX header.

mod header;

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::change::Replacement;
use super::mounts::Mounts;
use super::{Replaced, Replacer};
use crate::descriptor::Meaning;
use crate::edit::Changed;
use crate::error::{Error, Result};
use crate::limits::MEMBER_HEADER;
use header::{
    BLOCK, Block, Front, New, SPARSE_NAME, checksum, damaged, malformed, number, records,
};

/// The tarball of a tmpfs.
#[derive(Debug)]
pub struct Tarball<'a> {
    mounts: &'a Mounts,
    device: u64,
}

impl<'a> Tarball<'a> {
    /// Returns the tarball if an image of this name is one: `tmpfs-dev-DEVICE.tar.gz.img`, or
    /// `tmpfs-MOUNT.tar.gz.img` as CRIU before 1.3 wrote it.
    #[must_use]
    pub fn named(name: &str, mounts: &'a Mounts) -> Option<Self> {
        let inner = name.strip_prefix("tmpfs-")?.strip_suffix(".tar.gz.img")?;
        let device = match inner.strip_prefix("dev-") {
            Some(device) => device.parse().ok()?,
            None => mounts.device_of(inner.parse().ok()?)?,
        };
        Some(Tarball { mounts, device })
    }

    /// Copies the tarball with everything replaced, and returns what changed.
    ///
    /// # Errors
    ///
    /// The tarball is malformed; a member would leave the tmpfs.
    pub fn apply(
        &self,
        replacer: &mut Replacer,
        input: impl Read,
        output: impl Write,
    ) -> Result<Replaced> {
        let mut copy = Copy {
            tarball: self,
            replacer,
            input: MultiGzDecoder::new(input),
            output: GzEncoder::new(output, Compression::default()),
            changed: Vec::new(),
        };
        copy.members()?;
        let finished = copy.output.finish().and_then(|mut output| output.flush());
        finished.map_err(Error::writing)?;
        Ok(Replaced {
            changed: copy.changed,
            ..Replaced::default()
        })
    }
}

/// A tarball on its way.
struct Copy<'a, R, W: Write> {
    tarball: &'a Tarball<'a>,
    replacer: &'a mut Replacer,
    input: MultiGzDecoder<R>,
    output: GzEncoder<W>,
    changed: Vec<Changed>,
}

impl<R: Read, W: Write> Copy<'_, R, W> {
    fn members(&mut self) -> Result<()> {
        let mut front = Front::default();
        loop {
            let Some(block) = self.block()? else {
                return Ok(());
            };
            if block.iter().all(|byte| *byte == 0) {
                self.write(&block)?;
                return io::copy(&mut self.input, &mut self.output)
                    .map(drop)
                    .map_err(|error| damaged(&error));
            }
            if checksum(&block) != Header::from_byte_slice(&block).cksum().ok() {
                return Err(malformed("the checksum of a header is wrong"));
            }
            let header = Header::from_byte_slice(&block);
            let size = header.entry_size().map_err(|error| damaged(&error))?;
            match header.entry_type() {
                EntryType::GNULongName => front.name = Some(self.front(&mut front, &block, size)?),
                EntryType::GNULongLink => front.link = Some(self.front(&mut front, &block, size)?),
                EntryType::XHeader => {
                    let text = self.front(&mut front, &block, size)?;
                    front.records = records(&text)?;
                }
                EntryType::XGlobalHeader => {
                    self.write(&block)?;
                    self.content(size)?;
                }
                _ => self.member(std::mem::take(&mut front), block, size)?,
            }
        }
    }

    /// The next block; `None` at the end of what is not ended by zeros.
    fn block(&mut self) -> Result<Option<Block>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(malformed("it ends inside of a header")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(damaged(&error)),
            }
        }
        Ok(Some(block))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.write_all(bytes).map_err(Error::writing)
    }

    /// Takes in what stands in front of a member; its content, up to the zero that ends it.
    fn front(&mut self, front: &mut Front, block: &Block, size: u64) -> Result<Vec<u8>> {
        if size > MEMBER_HEADER {
            return Err(malformed("a name or header is too long"));
        }
        let length = usize::try_from(size).unwrap_or(0);
        let mut content = vec![0; length.next_multiple_of(BLOCK)];
        self.input
            .read_exact(&mut content)
            .map_err(|error| damaged(&error))?;
        front.blocks.extend_from_slice(block);
        front.blocks.extend_from_slice(&content);
        content.truncate(length);
        if content.last() == Some(&0) {
            content.pop();
        }
        Ok(content)
    }

    /// Copies the content of a member, with its padding.
    fn content(&mut self, size: u64) -> Result<()> {
        let length = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        let mut content = (&mut self.input).take(length);
        let copied = io::copy(&mut content, &mut self.output).map_err(|error| damaged(&error))?;
        match copied == length {
            true => Ok(()),
            false => Err(malformed("it ends inside of a member")),
        }
    }

    fn member(&mut self, front: Front, mut block: Block, size: u64) -> Result<()> {
        let header = Header::from_byte_slice(&block);
        let kind = header.entry_type();
        let plain = front.record(b"path").or(front.name.as_deref());
        let plain = plain.map_or_else(|| header.path_bytes().into_owned(), <[u8]>::to_vec);
        // A sparse file of the POSIX format has its name in a record of its own.
        let name = front
            .record(SPARSE_NAME)
            .map_or(plain.clone(), <[u8]>::to_vec);
        let link = front.record(b"linkpath").or(front.link.as_deref());
        let link = link.map(<[u8]>::to_vec);
        let link = link.or_else(|| header.link_name_bytes().map(|link| link.into_owned()));
        let new_name = self.renamed(&name)?;
        let new_plain = match plain == name {
            true => new_name.clone(),
            false => self.renamed(&plain)?,
        };
        let new_link = match (&link, kind) {
            (Some(link), EntryType::Link) => self.renamed(link)?,
            // A symbolic link has a path of the mount namespace, as a deleted one has in its image.
            (Some(link), EntryType::Symlink) => {
                self.replacer.paths().rename(link).map(|(number, new)| {
                    self.replacer.count(number);
                    new
                })
            }
            _ => None,
        };
        let uid = self.owner(Meaning::Uid, number(&front, b"uid", header.uid())?);
        let gid = self.owner(Meaning::Gid, number(&front, b"gid", header.gid())?);
        if new_name.is_none() && new_link.is_none() && uid.is_none() && gid.is_none() {
            self.write(&front.blocks)?;
        } else {
            let shown = String::from_utf8_lossy(&name).into_owned();
            let mut note = |path: String, before: serde_json::Value, after: serde_json::Value| {
                self.changed.push(Changed::new(path, before, after));
            };
            if let Some(new) = &new_name {
                let after = String::from_utf8_lossy(new).into_owned();
                note(shown.clone(), shown.clone().into(), after.into());
            }
            if let (Some(link), Some(new)) = (&link, &new_link) {
                let text = |link: &[u8]| String::from_utf8_lossy(link).into_owned();
                let path = format!("{shown}: link");
                note(path, text(link).into(), text(new).into());
            }
            for (field, changed) in [("uid", uid), ("gid", gid)] {
                if let Some((before, after)) = changed {
                    note(format!("{shown}: {field}"), before.into(), after.into());
                }
            }
            let new = New {
                name: new_plain,
                sparse_name: new_name.filter(|_| plain != name),
                link: new_link,
                uid: uid.map(|(_, new)| new),
                gid: gid.map(|(_, new)| new),
            };
            let front = new.put(front, &mut block)?;
            self.write(&front)?;
        }
        self.write(&block)?;
        self.sparse(kind, &block)?;
        self.content(size)
    }

    /// Further blocks of a sparse member's map.
    fn sparse(&mut self, kind: EntryType, block: &Block) -> Result<()> {
        /// Where a header and a further block say that one more follows.
        const IN_HEADER: usize = 482;
        const IN_BLOCK: usize = 504;
        if kind != EntryType::GNUSparse {
            return Ok(());
        }
        let mut more = block.get(IN_HEADER) != Some(&0);
        while more {
            let next = self.block()?;
            let next = next.ok_or_else(|| malformed("it ends inside of a header"))?;
            more = next.get(IN_BLOCK) != Some(&0);
            self.write(&next)?;
        }
        Ok(())
    }

    /// The other name of a member: `./a/b` is `/a/b` of the tmpfs.
    fn renamed(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let inside = name.strip_prefix(b".").unwrap_or(name);
        let (inside, end) = match inside.strip_suffix(b"/") {
            Some(inside) => (inside, &b"/"[..]),
            None => (inside, &b""[..]),
        };
        if inside.is_empty() || !inside.starts_with(b"/") {
            return Ok(None);
        }
        let new = self.tarball.mounts.renamed(
            self.tarball.device,
            inside,
            &self.replacer.translations,
            self.replacer.paths(),
        )?;
        Ok(new.map(|(number, path)| {
            self.replacer.count(number);
            [b".", path.as_slice(), end].concat()
        }))
    }

    fn owner(&mut self, meaning: Meaning, before: Option<u64>) -> Option<(u64, u64)> {
        let before = before?;
        let (number, new) = self
            .replacer
            .replacements
            .iter()
            .enumerate()
            .filter(|(_, replacement)| {
                matches!(
                    (replacement, meaning),
                    (Replacement::Uid { .. }, Meaning::Uid)
                        | (Replacement::Gid { .. }, Meaning::Gid)
                )
            })
            .find_map(|(number, replacement)| Some((number, replacement.number(before)?)))?;
        self.replacer.count(number);
        Some((before, u64::from(new)))
    }
}
