//! Mappings: in order, each of a kind that can be mapped again, each with its file or segment
//! (`criu/mem.c`, `criu/files-reg.c`, `criu/shmem.c`, `pie/restorer.c`).

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::files::Files;
use super::tasks::Task;
use crate::memory::{Area, status};

/// `MAP_SHARED`, `MAP_PRIVATE` and `MAP_DROPPABLE`, one of which a mapping has (a file may have the first
/// two as `MAP_SHARED_VALIDATE`); `MAP_ANONYMOUS`; `MAP_GROWSDOWN`.
const KINDS: u32 = 1 | 2 | 8;
const SHARED: u32 = 1;
const PRIVATE: u32 = 2;
const ANONYMOUS: u32 = 0x20;
const GROWS_DOWN: u32 = 0x100;

/// What mappings share with others.
pub(super) struct Shared<'a> {
    pub(super) files: &'a Files,
    /// The SysV segments that are restored, with their sizes in bytes.
    pub(super) sysv: HashMap<u64, u64>,
    /// The anonymous segments.
    pub(super) anonymous: HashSet<u64>,
    /// The segments of memory files.
    pub(super) memfds: HashSet<u64>,
}

/// Returns true if restore puts pages of the task's own into the mapping (`vma_entry_is_private`).
pub(super) fn is_private(area: &Area, task: &Task) -> bool {
    let is_plain = area.is(status::REGULAR)
        && area.is(status::ANON_PRIVATE | status::FILE_PRIVATE)
        && task.address_limit.is_none_or(|limit| area.end <= limit);
    is_plain || area.is(status::SHSTK | status::AIORING)
}

/// Returns true if restore maps it.
fn is_mapped(area: &Area) -> bool {
    area.is(status::REGULAR | status::AIORING)
}

pub(super) fn check(
    checker: &Checker<'_>,
    (image, task): (&str, &Task),
    areas: &[Area],
    shared: &mut Shared<'_>,
    page_size: u64,
) {
    if !areas.is_empty()
        && !areas
            .iter()
            .any(|area| is_private(area, task) && !area.is_empty())
    {
        let what = "no mapping has memory of the task's own";
        checker.error("no-private-mapping", image, (0, "vmas"), what);
    }
    if areas.iter().any(|area| area.is(status::VVAR))
        && !areas.iter().any(|area| area.is(status::VDSO))
    {
        let what = "it has the variables of a vDSO, and no vDSO";
        checker.error("vdso", image, (0, "vmas"), what);
    }
    let mut before = Bounds::default();
    let mut attached: Option<Attached> = None;
    for (index, area) in areas.iter().enumerate() {
        let look = Look {
            checker,
            image,
            index,
            area,
        };
        if !area.is(status::GUARD) {
            look.bounds(&mut before, task, page_size);
        }
        look.advice();
        look.backing(shared);
        if area.is(status::SYSVIPC) {
            look.attached(&mut attached, &shared.sysv, page_size);
        } else if let Some(attached) = attached.take() {
            attached.end(checker, image, page_size);
        }
    }
    if let Some(attached) = attached {
        attached.end(checker, image, page_size);
    }
}

/// Where the mapping before starts, and all before end.
#[derive(Default)]
struct Bounds {
    start: u64,
    end: u64,
}

/// A SysV segment that is attached: the mappings so far.
struct Attached {
    index: usize,
    start: u64,
    end: u64,
    size: u64,
}

impl Attached {
    /// The whole segment is mapped (`fixup_sysv_shmems`).
    fn end(self, checker: &Checker<'_>, image: &str, page_size: u64) {
        let length = self.end.saturating_sub(self.start);
        let size = self.size.next_multiple_of(page_size);
        if length != size {
            let what = format!("{length} bytes of a segment of {size} are mapped");
            let field = format!("vmas[{}].end", self.index);
            checker.error("sysv-mapping", image, (0, field), what);
        }
    }
}

struct Look<'a, 'c> {
    checker: &'a Checker<'c>,
    image: &'a str,
    index: usize,
    area: &'a Area,
}

impl Look<'_, '_> {
    fn at(&self, field: &str) -> (u64, String) {
        (0, format!("vmas[{}].{field}", self.index))
    }

    fn error(&self, rule: &'static str, field: &str, what: impl Into<String>) {
        self.checker.error(rule, self.image, self.at(field), what);
    }

    fn warning(&self, rule: &'static str, field: &str, what: impl Into<String>) {
        self.checker.warning(rule, self.image, self.at(field), what);
    }

