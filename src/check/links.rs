//! What open files refer to, and what refers to them.

use std::collections::HashSet;

use super::checker::Checker;
use super::descriptors::Tables;
use super::files::{Epoll, Files, Owner, mode};
use super::inventory::Inventory;
use super::tasks::Tasks;
use super::tree::Tree;
use super::{inet, remaps, terminals, unix};

pub(super) fn check(
    checker: &Checker<'_>,
    inventory: &Inventory,
    tree: &Tree,
    (files, tasks, tables): (&Files, &Tasks, &Tables),
) {
    if files.damaged {
        return;
    }
    if !files.found {
        let what = "missing: the tasks refer to the files in it";
        checker.error("missing-files", "files.img", (), what);
        return;
    }
    directories(checker, files, tasks);
    pipes(checker, files, tables);
    regular_files_behind(checker, files, tables);
    data(checker, files);
    unix::check(checker, files, tables);
    unix::queues(checker, files);
    inet::check(checker, inventory, files, tables);
    terminals::check(checker, files, tables, tree.members());
    remaps::check(checker, files, tasks);
    locks(checker, files, (tasks, tables));
    epolls(checker, files, tables);
    others(checker, files, tables, tasks);
}

/// What follows once it is known which files mappings use.
pub(super) fn check_used(
    checker: &Checker<'_>,
    tree: &Tree,
    (files, tasks, tables): (&Files, &Tasks, &Tables),
) {
    if files.found {
        owners(checker, files, tables, (tree, tasks));
        regular_files(checker, files);
    }
}

/// Files that are handed to restore, and files that can't be opened with their flags
/// (`criu/files-reg.c`, `open_path`).
fn regular_files(checker: &Checker<'_>, files: &Files) {
    /// `O_ACCMODE`, `O_CREAT`, `O_EXCL`, `O_PATH`.
    const ACCESS: u64 = 3;
    const CREATE: u64 = 0o100;
    const EXCLUSIVE: u64 = 0o200;
    const PATH: u64 = 0o10_000_000;
    for (id, place) in files.of_kind("REG") {
        let Some(file) = files.regular.get(&id).filter(|_| files.is_used(id)) else {
            continue;
        };
        if file.is_external {
            let what = "an external file: restore needs --inherit-fd";
            checker.warning("external-file", place.image, place.field("ext"), what);
        }
        if let Some(mode) = file.mode.filter(|mode| mode & mode::TYPE == 0) {
            let what = format!("0o{mode:o} has no type of file: no file has this mode");
            checker.error("file-mode", place.image, place.field("mode"), what);
        }
        let is_directory = file
            .mode
            .is_some_and(|mode| mode & mode::TYPE == mode::DIRECTORY);
        let error = |what: &str| {
            checker.error("file-flags", place.image, place.field("flags"), what);
        };
        if file.flags & CREATE != 0 && file.flags & EXCLUSIVE != 0 {
            error("it would have to be created, and it exists");
        } else if is_directory && file.flags & ACCESS != 0 && file.flags & PATH == 0 {
            error("a directory can't be opened for writing");
        }
    }
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
                let Some(id) = entry.record().word(field) else {
                    continue;
                };
                if let Err(what) = files.use_regular(id) {
                    checker.error("dangling-file", &image, (0, *field), what);
                    continue;
                }
                let mode = files.regular.get(&id).and_then(|file| file.mode);
                let is_other = mode.is_some_and(|mode| mode & mode::TYPE != mode::DIRECTORY);
                if *field != "exe_file_id" && is_other {
                    let what = format!("the file {id} is not a directory");
                    checker.error("directory", &image, (0, *field), what);
                }
            }
        }
    }
}

/// An end of a pipe that nobody has open (`criu/pipes.c`, `mark_pipe_master_cb` asks each for its opener).
fn pipes(checker: &Checker<'_>, files: &Files, tables: &Tables) {
    for (id, place) in files.of_kind("PIPE") {
        if !tables.is_open("PIPE", id) {
            let what = format!("no descriptor refers to the pipe {id}");
            checker.error("unreferenced-file", place.image, place.field("id"), what);
        }
    }
}

/// FIFOs and terminals are opened by the regular file that has their path.
fn regular_files_behind(checker: &Checker<'_>, files: &Files, tables: &Tables) {
    for kind in ["FIFO", "TTY"] {
        for reference in files.of(kind, "regf_id") {
            let id = u32::try_from(reference.to).unwrap_or(u32::MAX);
            let is_open = tables.is_open(kind, reference.id);
            let found = match is_open {
                true => files.use_regular(id),
                false => files.find("REG", id),
            };
            let place = &reference.place;
            match found {
                // Of a terminal, it is looked for when the image is read.
                Err(what) if is_open || kind == "TTY" => {
                    checker.error("dangling-file", place.image, place.field("regf_id"), what);
                }
                Err(what) => {
                    checker.note("dangling-file", place.image, place.field("regf_id"), what);
                }
                Ok(()) => {}
            }
        }
    }
    // A tunnel is opened by the regular file of its own id.
    for reference in files.of("TUNF", "id") {
        if tables.is_open("TUNF", reference.id)
            && let Err(what) = files.use_regular(reference.id)
        {
            let place = &reference.place;
            checker.error("dangling-file", place.image, place.field("id"), what);
        }
    }
}

