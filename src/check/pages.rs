//! Pagemaps, and the pages images that they refer to (`criu/pagemap.c`).

use std::collections::{BTreeMap, HashSet};

use super::checker::Checker;
use super::tasks::Task;
use super::{Severity, vmas};
use crate::memory::{Area, Held, Pagemap, status};

/// A pagemap, and whether all of it is understood.
pub(super) struct Read {
    pub(super) pagemap: Pagemap,
    /// A field or flag is unknown, as in a newer CRIU's: how many bytes its pages take is unknown too.
    pub(super) has_unknown: bool,
}

/// Reads a pagemap. The reason why it can't be read is a finding, unless there is one of the image by
/// itself.
pub(super) fn read(checker: &Checker<'_>, name: &str) -> Option<Read> {
    match Pagemap::read_known(checker.checkpoint, name) {
        Ok(Some((pagemap, unknown))) => {
            if checker.first(name, &["pages_id"]).is_none() && !checker.has_error(name) {
                let what = "it has no head, which names the pages image";
                checker.error("no-entry", name, (), what);
            }
            if let Some(error) = &unknown {
                checker.failed_as(Severity::Warning, "unknown-pages", name, error);
            }
            Some(Read {
                pagemap,
                has_unknown: unknown.is_some(),
            })
        }
        Ok(None) => None,
        Err(error) => {
            if !checker.has_error(name) {
                checker.failed(name, &error);
            }
            None
        }
    }
}

/// Each page is in a private mapping. Mappings are gone through forward only (`prepare_vma_ios` and
/// `restore_priv_vma_content` in `criu/mem.c`).
pub(super) fn inside(
    checker: &Checker<'_>,
    image: &str,
    pagemap: &Pagemap,
    (task, areas, may_inherit): (&Task, &[Area], bool),
    page_size: u64,
) {
    let mut areas = areas
        .iter()
        .filter(|area| !area.is(status::GUARD))
        .peekable();
    let mut end_before = 0;
    for (run, entry) in pagemap.runs.iter().zip(1u64..) {
        let at_field = |field: &'static str| (entry, field);
        let length = run.pages.checked_mul(page_size);
        let Some(end) = length.and_then(|length| run.vaddr.checked_add(length)) else {
            let what = format!("{} pages reach beyond the last address", run.pages);
            checker.error("page-range", image, at_field("nr_pages"), what);
            return;
        };
        if run.pages == 0 {
            checker.note(
                "page-range",
                image,
                at_field("nr_pages"),
                "an entry without pages",
            );
            continue;
        }
        if !run.vaddr.is_multiple_of(page_size) {
            while areas.peek().is_some_and(|area| area.end <= run.vaddr) {
                areas.next();
            }
            let is_whole = areas
                .peek()
                .is_some_and(|area| area.start <= run.vaddr && end <= area.end);
            let what = format!("0x{:x} is not the address of a page", run.vaddr);
            // A part of a page at the end of a mapping is none, and restore waits for it for ever. Tasks that
            // share memory with their parent take page by page, each from its beginning.
            match is_whole || may_inherit {
                true => checker.warning("page-range", image, at_field("vaddr"), what),
                false => checker.error("page-range", image, at_field("vaddr"), what),
            }
            end_before = end_before.max(end);
            continue;
        }
        if run.vaddr < end_before {
            let what = format!(
                "0x{:x} is before the end of an earlier entry, 0x{end_before:x}: the later pages win",
                run.vaddr
            );
            checker.warning("page-range", image, at_field("vaddr"), what);
        }
        end_before = end_before.max(end);
        let mut at = run.vaddr;
        while at < end {
            while areas.peek().is_some_and(|area| area.end <= at) {
                areas.next();
            }
            match areas.peek() {
                Some(area) if area.start <= at => {
                    if !vmas::is_private(area, task) {
                        let what = format!(
                            "the page at 0x{at:x} is in a mapping that has none of its own"
                        );
                        checker.error("page-in-shared", image, at_field("vaddr"), what);
                    }
                    at = area.end;
                }
                _ => {
                    let what =
                        format!("the page at 0x{at:x} is in no mapping, or they are out of order");
                    checker.error("page-outside", image, at_field("vaddr"), what);
                    break;
                }
            }
        }
    }
}

/// Pages that are in the parent of a dump that has none. Restore reads them from this dump's own pages
/// image, at the place that it has come to (`criu/pagemap.c`, `read_parent_page` is not called): what it
/// finds there is the memory of other pages, and behind its end it waits for ever. Where tasks share
/// memory by a fork, it fails (`premap_priv_vmas`).
pub(super) fn without_parent(
    checker: &Checker<'_>,
    image: &str,
    pagemap: &Pagemap,
    page_size: u64,
    may_share: bool,
) {
    let pages = format!("pages-{}.img", pagemap.pages_id);
    let size = checker.checkpoint.size(&pages).ok().flatten().unwrap_or(0);
    let mut here = 0u64;
    for (run, entry) in pagemap.runs.iter().zip(1u64..) {
        match run.held {
            Held::Here(_) => here = here.saturating_add(run.pages),
            Held::InParent => {
                let end = here.saturating_add(run.pages).saturating_mul(page_size);
                let what = "its pages are in the parent, but there is no parent";
                match may_share || end > size {
                    true => checker.error("missing-parent", image, entry, what),
                    false => checker.warning(
                        "missing-parent",
                        image,
                        entry,
                        format!("{what}: it gets other pages"),
                    ),
                }
            }
            _ => {}
        }
    }
}

