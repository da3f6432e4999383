//! The memory mappings of every task.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::Explorer;
use crate::error::Result;
use crate::memory::{AddressSpace, Area, status};
use crate::text::Text;

/// The mappings of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskMappings {
    /// The task.
    pub pid: u32,
    /// The file that it runs.
    pub exe: Arc<Text>,
    /// Its mappings, in the order of their addresses.
    pub mems: Vec<Mapping>,
}

/// A mapping.
///
/// In JSON: `start`, `end` (numbers), `protection`, `kind`, `resource` as upstream's text has it, and
/// `file`, `offset`, `shared`, `segment` where it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// The area as the image has it.
    pub area: Area,
    /// What it is a mapping of.
    pub kind: MappingKind,
}

/// What a mapping is of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MappingKind {
    /// Memory of the task's own.
    Anonymous,
    /// A SysV shared memory segment, numbered in the order in which segments are met.
    SysV(u64),
    /// Anonymous memory that tasks share, numbered the same way.
    Shared(u64),
    /// The ring of a packet socket, numbered the same way.
    Packet(u64),
    /// A file.
    File(Arc<Text>),
    /// The stack.
    Stack,
    /// The vsyscall page.
    Vsyscall,
    /// The vDSO.
    Vdso,
    /// An area that grows down, as stacks do.
    GrowsDown,
}

impl Mapping {
    /// What is mapped, as upstream's text has it: `/lib/libc.so + 0x1000 (s)`, `shmem[1]`, `[stack]`,
    /// and ` *` behind an area that CRIU does not restore as any other. Empty for anonymous memory.
    #[must_use]
    pub fn resource(&self) -> Text {
        let mut text = match &self.kind {
            MappingKind::Anonymous => Vec::new(),
            MappingKind::SysV(number) => format!("ips[{number:x}]").into_bytes(),
            MappingKind::Shared(number) => format!("shmem[{number:x}]").into_bytes(),
            MappingKind::Packet(number) => format!("packet[{number:x}]").into_bytes(),
            MappingKind::File(name) => {
                let mut text = name.as_bytes().to_vec();
                if self.area.pgoff != 0 {
                    text.extend(format!(" + {:#x}", self.area.pgoff).into_bytes());
                }
                if self.area.is(status::FILE_SHARED) {
                    text.extend(b" (s)");
                }
                text
            }
            MappingKind::Stack => b"[stack]".to_vec(),
            MappingKind::Vsyscall => b"[vsyscall]".to_vec(),
            MappingKind::Vdso => b"[vdso]".to_vec(),
            MappingKind::GrowsDown => b"[stack?]".to_vec(),
        };
        if !self.area.is(status::REGULAR) {
            text.extend(if text.is_empty() { &b"*"[..] } else { b" *" });
        }
        text.into()
    }
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let resource = self.resource();
        let mut map = serializer.serialize_struct("Mapping", 9)?;
        map.serialize_field("start", &self.area.start)?;
        map.serialize_field("end", &self.area.end)?;
        map.serialize_field("protection", self.area.protection())?;
        if !resource.is_empty() {
            map.serialize_field("resource", &resource)?;
        }
        map.serialize_field("kind", self.area.kind_name())?;
        match &self.kind {
            MappingKind::File(file) => {
                map.serialize_field("file", file)?;
                map.serialize_field("offset", &self.area.pgoff)?;
                map.serialize_field("shared", &self.area.is(status::FILE_SHARED))?;
            }
            MappingKind::SysV(segment)
            | MappingKind::Shared(segment)
            | MappingKind::Packet(segment) => {
                map.serialize_field("segment", segment)?;
            }
            _ => {}
        }
        map.end()
    }
}

/// Numbers for segments, in the order in which they are met.
#[derive(Default)]
struct Segments(HashMap<u64, u64>);

impl Segments {
    fn number(&mut self, id: u64) -> u64 {
        let next = self.0.len() as u64 + 1;
        *self.0.entry(id).or_insert(next)
    }
}

impl Explorer<'_> {
    /// The memory mappings of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn mems(&self) -> Result<Vec<TaskMappings>> {
        let mut segments = Segments::default();
        let mut all = Vec::new();
        for (pid, space) in self.beside_files(|| self.address_spaces())? {
            let exe = space
                .exe_file_id
                .map_or_else(|| Arc::new(Text::from("unknown path")), |id| self.path(id));
            let mut paths = HashMap::new();
            let mut path = |id: u64| {
                let known = paths.entry(id).or_insert_with(|| match u32::try_from(id) {
                    Ok(id) => self.path(id),
                    Err(_) => Arc::new(Text::from("unknown path")),
                });
                Arc::clone(known)
            };
            let mapping = |area: &Area| Mapping {
                kind: kind(area, &mut segments, &mut path),
                area: *area,
            };
            all.push(TaskMappings {
                pid,
                exe,
                mems: space.areas.iter().map(mapping).collect(),
            });
        }
        Ok(all)
    }

    fn address_spaces(&self) -> Result<Vec<(u32, AddressSpace)>> {
        let tasks = self.living("memory")?;
        Ok(tasks
            .filter_map(|task| Some((task.pid, self.address_space(task.pid)?)))
            .collect())
    }

    /// The address space of a task that should have one.
    pub(super) fn address_space(&self, pid: u32) -> Option<AddressSpace> {
        match AddressSpace::read(self.checkpoint, pid) {
            Ok(Some(space)) => Some(space),
            Ok(None) => {
                let what = format!("missing: the memory areas of task {pid} are unknown");
                self.gap(&format!("mm-{pid}.img"), what);
                None
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }
}

/// What an area is, by its bits in upstream's order.
fn kind(
    area: &Area,
    segments: &mut Segments,
    path: &mut impl FnMut(u64) -> Arc<Text>,
) -> MappingKind {
    /// `MAP_GROWSDOWN`.
    const GROWS_DOWN: u32 = 0x100;
    if area.is(status::SYSVIPC) {
        MappingKind::SysV(segments.number(area.shmid))
    } else if area.is(status::ANON_SHARED) {
        MappingKind::Shared(segments.number(area.shmid))
    } else if area.is(status::SOCKET) {
        MappingKind::Packet(segments.number(area.shmid))
    } else if area.is(status::FILE_PRIVATE | status::FILE_SHARED) {
        MappingKind::File(path(area.shmid))
    } else if area.is(status::STACK) {
        MappingKind::Stack
    } else if area.is(status::VSYSCALL) {
        MappingKind::Vsyscall
    } else if area.is(status::VDSO) {
        MappingKind::Vdso
    } else if area.flags & GROWS_DOWN != 0 {
        MappingKind::GrowsDown
    } else {
        MappingKind::Anonymous
    }
}