/// The contents of pipes and maps. Restore drops those that belong to nothing, and takes the last of
/// several (`criu/pipes.c`, `collect_pipe_data`; `criu/bpfmap.c`).
fn data(checker: &Checker<'_>, files: &Files) {
    const KINDS: [(&str, &str, &str, &str); 3] = [
        ("pipes-data.img", "PIPE", "pipe_id", "pipe"),
        ("fifo-data.img", "FIFO", "pipe_id", "FIFO"),
        ("bpfmap-data.img", "BPFMAP", "map_id", "map"),
    ];
    for (image, kind, field, called) in KINDS {
        let known: HashSet<u64> = files.of(kind, field).iter().map(|r| r.to).collect();
        let mut seen = HashSet::new();
        checker.each(image, &[], &mut |entry, record| {
            let Some(id) = record.number(field) else {
                return;
            };
            if !known.contains(&id) {
                let what = format!("no {called} has the id {id}: the data are lost");
                checker.warning("dangling-data", image, (entry, field), what);
            } else if !seen.insert(id) {
                let what = format!("duplicate data of the {called} {id}: the last are taken");
                checker.warning("duplicate-data", image, (entry, field), what);
            }
            if called != "map" {
                capacity(
                    checker,
                    image,
                    entry,
                    (record.number("bytes"), record.number("size")),
                );
            }
        });
    }
}

/// A pipe holds no more than its capacity, which is a power of two.
fn capacity(
    checker: &Checker<'_>,
    image: &str,
    entry: u64,
    (bytes, size): (Option<u64>, Option<u64>),
) {
    /// What a pipe has if nobody changes it, the least, and what `F_SETPIPE_SZ` takes at most.
    const USUAL: u64 = 1 << 16;
    const LEAST: u64 = 1 << 12;
    const MOST: u64 = 1 << 31;
    let bytes = bytes.unwrap_or(0);
    if size.is_some_and(|size| size > MOST) {
        let what = format!("{} is above the largest size of a pipe", size.unwrap_or(0));
        checker.error("pipe-size", image, (entry, "size"), what);
        return;
    }
    let capacity = size.map_or(USUAL, |size| size.max(LEAST).next_power_of_two());
    if bytes > capacity {
        let what = format!("{bytes} bytes in a pipe of {capacity}");
        checker.error("pipe-size", image, (entry, "bytes"), what);
    }
}

/// A lock is held by a task on one of its descriptors (`criu/file-lock.c`). Restore reads locks only with
/// `--file-locks`, and does not set those of others.
fn locks(checker: &Checker<'_>, files: &Files, (tasks, tables): (&Tasks, &Tables)) {
    const IMAGE: &str = "filelocks.img";
    /// `FL_POSIX`, `FL_FLOCK`, `FL_OFDLCK` and `FL_LEASE`: one of them.
    const KINDS: u64 = 1 | 2 | 4 | LEASE;
    const LEASE: u64 = 8;
    let is_special = |id: u32| {
        let mode = files.regular.get(&id).and_then(|file| file.mode);
        mode.is_some_and(|mode| mode & mode::TYPE != mode::REGULAR)
    };
    let mut any = false;
    checker.each(IMAGE, &[], &mut |entry, record| {
        let pid = record.signed("pid").and_then(|pid| u32::try_from(pid).ok());
        if !any {
            let what = "file locks: restore needs --file-locks";
            checker.warning("file-locks", IMAGE, (), what);
            any = true;
        }
        let Some(table) = pid.and_then(|pid| tables.of_task(pid)) else {
            let what = match pid.filter(|pid| tasks.pids.contains(pid)) {
                Some(pid) => format!("task {pid} has ended: the lock is not set"),
                None => format!(
                    "no task has the id {}: the lock is not set",
                    record.signed("pid").unwrap_or(0)
                ),
            };
            checker.warning("lock-owner", IMAGE, (entry, "pid"), what);
            return;
        };
        let flags = record.number("flag").unwrap_or(0);
        let is_lease = flags & LEASE != 0;
        if flags & KINDS == 0 {
            let what = format!("0x{flags:x} is not a kind of lock");
            checker.error("lock", IMAGE, (entry, "flag"), what);
        }
        let fd = record.signed("fd").unwrap_or(-1);
        let file = u32::try_from(fd).ok().and_then(|fd| table.get(&fd));
        match file {
            None => {
                let what = format!("task {} has no descriptor {fd}", pid.unwrap_or(0));
                checker.error("lock", IMAGE, (entry, "fd"), what);
            }
            Some(("REG", id)) if is_lease && is_special(*id) => {
                let what = format!("a lease of the descriptor {fd}, which is not a regular file");
                checker.error("lock", IMAGE, (entry, "fd"), what);
            }
            Some((kind, _)) if ["PIPE", "INETSK", "UNIXSK"].contains(kind) => {
                let what = format!("the descriptor {fd} is of the type {kind}");
                checker.warning("lock", IMAGE, (entry, "fd"), what);
            }
            Some(_) => {}
        }
    });
}

