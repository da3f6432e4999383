//! Internet sockets and TCP connections (`criu/sk-inet.c`, `criu/sk-tcp.c`).

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::descriptors::Tables;
use super::files::{Files, Place};
use super::inventory::Inventory;
use crate::message::Record;

/// `SOCK_STREAM`; `IPPROTO_TCP`; `TCP_LISTEN`; `AF_INET` and `AF_INET6`.
const STREAM: u64 = 1;
const TCP: u64 = 6;
const LISTEN: u64 = 10;
const IPV4: u64 = 2;
const IPV6: u64 = 10;

/// An internet socket.
#[derive(Debug)]
pub(super) struct InetSocket {
    place: Place,
    id: u32,
    ino: u32,
    family: u64,
    kind: u64,
    protocol: u64,
    state: u64,
    source_port: u64,
    destination_port: u64,
    source_words: usize,
    destination_words: usize,
    /// Both addresses may be shared with other sockets.
    is_reusable: bool,
    ns_id: u32,
}

impl InetSocket {
    pub(super) fn read(record: Record<'_>, place: Place, id: u32) -> Self {
        let number = |name| record.number(name).unwrap_or(0);
        let options = record.record("opts");
        let is_set = |name| options.is_some_and(|options| options.is(name));
        InetSocket {
            place,
            id,
            ino: record.word("ino").unwrap_or(0),
            family: number("family"),
            kind: number("type"),
            protocol: number("proto"),
            state: number("state"),
            source_port: number("src_port"),
            destination_port: number("dst_port"),
            source_words: record.numbers("src_addr").len(),
            destination_words: record.numbers("dst_addr").len(),
            is_reusable: is_set("reuseaddr") && is_set("so_reuseport"),
            ns_id: record.word("ns_id").unwrap_or(0),
        }
    }

    /// Returns true if CRIU takes it for a TCP connection, in whatever state: it goes by the port.
    fn is_connection(&self) -> bool {
        self.protocol == TCP && self.destination_port != 0
    }

    /// Returns the name of the image of its connection.
    fn stream(&self) -> String {
        format!("tcp-stream-{:x}.img", self.ino)
    }
}

pub(super) fn check(checker: &Checker<'_>, inventory: &Inventory, files: &Files, tables: &Tables) {
    let mut streams = HashSet::new();
    let mut unopened: HashMap<(u64, u64, u32), &InetSocket> = HashMap::new();
    for socket in &files.inet {
        let look = Look { checker, socket };
        if !tables.is_open("INETSK", socket.id) {
            unopened.insert((socket.kind, socket.source_port, socket.ns_id), socket);
            continue;
        }
        look.values();
        if socket.is_connection() && socket.kind == STREAM && !inventory.tcp_close {
            streams.insert(socket.stream());
            look.connection();
        }
    }
    for (name, _) in checker.named("tcp-stream-") {
        if !streams.contains(name) {
            checker.ignore(name);
            let what = "no connection that is restored has this inode";
            checker.note("stranger", name, (), what);
        }
    }
    // Whoever has the port waits for all that have it, and for one that nobody opens in vain.
    for socket in &files.inet {
        let key = (socket.kind, socket.source_port, socket.ns_id);
        let waits =
            tables.is_open("INETSK", socket.id) && !socket.is_connection() && !socket.is_reusable;
        if waits && let Some(other) = unopened.get(&key) {
            let place = &other.place;
            let what = format!(
                "no descriptor refers to the socket {}, and others with its port wait for it",
                other.id
            );
            checker.error("unreferenced-file", place.image, place.field("id"), what);
        }
    }
}

struct Look<'a, 'c> {
    checker: &'a Checker<'c>,
    socket: &'a InetSocket,
}

impl Look<'_, '_> {
    fn error(&self, rule: &'static str, field: &str, what: impl Into<String>) {
        let place = &self.socket.place;
        self.checker
            .error(rule, place.image, place.field(field), what);
    }

