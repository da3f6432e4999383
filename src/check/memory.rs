//! The memory of each task: areas in order, pages inside them, and as many pages as there is space for
//! in the pages images.

use std::collections::{BTreeMap, HashSet};

use super::files::Files;
use super::tasks::Tasks;
use super::{Checker, Severity};
use crate::memory::{AddressSpace, Area, Held, Memories, Pagemap, status};

pub(super) fn check(checker: &Checker<'_>, tasks: &Tasks, files: &Files) {
    let page_size = checker.checkpoint.page_size();
    let memories = Memories::new(checker.checkpoint);
    let mut pages = Pages::default();
    let mut segments = HashSet::new();
    let ipc = ipc(checker);
    for task in tasks.living.iter().filter(|task| task.has_memory) {
        let image = format!("mm-{}.img", task.pid);
        // What can't be read is found when the images are read by themselves; a pre-dump may have none.
        let space = AddressSpace::read(checker.checkpoint, task.pid)
            .ok()
            .flatten();
        let areas = space.as_ref().map_or(&[][..], |space| &space.areas);
        let in_order = order_of_areas(checker, &image, areas, page_size);
        if !tasks.pre_dump {
            layout(checker, &image);
        }
        for (index, area) in areas.iter().enumerate().filter(|_| !tasks.pre_dump) {
            let at = Mapped {
                image: &image,
                index,
                area,
            };
            at.check(checker, files, &ipc, &mut segments);
        }
        let name = format!("pagemap-{}.img", task.pid);
        let Some(pagemap) = read_pagemap(checker, &name) else {
            continue;
        };
        if in_order && space.is_some() {
            inside(checker, &name, &pagemap, areas, page_size);
        }
        pages.add(&name, &pagemap, page_size);
        let in_parent = pagemap.runs.iter().any(|run| run.held == Held::InParent);
        if in_parent && space.is_some() {
            match memories.open(task.pid) {
                Ok(memory) => lost(checker, &name, &memory),
                Err(error) => checker.failed(&name, &error),
            }
        }
    }
    // A segment that no area maps may be one of a memfd that is only open.
    checker.each("memfd.img", &["shmid"], &mut |_, record| {
        segments.extend(record.number("shmid"));
    });
    for (name, id) in checker.named("pagemap-shmem-") {
        if let Some(pagemap) = read_pagemap(checker, name) {
            order(checker, name, &pagemap, page_size);
            pages.add(name, &pagemap, page_size);
        }
        let is_known = |id| segments.contains(&id) || ipc.contains(&id);
        if !tasks.pre_dump && id.parse().is_ok_and(|id: u64| !is_known(id)) {
            checker.warning(name, (), "no area and no memfd has this segment");
        }
    }
    pages.check(checker);
    parents(checker);
}

/// The chain of parents ends.
fn parents(checker: &Checker<'_>) {
    let mut at = checker.checkpoint;
    loop {
        match at.parent() {
            Ok(Some(parent)) => at = parent,
            Ok(None) => return,
            // CRIU takes a link that leads nowhere for none: whoever needs its pages says so.
            Err(error) if error.hint().is_some() => return,
            Err(error) => return checker.failed("parent", &error),
        }
    }
}

/// A pagemap; what keeps it from being read is said, unless it was when the image was read by itself.
fn read_pagemap(checker: &Checker<'_>, name: &str) -> Option<Pagemap> {
    let read = Pagemap::read(checker.checkpoint, name);
    read.unwrap_or_else(|error| {
        if !checker.has_error(name) {
            checker.failed(name, &error);
        }
        None
    })
}

/// What is missing in the parents.
fn lost(checker: &Checker<'_>, name: &str, memory: &crate::memory::Memory) {
    // An archive of a dump after a pre-dump, as Podman makes it, has the pre-dump in another.
    let elsewhere = matches!(checker.checkpoint.parent(), Err(error) if error.hint().is_some());
    let severity = match elsewhere && checker.checkpoint.is_archive() {
        true => Severity::Warning,
        false => Severity::Error,
    };
    for warning in memory.warnings() {
        checker.noted(severity, name, &warning);
    }
}

