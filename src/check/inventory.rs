//! The inventory: which CRIU wrote the dump, and how its images refer to each other.

use super::Checker;
use crate::message::Record;

/// What the other rules need of it.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Whether descriptor tables are named after their ids, not after tasks.
    pub(super) fdinfo_per_id: bool,
    /// The namespaces of the CRIU that dumped: what is in them is not in the dump.
    pub(super) root_ids: Option<Namespaces>,
}

/// The kinds of namespaces: how CRIU names their ids, and the image of each namespace that was dumped.
pub(super) const NAMESPACES: [(&str, &str); 7] = [
    ("net_ns_id", "netdev-"),
    ("ipc_ns_id", "ipcns-var-"),
    ("uts_ns_id", "utsns-"),
    ("mnt_ns_id", "mountpoints-"),
    ("user_ns_id", "userns-"),
    ("time_ns_id", "timens-"),
    ("pid_ns_id", ""),
];

/// The ids of the namespaces of a task, in the order of [`NAMESPACES`]; 0 for none.
pub(super) type Namespaces = [u32; 7];

pub(super) fn namespaces(ids: Record<'_>) -> Namespaces {
    NAMESPACES.map(|(field, _)| ids.word(field).unwrap_or(0))
}

/// The versions of images that are known: CRIU's `criu/include/magic.h` names them
/// `CRTOOLS_IMAGES_V1` and `V1_1`.
const VERSIONS: [u32; 2] = [1, 2];

pub(super) fn read(checker: &Checker<'_>) -> Inventory {
    let image = "inventory.img";
    if !checker.has(image) {
        // `criu cpuinfo dump` writes no more than this.
        if checker.has("cpuinfo.img") && !checker.has_any("pagemap-") && !checker.has_any("core-") {
            return Inventory::default();
        }
        checker.error(
            image,
            (),
            "missing: it says how the other images refer to each other",
        );
        return Inventory::default();
    }
    let Some(entry) = checker.first(image, &[]) else {
        return Inventory::default();
    };
    let record = entry.record();
    // That of a pre-dump has none.
    let pre_dump = !checker.has("pstree.img");
    let version = record.word("img_version");
    if let Some(version) = version.filter(|v| !(VERSIONS.contains(v) || pre_dump && *v == 0)) {
        let what = format!("the version {version} of images is not known: 1 and 2 are");
        checker.error(image, (0, "img_version"), what);
    }
    Inventory {
        fdinfo_per_id: record.is("fdinfo_per_id"),
        root_ids: record.record("root_ids").map(namespaces),
    }
}
