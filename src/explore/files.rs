//! The open files of a checkpoint, by their ids: what descriptors and mappings refer to.
//!
//! Since CRIU 3.4 all stand in `files.img`; before, each type had an image of its own, whose ids are
//! only unique within the type.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use super::{Explorer, names};
use crate::json;
use crate::message::Record;
use crate::text::Text;

/// An open file.
#[derive(Debug, Clone)]
pub(super) enum OpenFile {
    Regular { name: Arc<Text> },
    Pipe { pipe_id: u32, flags: Option<u32> },
    Fifo { pipe_id: u32, regf_id: u32 },
    Unix(Box<UnixSocket>),
    Inet(Box<InetSocket>),
    Packet(Box<PacketSocket>),
    Netlink(Box<NetlinkSocket>),
    Other,
}

/// What sockets of every family have.
#[derive(Debug, Clone, Default)]
pub(super) struct SocketCommon {
    pub(super) ino: Option<u32>,
    pub(super) send_buf: Option<u64>,
    pub(super) recv_buf: Option<u64>,
    pub(super) device: Option<Text>,
    pub(super) shutdown: Option<String>,
    pub(super) ns_id: Option<u32>,
}

impl SocketCommon {
    fn of(record: Record<'_>) -> Self {
        let options = record.record("opts");
        SocketCommon {
            ino: record.word("ino"),
            send_buf: options.and_then(|o| o.number("so_sndbuf")),
            recv_buf: options.and_then(|o| o.number("so_rcvbuf")),
            device: options.and_then(|o| o.text("so_bound_dev")),
            shutdown: record
                .enum_name("shutdown")
                .filter(|shutdown| shutdown != "NONE")
                .map(Cow::into_owned),
            ns_id: record.word("ns_id"),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct UnixSocket {
    pub(super) common: SocketCommon,
    pub(super) kind: u64,
    pub(super) state: u64,
    pub(super) backlog: u64,
    pub(super) peer: u32,
    pub(super) name: Text,
    pub(super) name_dir: Option<Text>,
}

#[derive(Debug, Clone)]
pub(super) struct InetSocket {
    pub(super) common: SocketCommon,
    pub(super) family: u64,
    pub(super) kind: u64,
    pub(super) proto: u64,
    pub(super) state: u64,
    pub(super) backlog: u64,
    pub(super) source: Vec<u32>,
    pub(super) source_port: u32,
    pub(super) destination: Vec<u32>,
    pub(super) destination_port: u32,
    pub(super) interface: Option<Text>,
}

#[derive(Debug, Clone)]
pub(super) struct PacketSocket {
    pub(super) common: SocketCommon,
    pub(super) kind: u64,
    pub(super) protocol: u64,
    pub(super) ifindex: u32,
}

#[derive(Debug, Clone)]
pub(super) struct NetlinkSocket {
    pub(super) common: SocketCommon,
    pub(super) protocol: u64,
    pub(super) state: u64,
    pub(super) portid: u32,
    pub(super) destination_portid: u32,
    pub(super) groups: Vec<u32>,
}

/// The images of CRIUs before 3.4 by the type of file, as `fd_types` names it.
const BY_TYPE: [(&str, &str); 7] = [
    ("REG", "reg-files.img"),
    ("PIPE", "pipes.img"),
    ("FIFO", "fifo.img"),
    ("UNIXSK", "unixsk.img"),
    ("INETSK", "inetsk.img"),
    ("PACKETSK", "packetsk.img"),
    ("NETLINKSK", "netlinksk.img"),
];

/// The fields of `files.img` that name a file: what descriptors and mappings are shown by.
const NAMES: [&str; 9] = [
    "id",
    "reg.name",
    "pipe.pipe_id",
    "pipe.flags",
    "fifo.pipe_id",
    "fifo.regf_id",
    "usk.ino",
    "usk.peer",
    "usk.name",
];

/// What the table of sockets shows of them beyond [`NAMES`].
const SOCKETS: [&str; 39] = [
    "usk.type",
    "usk.state",
    "usk.backlog",
    "usk.name_dir",
    "usk.shutdown",
    "usk.ns_id",
    "usk.opts.so_sndbuf",
    "usk.opts.so_rcvbuf",
    "usk.opts.so_bound_dev",
    "isk.ino",
    "isk.family",
    "isk.type",
    "isk.proto",
    "isk.state",
    "isk.backlog",
    "isk.src_addr",
    "isk.src_port",
    "isk.dst_addr",
    "isk.dst_port",
    "isk.ifname",
    "isk.shutdown",
    "isk.ns_id",
    "isk.opts.so_sndbuf",
    "isk.opts.so_rcvbuf",
    "isk.opts.so_bound_dev",
    "psk.type",
    "psk.protocol",
    "psk.ifindex",
    "psk.ns_id",
    "psk.opts.so_sndbuf",
    "psk.opts.so_rcvbuf",
    "psk.opts.so_bound_dev",
    "nlsk.ino",
    "nlsk.protocol",
    "nlsk.state",
    "nlsk.portid",
    "nlsk.dst_portid",
    "nlsk.groups",
    "nlsk.opts",
];

impl OpenFile {
    /// An entry of the image of its type; `None` when the type has nothing that is shown.
    fn of(kind: &str, record: Record<'_>) -> Option<Self> {
        let number = |name: &str| record.number(name).unwrap_or(0);
        let word = |name: &str| record.word(name).unwrap_or(0);
        let common = || SocketCommon::of(record);
        Some(match kind {
            "REG" => OpenFile::Regular {
                name: Arc::new(record.text("name").unwrap_or_default()),
            },
            "PIPE" => OpenFile::Pipe {
                pipe_id: word("pipe_id"),
                flags: record.word("flags"),
            },
            "FIFO" => OpenFile::Fifo {
                pipe_id: word("pipe_id"),
                regf_id: word("regf_id"),
            },
            "UNIXSK" => OpenFile::Unix(Box::new(UnixSocket {
                common: common(),
                kind: number("type"),
                state: number("state"),
                backlog: number("backlog"),
                peer: word("peer"),
                name: record.text("name").unwrap_or_default(),
                name_dir: record.text("name_dir"),
            })),
            "INETSK" => OpenFile::Inet(Box::new(InetSocket {
                common: common(),
                family: number("family"),
                kind: number("type"),
                proto: number("proto"),
                state: number("state"),
                backlog: number("backlog"),
                source: record.words("src_addr"),
                source_port: word("src_port"),
                destination: record.words("dst_addr"),
                destination_port: word("dst_port"),
                interface: record.text("ifname"),
            })),
            "PACKETSK" => OpenFile::Packet(Box::new(PacketSocket {
                common: common(),
                kind: number("type"),
                protocol: number("protocol"),
                ifindex: word("ifindex"),
            })),
            "NETLINKSK" => OpenFile::Netlink(Box::new(NetlinkSocket {
                common: common(),
                protocol: number("protocol"),
                state: number("state"),
                portid: word("portid"),
                destination_portid: word("dst_portid"),
                groups: record.words("groups"),
            })),
            _ => return None,
        })
    }

    /// An entry of `files.img`: the message inside it says what it is.
    fn in_files(record: Record<'_>, columns: &Columns) -> Self {
        columns
            .files
            .iter()
            .find_map(|(column, kind)| OpenFile::of(kind, record.record_at(*column)?))
            .unwrap_or(OpenFile::Other)
    }
}

/// Where the fields of an entry of `files.img` stand.
struct Columns {
    id: Option<usize>,
    /// The message for each type of file.
    files: [(Option<usize>, &'static str); 7],
}

impl Columns {
    fn of(record: Record<'_>) -> Self {
        let fields = [
            ("reg", "REG"),
            ("pipe", "PIPE"),
            ("fifo", "FIFO"),
            ("usk", "UNIXSK"),
            ("isk", "INETSK"),
            ("psk", "PACKETSK"),
            ("nlsk", "NETLINKSK"),
        ];
        Columns {
            id: record.column("id"),
            files: fields.map(|(field, kind)| (record.column(field), kind)),
        }
    }
}

/// All open files.
#[derive(Debug, Default)]
pub(super) struct FileTable {
    /// Of `files.img`, in the order of the ids.
    files: Vec<(u32, OpenFile)>,
    /// Of older images, by type and id.
    typed: HashMap<(&'static str, u32), OpenFile>,
    /// Whether there was any image of open files.
    found: bool,
}

impl FileTable {
    fn read(explorer: &Explorer<'_>, fields: &[&str]) -> Self {
        let mut table = FileTable::default();
        let mut index = 0;
        let mut columns = None;
        table.found = explorer.each("files.img", fields, &mut |record| {
            let columns = columns.get_or_insert_with(|| Columns::of(record));
            match record.word_at(columns.id) {
                Some(id) => table.files.push((id, OpenFile::in_files(record, columns))),
                None => explorer.gap("files.img", format!("entry {index} has no id")),
            }
            index += 1;
        });
        // Of two files with one id, upstream takes the first.
        table.files.sort_by_key(|(id, _)| *id);
        table.files.dedup_by_key(|(id, _)| *id);
        if table.files.is_empty() {
            for (kind, image) in BY_TYPE {
                table.found |= explorer.each(image, &[], &mut |record| {
                    if let (Some(id), Some(file)) = (record.word("id"), OpenFile::of(kind, record))
                    {
                        table.typed.entry((kind, id)).or_insert(file);
                    }
                });
            }
        }
        if !table.found {
            explorer.gap("files.img", "missing: what descriptors refer to is unknown");
        }
        table
    }

    /// The file of this type and id.
    pub(super) fn get(&self, kind: &str, id: u32) -> Option<&OpenFile> {
        if let Ok(found) = self.files.binary_search_by_key(&id, |(id, _)| *id) {
            return self.files.get(found).map(|(_, file)| file);
        }
        let (kind, _) = BY_TYPE.iter().find(|(known, _)| *known == kind)?;
        self.typed.get(&(*kind, id))
    }

    /// Every file.
    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenFile> {
        let files = self.files.iter().map(|(_, file)| file);
        files.chain(self.typed.values())
    }
}

impl Explorer<'_> {
    /// The open files by their names, read once.
    pub(super) fn files(&self) -> &FileTable {
        match self.sockets.get() {
            Some(whole) => whole,
            None => self.files.get_or_init(|| FileTable::read(self, &NAMES)),
        }
    }

    /// Does some work that doesn't need the open files while they are read.
    pub(super) fn beside_files<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.files.get().is_some() || self.sockets.get().is_some() {
            return work();
        }
        // Its warnings come behind those of the work, whichever is done first.
        let apart = Explorer::new(self.checkpoint);
        thread::scope(|scope| {
            let ahead = thread::Builder::new()
                .spawn_scoped(scope, || FileTable::read(&apart, &NAMES))
                .ok();
            let result = work();
            if let Some(Ok(table)) = ahead.map(thread::ScopedJoinHandle::join) {
                self.files.get_or_init(|| table);
                self.take_warnings(&apart);
            }
            result
        })
    }

    /// The open files with all that is shown of sockets, read once.
    pub(super) fn socket_files(&self) -> &FileTable {
        self.sockets
            .get_or_init(|| FileTable::read(self, &[&NAMES[..], &SOCKETS].concat()))
    }

    /// The path of a regular file, as upstream's crit prints it.
    pub(super) fn path(&self, id: u32) -> Arc<Text> {
        match self.files().get("REG", id) {
            Some(OpenFile::Regular { name }) if !name.is_empty() => Arc::clone(name),
            found => {
                if found.is_none() && self.files().found {
                    self.gap(
                        "files.img",
                        format!("no file has the id {id}, which is referred to"),
                    );
                }
                Arc::new(Text::from("unknown path"))
            }
        }
    }

    /// The number of a pipe, which both of its ends have, by CRIU's id of the open file (as in
    /// [`Descriptor::id`](super::Descriptor::id)); none when it is no pipe.
    ///
    /// The number is CRIU's `pipe_id` (`pipe.proto`).
    pub fn pipe(&self, id: u32) -> Option<u32> {
        match self.files().get("PIPE", id)? {
            OpenFile::Pipe { pipe_id, .. } => Some(*pipe_id),
            _ => None,
        }
    }

    /// The flags (`O_*`) that an end of a pipe is open with, by CRIU's id of the open file: with the lowest
    /// two bits 0 it is the one to read from, with 1 the one to write to. None when it is no pipe.
    pub fn pipe_flags(&self, id: u32) -> Option<u32> {
        match self.files().get("PIPE", id)? {
            OpenFile::Pipe { flags, .. } => *flags,
            _ => None,
        }
    }

    /// The number of the pipe behind a FIFO, which all that opened it share, and its path, by CRIU's id of
    /// the open file (as in [`Descriptor::id`](super::Descriptor::id)); none when it is no FIFO.
    ///
    /// The number is CRIU's `pipe_id` (`fifo.proto`).
    pub fn fifo(&self, id: u32) -> Option<(u32, Arc<Text>)> {
        match self.files().get("FIFO", id)? {
            OpenFile::Fifo { pipe_id, regf_id } => Some((*pipe_id, self.path(*regf_id))),
            _ => None,
        }
    }

    /// The file behind a descriptor, as upstream's crit prints it.
    pub(super) fn describe(&self, kind: &str, id: u32) -> Arc<Text> {
        let text = match kind {
            "REG" => return self.path(id),
            "PIPE" => match self.pipe(id) {
                Some(pipe) => format!("pipe[{pipe}]"),
                None => "pipe[?]".to_owned(),
            },
            "UNIXSK" => match self.files().get(kind, id) {
                Some(OpenFile::Unix(socket)) => {
                    let blank = if socket.name.is_empty() { "" } else { " " };
                    format!(
                        "unix[{} ({}){blank}{}]",
                        socket.common.ino.unwrap_or(0),
                        socket.peer,
                        json::unix_name(socket.name.as_bytes()),
                    )
                }
                _ => "unix[?]".to_owned(),
            },
            _ => format!("{kind}.{id}"),
        };
        Arc::new(text.into())
    }
}

/// A unix socket's name as `ss` and `/proc/net/unix` print it: abstract ones begin with `@`.
pub(super) fn unix_address(name: &Text) -> Option<Text> {
    match name.as_bytes() {
        [] => None,
        [0, rest @ ..] => Some(Text::from([b"@", rest].concat())),
        path => {
            // The kernel counts the zero at the end of a path.
            Some(Text::from(path.strip_suffix(&[0]).unwrap_or(path)))
        }
    }
}

/// The name of a protocol number of Linux's, by the family's table.
pub(super) fn protocol(table: &str, number: u64) -> String {
    names::name("sk", table, number)
}
