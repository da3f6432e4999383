//! The open files of all tasks by their ids, and what each of them refers to.
//!
//! Since CRIU 3.4 all of them are in `files.img`; before, each type had an image of its own, whose ids
//! are only unique within the type. CRIU reads those only if `files.img` has no entry
//! (`criu/files.c`, `prepare_files`), and finds a file by its type and id (`find_file_desc`).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::inet::InetSocket;
use super::unix::UnixSocket;
use crate::message::Record;

/// A type of open file: its name in `fd_types`, its message in an entry of `files.img`, and the image
/// that it had before.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    field: &'static str,
    image: &'static str,
}

const fn kind(name: &'static str, field: &'static str, image: &'static str) -> Kind {
    Kind { name, field, image }
}

pub(super) const KINDS: [Kind; 20] = [
    kind("REG", "reg", "reg-files.img"),
    kind("PIPE", "pipe", "pipes.img"),
    kind("FIFO", "fifo", "fifo.img"),
    kind("INETSK", "isk", "inetsk.img"),
    kind("UNIXSK", "usk", "unixsk.img"),
    kind("EVENTFD", "efd", "eventfd.img"),
    kind("EVENTPOLL", "epfd", "eventpoll.img"),
    kind("INOTIFY", "ify", "inotify.img"),
    kind("SIGNALFD", "sgfd", "signalfd.img"),
    kind("PACKETSK", "psk", "packetsk.img"),
    kind("TTY", "tty", "tty.img"),
    kind("FANOTIFY", "ffy", "fanotify.img"),
    kind("NETLINKSK", "nlsk", "netlinksk.img"),
    kind("NS", "nsf", "ns-files.img"),
    kind("TUNF", "tunf", "tunfile.img"),
    kind("EXT", "ext", "ext-files.img"),
    kind("TIMERFD", "tfd", "timerfd.img"),
    kind("MEMFD", "memfd", "memfd-file.img"),
    kind("BPFMAP", "bpf", "bpfmap-file.img"),
    kind("PIDFD", "pidfd", "pidfd.img"),
];

/// The types of files in a mode, as Linux has them.
pub(super) mod mode {
    /// `S_IFMT`: the bits of the type.
    pub(crate) const TYPE: u64 = 0o170_000;
    pub(crate) const REGULAR: u64 = 0o100_000;
    pub(crate) const DIRECTORY: u64 = 0o040_000;
    pub(crate) const CHARACTER: u64 = 0o020_000;
    pub(crate) const BLOCK: u64 = 0o060_000;
    pub(crate) const SYMLINK: u64 = 0o120_000;
}

/// The images of old CRIUs beside those in [`KINDS`].
const OLD_IMAGES: [&str; 3] = ["eventpoll-tfd.img", "inotify-wd.img", "fanotify-mark.img"];

/// The types in the schema that no file of a dump has.
const NO_TYPES: [&str; 3] = ["UND", "CTL_TTY", "AUTOFS_PIPE"];

/// Returns the type of this name.
pub(super) fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The place of an open file in the images.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) image: &'static str,
    pub(super) entry: u64,
    /// The path of its message in the entry: `reg.`, or nothing in an image of its own.
    prefix: String,
}

impl Place {
    pub(super) fn field(&self, name: &str) -> (u64, String) {
        (self.entry, format!("{}{name}", self.prefix))
    }

    /// What is wrong with an image that is missing, and that this refers to.
    pub(super) fn missing(&self) -> String {
        format!(
            "missing: entry {} of {} refers to it",
            self.entry, self.image
        )
    }
}

/// A reference of an open file, or the number that others refer to it by.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) place: Place,
    /// The id of the file.
    pub(super) id: u32,
    pub(super) to: u64,
}

/// The descriptors that an epoll instance watches, with the paths of the fields.
#[derive(Debug)]
pub(super) struct Epoll {
    pub(super) place: Place,
    pub(super) id: u32,
    pub(super) targets: Vec<u32>,
}

/// The owner of a file, who gets its signals.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) place: Place,
    pub(super) kind: &'static str,
    pub(super) id: u32,
    pub(super) pid: u32,
    /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
    pub(super) pid_type: u64,
    pub(super) signal: u64,
}

/// What is known of a regular file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Regular {
    pub(super) size: Option<u64>,
    pub(super) mode: Option<u64>,
    pub(super) is_external: bool,
    pub(super) flags: u64,
}

/// The open files.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// There is an image of them.
    pub(super) found: bool,
    /// They could not be read: nothing is known of them.
    pub(super) damaged: bool,
    /// All are in one image.
    unified: bool,
    /// The types in `files.img` by id: a FIFO shares its id with its regular file.
    types: HashMap<u32, Vec<(String, u64)>>,
    /// The places of the files of each type, by id.
    of_type: HashMap<&'static str, HashMap<u32, Place>>,
    /// The references, by type and field.
    references: HashMap<(&'static str, &'static str), Vec<Reference>>,
    pub(super) inet: Vec<InetSocket>,
    pub(super) unix: Vec<UnixSocket>,
    pub(super) epolls: Vec<Epoll>,
    pub(super) owners: Vec<Owner>,
    pub(super) regular: HashMap<u32, Regular>,
    /// Regular and memory files that a task has open, runs, maps or is in.
    used: RefCell<HashSet<u32>>,
}

