//! Network namespaces (`criu/net.c`, `criu/sockets.c`). With an external one, or with `--empty-ns net`,
//! there is nothing about devices and addresses in the dump.

use std::collections::HashSet;

use super::checker::Checker;
use super::files::Files;
use super::inventory::NET;
use super::namespaces::root;
use super::tasks::Tasks;

/// The images of a network namespace.
const IMAGES: [&str; 11] = [
    "netns-",
    "netdev-",
    "ifaddr-",
    "route-",
    "route6-",
    "rule-",
    "iptables-",
    "ip6tables-",
    "nftables-",
    "netns-ct-",
    "netns-exp-",
];

pub(super) fn check(checker: &Checker<'_>, tasks: &Tasks, files: &Files, has_own: bool) {
    let known: HashSet<u64> = tasks
        .living
        .iter()
        .filter_map(|task| task.namespaces?.get(NET).map(|id| u64::from(*id)))
        .collect();
    for prefix in IMAGES {
        for (name, id) in checker.named(prefix) {
            let is_known = id.parse().is_ok_and(|id: u64| known.contains(&id));
            if id.parse::<u64>().is_ok() && !(has_own && is_known) {
                checker.ignore(name);
                let what = "restore makes no network namespace of this id";
                checker.note("stranger", name, (), what);
            }
        }
    }
    if !has_own || root(tasks).is_none() {
        return;
    }
    for kind in ["UNIXSK", "INETSK", "PACKETSK", "NETLINKSK", "TUNF"] {
        for reference in files.of(kind, "ns_id").iter().filter(|r| r.to != 0) {
            if !known.contains(&reference.to) {
                let place = &reference.place;
                let what = format!("no task is in the network namespace {}", reference.to);
                checker.error(
                    "dangling-namespace",
                    place.image,
                    place.field("ns_id"),
                    what,
                );
            }
        }
    }
    for id in &known {
        namespace(checker, *id, &known);
        devices(checker, *id);
    }
}

/// A namespace from outside, or its links to others.
fn namespace(checker: &Checker<'_>, id: u64, known: &HashSet<u64>) {
    let image = format!("netns-{id}.img");
    let Some(entry) = checker.first(&image, &[]) else {
        return;
    };
    let record = entry.record();
    if let Some(key) = record.text("ext_key") {
        let what =
            format!("an external network namespace: restore needs --inherit-fd 'fd[N]:{key}'");
        checker.warning("external-namespace", &image, (0, "ext_key"), what);
        return;
    }
    for (index, link) in record.records("nsids").enumerate() {
        let target = link.number("target_ns_id").unwrap_or(0);
        if !known.contains(&target) {
            let field = format!("nsids[{index}].target_ns_id");
            let what = format!("no task is in the network namespace {target}");
            checker.error("dangling-namespace", &image, (0, field), what);
        }
    }
}

/// The devices: each number and name once, each with its master.
fn devices(checker: &Checker<'_>, id: u64) {
    /// A pair of devices, whose ends may have one number.
    const VETH: &str = "VETH";
    /// `IFNAMSIZ` without the zero at the end.
    const NAME: usize = 15;
    let image = format!("netdev-{id}.img");
    let mut indexes = HashSet::new();
    let mut names = HashSet::new();
    let mut masters = Vec::new();
    checker.each(&image, &[], &mut |entry, record| {
        let kind = record.enum_name("type").unwrap_or_default().into_owned();
        if kind.parse::<u64>().is_ok() {
            let what = format!("{kind} is not a type of devices");
            checker.error("device", &image, (entry, "type"), what);
        }
        if kind == "TUN" && record.record("tun").is_none() {
            checker.error("device", &image, (entry, "tun"), "missing in a tunnel");
        }
        if let Some(index) = record.number("ifindex")
            && !indexes.insert(index)
            && kind != VETH
        {
            let what = format!("duplicate device {index}");
            checker.error("device", &image, (entry, "ifindex"), what);
        }
        if let Some(name) = record.text("name") {
            if name.as_bytes().len() > NAME || name.is_empty() {
                let what = format!(
                    "a name of {} bytes, where 1 to {NAME} may be",
                    name.as_bytes().len()
                );
                checker.error("device", &image, (entry, "name"), what);
            }
            if !names.insert(name.clone()) && kind != VETH {
                checker.error(
                    "device",
                    &image,
                    (entry, "name"),
                    format!("duplicate device {name}"),
                );
            }
        }
        if let Some(master) = record.number("master") {
            masters.push((entry, master));
        }
    });
    for (entry, master) in masters {
        if !indexes.contains(&master) && !checker.is_damaged(&image) {
            let what = format!("no device has the number {master}");
            checker.error("device", &image, (entry, "master"), what);
        }
    }
}
