//! The inventory: which CRIU wrote the dump, and how its images refer to each other
//! (`criu/image.c`, `check_img_inventory`).

use super::checker::Checker;
use crate::message::Record;

/// The facts of the inventory that other rules need.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// The namespaces of the CRIU that dumped: a namespace that the root task shares with it is not in
    /// the dump.
    pub(super) root_ids: Option<Namespaces>,
    /// The id of that CRIU's descriptor table.
    pub(super) root_files: Option<u32>,
    /// The images of namespaces are named after their ids, not after the root task (since CRIU 0.8).
    pub(super) ns_per_id: bool,
    /// The set of cgroups of that CRIU.
    pub(super) root_cg_set: u32,
    /// Connections were closed by the dump (`--tcp-close`).
    pub(super) tcp_close: bool,
}

/// The kinds of namespaces: how CRIU names their ids, and the image that each namespace of a dump has.
///
/// A network namespace has none that must be there: with `--empty-ns net` CRIU writes nothing about it,
/// of an external one only `netns-N.img` (`criu/net.c`, `dump_net_ns`); a missing `netdev-N.img` is a
/// namespace without devices. A pid namespace has an image only if it is external.
pub(super) const NAMESPACES: [Kind; 7] = [
    Kind::new("net_ns_id", "", "network"),
    Kind::new("ipc_ns_id", "ipcns-var-", "IPC"),
    Kind::new("uts_ns_id", "utsns-", "UTS"),
    Kind::new("mnt_ns_id", "mountpoints-", "mount"),
    Kind::new("user_ns_id", "userns-", "user"),
    Kind::new("time_ns_id", "timens-", "time"),
    Kind::new("pid_ns_id", "", "pid"),
];

/// The places of kinds in [`NAMESPACES`].
pub(super) const NET: usize = 0;
pub(super) const IPC: usize = 1;
pub(super) const UTS: usize = 2;
pub(super) const MNT: usize = 3;
pub(super) const USER: usize = 4;
pub(super) const TIME: usize = 5;
pub(super) const PID: usize = 6;

/// A kind of namespace.
pub(super) struct Kind {
    /// The field of its id in `ids-PID.img`.
    pub(super) field: &'static str,
    /// The name of the image that it needs, up to the id; empty if it needs none.
    pub(super) image: &'static str,
    /// The name of the kind.
    pub(super) name: &'static str,
}

impl Kind {
    const fn new(field: &'static str, image: &'static str, name: &'static str) -> Self {
        Kind { field, image, name }
    }
}

/// The ids of the namespaces of a task, in the order of [`NAMESPACES`]; 0 for none.
pub(super) type Namespaces = [u32; 7];

pub(super) fn namespaces(ids: Record<'_>) -> Namespaces {
    let mut all = [0; 7];
    for (id, kind) in all.iter_mut().zip(&NAMESPACES) {
        *id = ids.word(kind.field).unwrap_or(0);
    }
    all
}

/// The versions of images: `CRTOOLS_IMAGES_V1` and `V1_1` in CRIU's `criu/include/magic.h`.
const VERSIONS: [u32; 2] = [1, 2];

const IMAGE: &str = "inventory.img";

pub(super) fn read(checker: &Checker<'_>) -> Inventory {
    // Pre-dumps of CRIU before 3.10 have no inventory, nor has what a page server wrote.
    let pre_dump = !checker.has("pstree.img") && !checker.has_any("core-");
    if !checker.has(IMAGE) {
        if !pre_dump {
            let what = "missing: it says how the other images refer to each other";
            checker.error("missing-inventory", IMAGE, (), what);
        }
        return Inventory::default();
    }
    let Some(entry) = checker.first(IMAGE, &[]) else {
        return Inventory::default();
    };
    let record = entry.record();
    let version = record.word("img_version");
    if let Some(version) = version.filter(|v| !(VERSIONS.contains(v) || pre_dump && *v == 0)) {
        let what = format!("the version {version} of images is unknown: 1 and 2 are known");
        checker.error("image-version", IMAGE, (0, "img_version"), what);
    }
    if !pre_dump {
        dump(checker, record);
    }
    let root_ids = record.record("root_ids");
    Inventory {
        root_ids: root_ids.map(namespaces),
        root_files: root_ids.and_then(|ids| ids.word("files_id")),
        ns_per_id: record.is("ns_per_id"),
        root_cg_set: record.word("root_cg_set").unwrap_or(0),
        tcp_close: record.is("tcp_close"),
    }
}

/// What the inventory of a dump must and may say.
fn dump(checker: &Checker<'_>, record: Record<'_>) {
    if !record.is("fdinfo_per_id") {
        let what = "descriptor tables are named after tasks, as CRIU before 0.4 did: refused since";
        checker.error("image-version", IMAGE, (0, "fdinfo_per_id"), what);
    }
    if record.number("root_cg_set") == Some(0) {
        let what = "0 is not a set of cgroups";
        checker.error("cgroup-set", IMAGE, (0, "root_cg_set"), what);
    }
    // `pstree.c`, `prepare_pstree_kobj_ids`.
    if record.record("root_ids").is_none() {
        let what = "missing: the ids of the namespaces outside";
        checker.error("missing-ids", IMAGE, (0, "root_ids"), what);
    }
    if record.is("tcp_close") {
        let what = "connections were closed by the dump: restore needs --tcp-close";
        checker.warning("tcp-close", IMAGE, (0, "tcp_close"), what);
    }
    if record.is("allow_uprobes") {
        let what = "a task has uprobes: restore needs --allow-uprobes";
        checker.warning("uprobes", IMAGE, (0, "allow_uprobes"), what);
    }
    let plugins = record.record("plugins_entry");
    let plugins = plugins.map_or(Vec::new(), |entry| entry.texts("plugins"));
    if !plugins.is_empty() {
        let names: Vec<_> = plugins.iter().map(|name| name.to_string_lossy()).collect();
        let what = format!(
            "restore needs the plugins that the dump used: {}",
            names.join(", ")
        );
        checker.warning("plugins", IMAGE, (0, "plugins_entry.plugins"), what);
    }
}
