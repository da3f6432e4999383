//! Unix sockets and their peers (`criu/sk-unix.c`).

use std::collections::HashMap;

use super::checker::Checker;
use super::descriptors::Tables;
use super::files::{Files, Place};
use crate::message::Record;
use crate::text::Text;

const STREAM: u64 = 1;
const DATAGRAM: u64 = 2;
const PACKETS: u64 = 5;
/// `TCP_ESTABLISHED` and `TCP_LISTEN`, which Linux uses for unix sockets too.
const ESTABLISHED: u64 = 1;
const LISTEN: u64 = 10;
/// CRIU's `USK_EXTERN`, `USK_SERVICE`, `USK_CALLBACK` and `USK_INHERIT`.
const EXTERN: u64 = 1 << 0;
const SERVICE: u64 = 1 << 1;
const CALLBACK: u64 = 1 << 2;
const INHERIT: u64 = 1 << 3;
/// `sk_shutdown`'s `BOTH`.
const SHUT_BOTH: u64 = 3;
/// `UNIX_PATH_MAX`.
const NAME: usize = 108;

/// A unix socket.
#[derive(Debug)]
pub(super) struct UnixSocket {
    place: Place,
    id: u32,
    ino: u32,
    peer: u32,
    kind: u64,
    state: u64,
    flags: u64,
    shutdown: u64,
    name: Text,
    is_deleted: bool,
    ns_id: u32,
}

impl UnixSocket {
    pub(super) fn read(record: Record<'_>, place: Place, id: u32) -> Self {
        let word = |name| record.word(name).unwrap_or(0);
        let number = |name| record.number(name).unwrap_or(0);
        UnixSocket {
            place,
            id,
            ino: word("ino"),
            peer: word("peer"),
            kind: number("type"),
            state: number("state"),
            flags: number("uflags"),
            shutdown: number("shutdown"),
            name: record.text("name").unwrap_or_default(),
            is_deleted: record.is("deleted"),
            ns_id: word("ns_id"),
        }
    }

    fn is_abstract(&self) -> bool {
        self.name.as_bytes().first() == Some(&0)
    }

    /// Returns true if restore binds it to its name.
    fn is_bound(&self) -> bool {
        !self.name.is_empty() && (self.kind == DATAGRAM || self.state != ESTABLISHED)
    }
}

/// The sockets by inode, in their order.
struct Sockets<'a> {
    all: &'a [UnixSocket],
    by_inode: HashMap<u32, Vec<usize>>,
    /// How many sockets have this one for a peer.
    peers: HashMap<u32, u32>,
}

pub(super) fn check(checker: &Checker<'_>, files: &Files, tables: &Tables) {
    let mut sockets = Sockets {
        all: &files.unix,
        by_inode: HashMap::new(),
        peers: HashMap::new(),
    };
    for (index, socket) in files.unix.iter().enumerate() {
        sockets.by_inode.entry(socket.ino).or_default().push(index);
        if socket.peer != 0 {
            *sockets.peers.entry(socket.peer).or_default() += 1;
        }
    }
    let mut names: HashMap<(u32, &[u8]), u64> = HashMap::new();
    for (index, socket) in files.unix.iter().enumerate() {
        let look = Look {
            checker,
            socket,
            is_open: tables.is_open("UNIXSK", socket.id),
        };
        look.itself();
        let peer = look.peer(&sockets, index);
        look.alone(&sockets, tables, peer);
        // Only one socket of a namespace has an abstract name.
        if look.is_open && socket.is_abstract() && socket.is_bound() {
            let key = (socket.ns_id, socket.name.as_bytes());
            if let Some(before) = names.insert(key, socket.place.entry) {
                let what = format!("duplicate abstract name: entry {before} is bound to it");
                look.error("unix-name", "name", what);
            }
        }
    }
}

struct Look<'a, 'c> {
    checker: &'a Checker<'c>,
    socket: &'a UnixSocket,
    is_open: bool,
}

impl Look<'_, '_> {
    fn error(&self, rule: &'static str, field: &str, what: impl Into<String>) {
        let place = &self.socket.place;
        self.checker
            .error(rule, place.image, place.field(field), what);
    }

    fn itself(&self) {
        let socket = self.socket;
        let length = socket.name.as_bytes().len();
        if length > NAME {
            let what = format!("a name of {length} bytes, more than {NAME}");
            self.error("unix-name", "name", what);
        }
        if socket.is_deleted && (socket.name.is_empty() || socket.is_abstract()) {
            let what = "the socket's path is deleted, and it has no path";
            self.error("unix-name", "name", what);
        }
        if !self.is_open {
            return;
        }
        if ![STREAM, DATAGRAM, PACKETS].contains(&socket.kind) {
            let what = format!("{} is not a type of unix sockets", socket.kind);
            return self.error("socket-type", "type", what);
        }
        if socket.state == LISTEN {
            if socket.kind == DATAGRAM {
                self.error("socket-state", "state", "a datagram socket can't listen");
            } else if socket.name.is_empty() {
                self.error(
                    "socket-state",
                    "state",
                    "a socket without a name can't listen",
                );
            }
        }
    }

