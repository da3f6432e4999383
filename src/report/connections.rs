//! Which processes have ends of the same pipe, unix socket or TCP connection.
//!
//! What is counted, drawn and listed are the pipes and connections themselves: one that twenty processes
//! inherited is one, with twenty holders, and not a line between every two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::graph;
use super::html::{Html, shown};
use crate::error::Result;
use crate::explore::{DescriptorName, Socket};
use crate::render::explore::address;

/// As many connections are named in the table.
const ROWS: usize = 200;
/// As many processes of a row of it, and descriptors of a process.
const HOLDERS: usize = 10;

/// What connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pipe,
    Fifo,
    Unix,
    Inet,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Pipe, Kind::Fifo, Kind::Unix, Kind::Inet];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "FIFO",
            Kind::Unix => "unix socket",
            Kind::Inet => "TCP or UDP",
        }
    }
}

/// What has an end: a process, or what is not in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Process(u32),
    Outside(String),
}

/// What an end is for: of a pipe that is known, of all else it is both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    In,
    Out,
    Both,
}

/// A pipe or a connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) kind: Kind,
    /// How it is called.
    pub(super) what: String,
    /// Who has one of its ends, or both, and by which descriptors.
    pub(super) ends: BTreeMap<End, BTreeSet<(u32, Way)>>,
}

impl Connection {
    fn new(kind: Kind, what: String) -> Self {
        Connection {
            kind,
            what,
            ends: BTreeMap::new(),
        }
    }

    fn add(&mut self, pid: u32, fd: u32, way: Way) {
        let ends = self.ends.entry(End::Process(pid)).or_default();
        ends.insert((fd, way));
    }
}

pub(super) fn section(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let mut connections = pipes(subject)?;
    connections.extend(sockets(subject)?);
    if connections.is_empty() {
        page.raw("<p class=note>None.</p>\n");
        return Ok(());
    }
    // Those between processes first: what a process has with itself says little.
    connections.sort_by_key(|connection| connection.ends.len() < 2);
    let between = connections.iter().filter(|c| c.ends.len() > 1);
    let between: Vec<&Connection> = between.collect();
    if between.is_empty() {
        page.raw("<p class=note>No two processes have ends of the same; what a process has with itself is in the table.</p>\n");
    } else {
        let order = subject.processes.iter().map(|(_, process)| process.pid);
        let order: Vec<u32> = order.collect();
        graph::draw(page, &between, &order, |pid| subject.name(pid));
        let alone = connections.len() - between.len();
        if alone > 0 {
            page.raw("<p class=note>and ").number(alone as u64);
            page.raw(" whose ends are all in one process</p>\n");
        }
    }
    page.raw("<details><summary>Pipes and connections: ");
    page.number(connections.len() as u64).raw("</summary>\n");
    table(page, subject, &connections);
    page.raw("</details>\n");
    Ok(())
}

fn table(page: &mut Html, subject: &Subject<'_>, connections: &[Connection]) {
    page.table(&["By", "What", "Processes and descriptors", "Outside"]);
    for connection in connections.iter().take(ROWS) {
        let (mut processes, mut outside) = (Vec::new(), Vec::new());
        for (end, descriptors) in &connection.ends {
            match end {
                End::Process(_) if processes.len() == HOLDERS => (),
                End::Process(pid) => {
                    let mut words: Vec<String> = descriptors
                        .iter()
                        .take(HOLDERS)
                        .map(|(fd, way)| match way {
                            Way::In => format!("{fd} (reads)"),
                            Way::Out => format!("{fd} (writes)"),
                            Way::Both => fd.to_string(),
                        })
                        .collect();
                    if descriptors.len() > HOLDERS {
                        words.push("...".to_owned());
                    }
                    processes.push(format!("{}: {}", subject.name(*pid), words.join(" ")));
                }
                End::Outside(name) => outside.push(name.clone()),
            }
        }
        let more = connection.ends.len() - processes.len() - outside.len();
        if more > 0 {
            processes.push(format!("and {more} more"));
        }
        page.raw("<tr><td>")
            .raw(connection.kind.name())
            .raw("</td>")
            .cell(&connection.what);
        // No more of them than stand in it: it is not cut.
        page.raw("<td>").text(&processes.join(", ")).raw("</td>");
        page.cell(&outside.join(", ")).raw("</tr>\n");
    }
    page.end_table();
    page.left_out(connections.len().saturating_sub(ROWS), "connections");
}

