//! The open files of all tasks by their ids, and what each of them refers to.
//!
//! Since CRIU 3.4 all stand in `files.img`; before, each type had an image of its own, whose ids are
//! only unique within the type.

use std::collections::HashMap;

use super::Checker;
use crate::message::Record;

/// A type of open file: its name in `fd_types`, its message in an entry of `files.img`, and the image
/// that it had before.
struct Kind {
    name: &'static str,
    field: &'static str,
    image: &'static str,
}

const fn kind(name: &'static str, field: &'static str, image: &'static str) -> Kind {
    Kind { name, field, image }
}

const KINDS: [Kind; 20] = [
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

/// Where an open file stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) image: &'static str,
    pub(super) entry: u64,
    /// The way to its message in the entry: `reg.`, or nothing in an image of its own.
    prefix: String,
}

impl Place {
    pub(super) fn field(&self, name: &str) -> (u64, String) {
        (self.entry, format!("{}{name}", self.prefix))
    }
}

/// Something that an open file refers to, or that others refer to it by.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) place: Place,
    /// The id of the file.
    pub(super) id: u32,
    pub(super) to: u64,
}

/// The open files.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Whether there is any image of them.
    pub(super) found: bool,
    /// They could not be read: nothing is known of them.
    pub(super) damaged: bool,
    /// Whether all are in one image.
    unified: bool,
    /// The types of those in `files.img` by their ids: a FIFO has that of its regular file.
    types: HashMap<u32, Vec<(String, u64)>>,
    /// Where those of each type are, by their ids.
    of_type: HashMap<&'static str, HashMap<u32, Place>>,
    /// What they refer to, by type and field.
    pub(super) references: HashMap<(&'static str, &'static str), Vec<Reference>>,
    /// TCP sockets with a connection, by their inodes.
    pub(super) connected: Vec<Reference>,
    /// Unix sockets whose peer is not part of the dump.
    pub(super) external: Vec<u32>,
    /// What epoll instances watch: where it stands, and the descriptor.
    pub(super) watched: Vec<(Place, String, u32)>,
    /// The sizes of regular files in bytes, by their ids.
    pub(super) sizes: HashMap<u32, u64>,
}

/// The fields of open files that refer to something.
const REFERENCES: [(&str, &str); 17] = [
    ("REG", "mnt_id"),
    ("PIPE", "pipe_id"),
    ("FIFO", "pipe_id"),
    ("FIFO", "regf_id"),
    ("UNIXSK", "ino"),
    ("UNIXSK", "peer"),
    ("UNIXSK", "ns_id"),
    ("UNIXSK", "mnt_id"),
    ("INETSK", "ns_id"),
    ("PACKETSK", "ns_id"),
    ("NETLINKSK", "ns_id"),
    ("TTY", "tty_info_id"),
    ("TTY", "regf_id"),
    ("MEMFD", "inode_id"),
    ("BPFMAP", "map_id"),
    ("INETSK", "ino"),
    ("TUNF", "ns_id"),
];

pub(super) fn read(checker: &Checker<'_>) -> Files {
    let mut files = Files::default();
    let image = "files.img";
    files.unified = checker.each(image, &[], &mut |entry, record| {
        files.add(checker, entry, record);
    });
    files.found = files.unified;
    // What is said of those that could not be read would be wrong.
    if checker.is_damaged(image) {
        return Files {
            damaged: true,
            ..Files::default()
        };
    }
    if !files.unified {
        for kind in &KINDS {
            files.found |= checker.each(kind.image, &[], &mut |entry, record| {
                let place = Place {
                    image: kind.image,
                    entry,
                    prefix: String::new(),
                };
                files.add_typed(checker, kind, record, place);
            });
        }
    }
    files
}