    fn values(&self) {
        let socket = self.socket;
        let words = match socket.family {
            // CRIU 0.1 wrote four words for either family, and CRIU takes more than it needs.
            IPV4 => 1..=usize::MAX,
            IPV6 => 4..=4,
            other => {
                let what = format!("{other} is neither IPv4 nor IPv6");
                return self.error("socket-family", "family", what);
            }
        };
        let addresses = [
            ("src_addr", socket.source_words),
            ("dst_addr", socket.destination_words),
        ];
        for (field, has) in addresses {
            if !words.contains(&has) {
                let needed = words.start();
                let what = format!("an address of {has} words, where {needed} are needed");
                self.error("socket-address", field, what);
            }
        }
        if !(1..=3).contains(&socket.kind) {
            let what = format!("{} is not a type of sockets", socket.kind);
            self.error("socket-type", "type", what);
        }
        let place = &socket.place;
        let warning = |field: &str, what: String| {
            self.checker
                .warning("socket-value", place.image, place.field(field), what);
        };
        // `TCP_ESTABLISHED` up to `TCP_NEW_SYN_RECV`.
        if !(1..=12).contains(&socket.state) {
            warning(
                "state",
                format!("{} is not the state of a socket", socket.state),
            );
        }
        let ports = [
            ("src_port", socket.source_port),
            ("dst_port", socket.destination_port),
        ];
        for (field, port) in ports {
            if port > 0xffff {
                let what = format!("{port} is not a port: restore takes {}", port & 0xffff);
                warning(field, what);
            }
        }
        if socket.state == LISTEN && socket.protocol != TCP && socket.kind != STREAM {
            let what = "only TCP sockets listen";
            self.error("socket-state", "state", what);
        }
    }

    /// A connection has its queues and sequence numbers.
    fn connection(&self) {
        let (checker, socket) = (self.checker, self.socket);
        let image = socket.stream();
        let (of, entry) = (socket.place.image, socket.place.entry);
        if socket.state == LISTEN {
            let what = format!(
                "a listening socket has the port {} of a peer",
                socket.destination_port
            );
            self.error("socket-state", "dst_port", what);
        }
        if !checker.has(&image) {
            let closed = match socket.state {
                7 => " (it is closed, and has the port of a peer: CRIU goes by the port)",
                _ => "",
            };
            let what = format!(
                "missing: the connection of a socket, entry {entry} of {of}{closed}; restore can do without only by --tcp-close"
            );
            checker.error("missing-connection", &image, (), what);
            return;
        }
        let at = socket.place.field("dst_port");
        let what = "a TCP connection: restore needs --tcp-established or --tcp-close";
        checker.warning("tcp-established", of, at, what);
        let Some(entry) = checker.first(&image, &[]) else {
            return;
        };
        stream(checker, &image, entry.record());
    }
}

/// The values of a connection that restore or the kernel refuses (`restore_tcp_conn_state`).
fn stream(checker: &Checker<'_>, image: &str, record: Record<'_>) {
    /// `TCPI_OPT_TIMESTAMPS` and `TCPI_OPT_WSCALE`.
    const TIMESTAMPS: u64 = 1;
    const SCALE: u64 = 4;
    /// `TCP_MAX_WSCALE`.
    const MOST_SCALE: u64 = 14;
    let error = |field: &str, what: String| {
        checker.error("tcp-stream", image, (0, field), what);
    };
    let number = |name| record.number(name).unwrap_or(0);
    let options = number("opt_mask");
    let Some(unsent) = record.number("unsq_len") else {
        return error(
            "unsq_len",
            "missing: how much of the queue was not sent".to_owned(),
        );
    };
    if unsent > number("outq_len") && number("outq_len") > 0 {
        let what = format!(
            "{unsent} bytes not sent, of {} in the queue",
            number("outq_len")
        );
        error("unsq_len", what);
    }
    for (bit, field) in [(SCALE, "rcv_wscale"), (TIMESTAMPS, "timestamp")] {
        if options & bit != 0 && record.number(field).is_none() {
            error(
                field,
                "missing: opt_mask says that it is negotiated".to_owned(),
            );
        }
    }
    if options & SCALE != 0 {
        for field in ["snd_wscale", "rcv_wscale"] {
            let scale = number(field);
            if scale > MOST_SCALE {
                error(field, format!("the scale {scale} is above {MOST_SCALE}"));
            }
        }
    }
    window(record, &error);
}

/// The window, as `TCP_REPAIR_WINDOW` accepts it. Sequence numbers are compared around 2^32.
fn window(record: Record<'_>, error: &dyn Fn(&str, String)) {
    let word = |name| record.word(name).unwrap_or(0);
    if record.number("snd_wnd").is_none() {
        return;
    }
    if word("max_window") < word("snd_wnd") {
        let what = format!(
            "{} is less than snd_wnd, {}",
            word("max_window"),
            word("snd_wnd")
        );
        error("max_window", what);
    }
    let is_after = |a: u32, b: u32| (b.wrapping_sub(a)) >> 31 == 1;
    let received = word("inq_seq");
    if is_after(word("snd_wl1"), received.wrapping_add(word("rcv_wnd"))) {
        error("snd_wl1", "it is after the end of the window".to_owned());
    }
    if is_after(word("rcv_wup"), received) {
        error("rcv_wup", "it is after what was received".to_owned());
    }
}
