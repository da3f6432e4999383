//! The memory of a task as a checkpoint holds it: read, searched, patched.
//!
//! A dump holds only pages that can't be had elsewhere. A page of an area is, in this order: in the
//! pages image of the dump or of a pre-dump before it; left to a lazy server; in the segment or the
//! file that is mapped; or it is zeros, since nothing was ever written there.

mod areas;
mod behind;
mod extents;
mod pagemap;
mod patch;
mod regions;
mod search;
mod startup;
mod strings;
mod sweep;
mod sysroot;

use std::fmt;
use std::ops::Range;

pub use areas::{AddressSpace, Area, status};
pub use behind::Memories;
pub use pagemap::{Held, Pagemap, Run};
pub use patch::Patch;
pub use regions::{PageCounts, Region};
pub use search::{Hit, Pattern};
pub use strings::Found;
pub use sweep::{Searchable, Selection};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result, Warning};
use crate::limits::MEMORY_READ;
use behind::{Backing, Behind};
use extents::{Extents, Place};
use sysroot::Sysroot;

/// The memory of a task, through all pre-dumps and with the segments that it shares.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::Checkpoint;
///
/// let dump = Checkpoint::open("tests/images/predump/3")?;
/// let memory = dump.memory(100)?;
/// let args = memory.read(memory.address_space().args.clone())?;
/// assert!(args.ends_with(b"\0"));
/// for region in memory.regions() {
///     println!("{:x}: {} pages", region.area.start, region.pages.here);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Memory {
    pid: u32,
    label: String,
    page_size: u64,
    space: AddressSpace,
    /// The pages of the task's own; `None` when the checkpoint has no pagemap of it.
    own: Option<Extents>,
    backing: Backing,
    sysroot: Option<Sysroot>,
}

/// Bytes in a row that are in one place.
#[derive(Debug)]
pub(crate) struct Piece<'m> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) content: Content<'m>,
}

/// What a piece holds.
#[derive(Debug)]
pub(crate) enum Content<'m> {
    /// Pages of a pages image.
    Pages(Stored<'m>),
    /// Bytes of a file below the root that was given.
    File {
        /// CRIU's id of the file.
        id: u32,
        /// Where the piece begins in it, in bytes.
        offset: u64,
    },
    /// Zeros: memory that was never written.
    Zeros,
    /// The checkpoint doesn't have it.
    Absent(Absence),
}

/// A place in a pages image.
#[derive(Debug)]
pub(crate) struct Stored<'m> {
    extents: &'m Extents,
    /// Which dump: 0 is the one that was opened, its parent 1, ...
    pub(crate) layer: usize,
    /// Where the piece begins, in bytes.
    pub(crate) offset: u64,
    entry: u64,
}

impl Stored<'_> {
    /// How errors name the pages image.
    pub(crate) fn image(&self) -> &str {
        let file = self.extents.layer(self.layer);
        file.map_or("", |file| file.name.as_str())
    }

    /// Reads from `skip` bytes behind the beginning of the piece on.
    pub(crate) fn read(&self, buffer: &mut [u8], skip: u64) -> Result<()> {
        match self.extents.layer(self.layer) {
            Some(file) => file.read(buffer, self.offset.saturating_add(skip), self.entry),
            None => Ok(()),
        }
    }
}

/// Why there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// No area of the task.
    Unmapped,
    /// Left to a lazy server.
    Lazy,
    /// Said to be in a pre-dump, which doesn't have it.
    Lost,
    /// The checkpoint has no pagemap of the task.
    NoPagemap,
    /// In the file that is mapped, of which the checkpoint has only the name.
    InFile,
    /// In a shared segment whose images are missing.
    NoSegment,
    /// Made by the kernel: the vsyscall page, the vDSO's variables, a ring.
    Kernel,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Absence::Unmapped => "nothing is mapped there",
            Absence::Lazy => "the page was left to a lazy server",
            Absence::Lost => "the page is said to be in a pre-dump, which doesn't have it",
            Absence::NoPagemap => "the checkpoint has no pagemap of the task",
            Absence::InFile => {
                "the page is in the mapped file, which is not part of the checkpoint"
            }
            Absence::NoSegment => "the images of the shared memory segment are missing",
            Absence::Kernel => "the kernel makes this area itself",
        })
    }
}

impl Checkpoint {
    /// The memory of a task.
    ///
    /// # Errors
    ///
    /// As [`Memory::open`].
    pub fn memory(&self, pid: u32) -> Result<Memory> {
        Memory::open(self, pid)
    }
}