/// Areas begin and end at pages and do not overlap; false when they do.
fn order_of_areas(checker: &Checker<'_>, image: &str, areas: &[Area], page_size: u64) -> bool {
    let mut end_before = 0;
    let mut in_order = true;
    for (index, area) in areas.iter().enumerate() {
        if area.is(status::GUARD) {
            continue;
        }
        let wrong = |field: &str, what: String| {
            checker.error(image, (0, format!("vmas[{index}].{field}")), what);
        };
        let (start, end) = (area.start, area.end);
        if end <= start {
            wrong(
                "end",
                format!("it ends at 0x{end:x}, not behind its start 0x{start:x}"),
            );
            in_order = false;
        } else if start < end_before {
            let what =
                format!("0x{start:x} is before the end of the area before it, 0x{end_before:x}");
            wrong("start", what);
            in_order = false;
        }
        for (field, value) in [("start", start), ("end", end)] {
            if !value.is_multiple_of(page_size) {
                wrong(field, format!("0x{value:x} is not the address of a page"));
            }
        }
        end_before = end_before.max(end);
    }
    in_order
}

/// The parts of an address space that `prctl` is told of end behind their beginnings, and none is where
/// nothing may be (Linux's `validate_prctl_map_addr`).
fn layout(checker: &Checker<'_>, image: &str) {
    const PARTS: [(&str, &str); 5] = [
        ("mm_start_code", "mm_end_code"),
        ("mm_start_data", "mm_end_data"),
        ("mm_start_brk", "mm_brk"),
        ("mm_arg_start", "mm_arg_end"),
        ("mm_env_start", "mm_env_end"),
    ];
    /// The lowest address of all pages: what `vm.mmap_min_addr` may be set to.
    const LOWEST: u64 = 4096;
    let fields: Vec<&str> = PARTS
        .iter()
        .flat_map(|(start, end)| [*start, *end])
        .collect();
    let Some(entry) = checker.first(image, &fields) else {
        return;
    };
    let record = entry.record();
    for (start_name, end_name) in PARTS {
        let (Some(start), Some(end)) = (record.number(start_name), record.number(end_name)) else {
            continue;
        };
        if end < start {
            let what = format!("0x{end:x} is before the start, 0x{start:x}");
            checker.error(image, (0, end_name), what);
        }
        for (name, value) in [(start_name, start), (end_name, end)] {
            if value < LOWEST {
                let what = format!("0x{value:x} is below the first address that may be mapped");
                checker.error(image, (0, name), what);
            }
        }
    }
}

/// An area, and what it maps.
struct Mapped<'a> {
    image: &'a str,
    index: usize,
    area: &'a Area,
}

impl Mapped<'_> {
    fn check(
        &self,
        checker: &Checker<'_>,
        files: &Files,
        ipc: &HashSet<u64>,
        segments: &mut HashSet<u64>,
    ) {
        let area = self.area;
        let id = u32::try_from(area.shmid).unwrap_or(u32::MAX);
        let wrong = |what: String| {
            checker.error(self.image, (0, format!("vmas[{}].shmid", self.index)), what);
        };
        let missing = |what: &str| {
            let pages = format!("pagemap-shmem-{}.img", area.shmid);
            if !checker.has(&pages) {
                let index = self.index;
                let what = format!(
                    "missing: the pages of {what} (vmas[{index}] of {})",
                    self.image
                );
                checker.error(&pages, (), what);
            }
        };
        if area.is(status::SYSVIPC) {
            segments.insert(area.shmid);
            if !ipc.is_empty() && !ipc.contains(&area.shmid) {
                wrong(format!("no SysV segment has the id {}", area.shmid));
            }
        } else if area.is(status::ANON_SHARED) {
            segments.insert(area.shmid);
            missing("shared memory");
        } else if area.is(status::MEMFD) {
            if files.found
                && let Err(what) = files.find("MEMFD", id)
            {
                wrong(what);
            }
        } else if area.is(status::FILE_PRIVATE | status::FILE_SHARED)
            && !area.is(status::SOCKET | status::AIORING | status::VSYSCALL | status::UPROBES)
            && files.found
            && let Err(what) = files.find("REG", id)
        {
            wrong(what);
        }
    }
}

/// SysV segments, queues and semaphores stand once, and segments have their pages; the ids of the segments.
fn ipc(checker: &Checker<'_>) -> HashSet<u64> {
    let mut segments = HashSet::new();
    for (prefix, called) in [
        ("ipcns-shm-", "segment"),
        ("ipcns-msg-", "message queue"),
        ("ipcns-sem-", "semaphore set"),
    ] {
        let mut seen = HashSet::new();
        for (name, _) in checker.named(prefix) {
            checker.each(name, &[], &mut |entry, record| {
                let id = record.record("desc").and_then(|desc| desc.number("id"));
                let Some(id) = id else {
                    return;
                };
                if !seen.insert(id) {
                    let what = format!("the {called} {id} stands twice");
                    checker.error(name, (entry, "desc.id"), what);
                }
                let pages = format!("pagemap-shmem-{id}.img");
                if record.is("in_pagemaps") && !checker.has(&pages) {
                    let what = format!("missing: the pages of a segment (entry {entry} of {name})");
                    checker.error(&pages, (), what);
                }
            });
        }
        if called == "segment" {
            segments = seen;
        }
    }
    segments
}

