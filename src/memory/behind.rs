//! What is behind an area where the task has no page of its own: nothing, a file, or a segment
//! that tasks share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;

use super::Memory;
use super::areas::{Area, status};
use super::extents::Extents;
use crate::checkpoint::{Checkpoint, RandomAccess};
use crate::error::Result;
use crate::message::Record;
use crate::text::Text;

/// The bits of an area that maps a regular file.
const FILE: u32 = status::FILE_PRIVATE | status::FILE_SHARED;

/// Opens the memory of many tasks of a checkpoint: the files and segments that they share are read once.
pub struct Memories<'c> {
    checkpoint: &'c Checkpoint,
    files: OnceCell<Arc<MappedFiles>>,
    segments: Mutex<Segments>,
    inline_segments: OnceCell<InlineSegments>,
}

/// Segments by their ids; `None` when the checkpoint has none of its pages.
type Segments = BTreeMap<SegmentId, Option<Arc<Extents>>>;

/// Segments inside images, by their ids: the image's name and bytes, where the segment begins, its length.
type InlineSegments = BTreeMap<u64, (Arc<str>, RandomAccess, u64, u64)>;

/// What is behind an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Zeros: anonymous memory.
    Nothing,
    /// A file, by CRIU's id.
    File(u32),
    /// A segment.
    Segment(SegmentId),
    /// What the kernel makes itself, which no dump holds: the vsyscall page, the vDSO's variables, rings.
    Kernel,
}

/// Which segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SegmentId {
    /// Anonymous shared memory or a memfd, by its inode.
    Shared(u64),
    /// A SysV segment, by its id.
    SysV(u64),
    /// A file that was deleted, whose content is in the checkpoint: a ghost file, by its number.
    Ghost(u32),
}

/// A regular file that is mapped.
#[derive(Debug, Clone)]
pub(super) struct MappedFile {
    pub(super) name: Arc<Text>,
    /// Its size when it was dumped, in bytes, where CRIU noted it.
    pub(super) size: Option<u64>,
}

/// The files that can be mapped, by CRIU's ids.
#[derive(Debug, Default)]
struct MappedFiles {
    files: BTreeMap<u32, MappedFile>,
    /// Which segment a memfd is.
    memfds: BTreeMap<u32, u64>,
    /// Which ghost file a file is.
    ghosts: BTreeMap<u32, u32>,
}

/// Files and segments behind the areas of an address space.
#[derive(Debug, Default)]
pub(super) struct Backing {
    files: Arc<MappedFiles>,
    segments: Segments,
}

impl<'c> Memories<'c> {
    /// Opens memory of this checkpoint.
    #[must_use]
    pub fn new(checkpoint: &'c Checkpoint) -> Self {
        Memories {
            checkpoint,
            files: OnceCell::new(),
            segments: Mutex::default(),
            inline_segments: OnceCell::new(),
        }
    }

    /// Opens the memory of a task.
    ///
    /// # Errors
    ///
    /// As [`Memory::open`].
    pub fn open(&self, pid: u32) -> Result<Memory> {
        Memory::open_in(self.checkpoint, pid, |areas| self.behind(areas))
    }

    fn behind(&self, areas: &[Area]) -> Result<Backing> {
        let mut backing = Backing::default();
        let mapped = FILE | status::MEMFD;
        if areas.iter().any(|area| area.is(mapped)) {
            let files = || MappedFiles::read(self.checkpoint).map(Arc::new);
            backing.files = Arc::clone(self.files.get_or_try_init(files)?);
        }
        for area in areas {
            if let Some(id) = backing.segment_id(area)
                && !backing.segments.contains_key(&id)
            {
                backing.segments.insert(id, self.segment(id)?);
            }
        }
        Ok(backing)
    }

