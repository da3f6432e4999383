//! What a directory or an archive holds, by name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::SystemTime;

use crate::text::Text;

/// A file, directory, or link of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its name inside the checkpoint, such as `checkpoint/core-1.img`. In an archive, a leading `./`
    /// or `/` is left out; the name is only compared with others, never used as a path.
    pub name: Text,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub kind: MemberKind,
    /// When its content was last changed, as the file system or the archive says, which whoever made it could
    /// set as he liked.
    pub modified: Option<SystemTime>,
}

/// What a [`Member`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberKind {
    /// A file with content.
    File,
    /// A directory.
    Directory,
    /// A directory that could not be looked into, and why.
    Unreadable(String),
    /// A symbolic link to this target.
    Link(Text),
    /// In an archive: another name for the content of the member of this name.
    HardLink(Text),
    /// A device, a FIFO, a socket.
    Special,
}

impl Member {
    /// Whether it has content.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == MemberKind::File
    }
}

/// A file whose bytes can be read in any order: page contents.
#[derive(Debug, Clone)]
pub struct RandomAccess {
    file: Arc<File>,
    base: u64,
    length: u64,
}

impl RandomAccess {
    /// The part of a file from `base` on, `length` bytes long.
    pub(crate) fn new(file: Arc<File>, base: u64, length: u64) -> Self {
        RandomAccess { file, base, length }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What tells its file from others that are open.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.file).addr()
    }

    /// Where the next bytes that are not a hole are, from this offset on, and where the next hole
    /// begins behind them; the end of the content twice, when only a hole is left. A file system that
    /// doesn't tell has no holes.
    pub(crate) fn next_data(&self, offset: u64) -> (u64, u64) {
        use rustix::fs::{SeekFrom, seek};
        let end = self.base.saturating_add(self.length);
        let at = self.base.saturating_add(offset);
        // The position of the file means nothing to others: all read at offsets.
        let start = match seek(&*self.file, SeekFrom::Data(at)) {
            Ok(start) => start.clamp(at, end.max(at)),
            Err(rustix::io::Errno::NXIO) => end.max(at),
            Err(_) => at,
        };
        let hole = seek(&*self.file, SeekFrom::Hole(start)).unwrap_or(end);
        let hole = hole.clamp(start, end.max(start));
        (start - self.base, hole - self.base)
    }

    /// Reads bytes from this offset on: fewer than asked for only at the end.
    ///
    /// # Errors
    ///
    /// Reading the file failed.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.length.saturating_sub(offset);
        let wanted = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..wanted).filter(|rest| !rest.is_empty()) {
            let at = self.base.saturating_add(offset).saturating_add(got as u64);
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    }
}