/// Runs of pages begin at pages and do not overlap.
fn order(checker: &Checker<'_>, image: &str, pagemap: &Pagemap, page_size: u64) -> bool {
    let mut end_before = 0;
    let mut in_order = true;
    for (run, entry) in pagemap.runs.iter().zip(1u64..) {
        let start = run.vaddr;
        let length = run.pages.checked_mul(page_size);
        let Some(end) = length.and_then(|length| start.checked_add(length)) else {
            let what = format!("{} pages reach beyond the last address", run.pages);
            checker.error(image, (entry, "nr_pages"), what);
            return false;
        };
        if !start.is_multiple_of(page_size) {
            checker.error(
                image,
                (entry, "vaddr"),
                format!("0x{start:x} is not the address of a page"),
            );
            in_order = false;
        } else if start < end_before {
            let what =
                format!("0x{start:x} is before the end of the entry before it, 0x{end_before:x}");
            checker.error(image, (entry, "vaddr"), what);
            in_order = false;
        } else if run.pages == 0 {
            checker.error(image, (entry, "nr_pages"), "it has no pages");
        }
        end_before = end_before.max(end);
    }
    in_order
}

/// Pages lie in areas of the task's own.
fn inside(checker: &Checker<'_>, image: &str, pagemap: &Pagemap, areas: &[Area], page_size: u64) {
    if !order(checker, image, pagemap, page_size) {
        return;
    }
    let mut areas = areas
        .iter()
        .filter(|area| !area.is(status::GUARD))
        .peekable();
    let shared = status::ANON_SHARED | status::SYSVIPC | status::FILE_SHARED;
    for (run, entry) in pagemap.runs.iter().zip(1u64..) {
        let end = run.vaddr + run.pages * page_size;
        let mut at = run.vaddr;
        while at < end {
            while areas.peek().is_some_and(|area| area.end <= at) {
                areas.next();
            }
            match areas.peek() {
                Some(area) if area.start <= at => {
                    if area.is(shared) {
                        let what =
                            format!("the page at 0x{at:x} is in a shared area, which has its own");
                        checker.error(image, (entry, "vaddr"), what);
                    }
                    at = area.end;
                }
                _ => {
                    let what = format!("the page at 0x{at:x} is in no area");
                    checker.error(image, (entry, "vaddr"), what);
                    break;
                }
            }
        }
    }
}

/// The pages images, by their numbers: who has pages in them, and how many bytes.
#[derive(Default)]
struct Pages(BTreeMap<u32, (String, u64)>);

impl Pages {
    fn add(&mut self, image: &str, pagemap: &Pagemap, page_size: u64) {
        let (_, bytes) = self
            .0
            .entry(pagemap.pages_id)
            .or_insert_with(|| (image.to_owned(), 0));
        *bytes = bytes.saturating_add(pagemap.counts().here.saturating_mul(page_size));
    }

    fn check(&self, checker: &Checker<'_>) {
        // Without any, the checkpoint was stripped of its memory, to be looked at.
        let stripped = !checker.has_any("pages-");
        for (number, (pagemap, bytes)) in &self.0 {
            let image = format!("pages-{number}.img");
            let missing = format!("missing: {pagemap} has {bytes} bytes in it");
            match checker.checkpoint.size(&image) {
                Ok(Some(size)) if size == *bytes => {}
                Ok(Some(size)) => {
                    let what = format!("it has {size} bytes; {pagemap} says {bytes}");
                    checker.error(&image, (), what);
                }
                Ok(None) if *bytes == 0 => {}
                Ok(None) if stripped => {
                    checker.warning(&image, (), format!("{missing}, and no pages image is here"));
                }
                Ok(None) => checker.error(&image, (), missing),
                Err(error) => checker.failed(&image, &error),
            }
        }
        for (name, number) in checker.named("pages-") {
            if number
                .parse()
                .is_ok_and(|number: u32| !self.0.contains_key(&number))
            {
                checker.warning(name, (), "no pagemap has pages in it");
            }
        }
    }
}