    /// The peer, if there is one: of a pair each way, or one that stands before it
    /// (`try_resolve_unix_peer`).
    fn peer<'s>(&self, sockets: &Sockets<'s>, index: usize) -> Option<&'s UnixSocket> {
        let socket = self.socket;
        if socket.peer == 0 {
            return None;
        }
        let candidates = sockets.by_inode.get(&socket.peer);
        let candidates = candidates.map_or(&[][..], Vec::as_slice);
        let at = |place: usize| sockets.all.get(place);
        let mutual = candidates
            .iter()
            .copied()
            .filter_map(at)
            .find(|peer| peer.peer == socket.ino);
        let mut before = candidates.iter().copied().filter(|place| *place <= index);
        let found = mutual.or_else(|| before.next_back().and_then(at));
        let Some(peer) = found else {
            let what = match candidates.first().copied().and_then(at) {
                Some(later) => format!(
                    "its peer {} must stand before it, and stands in entry {}",
                    socket.peer, later.place.entry
                ),
                None => format!("no unix socket has the inode {}", socket.peer),
            };
            self.error("unix-peer", "peer", what);
            return None;
        };
        if peer.flags & EXTERN != 0 {
            if self.is_open && peer.flags & CALLBACK == 0 {
                let what = "its peer is outside of the dump: restore needs --ext-unix-sk";
                let place = &socket.place;
                self.checker
                    .warning("external-socket", place.image, place.field("peer"), what);
            }
        } else if mutual.is_none() && peer.ino != socket.ino && self.is_open {
            // It waits until the peer is bound, or listens.
            let never = match peer.kind {
                DATAGRAM => peer.name.is_empty(),
                _ => peer.state == ESTABLISHED,
            };
            if never {
                let what = format!("its peer {} can't be connected to", peer.ino);
                self.error("unix-peer", "peer", what);
            }
        }
        Some(peer)
    }

    /// A socket that nobody has open, or whose peer is closed.
    fn alone(&self, sockets: &Sockets<'_>, tables: &Tables, peer: Option<&UnixSocket>) {
        let socket = self.socket;
        let has_queuer = sockets.peers.contains_key(&socket.ino);
        let is_outside = socket.flags & (EXTERN | CALLBACK) != 0;
        if !self.is_open {
            // CRIU makes somebody who fills its queue, or connects it to its peer.
            let needs_queuer = !is_outside
                && !has_queuer
                && (socket.kind == DATAGRAM || socket.state == ESTABLISHED && peer.is_none());
            let is_paired = peer.is_some_and(|peer| peer.peer == socket.ino);
            if needs_queuer || is_paired {
                let what = format!("no descriptor refers to the socket {}", socket.id);
                self.error("unreferenced-file", "id", what);
            }
            return;
        }
        if peer.is_some_and(|peer| peer.peer == socket.ino && !tables.is_open("UNIXSK", peer.id)) {
            return;
        }
        let is_closed = socket.state == ESTABLISHED
            && socket.kind != DATAGRAM
            && socket.peer == 0
            && !has_queuer
            && socket.flags & (EXTERN | SERVICE | CALLBACK | INHERIT) == 0;
        if is_closed && socket.shutdown != SHUT_BOTH {
            let what = "it has no peer, and is not shut down";
            self.error("unix-peer", "shutdown", what);
        }
    }
}

/// Packets wait for sockets (`criu/sk-queue.c`). Those for sockets that are not there are dropped, unless
/// descriptors are in them: then CRIU looks for the sender.
pub(super) fn queues(checker: &Checker<'_>, files: &Files) {
    const IMAGE: &str = "sk-queues.img";
    checker.each(IMAGE, &[], &mut |entry, record| {
        let Some(id) = record.word("id_for") else {
            return;
        };
        let has_rights = record.records("scm").next().is_some();
        let at = (entry, "id_for");
        if has_rights && files.find("UNIXSK", id).is_err() {
            let what = format!("no unix socket has the id {id}, and descriptors wait for it");
            checker.error("socket-rights", IMAGE, at, what);
        } else if files
            .kinds_of(id)
            .iter()
            .all(|kind| !["UNIXSK", "INETSK", "NETLINKSK", "PACKETSK"].contains(kind))
        {
            let what = format!("no socket has the id {id}: the packet is lost");
            checker.warning("dangling-data", IMAGE, at, what);
        }
    });
}
