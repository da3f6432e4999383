//! Answers that are tables. Every cell is made safe to print.

use std::fmt::Write as _;

use crate::explore::{
    Mount, Mounts, Namespace, Namespaces, Peer, Socket, TaskSockets, TaskThreads, TaskTimers,
};
use crate::render::{Table, duration, printable_bytes};
use crate::text::Text;

/// A number, or nothing.
fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that is safe to print, or nothing.
pub(super) fn text(value: Option<&Text>) -> String {
    value
        .map(|text| printable_bytes(text.as_bytes()))
        .unwrap_or_default()
}

pub(super) fn list(values: &[impl ToString]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.join(",")
}

pub(crate) fn sockets(tasks: &[TaskSockets]) -> String {
    let mut table = Table::new(&[
        ">PID", ">FD", "FAMILY", "TYPE", "PROTO", "STATE", ">RECV-Q", ">SEND-Q", "LOCAL", "PEER",
        "NOTES",
    ]);
    for (task, socket) in tasks
        .iter()
        .flat_map(|t| t.sockets.iter().map(move |s| (t, s)))
    {
        table.row([
            task.pid.to_string(),
            socket.fd.to_string(),
            socket.family.clone(),
            socket.kind.clone().unwrap_or_default(),
            socket.protocol.clone().unwrap_or_default(),
            socket.state.clone().unwrap_or_default(),
            number(socket.recv_queue),
            number(socket.send_queue),
            address(socket.src_addr.as_ref(), socket.src_port),
            address(socket.dest_addr.as_ref(), socket.dest_port),
            notes(socket, true),
        ]);
    }
    table.text()
}

/// An end of a socket.
pub(crate) fn address(name: Option<&Text>, port: Option<u32>) -> String {
    let name = name.map(|name| printable_bytes(name.as_bytes()));
    match (name, port) {
        (Some(name), Some(port)) if name.contains(':') => format!("[{name}]:{port}"),
        (Some(name), Some(port)) => format!("{name}:{port}"),
        (Some(name), None) => name,
        // Netlink has numbers in place of addresses.
        (None, Some(port)) => format!("portid {port}"),
        (None, None) => String::new(),
    }
}

/// What the other columns have no room for; not all of it leaves out the peer and the sizes of buffers.
pub(crate) fn notes(socket: &Socket, all: bool) -> String {
    let mut notes = Vec::new();
    if let Some(backlog) = socket.backlog {
        notes.push(format!("backlog {backlog}"));
    }
    if let Some(packets) = socket.recv_packets {
        notes.push(plural(packets, "packet"));
    }
    if let Some(shutdown) = &socket.shutdown {
        notes.push(format!("shut {}", shutdown.to_lowercase()));
    }
    if let Some(peer) = socket.peer.as_ref().filter(|_| all) {
        notes.push(holders(peer));
    }
    if let Some(folder) = &socket.name_dir {
        notes.push(format!("in {}", text(Some(folder))));
    }
    match (&socket.interface, socket.ifindex) {
        (Some(name), _) => notes.push(format!("interface {}", text(Some(name)))),
        (None, Some(index)) => notes.push(format!("interface {index}")),
        (None, None) => {}
    }
    if socket.groups.iter().any(|word| *word != 0) {
        let words = socket.groups.iter().map(|word| format!("{word:#x}"));
        notes.push(format!("groups {}", words.collect::<Vec<_>>().join(" ")));
    }
    if let (Some(recv), Some(send), true) = (socket.recv_buf, socket.send_buf, all) {
        notes.push(format!("buffers {recv}/{send}"));
    }
    notes.join(", ")
}

