//! Bytes of a task's memory changed in the pages image that holds them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use super::{Content, Memory};
use crate::error::{Error, ErrorKind, Result};

/// A change of bytes in a pages image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patch {
    /// The pages image, by its name beside the other images.
    pub image: String,
    /// Places in the image, in bytes, and what is written there.
    pub parts: Vec<(u64, Vec<u8>)>,
}

impl Memory {
    /// What has to be changed in which image for the task to have these bytes at an address.
    ///
    /// # Errors
    ///
    /// A page is not in the pages image of this dump: it is in a pre-dump, which other dumps may
    /// share; or nowhere. Or the bytes are in two images: those of a shared segment and of the task.
    pub fn patch(&self, address: u64, bytes: &[u8]) -> Result<Patch> {
        let wrong = |what: String| Error::new(ErrorKind::Value(what)).in_file(&self.label);
        if bytes.is_empty() {
            return Err(wrong("no bytes to write".to_owned()));
        }
        let end = address.checked_add(bytes.len() as u64);
        let end =
            end.ok_or_else(|| wrong("the range reaches beyond the last address".to_owned()))?;
        let mut image: Option<String> = None;
        let mut parts = Vec::new();
        self.walk(address..end, &mut |piece| {
            let at = piece.start;
            let stored = match &piece.content {
                Content::Pages(stored) => stored,
                Content::Lost(lost) => return Err(lost.error()),
                Content::Absent(why) => return Err(self.absent(at, *why)),
                Content::Zeros | Content::File { .. } => {
                    return Err(wrong(format!(
                        "the page at 0x{at:x} is not in a pages image, and none is added"
                    )));
                }
            };
            if stored.layer > 0 {
                return Err(wrong(format!(
                    "the page at 0x{at:x} is in a pre-dump, {}, which other dumps may share",
                    stored.image()
                )));
            }
            let name = image.get_or_insert_with(|| stored.file().to_owned());
            if name != stored.file() {
                return Err(wrong(format!(
                    "the bytes are in two images, {name} and {}: write them in two steps",
                    stored.file()
                )));
            }
            // Reading says whether the image is as long as the pagemap claims.
            let skip = usize::try_from(at - address).unwrap_or(usize::MAX);
            let length = usize::try_from(piece.end - at).unwrap_or(usize::MAX);
            let new = bytes.get(skip..).and_then(|rest| rest.get(..length));
            let new = new.unwrap_or_default().to_vec();
            stored.read(&mut vec![0; new.len()], 0)?;
            parts.push((stored.offset, new));
            Ok(())
        })?;
        match image {
            Some(image) => Ok(Patch { image, parts }),
            None => Err(wrong("no bytes to write".to_owned())),
        }
    }
}

impl Patch {
    /// Copies the image into an empty file, with the change in it. Holes stay holes: a pages image may be
    /// sparse.
    ///
    /// # Errors
    ///
    /// Reading or writing failed.
    pub fn copy(&self, from: &File, to: &File) -> io::Result<()> {
        copy_data(from, to)?;
        for (offset, bytes) in &self.parts {
            to.write_all_at(bytes, *offset)?;
        }
        Ok(())
    }
}

/// Copies what is not a hole, to the same places.
fn copy_data(mut from: &File, mut to: &File) -> io::Result<()> {
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut at = 0;
    while at < length {
        let start = match rustix::fs::seek(from, rustix::fs::SeekFrom::Data(at)) {
            Ok(start) => start,
            // Only a hole is left.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, rustix::fs::SeekFrom::Hole(start))?;
        from.seek(SeekFrom::Start(start))?;
        to.seek(SeekFrom::Start(start))?;
        let copied = io::copy(&mut from.take(end - start), &mut to)?;
        if copied < end - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at = end;
    }
    Ok(())
}
