//! Descriptor tables: which files are open, by whom, and under which numbers
//! (`criu/files.c`, `prepare_fd_pid`).

use std::collections::{BTreeMap, HashMap};

use super::checker::Checker;
use super::files::{Files, kind_named};
use super::tasks::{self, Tasks};

/// A file by its type and id.
pub(super) type FileId = (&'static str, u32);

/// The descriptor tables of living tasks.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The files of each table by descriptor, under the name of its image.
    tables: HashMap<String, HashMap<u32, FileId>>,
    /// The table of each task.
    by_task: HashMap<u32, String>,
    /// The files that a task has open, each with the task that opens it: that of the lowest id
    /// (`__collect_desc_fle`). Files on their way through a unix socket have no such task.
    open: HashMap<FileId, Option<u32>>,
}

impl Tables {
    /// Returns the descriptors of a task.
    pub(super) fn of_task(&self, pid: u32) -> Option<&HashMap<u32, FileId>> {
        self.tables.get(self.by_task.get(&pid)?)
    }

    /// Returns true if a descriptor or a message in a socket refers to the file.
    pub(super) fn is_open(&self, kind: &'static str, id: u32) -> bool {
        self.open.contains_key(&(kind, id))
    }

    /// Returns the descriptors of the task that opens the file.
    pub(super) fn of_opener(&self, kind: &'static str, id: u32) -> Option<&HashMap<u32, FileId>> {
        let pid = (*self.open.get(&(kind, id))?)?;
        self.of_task(pid)
    }
}

pub(super) fn read(checker: &Checker<'_>, files: &Files, tasks: &Tasks) -> Tables {
    let mut read = Tables::default();
    let mut duplicates = Vec::new();
    let by_table: BTreeMap<&str, Vec<u32>> = tasks::tables(tasks);
    for (image, _) in checker.named("fdinfo-") {
        if !by_table.contains_key(image) {
            checker.ignore(image);
            checker.note("stranger", image, (), "no task has this descriptor table");
        }
    }
    for (image, pids) in by_table {
        for pid in &pids {
            read.by_task.insert(*pid, image.to_owned());
        }
        let first = pids.first().copied();
        let of = (image, first.unwrap_or(0));
        let table = table(checker, files, of, &mut duplicates);
        for file in table.values() {
            let opener = read.open.entry(*file).or_insert(first);
            *opener = (*opener).min(first);
        }
        read.tables.insert(image.to_owned(), table);
    }
    for (_, id) in read.open.keys().filter(|(kind, _)| *kind == "REG") {
        // That there is none of this id is found with the descriptor.
        let _ = files.use_regular(*id);
    }
    for duplicate in duplicates {
        duplicate.report(checker, &read);
    }
    in_flight(checker, files, &mut read);
    read
}

/// A descriptor that a table has twice.
struct Duplicate {
    image: String,
    entry: u64,
    fd: u32,
    /// The file, if it is the same both times and has a lower descriptor in the table.
    copied: Option<FileId>,
}

impl Duplicate {
    /// A file is opened as the first of its descriptors, by one task, and copied to the others of that
    /// task: such a copy may be made twice. The first would wait for itself, and another task is not sent
    /// the file again.
    fn report(&self, checker: &Checker<'_>, tables: &Tables) {
        let opener = self.copied.and_then(|file| tables.open.get(&file).copied());
        let table = opener.flatten().and_then(|pid| tables.by_task.get(&pid));
        let what = format!("duplicate descriptor {}", self.fd);
        let at = (self.entry, "fd");
        match table == Some(&self.image) {
            true => checker.warning("duplicate-descriptor", &self.image, at, what),
            false => checker.error("duplicate-descriptor", &self.image, at, what),
        }
    }
}

/// A table: each number once, each file known.
fn table(
    checker: &Checker<'_>,
    files: &Files,
    (image, pid): (&str, u32),
    duplicates: &mut Vec<Duplicate>,
) -> HashMap<u32, FileId> {
    /// What `fs.nr_open` is where nobody changed it.
    const MOST: u32 = 1 << 20;
    let mut table = HashMap::new();
    let mut numbers: HashMap<u32, (u32, String)> = HashMap::new();
    let mut lowest: HashMap<(u32, String), u32> = HashMap::new();
    let found = checker.each(image, &[], &mut |entry, record| {
        let (Some(id), Some(name), Some(fd)) = (
            record.word("id"),
            record.enum_name("type"),
            record.word("fd"),
        ) else {
            return;
        };
        if fd >= MOST {
            let what = format!("{fd} is above the largest descriptor, {}", MOST - 1);
            checker.error("descriptor", image, (entry, "fd"), what);
        }
        let file = (id, name.to_string());
        let first = *lowest
            .entry(file.clone())
            .and_modify(|low| *low = fd.min(*low))
            .or_insert(fd);
        if let Some(before) = numbers.insert(fd, file.clone()) {
            duplicates.push(Duplicate {
                image: image.to_owned(),
                entry,
                fd,
                copied: (before == file && first < fd)
                    .then(|| kind_named(&name).map(|kind| (kind.name, id)))
                    .flatten(),
            });
        }
        if files.found
            && let Err(what) = files.find(&name, id)
        {
            checker.error("dangling-file", image, (entry, "id"), what);
        }
        if let Some(kind) = kind_named(&name) {
            table.insert(fd, (kind.name, id));
        }
    });
    if !found {
        let what = format!("task {pid} has no open descriptor");
        checker.note("no-descriptor", image, (), what);
    }
    table
}

/// Descriptors on their way through unix sockets (`criu/sk-queue.c`): they are known by their id alone.
fn in_flight(checker: &Checker<'_>, files: &Files, tables: &mut Tables) {
    const IMAGE: &str = "sk-queues.img";
    /// `SCM_RIGHTS`.
    const RIGHTS: u64 = 1;
    checker.each(IMAGE, &[], &mut |entry, record| {
        for (index, message) in record.records("scm").enumerate() {
            let field = |name: &str| (entry, format!("scm[{index}].{name}"));
            if index > 0 {
                let what = "a second control message: a packet has one";
                checker.error("socket-rights", IMAGE, field("type"), what);
            }
            if let Some(kind) = message.number("type").filter(|kind| *kind != RIGHTS) {
                let what = format!("{kind} is not SCM_RIGHTS");
                checker.error("socket-rights", IMAGE, field("type"), what);
            }
            for id in message.words("rights") {
                let kinds = files.kinds_of(id);
                if kinds.is_empty() && files.found {
                    let what = format!("no file has the id {id}");
                    checker.error("socket-rights", IMAGE, field("rights"), what);
                }
                for kind in kinds {
                    tables.open.entry((kind, id)).or_insert(None);
                    if kind == "REG" {
                        let _ = files.use_regular(id);
                    }
                }
            }
        }
    });
}