impl Memory {
    /// Opens the memory of a task.
    ///
    /// # Errors
    ///
    /// The checkpoint has no memory areas of this task; an image of them or a pagemap is malformed,
    /// out of order or has fields of unknown meaning; the chain of parents is broken.
    /// [`Memories`] opens that of many tasks faster.
    pub fn open(checkpoint: &Checkpoint, pid: u32) -> Result<Self> {
        Memories::new(checkpoint).open(pid)
    }

    fn open_in(
        checkpoint: &Checkpoint,
        pid: u32,
        behind: impl FnOnce(&[Area]) -> Result<Backing>,
    ) -> Result<Self> {
        let name = format!("mm-{pid}.img");
        let mut space = AddressSpace::read(checkpoint, pid)?.ok_or_else(|| {
            let what = format!("missing: the memory areas of task {pid} are unknown");
            Error::new(ErrorKind::NotACheckpoint(what)).in_file(checkpoint.label(&name))
        })?;
        space.areas.retain(|area| !area.is(status::GUARD));
        space
            .check_order()
            .map_err(|error| error.in_file(checkpoint.label(&name)))?;
        Ok(Memory {
            pid,
            label: checkpoint.name().to_owned(),
            page_size: checkpoint.page_size(),
            own: Extents::open(checkpoint, &format!("pagemap-{pid}.img"))?,
            backing: behind(&space.areas)?,
            space,
            sysroot: None,
        })
    }

    /// Takes pages of mapped files that the dump doesn't hold from the files below a root directory:
    /// links inside it are followed inside it, as `chroot` would.
    ///
    /// # Errors
    ///
    /// The directory can't be opened.
    pub fn with_sysroot(mut self, root: impl AsRef<std::path::Path>) -> Result<Self> {
        self.sysroot = Some(Sysroot::open(root.as_ref())?);
        Ok(self)
    }

    /// The task.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The size of a page, in bytes.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Its areas, and where its arguments and environment are.
    #[must_use]
    pub fn address_space(&self) -> &AddressSpace {
        &self.space
    }

    /// Whether the checkpoint has a pagemap of the task: without one, no page of its own is there.
    #[must_use]
    pub fn has_pages(&self) -> bool {
        self.own.is_some()
    }