/// `1 packet`, `2 packets`.
fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Who has the other end open, as task and descriptor: the first of them.
fn holders(peer: &Peer) -> String {
    const SHOWN: usize = 2;
    if peer.holders.is_empty() {
        return format!("peer inode {}", peer.ino);
    }
    let shown = peer.holders.iter().take(SHOWN);
    let mut text: Vec<_> = shown.map(|(pid, fd)| format!("{pid}/{fd}")).collect();
    if let Some(more) = peer
        .holders
        .len()
        .checked_sub(SHOWN)
        .filter(|more| *more > 0)
    {
        text.push(format!("and {more} more"));
    }
    format!("peer {}", text.join(" "))
}

pub(crate) fn threads(tasks: &[TaskThreads]) -> String {
    let mut table = Table::new(&[
        ">PID", ">TID", "COMM", "STATE", "ARCH", ">IP", ">SP", "POLICY", ">PRIO", ">NICE",
        "SECCOMP",
    ]);
    for (task, thread) in tasks
        .iter()
        .flat_map(|t| t.threads.iter().map(move |th| (t, th)))
    {
        let hex = |value: Option<u64>| value.map(|v| format!("{v:#x}")).unwrap_or_default();
        table.row([
            task.pid.to_string(),
            thread.tid.to_string(),
            text(thread.comm.as_ref()),
            task.state
                .map(crate::explore::TaskState::name)
                .unwrap_or_default(),
            thread.arch.clone().unwrap_or_default(),
            hex(thread.ip),
            hex(thread.sp),
            thread.policy.clone().unwrap_or_default(),
            number(thread.priority),
            number(thread.nice),
            thread.seccomp.clone().unwrap_or_default(),
        ]);
    }
    table.text()
}

/// Peer groups of a mount, and what else its columns have no room for.
pub(crate) fn mount_notes(mount: &Mount) -> String {
    let mut notes = Vec::new();
    notes.extend(mount.shared_id.map(|id| format!("shared {id}")));
    notes.extend(mount.master_id.map(|id| format!("slave of {id}")));
    let key = mount.ext_key.as_ref();
    notes.extend(key.map(|key| format!("external {}", text(Some(key)))));
    notes.extend(mount.deleted.then(|| "deleted".to_owned()));
    notes.join(", ")
}

pub(crate) fn mounts(mounts: &Mounts) -> String {
    let mut out = String::new();
    for namespace in &mounts.namespaces {
        let _ = writeln!(out, "mount namespace {}", namespace.mnt_ns_id);
        let mut table = Table::new(&[
            ">ID",
            ">PARENT",
            "DEVICE",
            "MOUNTPOINT",
            "TYPE",
            "SOURCE",
            "ROOT",
            "FLAGS",
            "OPTIONS",
            "NOTES",
        ]);
        for mount in &namespace.mounts {
            table.row([
                mount.mnt_id.to_string(),
                mount.parent_mnt_id.to_string(),
                mount.device.clone(),
                text(Some(&mount.mountpoint)),
                mount.fstype.clone(),
                text(Some(&mount.source)),
                text(Some(&mount.root)),
                list(&mount.flags),
                text(Some(&mount.options)),
                mount_notes(mount),
            ]);
        }
        out.push_str(&table.text());
    }
    if !mounts.spec.is_empty() {
        out.push_str("asked for in spec.dump\n");
        let mut table = Table::new(&["DESTINATION", "TYPE", "SOURCE", "OPTIONS"]);
        for mount in &mounts.spec {
            table.row([
                mount.destination.clone(),
                mount.kind.clone(),
                mount.source.clone(),
                mount.options.join(","),
            ]);
        }
        out.push_str(&table.text());
    }
    if out.is_empty() {
        out.push_str("no mount namespace was dumped: the tasks share the host's\n");
    }
    out
}

