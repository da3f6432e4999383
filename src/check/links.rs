//! What images say of open files, and open files of images: each must be there.

use std::collections::{HashMap, HashSet};

use super::Checker;
use super::files::Files;
use super::tasks::Tasks;

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
    let mut names: Vec<&String> = checker
        .names
        .iter()
        .filter(|name| name.starts_with("fdinfo-") && name.ends_with(".img"))
        .collect();
    names.sort_unstable();
    for image in names {
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
        tables.insert(image.clone(), numbers);
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

fn terminals(checker: &Checker<'_>, files: &Files) {
    let (image, data) = ("tty-info.img", "tty-data.img");
    let mut known = HashSet::new();
    let found = checker.each(image, &["id"], &mut |entry, record| {
        if let Some(id) = record.number("id")
            && !known.insert(id)
        {
            checker.error(
                image,
                (entry, "id"),
                format!("the terminal {id} stands twice"),
            );
        }
    });
    let terminals = files.of("TTY", "tty_info_id");
    if let (false, Some(first)) = (found, terminals.first()) {
        let entry = first.place.entry;
        let what = format!(
            "missing: entry {entry} of {} refers to it",
            first.place.image
        );
        checker.error(image, (), what);
        return;
    }
    for reference in terminals {
        if !known.contains(&reference.to) {
            let place = &reference.place;
            let what = format!("no terminal in {image} has the id {}", reference.to);
            checker.error(place.image, place.field("tty_info_id"), what);
        }
    }
    checker.each(data, &[], &mut |entry, record| {
        if let Some(id) = record.number("tty_id").filter(|id| !known.contains(id)) {
            let what = format!("no terminal in {image} has the id {id}");
            checker.error(data, (entry, "tty_id"), what);
        }
    });
}

fn memfds(checker: &Checker<'_>, files: &Files) {
    let image = "memfd.img";
    let mut known = HashSet::new();
    let found = checker.each(image, &[], &mut |entry, record| {
        if let Some(id) = record.number("inode_id")
            && !known.insert(id)
        {
            checker.error(
                image,
                (entry, "inode_id"),
                format!("the memfd {id} stands twice"),
            );
        }
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
    let open = files.of("MEMFD", "inode_id");
    if let (false, Some(first)) = (found, open.first()) {
        let entry = first.place.entry;
        let what = format!(
            "missing: entry {entry} of {} refers to it",
            first.place.image
        );
        checker.error(image, (), what);
        return;
    }
    for reference in open {
        if !known.contains(&reference.to) {
            let place = &reference.place;
            let what = format!("no memfd in {image} has the inode {}", reference.to);
            checker.error(place.image, place.field("inode_id"), what);
        }
    }
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
    let is_ghost = |name: &&String| name.starts_with("ghost-file-") && name.ends_with(".img");
    for name in checker.names.iter().filter(is_ghost) {
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
    let is_stream = |name: &&String| name.starts_with("tcp-stream-") && name.ends_with(".img");
    for name in checker.names.iter().filter(is_stream) {
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
        if let Some(fd) = record.word("fd")
            && !tables.values().any(|numbers| numbers.contains(&fd))
        {
            checker.error(
                image,
                (entry, "fd"),
                format!("no task has the descriptor {fd}"),
            );
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
        if !tables.values().any(|numbers| numbers.contains(fd)) {
            checker.error(
                place.image,
                place.field(field),
                format!("no task has the descriptor {fd}"),
            );
        }
    }
}