    /// What matters only to those who read the pages in question: pages images that are missing or too
    /// short, pages that no pre-dump has; files below the root that was given that are missing or of
    /// another size, as far as they were looked for.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let extents = self.own.iter().chain(self.backing.segments());
        let mut warnings: Vec<Warning> = extents
            .flat_map(|extents| extents.warnings(self.page_size))
            .collect();
        warnings.extend(self.sysroot.iter().flat_map(Sysroot::warnings));
        warnings
    }

    /// The bytes of a range of addresses.
    ///
    /// # Errors
    ///
    /// The checkpoint does not hold all of it, a pages image is too short, or the range has more
    /// bytes than [`MEMORY_READ`]: [`Memory::read_into`] reads in pieces.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let length = range.end.saturating_sub(range.start);
        if length > MEMORY_READ {
            let what =
                format!("{length} bytes are more than the {MEMORY_READ} that are read at once");
            return Err(Error::new(ErrorKind::Limit(what)));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.read_into(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buffer` with what is at this address on.
    ///
    /// # Errors
    ///
    /// As [`Memory::read`].
    pub fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let end = address.checked_add(buffer.len() as u64).ok_or_else(|| {
            Error::new(ErrorKind::Value(
                "the range reaches beyond the last address".to_owned(),
            ))
        })?;
        self.walk(address..end, &mut |piece| {
            let skip = usize::try_from(piece.start - address).unwrap_or(usize::MAX);
            let length = usize::try_from(piece.end - piece.start).unwrap_or(usize::MAX);
            let part = buffer
                .get_mut(skip..)
                .and_then(|rest| rest.get_mut(..length));
            self.fill(&piece, 0, part.unwrap_or_default())
        })
    }

    /// Fills a buffer with the bytes of a piece, from `skip` on.
    pub(crate) fn fill(&self, piece: &Piece<'_>, skip: u64, buffer: &mut [u8]) -> Result<()> {
        match &piece.content {
            Content::Pages(stored) => stored.read(buffer, skip),
            Content::File { id, offset } => match (&self.sysroot, self.backing.file(*id)) {
                (Some(root), Some(file)) => root.read(file, buffer, offset.saturating_add(skip)),
                _ => Ok(()),
            },
            Content::Zeros => {
                buffer.fill(0);
                Ok(())
            }
            Content::Absent(why) => Err(self.absent(piece.start.saturating_add(skip), *why)),
        }
    }

    pub(super) fn absent(&self, address: u64, why: Absence) -> Error {
        let what = format!("no byte of task {} at 0x{address:x}: {why}", self.pid);
        let error = Error::new(ErrorKind::Value(what)).in_file(self.label.as_str());
        match why {
            Absence::InFile if self.sysroot.is_none() => {
                error.with_hint("--sysroot DIR reads mapped files below DIR")
            }
            Absence::Unmapped => error.with_hint(format!(
                "`crit mem {} -p {}` lists what is mapped",
                self.label, self.pid
            )),
            _ => error,
        }
    }

    /// Hands over what is at a range of addresses, in order and without gaps.
    pub(crate) fn walk<'m>(
        &'m self,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let areas = &self.space.areas;
        let mut at = range.start;
        let first = areas.partition_point(|area| area.end <= range.start);
        for area in areas.get(first..).unwrap_or_default() {
            if area.start >= range.end {
                break;
            }
            if at < area.start {
                each(absent(at..area.start, Absence::Unmapped))?;
            }
            let start = area.start.max(range.start);
            at = area.end.min(range.end);
            self.walk_area(area, start..at, each)?;
        }
        if at < range.end {
            each(absent(at..range.end, Absence::Unmapped))?;
        }
        Ok(())
    }

    /// The same, inside one area.
    pub(crate) fn walk_area<'m>(
        &'m self,
        area: &Area,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let mut at = range.start;
        if let Some(own) = &self.own {
            for extent in own.within(range.clone()) {
                if at < extent.start {
                    self.walk_behind(area, at..extent.start, each)?;
                }
                at = extent.end;
                each(Piece {
                    start: extent.start,
                    end: extent.end,
                    content: content(own, extent.place),
                })?;
            }
        }
        if at < range.end {
            self.walk_behind(area, at..range.end, each)?;
        }
        Ok(())
    }

    /// The same, where the task has no pages of its own.
    fn walk_behind<'m>(
        &'m self,
        area: &Area,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let behind = self.backing.behind(area);
        let simple = |content| Piece {
            start: range.start,
            end: range.end,
            content,
        };
        // Where the range begins in the file or segment.
        let base = area.pgoff.saturating_add(range.start - area.start);
        match behind {
            Behind::Kernel => each(absent(range, Absence::Kernel)),
            // Without a pagemap, nothing is known of what was written.
            Behind::Nothing if self.own.is_none() => each(absent(range, Absence::NoPagemap)),
            Behind::Nothing => each(simple(Content::Zeros)),
            Behind::File(id) => match (&self.sysroot, self.backing.file(id)) {
                (Some(root), Some(file)) if root.has(file) => {
                    each(simple(Content::File { id, offset: base }))
                }
                _ => each(absent(range, Absence::InFile)),
            },
            Behind::Segment(id) => {
                let Some(segment) = self.backing.segment(id) else {
                    return each(absent(range, Absence::NoSegment));
                };
                let limit = base.saturating_add(range.end - range.start);
                let address = |offset: u64| range.start.saturating_add(offset - base);
                let mut at = base;
                for extent in segment.within(base..limit) {
                    if at < extent.start {
                        each(zeros(address(at)..address(extent.start)))?;
                    }
                    at = extent.end;
                    each(Piece {
                        start: address(extent.start),
                        end: address(extent.end),
                        content: content(segment, extent.place),
                    })?;
                }
                if at < limit {
                    each(zeros(address(at)..range.end))?;
                }
                Ok(())
            }
        }
    }
}

fn content(extents: &Extents, place: Place) -> Content<'_> {
    match place {
        Place::Pages {
            layer,
            offset,
            entry,
        } => Content::Pages(Stored {
            extents,
            layer,
            offset,
            entry,
        }),
        Place::Lazy => Content::Absent(Absence::Lazy),
        Place::Lost => Content::Absent(Absence::Lost),
    }
}

fn absent<'m>(range: Range<u64>, why: Absence) -> Piece<'m> {
    Piece {
        start: range.start,
        end: range.end,
        content: Content::Absent(why),
    }
}

fn zeros<'m>(range: Range<u64>) -> Piece<'m> {
    Piece {
        start: range.start,
        end: range.end,
        content: Content::Zeros,
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("pid", &self.pid)
            .field("areas", &self.space.areas.len())
            .finish_non_exhaustive()
    }
}
