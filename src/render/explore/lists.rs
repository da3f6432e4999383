//! Answers that are lists, with what belongs together set in. Every text is made safe to print.

use std::fmt::Write as _;

use super::tables::{list, text};
use super::tree::command_line;
use crate::checkpoint::{Container, DumpStats, RestoreStats, Stats};
use crate::descriptor::Names;
use crate::explore::{Cgroups, PendingSignal, TaskSignals, ThreadCredentials};
use crate::render::{Table, bytes, duration, printable, share};
use crate::text::Text;

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