    /// Addresses, offset and flags.
    fn bounds(&self, before: &mut Bounds, task: &Task, page_size: u64) {
        let area = self.area;
        let (start, end) = (area.start, area.end);
        if end <= start {
            let what = format!("it ends at 0x{end:x}, not above its start 0x{start:x}");
            match is_mapped(area) {
                true => self.error("mapping-range", "end", what),
                false => self.warning("mapping-range", "end", what),
            }
        }
        if start < before.start {
            let what = format!(
                "0x{start:x} is before the start of the mapping before it, 0x{:x}",
                before.start
            );
            self.error("mapping-order", "start", what);
        } else if start < before.end {
            let what = format!(
                "0x{start:x} is before the end of a mapping before it, 0x{:x}: one hides the other",
                before.end
            );
            self.warning("mapping-overlap", "start", what);
        }
        before.start = start;
        before.end = before.end.max(end);
        if !is_mapped(area) {
            return;
        }
        if !start.is_multiple_of(page_size) {
            self.error(
                "mapping-range",
                "start",
                format!("0x{start:x} is not the address of a page"),
            );
        }
        if !end.is_multiple_of(page_size) {
            self.warning(
                "mapping-range",
                "end",
                format!("0x{end:x} is not the address of a page"),
            );
        }
        /// The vsyscall page, which CRIU before 1.3 marked as one that is mapped.
        const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
        let is_above = task.address_limit.is_some_and(|limit| end > limit);
        if is_above && start != VSYSCALL {
            let what = format!("0x{end:x} is above all addresses of a process");
            self.error("mapping-range", "end", what);
        }
        if !area.pgoff.is_multiple_of(page_size) {
            let what = format!("0x{:x} is not the offset of a page", area.pgoff);
            self.error("mapping-offset", "pgoff", what);
        }
        if area.flags & KINDS == 0 {
            let what = format!("0x{:x} is neither shared nor private", area.flags);
            self.error("mapping-flags", "flags", what);
        } else if area.is(status::ANON_PRIVATE) && area.flags & ANONYMOUS == 0 {
            let what = "a mapping of no file is not marked as anonymous";
            self.error("mapping-flags", "flags", what);
        } else if area.is(status::ANON_PRIVATE)
            && area.flags & (SHARED | PRIVATE) == SHARED | PRIVATE
        {
            let what = "a mapping of no file is either shared or private, not both";
            self.error("mapping-flags", "flags", what);
        } else if area.flags & GROWS_DOWN != 0
            && (area.flags & SHARED != 0
                || area.is(status::FILE_PRIVATE | status::FILE_SHARED | status::ANON_SHARED))
        {
            let what = "only a private mapping of no file can grow down";
            self.error("mapping-flags", "flags", what);
        }
    }

    /// Advice that `madvise` refuses.
    fn advice(&self) {
        /// The bits whose numbers are no advice.
        const UNKNOWN: u64 = !((1 << 26) - 1) | 0b1110_0000;
        let advice = self.area.advice;
        if advice & UNKNOWN != 0 {
            self.error(
                "advice",
                "madv",
                format!("0x{advice:x} has bits that are no advice"),
            );
        } else if advice != 0 && !is_mapped(self.area) {
            self.error("advice", "madv", "advice for a range that is not mapped");
        }
    }

    /// The file or segment.
    fn backing(&self, shared: &mut Shared<'_>) {
        let (checker, area, files) = (self.checker, self.area, shared.files);
        let id = u32::try_from(area.shmid).unwrap_or(u32::MAX);
        if area.is(status::SYSVIPC) {
            if !shared.sysv.contains_key(&area.shmid) {
                let what = format!("no SysV segment has the id {}", area.shmid);
                self.error("dangling-segment", "shmid", what);
            }
        } else if area.is(status::ANON_SHARED) {
            shared.anonymous.insert(area.shmid);
            if shared.sysv.contains_key(&area.shmid) {
                let what = format!("a SysV segment has the id {} too", area.shmid);
                self.error("dangling-segment", "shmid", what);
            }
            let pages = format!("pagemap-shmem-{}.img", area.shmid);
            if !checker.has(&pages) {
                let what = format!(
                    "missing: the pages of shared memory (vmas[{}] of {})",
                    self.index, self.image
                );
                checker.error("missing-pagemap", &pages, (), what);
            }
        } else if area.is(status::FILE_PRIVATE | status::FILE_SHARED) && files.found {
            let found = match area.is(status::MEMFD) {
                true => files.use_memfd(id),
                false if area.is(status::SOCKET) => Ok(()),
                false => files.use_regular(id),
            };
            if let Err(what) = found {
                self.error("dangling-file", "shmid", what);
            }
            if is_mapped(area) && !area.is(status::MEMFD | status::AIORING) {
                self.access();
            }
        }
    }

    /// The file is open such that it can be mapped.
    fn access(&self) {
        /// `O_ACCMODE`, of which 0 is to read and 2 to read and write; `PROT_WRITE`.
        const ACCESS: u32 = 3;
        const BOTH: u32 = 2;
        const WRITE: u32 = 2;
        let area = self.area;
        let is_shared = area.flags & SHARED != 0;
        let Some(access) = area.file_flags.map(|flags| flags & ACCESS) else {
            return;
        };
        if access & SHARED != 0 {
            self.error(
                "mapping-file",
                "fdflags",
                "its file is not open for reading",
            );
        } else if is_shared && area.prot & WRITE != 0 && access != BOTH {
            self.error(
                "mapping-file",
                "fdflags",
                "its file is not open for writing",
            );
        } else if is_shared && area.is(status::FILE_PRIVATE) && access != BOTH {
            let what = "a private mapping of a file is marked as shared";
            self.error("mapping-flags", "flags", what);
        }
    }

    /// A segment is attached as a whole, from its beginning.
    fn attached(&self, attached: &mut Option<Attached>, sizes: &HashMap<u64, u64>, page_size: u64) {
        let area = self.area;
        if area.pgoff == 0 {
            if let Some(before) = attached.take() {
                before.end(self.checker, self.image, page_size);
            }
            *attached = sizes.get(&area.shmid).map(|size| Attached {
                index: self.index,
                start: area.start,
                end: area.end,
                size: *size,
            });
            return;
        }
        let follows = attached.as_ref().is_some_and(|before| {
            before.end == area.start && area.start.checked_sub(before.start) == Some(area.pgoff)
        });
        match attached {
            Some(before) if follows => {
                before.end = area.end;
                before.index = self.index;
            }
            _ if sizes.contains_key(&area.shmid) => {
                let what = "it does not follow another part of its segment";
                self.error("sysv-mapping", "pgoff", what);
                *attached = None;
            }
            _ => {}
        }
    }
}
