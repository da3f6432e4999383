//! What is behind an area where the task has no page of its own: nothing, a file, or a segment
//! that tasks share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::areas::{Area, status};
use super::extents::Extents;
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::text::Text;

/// What is behind an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Zeros: anonymous memory.
    Nothing,
    /// A file, by CRIU's id.
    File(u32),
    /// A segment, by its place in the list of those that were opened.
    Segment(usize),
    /// What the kernel makes itself, which no dump holds: the vsyscall page, the vDSO's variables, rings.
    Kernel,
}

/// A regular file that is mapped.
#[derive(Debug, Clone)]
pub(super) struct MappedFile {
    pub(super) name: Arc<Text>,
    /// Its size when it was dumped, in bytes, where CRIU noted it.
    pub(super) size: Option<u64>,
}

/// Files and segments behind the areas of an address space.
#[derive(Debug, Default)]
pub(super) struct Backing {
    files: BTreeMap<u32, MappedFile>,
    /// Which segment a memfd is, by CRIU's id of the open file.
    memfds: BTreeMap<u32, u64>,
    ids: BTreeMap<SegmentId, usize>,
    segments: Vec<Option<Extents>>,
}

/// Which segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SegmentId {
    Shared(u64),
    SysV(u64),
}

impl Backing {
    pub(super) fn read(checkpoint: &Checkpoint, areas: &[Area]) -> Result<Self> {
        let mut backing = Backing::default();
        let mapped = areas
            .iter()
            .filter(|area| area.is(status::FILE_PRIVATE | status::FILE_SHARED | status::MEMFD));
        let wanted: BTreeSet<u32> = mapped
            .filter_map(|area| u32::try_from(area.shmid).ok())
            .collect();
        if !wanted.is_empty() {
            backing.read_files(checkpoint, &wanted)?;
        }
        for area in areas {
            if let Some(id) = backing.segment_id(area) {
                backing.open_segment(checkpoint, id)?;
            }
        }
        Ok(backing)
    }

    /// What is behind this area.
    pub(super) fn behind(&self, area: &Area) -> Behind {
        let kernel = status::VSYSCALL | status::VVAR | status::SOCKET | status::AIORING;
        if area.is(kernel) {
            return Behind::Kernel;
        }
        if let Some(index) = self.segment_id(area).and_then(|id| self.ids.get(&id)) {
            return Behind::Segment(*index);
        }
        match u32::try_from(area.shmid) {
            Ok(id) if area.is(status::FILE_PRIVATE | status::FILE_SHARED) => Behind::File(id),
            _ => Behind::Nothing,
        }
    }

    pub(super) fn file(&self, id: u32) -> Option<&MappedFile> {
        self.files.get(&id)
    }

    /// The pages of a segment; `None` when the checkpoint has none of it.
    pub(super) fn segment(&self, index: usize) -> Option<&Extents> {
        self.segments.get(index)?.as_ref()
    }

    fn segment_id(&self, area: &Area) -> Option<SegmentId> {
        if area.is(status::SYSVIPC) {
            Some(SegmentId::SysV(area.shmid))
        } else if area.is(status::ANON_SHARED) {
            Some(SegmentId::Shared(area.shmid))
        } else if area.is(status::MEMFD) {
            let id = u32::try_from(area.shmid).ok()?;
            Some(SegmentId::Shared(*self.memfds.get(&id)?))
        } else {
            None
        }
    }

    fn open_segment(&mut self, checkpoint: &Checkpoint, id: SegmentId) -> Result<()> {
        if self.ids.contains_key(&id) {
            return Ok(());
        }
        let (SegmentId::Shared(number) | SegmentId::SysV(number)) = id;
        let mut pages = Extents::open(checkpoint, &format!("pagemap-shmem-{number}.img"))?;
        if let (None, SegmentId::SysV(number)) = (&pages, id) {
            pages = inline_segment(checkpoint, number)?;
        }
        self.ids.insert(id, self.segments.len());
        self.segments.push(pages);
        Ok(())
    }

    /// The names of the files that are wanted, and the segments of memfds among them.
    fn read_files(&mut self, checkpoint: &Checkpoint, wanted: &BTreeSet<u32>) -> Result<()> {
        let mut inodes: BTreeMap<u32, u32> = BTreeMap::new();
        let fields = ["id", "reg.name", "reg.size", "memfd.inode_id"];
        let found = checkpoint.each_entry("files.img", &fields, &mut |record| {
            let Some(id) = record.word("id").filter(|id| wanted.contains(id)) else {
                return Ok(());
            };
            if let Some(file) = record.record("reg") {
                let name = Arc::new(file.text("name").unwrap_or_default());
                let size = file.number("size");
                self.files.entry(id).or_insert(MappedFile { name, size });
            }
            if let Some(inode) = record.record("memfd").and_then(|m| m.word("inode_id")) {
                inodes.entry(id).or_insert(inode);
            }
            Ok(())
        })?;
        if !found {
            // Before CRIU 3.4.
            let fields = ["id", "name", "size"];
            checkpoint.each_entry("reg-files.img", &fields, &mut |record| {
                if let Some(id) = record.word("id").filter(|id| wanted.contains(id)) {
                    let name = Arc::new(record.text("name").unwrap_or_default());
                    let size = record.number("size");
                    self.files.entry(id).or_insert(MappedFile { name, size });
                }
                Ok(())
            })?;
        }
        if inodes.is_empty() {
            return Ok(());
        }
        let fields = ["inode_id", "shmid", "name"];
        checkpoint.each_entry("memfd.img", &fields, &mut |record| {
            let (Some(inode), Some(shmid)) = (record.word("inode_id"), record.number("shmid"))
            else {
                return Ok(());
            };
            for (id, _) in inodes.iter().filter(|(_, of)| **of == inode) {
                self.memfds.entry(*id).or_insert(shmid);
                let named = record.bytes("name").unwrap_or_default();
                // Anonymous shared memory is a memfd to CRIU since 3.14: what the kernel calls it.
                if named == b"/dev/zero" {
                    continue;
                }
                let name = [b"/memfd:", named].concat();
                let (name, size) = (Arc::new(Text::from(name)), None);
                self.files.entry(*id).or_insert(MappedFile { name, size });
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// A SysV segment whose bytes follow its entry, as CRIU 3.8 and before wrote them.
fn inline_segment(checkpoint: &Checkpoint, number: u64) -> Result<Option<Extents>> {
    for name in checkpoint.image_names()? {
        if !(name.starts_with("ipcns-shm-") && name.ends_with(".img")) {
            continue;
        }
        let Some(mut reader) = checkpoint.image_reader(&name)? else {
            continue;
        };
        while let Some(entry) = reader.read_message()? {
            let record = entry.record();
            let id = record.record("desc").and_then(|desc| desc.number("id"));
            let size = record.number("size").unwrap_or(0);
            let is_inline = !record.is("in_pagemaps");
            let length = entry.raw.as_ref().map_or(0, |raw| raw.len() as u64);
            if id == Some(number)
                && is_inline
                && let Some(content) = checkpoint.random_access(&name)?
            {
                let offset = entry.offset + 4 + length;
                let label = checkpoint.label(&name);
                return Ok(Some(Extents::inline(label, content, offset, size)));
            }
        }
    }
    Ok(None)
}