/// The fields of open files that refer to something.
const REFERENCES: [(&str, &str); 20] = [
    ("REG", "mnt_id"),
    ("PIPE", "pipe_id"),
    ("FIFO", "pipe_id"),
    ("FIFO", "regf_id"),
    ("UNIXSK", "ns_id"),
    ("UNIXSK", "mnt_id"),
    ("INETSK", "ns_id"),
    ("INETSK", "ino"),
    ("PACKETSK", "ns_id"),
    ("NETLINKSK", "ns_id"),
    ("TTY", "tty_info_id"),
    ("TTY", "regf_id"),
    ("MEMFD", "inode_id"),
    ("BPFMAP", "map_id"),
    ("TUNF", "id"),
    ("TUNF", "ns_id"),
    ("NS", "ns_id"),
    ("TIMERFD", "clockid"),
    ("PIDFD", "nspid"),
    ("UNIXSK", "ino"),
];

pub(super) fn read(checker: &Checker<'_>) -> Files {
    let mut files = Files::default();
    let image = "files.img";
    let mut entries = 0u64;
    files.found = checker.each(image, &[], &mut |entry, record| {
        entries += 1;
        files.add(checker, entry, record);
    });
    // Findings about files that could not be read would be wrong.
    if checker.is_damaged(image) {
        return Files {
            damaged: true,
            ..Files::default()
        };
    }
    files.unified = entries > 0;
    for kind in &KINDS {
        if files.unified {
            checker.ignore(kind.image);
            continue;
        }
        files.found |= checker.each(kind.image, &[], &mut |entry, record| {
            let place = Place {
                image: kind.image,
                entry,
                prefix: String::new(),
            };
            files.add_typed(checker, kind, record, place);
        });
    }
    for image in OLD_IMAGES {
        if files.unified {
            checker.ignore(image);
        } else if checker.has(image) {
            let what = "an image of an old CRIU: restore needs --deprecated";
            checker.warning("deprecated", image, (), what);
        }
    }
    files
}

impl Files {
    /// Looks for the file of a type and id; if there is none, returns what there is instead.
    pub(super) fn find(&self, kind: &str, id: u32) -> Result<(), String> {
        if self.place(kind, id).is_some() {
            return Ok(());
        }
        let types = self.types.get(&id).map_or(&[][..], Vec::as_slice);
        // A type that is unknown here, such as one of a newer CRIU.
        if types.iter().any(|(name, _)| name == kind) {
            return Ok(());
        }
        match types.first() {
            Some((name, entry)) => Err(format!(
                "the file {id} is of the type {name}, not {kind} (entry {entry} of files.img)"
            )),
            None if self.unified => Err(format!("no file has the id {id}")),
            None => Err(format!("no file of the type {kind} has the id {id}")),
        }
    }

    /// Returns the place of the file of a type and id.
    pub(super) fn place(&self, kind: &str, id: u32) -> Option<&Place> {
        self.of_type.get(kind)?.get(&id)
    }

