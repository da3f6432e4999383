//! Tables that upstream does not have. Every cell is made safe to print.

use std::fmt::Write as _;

use super::tree::command_line;
use crate::checkpoint::{Container, DumpStats, RestoreStats, Stats};
use crate::descriptor::Names;
use crate::explore::{
    Cgroups, Mounts, Namespace, Namespaces, Peer, PendingSignal, Socket, TaskSignals, TaskSockets,
    TaskThreads, TaskTimers, ThreadCredentials,
};
use crate::render::{Table, bytes, duration, printable, printable_bytes, share};
use crate::text::Text;

/// A number, or nothing.
fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that is safe to print, or nothing.
fn text(value: Option<&Text>) -> String {
    value
        .map(|text| printable_bytes(text.as_bytes()))
        .unwrap_or_default()
}

fn list(values: &[impl ToString]) -> String {
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
            notes(socket),
        ]);
    }
    table.text()
}

fn address(name: Option<&Text>, port: Option<u32>) -> String {
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

/// What the other columns have no room for.
fn notes(socket: &Socket) -> String {
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
    if let Some(peer) = &socket.peer {
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
    if let (Some(recv), Some(send)) = (socket.recv_buf, socket.send_buf) {
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
            let mut notes = Vec::new();
            notes.extend(mount.shared_id.map(|id| format!("shared {id}")));
            notes.extend(mount.master_id.map(|id| format!("slave of {id}")));
            notes.extend(
                mount
                    .ext_key
                    .as_ref()
                    .map(|key| format!("external {}", text(Some(key)))),
            );
            notes.extend(mount.deleted.then(|| "deleted".to_owned()));
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
                notes.join(", "),
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

pub(crate) fn creds(threads: &[ThreadCredentials]) -> String {
    let mut out = String::new();
    for ThreadCredentials {
        pid, tid, creds, ..
    } in threads
    {
        if pid == tid {
            let _ = writeln!(out, "{pid}");
        } else {
            let _ = writeln!(out, "{pid} thread {tid}");
        }
        let mut line = |what: &str, value: String| {
            if !value.is_empty() {
                let _ = writeln!(out, "\t{what:<12}  {}", printable(&value));
            }
        };
        let four = |real: u32, effective: u32, saved: u32, files: u32| {
            if [effective, saved, files] == [real; 3] {
                real.to_string()
            } else {
                format!("{real}, effective {effective}, saved {saved}, files {files}")
            }
        };
        line("uid", four(creds.uid, creds.euid, creds.suid, creds.fsuid));
        line("gid", four(creds.gid, creds.egid, creds.sgid, creds.fsgid));
        line("groups", list(&creds.groups));
        for (what, capabilities) in [
            ("effective", &creds.cap_eff),
            ("permitted", &creds.cap_prm),
            ("inheritable", &creds.cap_inh),
            ("bounding", &creds.cap_bnd),
            ("ambient", &creds.cap_amb),
        ] {
            line(what, capability_list(capabilities));
        }
        line("securebits", creds.securebits.join(" "));
        line(
            "seccomp",
            match (&creds.seccomp, creds.seccomp_filter) {
                (Some(mode), Some(filter)) => format!("{mode} {filter}"),
                (mode, _) => mode.clone().unwrap_or_default(),
            },
        );
        if creds.no_new_privs {
            line("no_new_privs", "yes".to_owned());
        }
        line("LSM profile", text(creds.lsm_profile.as_ref()));
        line("LSM sockets", text(creds.lsm_sockcreate.as_ref()));
    }
    out
}

/// Capabilities by name; a full set, or one that lacks a few, is said shorter.
fn capability_list(capabilities: &[String]) -> String {
    let all = all_capabilities();
    let missing: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| !capabilities.iter().any(|has| has == name))
        .collect();
    let only_known = capabilities.len() + missing.len() == all.len();
    match missing.as_slice() {
        _ if capabilities.is_empty() => "none".to_owned(),
        [] if only_known => "all".to_owned(),
        few if only_known && few.len() < 8 => format!("all but {}", few.join(" ")),
        _ => capabilities.join(" "),
    }
}

fn all_capabilities() -> Vec<&'static str> {
    let table = Names::linux()
        .ok()
        .and_then(|names| names.flags("capability"));
    let names = table.into_iter().flat_map(|table| table.iter());
    names.map(|(name, _)| name).collect()
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

fn contents(namespace: &Namespace) -> String {
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

pub(crate) fn cgroups(cgroups: &Cgroups) -> String {
    let mut out = String::new();
    for set in &cgroups.sets {
        let root = if set.root { " (CRIU's own)" } else { "" };
        let _ = writeln!(out, "set {}{root}, threads {}", set.id, list(&set.threads));
        for member in &set.members {
            let name = match text(Some(&member.name)) {
                name if name.is_empty() => "(v2)".to_owned(),
                name => name,
            };
            let _ = writeln!(out, "\t{name:<24}  {}", text(Some(&member.path)));
        }
    }
    if cgroups.sets.iter().all(|set| set.members.is_empty()) {
        out.push_str("the dump holds no paths of cgroups: the tasks stay in those of whoever restores them\n");
    }
    for controller in &cgroups.controllers {
        let names: Vec<String> = controller
            .names
            .iter()
            .map(|name| text(Some(name)))
            .collect();
        let _ = writeln!(out, "controller {}", names.join(","));
        for dir in &controller.dirs {
            let path = match text(Some(&dir.path)) {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            };
            let _ = writeln!(out, "\t{path}");
            for property in &dir.properties {
                let value = text(Some(&property.value));
                let _ = writeln!(out, "\t\t{} = {value}", text(Some(&property.name)));
            }
        }
    }
    out
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

pub(crate) fn signals(tasks: &[TaskSignals]) -> String {
    let mut out = String::new();
    for task in tasks {
        let _ = writeln!(out, "{}", task.pid);
        for handler in &task.handlers {
            let mut line = format!("\t{:<12}  {}", handler.signal, handler.action);
            let flags: Vec<&str> = handler
                .flags
                .iter()
                .map(String::as_str)
                .filter(|flag| *flag != "SA_RESTORER")
                .collect();
            if !flags.is_empty() {
                line.push_str(&format!("  {}", flags.join(" ")));
            }
            if !handler.mask.is_empty() {
                line.push_str(&format!("  blocks {}", handler.mask.join(" ")));
            }
            let _ = writeln!(out, "{line}");
        }
        for signal in &task.pending {
            let _ = writeln!(out, "\tpending       {}", pending(signal));
        }
        for thread in &task.threads {
            let who = if thread.tid == task.pid {
                String::new()
            } else {
                format!("thread {} ", thread.tid)
            };
            if !thread.blocked.is_empty() {
                let _ = writeln!(out, "\t{who}blocked  {}", thread.blocked.join(" "));
            }
            for signal in &thread.pending {
                let _ = writeln!(out, "\t{who}pending  {}", pending(signal));
            }
        }
    }
    out
}

fn pending(signal: &PendingSignal) -> String {
    let mut line = format!("{} ({})", signal.signal, signal.code);
    if let Some(pid) = signal.pid {
        line.push_str(&format!(" from {pid}"));
    }
    if let Some(uid) = signal.uid {
        line.push_str(&format!(" uid {uid}"));
    }
    if let Some(status) = signal.status {
        line.push_str(&format!(" status {status}"));
    }
    if let Some(address) = signal.address {
        line.push_str(&format!(" address {address:#x}"));
    }
    if let Some(value) = signal.value {
        line.push_str(&format!(" value {value:#x}"));
    }
    line
}

pub(crate) fn metadata(container: &Container) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{what:<16}  {}", printable(value));
        }
    };
    line("container", &container.container_name);
    line("image", &container.image);
    line("id", &container.id);
    line("pod", &container.pod_name);
    line("namespace", &container.kubernetes_namespace);
    line("engine", container.engine.name());
    line("runtime", &container.runtime);
    line("created", &container.created);
    line("checkpointed", &container.checkpointed);
    line("ip", &container.ip.join(", "));
    line("mac", &container.mac.join(", "));
    for network in &container.networks {
        let ip = network.ip.join(",");
        let mut text = format!("{} {} {ip}", network.name, network.interface);
        if !network.gateway.is_empty() {
            text.push_str(&format!(" gateway {}", network.gateway.join(",")));
        }
        line("network", &text);
    }
    let args: Vec<Text> = container
        .args
        .iter()
        .map(|arg| Text::from(arg.as_str()))
        .collect();
    line("command", &command_line(&args));
    let sizes = &container.checkpoint_size;
    line("checkpoint size", &bytes(sizes.total_size));
    line("memory pages", &bytes(sizes.memory_pages_size));
    if sizes.amd_gpu_memory_pages_size > 0 {
        line("GPU pages", &bytes(sizes.amd_gpu_memory_pages_size));
    }
    if sizes.root_fs_diff_size > 0 {
        line("root fs diff", &bytes(sizes.root_fs_diff_size));
    }
    for (key, value) in &container.annotations {
        line("annotation", &format!("{key}: {value}"));
    }
    out
}

pub(crate) fn stats(stats: &Stats, page_size: u64) -> String {
    let mut out = String::new();
    if let Some(dump) = &stats.dump {
        out.push_str("dump\n");
        out.push_str(&dump_stats(dump, page_size));
    }
    if let Some(restore) = &stats.restore {
        out.push_str("restore\n");
        out.push_str(&restore_stats(restore, page_size));
    }
    out
}

fn dump_stats(dump: &DumpStats, page_size: u64) -> String {
    let mut table = Table::new(&["", ">", ">", ">"]);
    let mut time = |what: &str, micros: u64| table.row([what.to_owned(), duration(micros)]);
    time("freezing", dump.freezing_time);
    time("frozen", dump.frozen_time);
    time("memory dump", dump.memdump_time);
    time("memory write", dump.memwrite_time);
    if let Some(micros) = dump.irmap_resolve {
        time("irmap resolve", micros);
    }
    let mut pages = |what: &str, count: Option<u64>, of: u64| {
        let Some(count) = count else {
            return;
        };
        let size = bytes(count.saturating_mul(page_size));
        let share = Some(share(count, of)).filter(|share| !share.is_empty());
        let mut row = vec![what.to_owned(), count.to_string(), size];
        row.extend(share);
        table.row(row);
    };
    let scanned = dump.pages_scanned;
    pages("pages scanned", Some(scanned), 0);
    pages("in the parent", Some(dump.pages_skipped_parent), scanned);
    pages("written", Some(dump.pages_written), scanned);
    pages("lazy", dump.pages_lazy, scanned);
    let scanned = dump.shpages_scanned.unwrap_or(0);
    pages("shared scanned", dump.shpages_scanned, 0);
    pages("shared in parent", dump.shpages_skipped_parent, scanned);
    pages("shared written", dump.shpages_written, scanned);
    if let Some(pipes) = dump.page_pipes {
        table.row(["page pipes".to_owned(), pipes.to_string()]);
    }
    if let Some(buffers) = dump.page_pipe_bufs {
        table.row(["page pipe buffers".to_owned(), buffers.to_string()]);
    }
    body(&table)
}

fn restore_stats(restore: &RestoreStats, page_size: u64) -> String {
    let mut table = Table::new(&["", ">", ">"]);
    table.row(["forking".to_owned(), duration(restore.forking_time)]);
    table.row(["restore".to_owned(), duration(restore.restore_time)]);
    for (what, pages) in [
        ("pages restored", restore.pages_restored),
        ("pages compared", Some(restore.pages_compared)),
        ("kept shared", Some(restore.pages_skipped_cow)),
    ] {
        if let Some(pages) = pages {
            let size = bytes(pages.saturating_mul(page_size));
            table.row([what.to_owned(), pages.to_string(), size]);
        }
    }
    body(&table)
}

/// A table without its head, set in.
fn body(table: &Table) -> String {
    let text = table.text();
    text.lines()
        .skip(1)
        .map(|line| format!("  {line}\n"))
        .collect()
}
