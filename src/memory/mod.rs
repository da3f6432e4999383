//! The memory of a task as a checkpoint holds it: read, searched, patched.
//!
//! A dump holds only pages that can't be had elsewhere. A page of an area is, in this order: in the
//! pages image of the dump or of a pre-dump before it; left to a lazy server; in the segment or the
//! file that is mapped; or it is zeros, since nothing was ever written there.

mod areas;
mod behind;
mod counts;
mod extent;
mod extents;
mod pagemap;
mod pages_file;
mod patch;
mod regions;
mod search;
mod startup;
mod strings;
mod sweep;
mod sysroot;
mod walk;

use std::fmt;
use std::ops::Range;

pub use areas::{AddressSpace, Area, status};
pub use behind::Memories;
pub use pagemap::{Held, Pagemap, Run};
pub use patch::Patch;
pub use regions::{PageCounts, Region};
pub use search::{Hit, Pattern};
pub(crate) use startup::start_up_cost;
pub use strings::Found;
pub use sweep::{Searchable, Selection};
pub use walk::Absence;
pub(crate) use walk::{Content, Holes, Piece};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result, Warning};
use crate::limits::MEMORY_READ;
use behind::Backing;
use extents::Extents;
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
    /// How errors name the image of its areas.
    image: String,
    page_size: u64,
    space: AddressSpace,
    /// The pages of the task's own; `None` when the checkpoint has no pagemap of it.
    own: Option<Extents>,
    backing: Backing,
    sysroot: Option<Sysroot>,
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
        let image = checkpoint.label(&format!("mm-{pid}.img"));
        let mut space = AddressSpace::read(checkpoint, pid)?.ok_or_else(|| {
            let what = format!("missing: the memory areas of task {pid} are unknown");
            Error::new(ErrorKind::NotACheckpoint(what)).in_file(&image)
        })?;
        space.areas.retain(|area| !area.is(status::GUARD));
        space.check_order().map_err(|error| error.in_file(&image))?;
        Ok(Memory {
            pid,
            label: checkpoint.name().to_owned(),
            image,
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
        let mut warnings: Vec<Warning> = extents.flat_map(Extents::warnings).cloned().collect();
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
            Content::Lost(lost) => Err(lost.error()),
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
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("pid", &self.pid)
            .field("areas", &self.space.areas.len())
            .finish_non_exhaustive()
    }
}