/// The vDSO is read from the dump (`criu/pie/util-vdso.c`): its first page is there, and is that of an ELF
/// file. In an archive, only the former is looked at.
pub(super) fn vdso(
    checker: &Checker<'_>,
    image: &str,
    pagemap: &Pagemap,
    (areas, has_parent): (&[Area], bool),
    page_size: u64,
) {
    // Pages that a server has move those behind them, or not, by the options of restore.
    let is_absent = |held| matches!(held, Held::Lazy | Held::Nowhere);
    let has_absent = pagemap.runs.iter().any(|run| is_absent(run.held));
    for area in areas.iter().filter(|area| area.is(status::VDSO)) {
        let run = pagemap.runs.iter().find(|run| {
            let end = run
                .vaddr
                .saturating_add(run.pages.saturating_mul(page_size));
            run.vaddr <= area.start && area.start < end
        });
        let Some(run) = run else {
            let what = format!("the page of the vDSO at 0x{:x} is missing", area.start);
            checker.error("vdso", image, (), what);
            continue;
        };
        let first = match run.held {
            _ if has_absent => continue,
            Held::Here(first) => first,
            // Without a parent, restore reads the pages that it has come to.
            Held::InParent if !has_parent => {
                let before = pagemap.runs.iter().take_while(|other| *other != run);
                let here = before.filter(|run| matches!(run.held, Held::Here(_)));
                here.map(|run| run.pages).fold(0, u64::saturating_add)
            }
            _ => continue,
        };
        let page = first.saturating_add((area.start - run.vaddr) / page_size);
        let offset = page.saturating_mul(page_size);
        let name = format!("pages-{}.img", pagemap.pages_id);
        let needed = pagemap.counts().here.saturating_mul(page_size);
        let fits = checker.checkpoint.size(&name).ok().flatten() == Some(needed);
        match beginning(checker, &name, offset) {
            // Zeros are memory that was removed, for the checkpoint to be looked at.
            Some([0, 0, 0, 0]) if fits => {
                let what = "the memory was removed: CRIU refuses a vDSO of zeros";
                let severity = match checker.options.allow_missing_pages {
                    true => Severity::Note,
                    false => Severity::Warning,
                };
                checker.found(severity, "zero-pages", &name, (), what);
            }
            Some(bytes) if bytes != ELF => {
                let what = format!(
                    "the page of the vDSO at 0x{:x} is not one: entries before it do not fit {name}",
                    area.start
                );
                checker.error("vdso", image, (), what);
            }
            _ => {}
        }
    }
}

/// The magic of ELF files.
const ELF: [u8; 4] = *b"\x7fELF";

/// The first bytes at an offset of a pages image.
fn beginning(checker: &Checker<'_>, name: &str, offset: u64) -> Option<[u8; 4]> {
    if checker.checkpoint.is_archive() {
        return None;
    }
    let mut bytes = [0; 4];
    let file = checker.checkpoint.random_access(name).ok()??;
    let read = file.read_at(&mut bytes, offset).ok()?;
    (read == bytes.len()).then_some(bytes)
}

/// The pages images by their numbers.
#[derive(Default)]
pub(super) struct PagesImages {
    needed: BTreeMap<u32, Needed>,
    /// The numbers of those whose size is unknown.
    unknown: HashSet<u32>,
}

/// What is needed of a pages image.
struct Needed {
    /// The pagemap with most bytes in it.
    pagemap: String,
    bytes: u64,
    /// It has pages of a task, not only of shared memory.
    of_task: bool,
}

impl PagesImages {
    pub(super) fn add(&mut self, image: &str, read: &Read, page_size: u64, of_task: bool) {
        let pagemap = &read.pagemap;
        if read.has_unknown {
            self.unknown.insert(pagemap.pages_id);
        }
        let bytes = pagemap.counts().here.saturating_mul(page_size);
        let needed = self
            .needed
            .entry(pagemap.pages_id)
            .or_insert_with(|| Needed {
                pagemap: image.to_owned(),
                bytes,
                of_task,
            });
        // Two pagemaps with one pages image read it from its beginning each.
        if bytes > needed.bytes {
            image.clone_into(&mut needed.pagemap);
            needed.bytes = bytes;
        }
        needed.of_task |= of_task && bytes > 0;
    }

    /// A pages image that is missing fails; one that is too short makes restore wait for ever. Of shared
    /// memory, both leave zeros.
    pub(super) fn check(&self, checker: &Checker<'_>) {
        for (number, needed) in &self.needed {
            if self.unknown.contains(number) {
                continue;
            }
            let Needed {
                pagemap,
                bytes,
                of_task,
            } = needed;
            let image = format!("pages-{number}.img");
            let severity = match of_task {
                _ if checker.options.allow_missing_pages => Severity::Note,
                true => Severity::Error,
                false => Severity::Warning,
            };
            let zeros = if *of_task {
                ""
            } else {
                ": the shared memory becomes zeros"
            };
            match checker.checkpoint.size(&image) {
                Ok(Some(size)) if size < *bytes => {
                    let what = format!("it has {size} bytes; {pagemap} needs {bytes}{zeros}");
                    checker.found(severity, "short-pages", &image, (), what);
                }
                Ok(Some(size)) if size > *bytes => {
                    let what = format!("it has {size} bytes; {pagemap} needs {bytes}");
                    checker.warning("surplus-pages", &image, (), what);
                }
                Ok(None) if *bytes > 0 => {
                    let what = format!("missing: {pagemap} has {bytes} bytes in it{zeros}");
                    checker.found(severity, "missing-pages", &image, (), what);
                }
                Ok(_) => {}
                Err(error) => checker.failed(&image, &error),
            }
        }
        for (name, number) in checker.named("pages-") {
            if number
                .parse()
                .is_ok_and(|number: u32| !self.needed.contains_key(&number))
            {
                checker.ignore(name);
                checker.note("stranger", name, (), "no pagemap has pages in it");
            }
        }
    }
}