    fn segment(&self, id: SegmentId) -> Result<Option<Arc<Extents>>> {
        let lock = || self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&id) {
            return Ok(known.clone());
        }
        let pagemap = |number| {
            let name = format!("pagemap-shmem-{number}.img");
            Extents::open(self.checkpoint, &name)
        };
        let pages = match id {
            SegmentId::Shared(number) => pagemap(number)?,
            SegmentId::SysV(number) => match pagemap(number)? {
                None => self.inline_segment(number)?,
                pages => pages,
            },
            SegmentId::Ghost(number) => ghost_file(self.checkpoint, number)?,
        };
        let pages = pages.map(Arc::new);
        Ok(lock().entry(id).or_insert(pages).clone())
    }

    fn inline_segment(&self, number: u64) -> Result<Option<Extents>> {
        let read = || inline_segments(self.checkpoint);
        let found = self.inline_segments.get_or_try_init(read)?.get(&number);
        Ok(found.map(|(label, content, offset, size)| {
            Extents::inline(label.to_string(), content.clone(), *offset, *size)
        }))
    }
}

impl Backing {
    /// What is behind this area.
    pub(super) fn behind(&self, area: &Area) -> Behind {
        let kernel = status::VSYSCALL | status::VVAR | status::SOCKET | status::AIORING;
        if area.is(kernel) {
            return Behind::Kernel;
        }
        if let Some(id) = self.segment_id(area) {
            return Behind::Segment(id);
        }
        match self.file_id(area) {
            Some(id) => Behind::File(id),
            None => Behind::Nothing,
        }
    }

    pub(super) fn file(&self, id: u32) -> Option<&MappedFile> {
        self.files.files.get(&id)
    }

    /// The pages of a segment; `None` when the checkpoint has none of it.
    pub(super) fn segment(&self, id: SegmentId) -> Option<&Extents> {
        self.segments.get(&id)?.as_deref()
    }

    /// The segments that the checkpoint has.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Extents> {
        self.segments.values().flatten().map(Arc::as_ref)
    }

    fn segment_id(&self, area: &Area) -> Option<SegmentId> {
        if area.is(status::SYSVIPC) {
            Some(SegmentId::SysV(area.shmid))
        } else if area.is(status::ANON_SHARED) {
            Some(SegmentId::Shared(area.shmid))
        } else if area.is(status::MEMFD) {
            let id = u32::try_from(area.shmid).ok()?;
            Some(SegmentId::Shared(*self.files.memfds.get(&id)?))
        } else {
            let ghost = self.files.ghosts.get(&self.file_id(area)?);
            ghost.copied().map(SegmentId::Ghost)
        }
    }

    /// The file that an area maps.
    fn file_id(&self, area: &Area) -> Option<u32> {
        u32::try_from(area.shmid).ok().filter(|_| area.is(FILE))
    }

    /// What an area maps that has a name: a file or a memfd.
    pub(super) fn named(&self, area: &Area) -> Option<&MappedFile> {
        let mapped = area.is(FILE | status::MEMFD);
        self.file(u32::try_from(area.shmid).ok().filter(|_| mapped)?)
    }
}

impl MappedFiles {
    fn read(checkpoint: &Checkpoint) -> Result<Self> {
        let mut mapped = MappedFiles::default();
        let mut inodes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let fields = ["id", "reg.name", "reg.size", "memfd.inode_id"];
        let found = checkpoint.each_entry("files.img", &fields, &mut |record| {
            let Some(id) = record.word("id") else {
                return Ok(());
            };
            if let Some(file) = record.record("reg") {
                mapped.add(id, file);
            }
            if let Some(inode) = record.record("memfd").and_then(|m| m.word("inode_id")) {
                inodes.entry(inode).or_default().push(id);
            }
            Ok(())
        })?;
        if !found {
            // Before CRIU 3.4.
            let fields = ["id", "name", "size"];
            checkpoint.each_entry("reg-files.img", &fields, &mut |record| {
                if let Some(id) = record.word("id") {
                    mapped.add(id, record);
                }
                Ok(())
            })?;
        }
        if !inodes.is_empty() {
            mapped.read_memfds(checkpoint, &inodes)?;
        }
        mapped.read_ghosts(checkpoint)?;
        Ok(mapped)
    }

    fn add(&mut self, id: u32, file: Record<'_>) {
        self.files.entry(id).or_insert_with(|| MappedFile {
            name: Arc::new(file.text("name").unwrap_or_default()),
            size: file.number("size"),
        });
    }

