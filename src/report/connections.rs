//! Which processes hold ends of the same pipe, unix socket or TCP connection.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::graph::{self, Edge, Kind};
use super::html::{Html, shown};
use crate::error::Result;
use crate::explore::Socket;

/// Files with more holders than this connect nobody in particular.
const HOLDERS: usize = 32;

/// A node of the graph: a process, or the other end of a connection that is not in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Process(u32),
    Outside(String),
}

pub(super) fn section(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let mut edges = BTreeSet::new();
    pipes(subject, &mut edges)?;
    sockets(subject, &mut edges)?;
    if edges.is_empty() {
        page.raw("<p class=note>None.</p>\n");
    } else {
        let order = subject.processes.iter().map(|(_, process)| process.pid);
        graph::draw(page, &edges, &order.collect::<Vec<_>>(), |pid| {
            subject.name(pid)
        });
    }
    Ok(())
}

/// Pipes and FIFOs that more than one process has open.
fn pipes(subject: &Subject<'_>, edges: &mut BTreeSet<Edge>) -> Result<()> {
    let mut holders: BTreeMap<(Kind, String), BTreeSet<u32>> = BTreeMap::new();
    for task in subject.explorer.fds()? {
        for file in &task.files {
            let kind = match &*file.kind {
                "PIPE" => Kind::Pipe,
                "FIFO" => Kind::Fifo,
                _ => continue,
            };
            let name = shown(&file.path);
            holders.entry((kind, name)).or_default().insert(task.pid);
        }
    }
    for ((kind, what), pids) in holders {
        let what = match pids.len() {
            ..=2 => what,
            holders => format!("{what}, which {holders} processes have open"),
        };
        let pids: Vec<u32> = pids.into_iter().take(HOLDERS).collect();
        // Neighbours in a row: all of them are joined, without a line for every two.
        for pair in pids.windows(2) {
            if let [a, b] = pair {
                edges.insert(Edge {
                    a: Node::Process(*a),
                    b: Node::Process(*b),
                    kind,
                    what: what.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Unix sockets whose peer is in the checkpoint, and TCP and UDP connections inside and to outside.
fn sockets(subject: &Subject<'_>, edges: &mut BTreeSet<Edge>) -> Result<()> {
    let tasks = subject.explorer.sockets()?;
    let all = || {
        tasks
            .iter()
            .flat_map(|task| task.sockets.iter().map(move |socket| (task.pid, socket)))
    };
    // Who is at an address and port, connected to which.
    let mut ends: BTreeMap<[Option<String>; 2], BTreeSet<u32>> = BTreeMap::new();
    for (pid, socket) in all().filter(|(_, socket)| is_inet(socket)) {
        ends.entry([local(socket), peer(socket)])
            .or_default()
            .insert(pid);
    }
    for (pid, socket) in all() {
        let what = socket
            .src_addr
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        if let Some(peer) = &socket.peer {
            for (other, _) in peer.holders.iter().take(HOLDERS) {
                edges.insert(Edge::between(pid, *other, Kind::Unix, what.clone()));
            }
        }
        let Some(to) = peer(socket).filter(|_| is_inet(socket)) else {
            continue;
        };
        let from = local(socket).unwrap_or_default();
        let what = format!("{from} to {to}");
        // Seen from either side it is the same.
        let (a, b) = (from.as_str().min(&to), from.as_str().max(&to));
        let pair = format!("{a}, {b}");
        match ends.get(&[Some(to.clone()), Some(from)]) {
            Some(others) => {
                for other in others.iter().take(HOLDERS) {
                    edges.insert(Edge::between(pid, *other, Kind::Tcp, pair.clone()));
                }
            }
            None => {
                edges.insert(Edge {
                    a: Node::Process(pid),
                    b: Node::Outside(to),
                    kind: Kind::Tcp,
                    what,
                });
            }
        }
    }
    Ok(())
}

fn is_inet(socket: &Socket) -> bool {
    socket.family.starts_with("INET")
}

fn local(socket: &Socket) -> Option<String> {
    end(socket.src_addr.as_ref()?, socket.src_port?)
}

fn peer(socket: &Socket) -> Option<String> {
    end(socket.dest_addr.as_ref()?, socket.dest_port?)
}

/// An address with its port; without a port it is no end of a connection.
fn end(address: &crate::text::Text, port: u32) -> Option<String> {
    (port > 0).then(|| format!("{} port {port}", shown(address)))
}
