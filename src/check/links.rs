//! What images say of open files, and open files of images: each must be there.

use std::collections::{HashMap, HashSet};

use super::Checker;
use super::files::{Files, Place};
use super::tasks::Tasks;
use crate::message::Record;

pub(super) fn check(checker: &Checker<'_>, files: &Files, tasks: &Tasks) {
    if tasks.pre_dump {
        return;
    }
    let tables = tables(checker, files, tasks);
    if files.damaged {
        return;
    }
    if !files.found {
        if let Some((image, ..)) = tables.iter().next() {
            let what = format!("missing: {image} and others refer to the files in it");
            checker.error("files.img", (), what);
        }
        return;
    }
    directories(checker, files, tasks);
    unix_peers(checker, files);
    regular_files_behind(checker, files);
    data(checker, files);
    terminals(checker, files);
    memfds(checker, files);
    remaps(checker, files);
    connections(checker, files);
    locks(checker, tasks, &tables);
    watched(checker, files, &tables);
    filters(checker, tasks);
}

/// The descriptors of each table.
type Tables = HashMap<String, HashSet<u32>>;

/// Descriptors refer to files of their type, and stand once.
fn tables(checker: &Checker<'_>, files: &Files, tasks: &Tasks) -> Tables {
    let mut tables = Tables::new();
    for (image, _) in checker.named("fdinfo-") {
        if !tasks.tables.contains_key(image) {
            checker.warning(image, (), "no task has this table of descriptors");
        }
        let mut numbers = HashSet::new();
        checker.each(image, &[], &mut |entry, record| {
            let (Some(id), Some(kind), Some(fd)) = (
                record.word("id"),
                record.enum_name("type"),
                record.word("fd"),
            ) else {
                return;
            };
            if !numbers.insert(fd) {
                let what = format!("descriptor {fd} stands twice");
                checker.error(image, (entry, "fd"), what);
            }
            if files.found
                && let Err(what) = files.find(&kind, id)
            {
                checker.error(image, (entry, "id"), what);
            }
        });
        tables.insert(image.to_owned(), numbers);
    }
    tables
}

/// The working directory, the root and the program of each task.
fn directories(checker: &Checker<'_>, files: &Files, tasks: &Tasks) {
    for task in &tasks.living {
        let images = [
            (format!("fs-{}.img", task.pid), &["cwd_id", "root_id"][..]),
            (format!("mm-{}.img", task.pid), &["exe_file_id"][..]),
        ];
        for (image, fields) in images {
            let Some(entry) = checker.first(&image, fields) else {
                continue;
            };
            for field in fields {
                if let Some(id) = entry.record().word(field)
                    && let Err(what) = files.find("REG", id)
                {
                    checker.error(&image, (0, *field), what);
                }
            }
        }
    }
}

/// A connected unix socket has its peer.
fn unix_peers(checker: &Checker<'_>, files: &Files) {
    let inodes: HashSet<u64> = files.of("UNIXSK", "ino").iter().map(|r| r.to).collect();
    let external: HashSet<u32> = files.external.iter().copied().collect();
    for reference in files.of("UNIXSK", "peer") {
        let peer = reference.to;
        if peer != 0 && !inodes.contains(&peer) && !external.contains(&reference.id) {
            let place = &reference.place;
            let what = format!("no unix socket has the inode {peer}");
            checker.error(place.image, place.field("peer"), what);
        }
    }
}

/// FIFOs and terminals are opened by the regular file that their path is in.
fn regular_files_behind(checker: &Checker<'_>, files: &Files) {
    for kind in ["FIFO", "TTY"] {
        for reference in files.of(kind, "regf_id") {
            let id = u32::try_from(reference.to).unwrap_or(u32::MAX);
            if let Err(what) = files.find("REG", id) {
                let place = &reference.place;
                checker.error(place.image, place.field("regf_id"), what);
            }
        }
    }
}

/// What was in pipes, sockets and maps belongs to some.
fn data(checker: &Checker<'_>, files: &Files) {
    let kinds = [
        ("pipes-data.img", "PIPE", "pipe_id", "pipe"),
        ("fifo-data.img", "FIFO", "pipe_id", "FIFO"),
        ("bpfmap-data.img", "BPFMAP", "map_id", "map"),
    ];
    for (image, kind, field, called) in kinds {
        let known: HashSet<u64> = files.of(kind, field).iter().map(|r| r.to).collect();
        let mut seen = HashSet::new();
        checker.each(image, &[], &mut |entry, record| {
            let Some(id) = record.number(field) else {
                return;
            };
            if !known.contains(&id) {
                checker.error(
                    image,
                    (entry, field),
                    format!("no {called} has the id {id}"),
                );
            }
            if !seen.insert(id) {
                let what = format!("the data of the {called} {id} stand twice");
                checker.error(image, (entry, field), what);
            }
        });
    }
    let image = "sk-queues.img";
    let sockets = ["UNIXSK", "INETSK", "NETLINKSK", "PACKETSK"];
    checker.each(image, &[], &mut |entry, record| {
        if let Some(id) = record.word("id_for").filter(|id| !files.any(&sockets, *id)) {
            checker.error(
                image,
                (entry, "id_for"),
                format!("no socket has the id {id}"),
            );
        }
    });
}

