//! The memory of each task: mappings, pagemaps, and the pages that they refer to (`criu/mem.c`,
//! `criu/pagemap.c`, `criu/shmem.c`).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::checker::Checker;
use super::descriptors::Tables;
use super::files::Files;
use super::inventory::Inventory;
use super::pages::{self, PagesImages};
use super::tasks::Tasks;
use super::{Severity, ipc, layout, vmas};
use crate::error::Error;
use crate::memory::{AddressSpace, Held, Memories, Pagemap};

pub(super) fn check(
    checker: &Checker<'_>,
    inventory: &Inventory,
    tasks: &Tasks,
    (files, tables): (&Files, &Tables),
) {
    let page_size = checker.checkpoint.page_size();
    let memories = Memories::new(checker.checkpoint);
    let mut images = PagesImages::default();
    let segments = ipc::check(checker, inventory, tasks);
    let mut shared = vmas::Shared {
        files,
        sysv: segments,
        anonymous: HashSet::new(),
        memfds: HashSet::new(),
    };
    let has_parent = !matches!(checker.checkpoint.parent(), Ok(None));
    for task in &tasks.living {
        let image = format!("mm-{}.img", task.pid);
        // An image that can't be read is found when images are read by themselves; a pre-dump has none.
        let space = AddressSpace::read(checker.checkpoint, task.pid)
            .ok()
            .flatten();
        if !tasks.pre_dump
            && let Some(space) = &space
        {
            layout::check(checker, &image, task);
            vmas::check(
                checker,
                (&image, task),
                &space.areas,
                &mut shared,
                page_size,
            );
        }
        let name = format!("pagemap-{}.img", task.pid);
        let Some(read) = pages::read(checker, &name) else {
            continue;
        };
        let pagemap = &read.pagemap;
        if let Some(space) = &space {
            let may_inherit = tasks.root().is_some_and(|root| root.pid != task.pid);
            let space_of = (task, &space.areas[..], may_inherit);
            pages::inside(checker, &name, pagemap, space_of, page_size);
            if !tasks.pre_dump {
                let space = (space.areas.as_slice(), has_parent);
                pages::vdso(checker, &name, pagemap, space, page_size);
            }
            let has_private = space.areas.iter().any(|area| vmas::is_private(area, task));
            if pagemap.runs.is_empty() && has_private && !has_parent && !tasks.pre_dump {
                let what = "it has no page of a task that has memory";
                checker.error("no-page", &name, (), what);
            }
        }
        images.add(&name, &read, page_size, true);
        absent(checker, &name, pagemap);
        let in_parent = pagemap.runs.iter().any(|run| run.held == Held::InParent);
        if in_parent && !has_parent && !tasks.pre_dump {
            let may_share = tasks.living.len() > 1;
            pages::without_parent(checker, &name, pagemap, page_size, may_share);
        } else if in_parent && space.is_some() && !read.has_unknown {
            match memories.open(task.pid) {
                Ok(memory) => lost(checker, &name, &memory),
                Err(error) => checker.failed(&name, &error),
            }
        }
    }
    if !tasks.pre_dump {
        memfds(checker, (files, tables), &mut shared);
    }
    segments_of(checker, tasks, &shared, &mut images, page_size);
    images.check(checker);
    parents(checker);
}

/// Pages that are left to a server: without it, restore takes others for them.
fn absent(checker: &Checker<'_>, name: &str, pagemap: &Pagemap) {
    let is_absent = |held| matches!(held, Held::Lazy | Held::Nowhere);
    let runs = pagemap.runs.iter().filter(|run| is_absent(run.held));
    let pages: u64 = runs.map(|run| run.pages).fold(0, u64::saturating_add);
    if pages > 0 {
        let what =
            format!("{pages} pages are with the server of the dump: restore needs --lazy-pages");
        checker.warning("lazy-pages", name, (), what);
    }
}

