//! Open files and sockets.

use std::collections::BTreeMap;

use super::Subject;
use super::html::{Fold, Html, shown};
use crate::error::Result;
use crate::explore::{DescriptorName, Socket};
use crate::render::explore::{address, notes};

/// As many tasks are shown.
const TASKS: usize = 200;
/// As many descriptors of a task, and sockets of all.
const ROWS: usize = 300;
/// As many of those who have a socket open.
const HOLDERS: usize = 2;

pub(super) fn descriptors(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let tasks = subject.fds()?;
    // Where the sockets can't be read, their section says so.
    let sockets: BTreeMap<_, _> = subject.sockets().map_or_else(
        |_| BTreeMap::new(),
        |sockets| sockets.map(|(pid, s)| ((pid, s.fd), s)).collect(),
    );
    let mut fold = Fold::of(tasks.len().min(TASKS), "processes");
    for task in tasks.iter().take(TASKS) {
        fold.next(page);
        page.raw("<details><summary>")
            .text(&subject.name(task.pid))
            .raw(": ");
        let descriptors = task.files.iter();
        let descriptors = descriptors.filter(|file| matches!(file.fd, DescriptorName::Number(_)));
        page.number(descriptors.count() as u64)
            .raw(" descriptors</summary>\n");
        page.table(&["Descriptor", "Type", "What"]);
        for file in task.files.iter().take(ROWS) {
            let fd = match file.fd {
                DescriptorName::Number(number) => number.to_string(),
                DescriptorName::Cwd => "cwd".to_owned(),
                DescriptorName::Root => "root".to_owned(),
            };
            let socket = match file.fd {
                DescriptorName::Number(number) => sockets.get(&(task.pid, number)),
                DescriptorName::Cwd | DescriptorName::Root => None,
            };
            let fifo = Some(file.id).filter(|_| &*file.kind == "FIFO");
            let fifo = fifo.and_then(|id| subject.explorer.fifo(id));
            let what = match (socket, fifo) {
                (Some(socket), _) => socket_line(socket),
                (_, Some((_, path))) => shown(&path),
                _ => shown(&file.path),
            };
            page.raw("<tr>").cell(&fd).cell(&file.kind);
            page.cell(&what).raw("</tr>\n");
        }
        page.end_table();
        page.left_out(task.files.len().saturating_sub(ROWS), "descriptors");
        page.raw("</details>\n");
    }
    fold.end(page);
    page.left_out(tasks.len().saturating_sub(TASKS), "tasks");
    Ok(())
}

pub(super) fn sockets(page: &mut Html, subject: &Subject<'_>) -> Result<()> {
    let all: Vec<_> = subject.sockets()?.collect();
    if all.is_empty() {
        let files = subject.fds()?.iter().flat_map(|task| &task.files);
        let unknown = files.filter(|file| SOCKETS.contains(&&*file.kind)).count();
        if unknown == 0 {
            page.raw("<p class=note>None.</p>\n");
        } else {
            page.raw("<p class=missing>Not to be had: ")
                .number(unknown as u64)
                .raw(
                    " descriptors are sockets, and the images that say which are not there.</p>\n",
                );
        }
        return Ok(());
    }
    // One that tasks inherited is one.
    let mut open: BTreeMap<(&str, u32), Vec<(u32, &Socket)>> = BTreeMap::new();
    let mut order = Vec::new();
    for (pid, socket) in all {
        let key = (socket.fd_type.as_str(), socket.id);
        let holders = open.entry(key).or_default();
        if holders.is_empty() {
            order.push(key);
        }
        holders.push((pid, socket));
    }
    page.table(&[
        "Process and descriptor",
        "What",
        "State",
        "#Recv-Q",
        "#Send-Q",
        "Local",
        "Peer",
        "Notes",
    ]);
    for key in order.iter().take(ROWS) {
        let holders = open.get(key).map_or(&[][..], Vec::as_slice);
        let Some((_, socket)) = holders.first() else {
            continue;
        };
        let named = holders.iter().take(HOLDERS);
        let mut named: Vec<String> = named
            .map(|(pid, socket)| format!("{}: {}", subject.name(*pid), socket.fd))
            .collect();
        if let Some(more) = holders.len().checked_sub(HOLDERS).filter(|more| *more > 0) {
            named.push(format!("and {more} more"));
        }
        let words = [
            Some(&socket.family),
            socket.kind.as_ref(),
            socket.protocol.as_ref(),
        ];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        page.raw("<tr>")
            .cell(&named.join(", "))
            .cell(&words.join(" "));
        page.cell(socket.state.as_deref().unwrap_or(""));
        page.number_cell(socket.recv_queue)
            .number_cell(socket.send_queue);
        page.cell(&address(socket.src_addr.as_ref(), socket.src_port));
        page.cell(&peer(subject, socket))
            .cell(&notes(socket, false))
            .raw("</tr>\n");
    }
    page.end_table();
    page.left_out(order.len().saturating_sub(ROWS), "sockets");
    Ok(())
}

/// Descriptors of these types are sockets.
const SOCKETS: [&str; 4] = ["INETSK", "UNIXSK", "NETLINKSK", "PACKETSK"];

/// What is at the other end: its address, or who has a socket without a name open.
fn peer(subject: &Subject<'_>, socket: &Socket) -> String {
    let address = address(socket.dest_addr.as_ref(), socket.dest_port);
    let holders = socket.peer.iter().flat_map(|peer| &peer.holders);
    let mut holders = holders.map(|(pid, fd)| format!("{}, descriptor {fd}", subject.name(*pid)));
    match (address.is_empty(), holders.next()) {
        (true, Some(first)) => match holders.count() {
            0 => first,
            more => format!("{first} and {more} more"),
        },
        _ => address,
    }
}

/// A socket among other open files.
fn socket_line(socket: &Socket) -> String {
    let protocol = socket.protocol.as_ref().or(socket.kind.as_ref());
    let mut words = vec![socket.family.clone()];
    words.extend(protocol.cloned());
    let local = address(socket.src_addr.as_ref(), socket.src_port);
    words.push(local);
    let peer = address(socket.dest_addr.as_ref(), socket.dest_port);
    if !peer.is_empty() {
        words.push(format!("to {peer}"));
    }
    words.extend(socket.state.clone());
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