/// Things that stand in an image of their own, and that open files refer to.
struct Things<'a> {
    image: &'a str,
    /// The field of their ids.
    id: &'a str,
    /// What one is called.
    called: &'a str,
    /// The type of open files that refer to them, and the field that does.
    by: (&'static str, &'static str),
    /// What the id is called.
    as_what: &'a str,
}

impl Things<'_> {
    /// Each stands once, and what is referred to is there; the ids, or `None` when the image is missing.
    /// `each` sees all entries.
    fn check(
        &self,
        checker: &Checker<'_>,
        files: &Files,
        each: &mut dyn FnMut(u64, Record<'_>),
    ) -> Option<HashSet<u64>> {
        let (image, called) = (self.image, self.called);
        let mut known = HashSet::new();
        let found = checker.each(image, &[], &mut |entry, record| {
            if let Some(id) = record.number(self.id)
                && !known.insert(id)
            {
                let what = format!("the {called} {id} stands twice");
                checker.error(image, (entry, self.id), what);
            }
            each(entry, record);
        });
        let (kind, field) = self.by;
        let references = files.of(kind, field);
        if let (false, Some(first)) = (found, references.first()) {
            let Place {
                image: of, entry, ..
            } = &first.place;
            let what = format!("missing: entry {entry} of {of} refers to it");
            checker.error(image, (), what);
            return None;
        }
        for reference in references.iter().filter(|r| !known.contains(&r.to)) {
            let place = &reference.place;
            let what = format!(
                "no {called} in {image} has the {} {}",
                self.as_what, reference.to
            );
            checker.error(place.image, place.field(field), what);
        }
        Some(known)
    }
}

fn terminals(checker: &Checker<'_>, files: &Files) {
    let (image, data) = ("tty-info.img", "tty-data.img");
    let terminals = Things {
        image,
        id: "id",
        called: "terminal",
        by: ("TTY", "tty_info_id"),
        as_what: "id",
    };
    let Some(known) = terminals.check(checker, files, &mut |_, _| ()) else {
        return;
    };
    checker.each(data, &[], &mut |entry, record| {
        if let Some(id) = record.number("tty_id").filter(|id| !known.contains(id)) {
            let what = format!("no terminal in {image} has the id {id}");
            checker.error(data, (entry, "tty_id"), what);
        }
    });
}

fn memfds(checker: &Checker<'_>, files: &Files) {
    let image = "memfd.img";
    let memfds = Things {
        image,
        id: "inode_id",
        called: "memfd",
        by: ("MEMFD", "inode_id"),
        as_what: "inode",
    };
    memfds.check(checker, files, &mut |entry, record| {
        // Of one without a byte there are no pages.
        if let Some(id) = record.number("shmid")
            && record.number("size") != Some(0)
        {
            let pages = format!("pagemap-shmem-{id}.img");
            if !checker.has(&pages) {
                let what = format!("missing: the pages of a memfd (entry {entry} of {image})");
                checker.error(&pages, (), what);
            }
        }
    });
}

/// Files whose names are gone, and what stands for them.
fn remaps(checker: &Checker<'_>, files: &Files) {
    /// CRIU before 1.4 marked the number of a ghost file, and had no type.
    const MARK: u32 = 1 << 31;
    let image = "remap-fpath.img";
    let mut ghosts = HashSet::new();
    let mut seen = HashSet::new();
    checker.each(image, &[], &mut |entry, record| {
        let (Some(file), Some(to)) = (record.word("orig_id"), record.word("remap_id")) else {
            return;
        };
        if !seen.insert(file) {
            checker.error(
                image,
                (entry, "orig_id"),
                format!("the file {file} stands twice"),
            );
        }
        if !files.any(&["REG", "UNIXSK", "FIFO"], file) {
            checker.error(
                image,
                (entry, "orig_id"),
                format!("no file has the id {file}"),
            );
        }
        let kind = record.enum_name("remap_type");
        match kind.as_deref() {
            None if to & MARK == 0 => linked(checker, files, entry, to),
            Some("LINKED") => linked(checker, files, entry, to),
            None | Some("GHOST") => {
                let ghost = format!("ghost-file-{:x}.img", to & !MARK);
                if !checker.has(&ghost) {
                    let what = format!("missing: the content of a file (entry {entry} of {image})");
                    checker.error(&ghost, (), what);
                } else if let Some(size) = files.sizes.get(&file) {
                    content(checker, &ghost, *size);
                }
                ghosts.insert(ghost);
            }
            // CRIU makes a task of this id for as long as the file is opened.
            Some("PROCFS") if to == 0 => {
                checker.error(image, (entry, "remap_id"), "0 is no task's id");
            }
            Some(_) => {}
        }
    });
    for (name, _) in checker.named("ghost-file-") {
        if !ghosts.contains(name) {
            checker.warning(name, (), format!("no entry of {image} refers to it"));
        }
    }
}