pub(crate) fn namespaces(namespaces: &Namespaces) -> String {
    let kinds = ["pid", "net", "ipc", "uts", "mnt", "user", "cgroup", "time"];
    let mut table = Table::new(&[
        ">PID", ">PID-NS", ">NET", ">IPC", ">UTS", ">MNT", ">USER", ">CGROUP", ">TIME",
    ]);
    for task in &namespaces.tasks {
        let ids = kinds.iter().map(|kind| number(task.ids.get(kind)));
        table.row(std::iter::once(task.pid.to_string()).chain(ids));
    }
    let mut out = table.text();
    let mut table = Table::new(&["KIND", ">ID", ">TASKS", "WHAT"]);
    for namespace in &namespaces.namespaces {
        table.row([
            namespace.kind.to_owned(),
            namespace.id.to_string(),
            namespace.tasks.len().to_string(),
            contents(namespace),
        ]);
    }
    if !table.is_empty() {
        out.push('\n');
        out.push_str(&table.text());
    }
    out
}

/// What is known of a namespace, in words.
pub(crate) fn contents(namespace: &Namespace) -> String {
    let mut parts = Vec::new();
    if namespace.root {
        parts.push("root task's".to_owned());
    }
    parts.extend(
        namespace
            .hostname
            .as_ref()
            .map(|name| format!("host {}", text(Some(name)))),
    );
    let domain = namespace
        .domainname
        .as_ref()
        .filter(|name| !name.is_empty() && *name != "(none)");
    parts.extend(domain.map(|name| format!("domain {}", text(Some(name)))));
    for (what, map) in [("uid", &namespace.uid_map), ("gid", &namespace.gid_map)] {
        parts.extend(map.iter().map(|line| {
            format!(
                "{what} {} is {} ({} ids)",
                line.first, line.lower_first, line.count
            )
        }));
    }
    for device in &namespace.devices {
        parts.push(format!(
            "{} ({})",
            text(Some(&device.name)),
            device.kind.to_lowercase()
        ));
    }
    parts.extend(
        namespace
            .ext_key
            .as_ref()
            .map(|key| format!("external {}", text(Some(key)))),
    );
    for (what, count) in [
        ("shared memory segment", namespace.shm_segments),
        ("message queue", namespace.message_queues),
        ("semaphore set", namespace.semaphore_sets),
        ("mount", namespace.mounts),
    ] {
        parts.extend(count.map(|count| plural(count, what)));
    }
    parts.extend(
        namespace
            .monotonic_ns
            .map(|ns| format!("monotonic {}", duration(ns / 1_000))),
    );
    parts.extend(
        namespace
            .boottime_ns
            .map(|ns| format!("since boot {}", duration(ns / 1_000))),
    );
    parts.join(", ")
}

pub(crate) fn timers(tasks: &[TaskTimers]) -> String {
    let mut table = Table::new(&[
        ">PID",
        "TIMER",
        "CLOCK",
        "NOTIFY",
        "SIGNAL",
        ">NEXT",
        ">INTERVAL",
        ">OVERRUN",
    ]);
    let nanos = |value: u64| match value {
        0..1_000 => format!("{value} ns"),
        _ => duration(value / 1_000),
    };
    for task in tasks {
        for timer in &task.interval {
            let signal = match timer.which {
                "real" => "SIGALRM",
                "virtual" => "SIGVTALRM",
                _ => "SIGPROF",
            };
            table.row([
                task.pid.to_string(),
                timer.which.to_owned(),
                String::new(),
                "SIGNAL".to_owned(),
                signal.to_owned(),
                duration(timer.value_us),
                duration(timer.interval_us),
                String::new(),
            ]);
        }
        for timer in &task.posix {
            table.row([
                task.pid.to_string(),
                format!("posix {}", timer.id),
                timer.clock.clone(),
                match timer.thread {
                    Some(thread) => format!("{} {thread}", timer.notify),
                    None => timer.notify.clone(),
                },
                timer.signal.clone(),
                if timer.value_ns == 0 {
                    "not armed".to_owned()
                } else {
                    nanos(timer.value_ns)
                },
                nanos(timer.interval_ns),
                timer.overrun.to_string(),
            ]);
        }
    }
    table.text()
}
