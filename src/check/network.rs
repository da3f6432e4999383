//! Network namespaces (`criu/net.c`, `criu/sockets.c`). With an external one, or with `--empty-ns net`,
//! there is nothing about devices and addresses in the dump.

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read};

use super::checker::Checker;
use super::files::Files;
use super::inventory::NET;
use super::tasks::Tasks;
use crate::limits::METADATA_FILE;

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
    if !has_own || tasks.root().is_none() {
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
        saved(checker, *id);
        namespace(checker, *id, &known);
        devices(checker, *id);
    }
}

/// Addresses, routes and rules are in the form that iproute2 saves them: its `restore` looks for the
/// magic in front (`ip/ipaddress.c`, `ip/iproute.c`, `ip/iprule.c`).
fn saved(checker: &Checker<'_>, id: u64) {
    const MAGICS: [(&str, u32); 4] = [
        ("ifaddr-", 0x4736_1222),
        ("route-", 0x4531_1224),
        ("route6-", 0x4531_1224),
        ("rule-", 0x7170_6986),
    ];
    for (prefix, magic) in MAGICS {
        let image = format!("{prefix}{id}.img");
        let Ok(Some(mut content)) = checker.checkpoint.read(&image) else {
            continue;
        };
        let mut first = [0; 4];
        let is_whole = content.read_exact(&mut first).is_ok();
        let error = |what: &str| checker.error("saved-network", &image, (), what);
        if !is_whole || u32::from_le_bytes(first) != magic {
            error("it is not what `ip ... save` writes: its magic is missing");
        } else if !is_netlink(content) {
            error("behind its magic are not netlink messages up to its end");
        }
    }
    for image in [format!("iptables-{id}.img"), format!("ip6tables-{id}.img")] {
        if let Ok(Some(content)) = checker.checkpoint.read(&image)
            && !is_rules(content)
        {
            let what = "it is not what `iptables-save` writes";
            checker.error("saved-network", &image, (), what);
        }
    }
}

/// Returns true if all of it is netlink messages: a length, 12 more bytes of a header, content, padding.
fn is_netlink(content: impl Read) -> bool {
    const HEADER: u64 = 16;
    let mut content = BufReader::new(content);
    loop {
        match content.fill_buf() {
            Ok([]) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let mut length = [0; 4];
        if content.read_exact(&mut length).is_err() {
            return false;
        }
        let length = u64::from(u32::from_le_bytes(length));
        if length < HEADER {
            return false;
        }
        let rest = length.next_multiple_of(4) - 4;
        match io::copy(&mut (&mut content).take(rest), &mut io::sink()) {
            Ok(copied) if copied == rest => {}
            _ => return false,
        }
    }
}

/// Returns true if each line is one that `iptables-restore` takes: a remark, a table, a chain, a rule.
fn is_rules(content: impl Read) -> bool {
    const BEGINNINGS: &[u8] = b"#*:-[";
    let lines = BufReader::new(content.take(METADATA_FILE)).split(b'\n');
    lines
        .map_while(io::Result::ok)
        .all(|line| match line.first() {
            None => true,
            Some(first) => BEGINNINGS.contains(first) || line == b"COMMIT",
        })
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