/// The content of a deleted file has the size that the file had.
fn content(checker: &Checker<'_>, ghost: &str, size: u64) {
    /// `S_IFMT` and `S_IFREG`.
    const KIND: u64 = 0o170_000;
    const REGULAR: u64 = 0o100_000;
    let Ok(Some(mut reader)) = checker.checkpoint.image_reader(ghost) else {
        return;
    };
    let (Ok(Some(entry)), Ok(Some(length))) =
        (reader.read_message(), checker.checkpoint.size(ghost))
    else {
        return;
    };
    let record = entry.record();
    let is_regular = record
        .number("mode")
        .is_some_and(|mode| mode & KIND == REGULAR);
    // Scattered over chunks it may have holes.
    let has = length.saturating_sub(entry.end_of_message());
    if is_regular && !record.is("chunks") && has != size {
        let what = format!("it has {has} bytes of content; the file had {size}");
        checker.error(ghost, 0, what);
    }
}

fn linked(checker: &Checker<'_>, files: &Files, entry: u64, to: u32) {
    if let Err(what) = files.find("REG", to) {
        checker.error("remap-fpath.img", (entry, "remap_id"), what);
    }
}

/// A TCP connection has its queues and sequence numbers.
fn connections(checker: &Checker<'_>, files: &Files) {
    let closed = checker
        .first("inventory.img", &["tcp_close"])
        .is_some_and(|entry| entry.record().is("tcp_close"));
    for socket in files.connected.iter().filter(|_| !closed) {
        let image = format!("tcp-stream-{:x}.img", socket.to);
        if !checker.has(&image) {
            let (of, entry) = (socket.place.image, socket.place.entry);
            let what = format!("missing: the connection of a socket (entry {entry} of {of})");
            checker.error(&image, (), what);
        }
    }
    let known: HashSet<String> = files
        .of("INETSK", "ino")
        .iter()
        .map(|socket| format!("tcp-stream-{:x}.img", socket.to))
        .collect();
    for (name, _) in checker.named("tcp-stream-") {
        if !known.contains(name) {
            checker.warning(name, (), "no socket has the inode that it is named after");
        }
    }
}

/// A lock is held by a task on one of its descriptors.
fn locks(checker: &Checker<'_>, tasks: &Tasks, tables: &Tables) {
    let image = "filelocks.img";
    checker.each(image, &[], &mut |entry, record| {
        let Some(pid) = record.word("pid") else {
            return;
        };
        if !tasks.ids.contains(&pid) {
            checker.error(image, (entry, "pid"), format!("no task has the id {pid}"));
            return;
        }
        // Which table a task has that shares one is not looked up: any that has the descriptor will do.
        if let Some(what) = record.word("fd").and_then(|fd| no_descriptor(tables, fd)) {
            checker.error(image, (entry, "fd"), what);
        }
    });
}

/// A filter of seccomp that a thread has, and those before it.
fn filters(checker: &Checker<'_>, tasks: &Tasks) {
    let image = "seccomp.img";
    let entry = checker.first(image, &["seccomp_filters.prev"]);
    let mut count = 0;
    if let Some(entry) = &entry {
        for (index, filter) in entry.record().records("seccomp_filters").enumerate() {
            if let Some(prev) = filter.word("prev").filter(|prev| *prev as usize >= index) {
                let what = format!("filter {prev} does not stand before it");
                let field = format!("seccomp_filters[{index}].prev");
                checker.error(image, (0, field), what);
            }
            count = index + 1;
        }
    }
    for (filter, of) in &tasks.filters {
        if *filter as usize >= count {
            let what = format!("{image} has {count} filters, counted from 0");
            checker.error(of, (0, "thread_core.seccomp_filter"), what);
        }
    }
}

/// What an epoll instance watches is a descriptor of some task.
fn watched(checker: &Checker<'_>, files: &Files, tables: &Tables) {
    for (place, field, fd) in &files.watched {
        if let Some(what) = no_descriptor(tables, *fd) {
            checker.error(place.image, place.field(field), what);
        }
    }
}

/// What is to be said of a descriptor that no task has.
fn no_descriptor(tables: &Tables, fd: u32) -> Option<String> {
    let mut tables = tables.values();
    let is_there = tables.any(|numbers| numbers.contains(&fd));
    (!is_there).then(|| format!("no task has the descriptor {fd}"))
}