impl Files {
    /// Whether there is a file of this type and id; when not, what there is instead.
    pub(super) fn find(&self, kind: &str, id: u32) -> Result<(), String> {
        if self
            .of_type
            .get(kind)
            .is_some_and(|files| files.contains_key(&id))
        {
            return Ok(());
        }
        let types = self.types.get(&id).map_or(&[][..], Vec::as_slice);
        // A type that is not known here, such as one of a newer CRIU.
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

    pub(super) fn of(&self, kind: &'static str, field: &'static str) -> &[Reference] {
        self.references
            .get(&(kind, field))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether a file of one of these types has this id.
    pub(super) fn any(&self, kinds: &[&str], id: u32) -> bool {
        kinds.iter().any(|kind| self.find(kind, id).is_ok())
    }

    /// An entry of `files.img`.
    fn add(&mut self, checker: &Checker<'_>, entry: u64, record: Record<'_>) {
        let image = "files.img";
        let (Some(id), Some(name)) = (record.word("id"), record.enum_name("type")) else {
            return;
        };
        let types = self.types.entry(id).or_default();
        if let Some((_, before)) = types.iter().find(|(known, _)| *known == name) {
            let what = format!("the file {id} of the type {name} stands in entry {before} already");
            checker.error(image, (entry, "id"), what);
            return;
        }
        types.push((name.to_string(), entry));
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
            let what = format!("the type {name} of open files is not known here");
            checker.warning(image, (entry, "type"), what);
            return;
        };
        let Some(inner) = record.record(kind.field) else {
            let what = format!("it is missing in a file of the type {name}");
            checker.error(image, (entry, kind.field), what);
            return;
        };
        let place = Place {
            image,
            entry,
            prefix: format!("{}.", kind.field),
        };
        if let Some(own) = inner.word("id").filter(|own| *own != id) {
            let what = format!("{own} is not the id of the entry, {id}");
            checker.error(image, place.field("id"), what);
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
            let what = format!("the file {id} stands in entry {} already", before.entry);
            checker.error(place.image, place.field("id"), what);
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
        match kind.name {
            "INETSK" => self.inet(checker, record, &place, id),
            "REG" => {
                self.sizes
                    .extend(record.number("size").map(|size| (id, size)));
            }
            "EVENTPOLL" => {
                for (index, target) in record.records("tfd").enumerate() {
                    let fd = target.word("tfd").unwrap_or(0);
                    let field = format!("tfd[{index}].tfd");
                    self.watched.push((place.clone(), field, fd));
                }
            }
            "INOTIFY" => {
                let mut seen = std::collections::HashSet::new();
                for (index, watch) in record.records("wd").enumerate() {
                    if let Some(wd) = watch.number("wd")
                        && !seen.insert(wd)
                    {
                        let what = format!("the watch {wd} stands twice");
                        checker.error(place.image, place.field(&format!("wd[{index}].wd")), what);
                    }
                }
            }
            "UNIXSK" if record.number("uflags").unwrap_or(0) & USK_EXTERN != 0 => {
                self.external.push(id);
            }
            _ => {}
        }
    }

    fn inet(&mut self, checker: &Checker<'_>, record: Record<'_>, place: &Place, id: u32) {
        /// Linux's `AF_INET` and `AF_INET6`, with the words of an address.
        const FAMILIES: [(u64, usize); 2] = [(2, 1), (10, 4)];
        /// How many CRIU 0.1 wrote for either family.
        const ALWAYS: usize = 4;
        /// `IPPROTO_TCP`.
        const TCP: u64 = 6;
        /// `TCP_CLOSE` and `TCP_LISTEN`: no connection.
        const NOT_CONNECTED: [u64; 2] = [7, 10];
        let family = record.number("family").unwrap_or(0);
        match FAMILIES.iter().find(|(number, _)| *number == family) {
            None => {
                let what = format!("{family} is neither IPv4 nor IPv6");
                checker.error(place.image, place.field("family"), what);
            }
            Some((_, words)) => {
                for field in ["src_addr", "dst_addr"] {
                    let has = record.words(field).len();
                    if has != *words && has != ALWAYS {
                        let what = format!("an address of {has} words, where {words} are needed");
                        checker.error(place.image, place.field(field), what);
                    }
                }
            }
        }
        let state = record.number("state").unwrap_or(0);
        let wrong = |field: &str, value: u64, what: &str| {
            let what = format!("{value} is no {what}");
            checker.error(place.image, place.field(field), what);
        };
        // `SOCK_STREAM`, `SOCK_DGRAM` and `SOCK_RAW`; `TCP_ESTABLISHED` up to `TCP_NEW_SYN_RECV`.
        match record.number("type") {
            Some(value) if !(1..=3).contains(&value) => wrong("type", value, "type of sockets"),
            _ => {}
        }
        if !(1..=12).contains(&state) {
            wrong("state", state, "state of a socket");
        }
        for field in ["src_port", "dst_port"] {
            match record.number(field) {
                Some(value) if value > 0xffff => wrong(field, value, "port"),
                _ => {}
            }
        }
        let has_peer = record.number("dst_port").unwrap_or(0) != 0;
        if record.number("proto") == Some(TCP) && has_peer && !NOT_CONNECTED.contains(&state) {
            self.connected.push(Reference {
                place: place.clone(),
                id,
                to: record.number("ino").unwrap_or(0),
            });
        }
    }
}

/// CRIU's `USK_EXTERN` (`criu/sk-unix.c`).
const USK_EXTERN: u64 = 1;
