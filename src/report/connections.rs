//! Which processes have ends of the same pipe, unix socket or TCP connection.
//!
//! What is counted, drawn and listed are the pipes and connections themselves: one that twenty processes
//! inherited is one, with twenty holders, and not a line between every two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::graph;
use super::html::{Html, shown};
use crate::error::Result;
use crate::explore::Socket;

/// What connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pipe,
    Fifo,
    Unix,
    Inet,
}

/// What has an end: a process, or what is not in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Process(u32),
    Outside(String),
}

/// A pipe or a connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) kind: Kind,
    /// How it is called.
    pub(super) what: String,
    /// Who has one of its ends, or both.
    pub(super) ends: BTreeSet<End>,
}

pub(super) fn section(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let mut connections = pipes(subject)?;
    connections.extend(sockets(subject)?);
    if connections.is_empty() {
        page.raw("<p class=note>None.</p>\n");
    } else {
        let order = subject.processes.iter().map(|(_, process)| process.pid);
        graph::draw(page, &connections, &order.collect::<Vec<_>>(), |pid| {
            subject.name(pid)
        });
    }
    Ok(())
}

/// Pipes and FIFOs that more than one process has open, or one process by more than one end.
fn pipes(subject: &Subject<'_>) -> Result<Vec<Connection>> {
    /// Who has it open, and CRIU's ids of the open files: each end is one.
    type Open = (BTreeSet<u32>, BTreeSet<u32>);
    let mut pipes: BTreeMap<(Kind, String), Open> = BTreeMap::new();
    for task in subject.fds()? {
        for file in &task.files {
            let pipe = match &*file.kind {
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
            let (pids, ids) = pipes.entry(pipe).or_default();
            pids.insert(task.pid);
            ids.insert(file.id);
        }
    }
    let connects = |(pids, ids): &Open| pids.len() > 1 || ids.len() > 1;
    let pipes = pipes.into_iter().filter(|(_, open)| connects(open));
    let connections = pipes.map(|((kind, what), (pids, _))| Connection {
        kind,
        what,
        ends: pids.into_iter().map(End::Process).collect(),
    });
    Ok(connections.collect())
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
            let connection = unix.entry(pair).or_insert_with(|| Connection {
                kind: Kind::Unix,
                what: format!("inodes {a} and {b}"),
                ends: BTreeSet::new(),
            });
            connection.ends.insert(End::Process(pid));
            if let Some(name) = &socket.src_addr {
                connection.what = format!("{}, inodes {a} and {b}", shown(name));
            }
            if !inodes.contains(&peer.ino) {
                let outside = format!("socket with inode {}", peer.ino);
                connection.ends.insert(End::Outside(outside));
            }
        }
        if let Some([from, to]) = inet(socket) {
            let is_here = here.contains(&[to.clone(), from.clone()]);
            let what = format!("{from} to {to}");
            let mut pair = [from, to.clone()];
            pair.sort_unstable();
            let connection = others.entry(pair).or_insert_with(|| Connection {
                kind: Kind::Inet,
                what,
                ends: BTreeSet::new(),
            });
            connection.ends.insert(End::Process(pid));
            if !is_here {
                connection.ends.insert(End::Outside(to));
            }
        }
    }
    Ok(unix.into_values().chain(others.into_values()).collect())
}

/// The two ends of a connected socket of an IP family, this one first.
fn inet(socket: &Socket) -> Option<[String; 2]> {
    /// An address with its port; without a port it is no end of a connection.
    fn end(address: Option<&crate::text::Text>, port: Option<u32>) -> Option<String> {
        let port = port.filter(|port| *port > 0)?;
        Some(format!("{} port {port}", shown(address?)))
    }
    let is_inet = socket.family.starts_with("INET");
    let peer = end(socket.dest_addr.as_ref(), socket.dest_port).filter(|_| is_inet)?;
    Some([end(socket.src_addr.as_ref(), socket.src_port)?, peer])
}