/// Each descriptor that an epoll instance watches is one of the task that opens it, and can be waited
/// for (`criu/eventpoll.c`).
fn epolls(checker: &Checker<'_>, files: &Files, tables: &Tables) {
    for Epoll { place, id, targets } in &files.epolls {
        let Some(table) = tables.of_opener("EVENTPOLL", *id) else {
            continue;
        };
        let mut seen = HashSet::new();
        for (index, fd) in targets.iter().enumerate() {
            let error = |what: String| {
                let at = place.field(&format!("tfd[{index}].tfd"));
                checker.error("epoll-target", place.image, at, what);
            };
            if !seen.insert(fd) {
                error(format!("duplicate descriptor {fd}"));
            }
            match table.get(fd) {
                None => error(format!("the task that opens it has no descriptor {fd}")),
                Some(("EVENTPOLL", target)) if target == id => {
                    error("it watches itself".to_owned());
                }
                Some(("MEMFD", _)) => error(format!("the descriptor {fd} can't be watched")),
                Some(("REG", target)) => {
                    let mode = files.regular.get(target).and_then(|file| file.mode);
                    let is_plain = mode.is_some_and(|mode| {
                        [mode::REGULAR, mode::DIRECTORY].contains(&(mode & mode::TYPE))
                    });
                    if is_plain {
                        error(format!(
                            "the descriptor {fd} can't be watched: it is a plain file"
                        ));
                    }
                }
                Some(_) => {}
            }
        }
    }
}

/// The owner of a file is there when the file is opened (`restore_fown`).
fn owners(checker: &Checker<'_>, files: &Files, tables: &Tables, (tree, tasks): (&Tree, &Tasks)) {
    const SIGNALS: u64 = 64;
    const GROUP: u64 = 2;
    // Of these types the owner is set late, or its error is dropped.
    const LENIENT: [&str; 2] = ["INOTIFY", "FANOTIFY"];
    let members = tree.members();
    let groups: HashSet<u32> = members.iter().map(|member| member.pgid).collect();
    for owner in &files.owners {
        let Owner {
            place, kind, id, ..
        } = owner;
        let is_open = tables.is_open(kind, *id) || *kind == "REG" && files.is_used(*id);
        if !is_open || LENIENT.contains(kind) {
            continue;
        }
        let error = |field: &str, what: String| {
            let at = place.field(&format!("fown.{field}"));
            checker.error("file-owner", place.image, at, what);
        };
        if owner.signal > SIGNALS {
            error("signum", format!("{} is not a signal", owner.signal));
        }
        if owner.pid == 0 {
            continue;
        }
        if owner.pid_type > GROUP {
            error(
                "pid_type",
                format!("{} is not a type of owners", owner.pid_type),
            );
        }
        // Without a pid namespace of its own, the init of the machine has the id 1.
        let is_known = owner.pid == 1
            || tasks.pids.contains(&owner.pid)
            || owner.pid_type == GROUP && groups.contains(&owner.pid)
            || tasks.tids.contains(&owner.pid);
        if !is_known {
            error("pid", format!("no task has the id {}", owner.pid));
        }
    }
}

/// Clocks of timers, processes of pidfds, and kinds of namespaces.
fn others(checker: &Checker<'_>, files: &Files, tables: &Tables, tasks: &Tasks) {
    /// `CLOCK_REALTIME`, `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME` (`criu/include/timerfd.h`).
    const CLOCKS: [u64; 3] = [0, 1, 7];
    for reference in files.of("TIMERFD", "clockid") {
        if !CLOCKS.contains(&reference.to) {
            let place = &reference.place;
            let what = format!("{} is not a clock of timers: 0, 1 and 7 are", reference.to);
            checker.error("timer", place.image, place.field("clockid"), what);
        }
    }
    // One of a process that is gone has -1, which is not a number here.
    for reference in files.of("PIDFD", "nspid") {
        let pid = u32::try_from(reference.to).unwrap_or(0);
        if tables.is_open("PIDFD", reference.id) && !tasks.pids.contains(&pid) {
            let place = &reference.place;
            let what = format!("no task has the id {pid}");
            checker.error("pidfd", place.image, place.field("nspid"), what);
        }
    }
}