/// The pages of shared memory. Restore leaves a segment zero where its pages can't be read
/// (`do_restore_shmem_content`).
fn segments_of(
    checker: &Checker<'_>,
    tasks: &Tasks,
    shared: &vmas::Shared<'_>,
    images: &mut PagesImages,
    page_size: u64,
) {
    for (name, id) in checker.named("pagemap-shmem-") {
        let id = id.parse::<u64>().unwrap_or(u64::MAX);
        let is_known = shared.anonymous.contains(&id)
            || shared.memfds.contains(&id)
            || shared.sysv.contains_key(&id);
        if !tasks.pre_dump && !is_known {
            checker.ignore(name);
            let what = "no mapping, no memfd and no SysV segment has this id";
            checker.note("stranger", name, (), what);
        }
        if let Some(read) = pages::read(checker, name) {
            images.add(name, &read, page_size, false);
        }
    }
}

/// The chain of parents ends (`criu/image.c`, `open_parent`).
fn parents(checker: &Checker<'_>) {
    let mut at = checker.checkpoint;
    loop {
        match at.parent() {
            Ok(Some(parent)) => at = parent,
            Ok(None) => return,
            Err(error) if is_elsewhere(checker, &error) => return,
            Err(error) => return checker.failed("parent", &error),
        }
    }
}

/// Returns true if a parent is missing because it is in another archive: of a dump after a pre-dump, an
/// engine such as Podman makes two.
fn is_elsewhere(checker: &Checker<'_>, error: &Error) -> bool {
    error.hint().is_some() && checker.checkpoint.is_archive()
}

/// Pages that no parent has.
fn lost(checker: &Checker<'_>, name: &str, memory: &crate::memory::Memory) {
    let (severity, rule) = match checker.checkpoint.parent() {
        Err(error) if is_elsewhere(checker, &error) => (Severity::Warning, "parent-elsewhere"),
        _ => (Severity::Error, "missing-parent"),
    };
    for warning in memory.warnings() {
        let image = checker.image_of(&warning);
        // Pages images of this dump have findings of their own.
        if image.is_some_and(|image| image.starts_with("pages-")) {
            continue;
        }
        checker.noted(severity, rule, name, &warning);
    }
}

/// Memory files, and their pages (`criu/memfd.c`). Those that nobody opens are not read.
fn memfds(
    checker: &Checker<'_>,
    (files, tables): (&Files, &Tables),
    shared: &mut vmas::Shared<'_>,
) {
    const IMAGE: &str = "memfd.img";
    let references = files.of("MEMFD", "inode_id");
    let mut inodes: HashMap<u64, (u64, Option<u64>)> = HashMap::new();
    let found = checker.each(IMAGE, &[], &mut |entry, record| {
        let Some(id) = record.number("inode_id") else {
            return;
        };
        if let Some((before, _)) = inodes.get(&id) {
            let what = format!("duplicate memfd {id}: entry {before} is taken");
            checker.warning("duplicate-memfd", IMAGE, (entry, "inode_id"), what);
            return;
        }
        // One without a byte has no pages.
        let shmid = record
            .number("shmid")
            .filter(|_| record.number("size") != Some(0));
        inodes.insert(id, (entry, shmid));
    });
    if let (false, Some(first)) = (found, references.first()) {
        checker.error("missing-memfd", IMAGE, (), first.place.missing());
        return;
    }
    let mut needed: BTreeMap<u64, u64> = BTreeMap::new();
    for reference in references {
        let place = &reference.place;
        match inodes.get(&reference.to) {
            None => {
                let what = format!("no memfd in {IMAGE} has the inode {}", reference.to);
                checker.error("dangling-memfd", place.image, place.field("inode_id"), what);
            }
            Some((entry, Some(shmid)))
                if tables.is_open("MEMFD", reference.id) || files.is_used(reference.id) =>
            {
                needed.insert(*shmid, *entry);
            }
            Some(_) => {}
        }
    }
    for (shmid, entry) in needed {
        shared.memfds.insert(shmid);
        let pages = format!("pagemap-shmem-{shmid}.img");
        if !checker.has(&pages) {
            let what = format!("missing: the pages of a memfd (entry {entry} of {IMAGE})");
            checker.error("missing-pagemap", &pages, (), what);
        }
    }
}