    /// Which files were deleted, and have their content in an image.
    fn read_ghosts(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        /// CRIU before 1.4 marked the number, and had no type.
        const MARK: u32 = 1 << 31;
        let fields = ["orig_id", "remap_id", "remap_type"];
        checkpoint.each_entry("remap-fpath.img", &fields, &mut |record| {
            let (Some(file), Some(number)) = (record.word("orig_id"), record.word("remap_id"))
            else {
                return Ok(());
            };
            let is_ghost = match record.enum_name("remap_type") {
                Some(kind) => kind == "GHOST",
                None => number & MARK != 0,
            };
            if is_ghost {
                self.ghosts.entry(file).or_insert(number & !MARK);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Which segments the open memfds are, and what they are called.
    fn read_memfds(
        &mut self,
        checkpoint: &Checkpoint,
        inodes: &BTreeMap<u32, Vec<u32>>,
    ) -> Result<()> {
        let fields = ["inode_id", "shmid", "name"];
        checkpoint.each_entry("memfd.img", &fields, &mut |record| {
            let (Some(inode), Some(shmid)) = (record.word("inode_id"), record.number("shmid"))
            else {
                return Ok(());
            };
            let named = record.bytes("name").unwrap_or_default();
            let name = Arc::new(Text::from([b"/memfd:", named].concat()));
            for id in inodes.get(&inode).into_iter().flatten() {
                self.memfds.entry(*id).or_insert(shmid);
                // Anonymous shared memory is a memfd to CRIU since 3.14: what the kernel calls it.
                if named != b"/dev/zero" {
                    let file = MappedFile {
                        name: Arc::clone(&name),
                        size: None,
                    };
                    self.files.entry(*id).or_insert(file);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl fmt::Debug for Memories<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memories")
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

/// The content of a ghost file: all in one piece behind the entry, or in chunks of their own entries.
fn ghost_file(checkpoint: &Checkpoint, number: u32) -> Result<Option<Extents>> {
    let name = format!("ghost-file-{number:x}.img");
    let (Some(mut reader), Some(content)) = (
        checkpoint.image_reader(&name)?,
        checkpoint.random_access(&name)?,
    ) else {
        return Ok(None);
    };
    let label = checkpoint.label(&name);
    let Some(entry) = reader.read_message()? else {
        return Ok(None);
    };
    if !entry.record().is("chunks") {
        let offset = entry.end_of_message();
        let length = content.len().saturating_sub(offset);
        return Ok(Some(Extents::inline(label, content, offset, length)));
    }
    let mut pieces = Vec::new();
    while let Some(entry) = reader.read_message()? {
        let record = entry.record();
        let number = |field| record.number(field).unwrap_or(0);
        let index = pieces.len() as u64 + 1;
        pieces.push((number("off"), entry.end_of_message(), number("len"), index));
    }
    Extents::scattered(label.clone(), content, pieces)
        .map(Some)
        .map_err(|error| error.in_file(label))
}

/// The SysV segments whose bytes follow their entries, as before CRIU 3.0: by their ids, the content
/// of the image, where a segment begins in it, and its length in bytes.
fn inline_segments(checkpoint: &Checkpoint) -> Result<InlineSegments> {
    let mut found = InlineSegments::new();
    for name in checkpoint.image_names()? {
        if !(name.starts_with("ipcns-shm-") && name.ends_with(".img")) {
            continue;
        }
        let (Some(mut reader), Some(content)) = (
            checkpoint.image_reader(&name)?,
            checkpoint.random_access(&name)?,
        ) else {
            continue;
        };
        let label: Arc<str> = checkpoint.label(&name).into();
        while let Some(entry) = reader.read_message()? {
            let record = entry.record();
            let id = record.record("desc").and_then(|desc| desc.number("id"));
            if let Some(id) = id.filter(|_| !record.is("in_pagemaps")) {
                let size = record.number("size").unwrap_or(0);
                let segment = (
                    Arc::clone(&label),
                    content.clone(),
                    entry.end_of_message(),
                    size,
                );
                found.entry(id).or_insert(segment);
            }
        }
    }
    Ok(found)
}