    /// Returns the ids of a type with their places.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (u32, &Place)> {
        let files = self.of_type.get(kind).into_iter().flatten();
        files.map(|(id, place)| (*id, place))
    }

    pub(super) fn of(&self, kind: &'static str, field: &'static str) -> &[Reference] {
        self.references
            .get(&(kind, field))
            .map_or(&[], Vec::as_slice)
    }

    /// Returns the types that have a file of this id.
    pub(super) fn kinds_of(&self, id: u32) -> Vec<&'static str> {
        let kinds = KINDS.iter().map(|kind| kind.name);
        kinds
            .filter(|kind| self.place(kind, id).is_some())
            .collect()
    }

    /// Takes down that a regular file is used; if there is none of this id, returns what there is.
    pub(super) fn use_regular(&self, id: u32) -> Result<(), String> {
        self.used.borrow_mut().insert(id);
        self.find("REG", id)
    }

    /// Takes down that a memory file is used, likewise.
    pub(super) fn use_memfd(&self, id: u32) -> Result<(), String> {
        self.used.borrow_mut().insert(id);
        self.find("MEMFD", id)
    }

    /// Returns true if a regular or memory file is used by a task.
    pub(super) fn is_used(&self, id: u32) -> bool {
        self.used.borrow().contains(&id)
    }

    /// An entry of `files.img` (`collect_one_file`).
    fn add(&mut self, checker: &Checker<'_>, entry: u64, record: Record<'_>) {
        let image = "files.img";
        let (Some(id), Some(name)) = (record.word("id"), record.enum_name("type")) else {
            return;
        };
        let types = self.types.entry(id).or_default();
        types.push((name.to_string(), entry));
        let Some(kind) = kind_named(&name) else {
            let is_number = name.parse::<u64>().is_ok();
            if is_number || NO_TYPES.contains(&&*name) {
                let what = format!("{name} is not a type of open files");
                checker.error("file-type", image, (entry, "type"), what);
            } else {
                let what = format!("the type {name} of open files is unknown to this check");
                checker.warning("file-type", image, (entry, "type"), what);
            }
            return;
        };
        let Some(inner) = record.record(kind.field) else {
            let what = format!("missing in a file of the type {name}");
            checker.error("file-message", image, (entry, kind.field), what);
            return;
        };
        let place = Place {
            image,
            entry,
            prefix: format!("{}.", kind.field),
        };
        if let Some(own) = inner.word("id").filter(|own| *own != id) {
            let what = format!("{own} is not the id of the entry, {id}");
            checker.error("file-id", image, place.field("id"), what);
        }
        self.add_typed(checker, kind, inner, place);
    }

    fn add_typed(
        &mut self,
        checker: &Checker<'_>,
        kind: &'static Kind,
        record: Record<'_>,
        place: Place,
    ) {
        let Some(id) = record.word("id") else {
            return;
        };
        let known = self.of_type.entry(kind.name).or_default();
        if let Some(before) = known.insert(id, place.clone()) {
            duplicate(checker, kind, id, &place, before.entry);
        }
        for (of, field) in REFERENCES.iter().filter(|(of, _)| *of == kind.name) {
            // -1 for none, of fields with a sign.
            if let Some(to) = record.number(field) {
                let reference = Reference {
                    place: place.clone(),
                    id,
                    to,
                };
                self.references
                    .entry((of, field))
                    .or_default()
                    .push(reference);
            }
        }
        if let Some(owner) = record.record("fown") {
            let number = |name| owner.number(name).unwrap_or(0);
            if number("pid") != 0 || number("signum") != 0 {
                self.owners.push(Owner {
                    place: place.clone(),
                    kind: kind.name,
                    id,
                    pid: owner.word("pid").unwrap_or(0),
                    pid_type: number("pid_type"),
                    signal: number("signum"),
                });
            }
        }
        match kind.name {
            "REG" => {
                let regular = Regular {
                    size: record.number("size"),
                    mode: record.number("mode"),
                    is_external: record.is("ext"),
                    flags: record.number("flags").unwrap_or(0),
                };
                self.regular.insert(id, regular);
            }
            "INETSK" => self.inet.push(InetSocket::read(record, place, id)),
            "UNIXSK" => self.unix.push(UnixSocket::read(record, place, id)),
            "EVENTPOLL" => {
                let targets = record.records("tfd").map(|target| target.word("tfd"));
                self.epolls.push(Epoll {
                    targets: targets.map(|fd| fd.unwrap_or(u32::MAX)).collect(),
                    place,
                    id,
                });
            }
            "INOTIFY" => watches(checker, record, &place),
            _ => {}
        }
    }
}

/// Of two files of one type and id, the later one is found; the earlier is open nowhere, which CRIU does
/// not expect of pipes, sockets and terminals.
fn duplicate(checker: &Checker<'_>, kind: &Kind, id: u32, place: &Place, before: u64) {
    const FATAL: [&str; 4] = ["PIPE", "INETSK", "UNIXSK", "TTY"];
    let name = kind.name;
    let what = format!("duplicate file {id} of the type {name}: entry {before} has the id too");
    let at = place.field("id");
    match FATAL.contains(&name) {
        true => checker.error("duplicate-file", place.image, at, what),
        false => checker.warning("duplicate-file", place.image, at, what),
    }
}

/// The watches of an inotify instance (`criu/fsnotify.c`): the kernel hands out their numbers in order,
/// one for each inode.
fn watches(checker: &Checker<'_>, record: Record<'_>, place: &Place) {
    /// `IN_ALL_EVENTS`.
    const EVENTS: u64 = 0xfff;
    let mut inodes: HashMap<u64, (u64, u64)> = HashMap::new();
    for (index, watch) in record.records("wd").enumerate() {
        let number = |name| watch.number(name).unwrap_or(0);
        let (wd, inode) = (number("wd"), (number("s_dev"), number("i_ino")));
        let error = |field: &str, what: String| {
            let at = place.field(&format!("wd[{index}].{field}"));
            checker.error("inotify-watch", place.image, at, what);
        };
        if wd == 0 || i32::try_from(wd).is_err() {
            error("wd", format!("{wd} is not the number of a watch"));
        }
        if inodes
            .insert(wd, inode)
            .is_some_and(|before| before != inode)
        {
            error("wd", format!("duplicate watch {wd}"));
        }
        if number("mask") & EVENTS == 0 {
            error("mask", "it watches for no event".to_owned());
        }
    }
}