/// Pipes and FIFOs that more than one process has open, or one process by more than one end.
fn pipes(subject: &Subject<'_>) -> Result<Vec<Connection>> {
    /// With CRIU's ids of the open files: each end is one.
    type Open = (Connection, BTreeSet<u32>);
    let mut pipes: BTreeMap<(Kind, String), Open> = BTreeMap::new();
    for task in subject.fds()? {
        for file in &task.files {
            let DescriptorName::Number(fd) = file.fd else {
                continue;
            };
            let (kind, what) = match &*file.kind {
                // Pipes that nothing tells apart connect nobody.
                "PIPE" => match subject.explorer.pipe(file.id) {
                    Some(_) => (Kind::Pipe, shown(&file.path)),
                    None => continue,
                },
                "FIFO" => match subject.explorer.fifo(file.id) {
                    Some((pipe, path)) => (Kind::Fifo, format!("{}, pipe {pipe}", shown(&path))),
                    None => continue,
                },
                _ => continue,
            };
            // O_RDONLY and O_WRONLY; O_RDWR is 2.
            let way = match subject.explorer.pipe_flags(file.id).map(|flags| flags & 3) {
                Some(0) => Way::In,
                Some(1) => Way::Out,
                _ => Way::Both,
            };
            let (connection, ids) = pipes
                .entry((kind, what.clone()))
                .or_insert_with(|| (Connection::new(kind, what), BTreeSet::new()));
            connection.add(task.pid, fd, way);
            ids.insert(file.id);
        }
    }
    let connects = |(connection, ids): &Open| connection.ends.len() > 1 || ids.len() > 1;
    let pipes = pipes.into_values().filter(connects);
    Ok(pipes.map(|(connection, _)| connection).collect())
}

/// Unix sockets with a peer, and connections of TCP and UDP, in the checkpoint and to outside.
fn sockets(subject: &Subject<'_>) -> Result<Vec<Connection>> {
    let sockets = subject.sockets()?;
    let here: BTreeSet<[String; 2]> = sockets
        .clone()
        .filter_map(|(_, socket)| inet(socket))
        .collect();
    let inodes: BTreeSet<u32> = sockets
        .clone()
        .filter_map(|(_, socket)| socket.ino)
        .collect();
    // By its two ends in order: seen from either it is the same.
    let mut unix: BTreeMap<[u32; 2], Connection> = BTreeMap::new();
    let mut others: BTreeMap<[String; 2], Connection> = BTreeMap::new();
    for (pid, socket) in sockets {
        if let (Some(ino), Some(peer)) = (socket.ino, &socket.peer) {
            let mut pair = [ino, peer.ino];
            pair.sort_unstable();
            let [a, b] = pair;
            let connection = unix
                .entry(pair)
                .or_insert_with(|| Connection::new(Kind::Unix, format!("inodes {a} and {b}")));
            connection.add(pid, socket.fd, Way::Both);
            if let Some(name) = &socket.src_addr {
                connection.what = format!("{}, inodes {a} and {b}", shown(name));
            }
            if !inodes.contains(&peer.ino) {
                let outside = format!("socket with inode {}", peer.ino);
                connection.ends.entry(End::Outside(outside)).or_default();
            }
        }
        if let Some([from, to]) = inet(socket) {
            let is_here = here.contains(&[to.clone(), from.clone()]);
            let what = format!("{from} to {to}");
            let what = match &socket.protocol {
                Some(protocol) => format!("{protocol} {what}"),
                None => what,
            };
            let mut pair = [from, to.clone()];
            pair.sort_unstable();
            let connection = others
                .entry(pair)
                .or_insert_with(|| Connection::new(Kind::Inet, what));
            connection.add(pid, socket.fd, Way::Both);
            if !is_here {
                connection.ends.entry(End::Outside(to)).or_default();
            }
        }
    }
    Ok(unix.into_values().chain(others.into_values()).collect())
}

/// The two ends of a connected socket of an IP family, this one first; without a port it is no end of
/// a connection.
fn inet(socket: &Socket) -> Option<[String; 2]> {
    let end = |text: &Option<crate::text::Text>, port: Option<u32>| {
        let port = port.filter(|port| *port > 0)?;
        Some(address(Some(text.as_ref()?), Some(port)))
    };
    let is_inet = socket.family.starts_with("INET");
    let peer = end(&socket.dest_addr, socket.dest_port).filter(|_| is_inet)?;
    Some([end(&socket.src_addr, socket.src_port)?, peer])
}
