//! The namespaces of the root task, which restore makes anew, and what is in them
//! (`criu/namespaces.c`). A namespace that the root task shares with CRIU is not in the dump.

use super::checker::Checker;
use super::files::Files;
use super::ids::has_own;
use super::inventory::{IPC, Inventory, MNT, NAMESPACES, NET, TIME, USER, UTS};
use super::tasks::Tasks;
use super::tree::Tree;
use super::{cgroups, mounts, network};

/// The name of an image of the root task's own namespace; `None` if it shares that of CRIU.
pub(super) fn own_image(
    inventory: &Inventory,
    tasks: &Tasks,
    place: usize,
    prefix: &str,
) -> Option<String> {
    let root = tasks
        .root()
        .filter(|root| has_own(inventory, root, place))?;
    let id = root.namespaces.and_then(|ids| ids.get(place).copied())?;
    // CRIU before 0.8 named two of them after the root task.
    let id = match [IPC, UTS].contains(&place) && !inventory.ns_per_id {
        true => root.pid,
        false => id,
    };
    Some(format!("{prefix}{id}.img"))
}

pub(super) fn check(
    checker: &Checker<'_>,
    inventory: &Inventory,
    tree: &Tree,
    (tasks, files): (&Tasks, &Files),
) {
    for (place, kind) in NAMESPACES
        .iter()
        .enumerate()
        .filter(|(_, kind)| !kind.image.is_empty())
    {
        let own = own_image(inventory, tasks, place, kind.image);
        if let (Some(image), Some(root)) = (&own, tasks.root())
            && !checker.has(image)
        {
            let what = format!(
                "missing: the {} namespace of task {} ({} of ids-{1}.img)",
                kind.name, root.pid, kind.field
            );
            checker.error("missing-namespace", image, (), what);
        }
        // Mount namespaces may be nested; of the time, number 0 is the machine's.
        if place == MNT && own.is_some() || place == IPC {
            continue;
        }
        for (name, id) in checker.named(kind.image) {
            if own.as_deref() != Some(name) && id != "0" {
                checker.ignore(name);
                let what = format!("restore makes no {} namespace of this id", kind.name);
                checker.note("stranger", name, (), what);
            }
        }
    }
    if let Some(image) = own_image(inventory, tasks, USER, "userns-") {
        id_maps(checker, &image);
    }
    let time = own_image(inventory, tasks, TIME, "timens-");
    clocks(checker, time.as_deref().unwrap_or("timens-0.img"));
    if own_image(inventory, tasks, MNT, "").is_some() {
        mounts::check(checker, tasks, files);
    }
    network::check(
        checker,
        tasks,
        files,
        own_image(inventory, tasks, NET, "").is_some(),
    );
    cgroups::check(checker, inventory, tree, tasks);
}

/// The maps of a user namespace: they have the ids 0, which restore takes on, and no id twice.
fn id_maps(checker: &Checker<'_>, image: &str) {
    /// `UID_GID_MAP_MAX_EXTENTS`.
    const EXTENTS: usize = 340;
    let Some(entry) = checker.first(image, &[]) else {
        return;
    };
    for field in ["uid_map", "gid_map"] {
        let error = |what: String| checker.error("id-map", image, (0, field), what);
        let mut inside: Vec<(u64, u64)> = Vec::new();
        let mut outside: Vec<(u64, u64)> = Vec::new();
        for extent in entry.record().records(field) {
            let number = |name| extent.number(name).unwrap_or(0);
            let count = number("count");
            if count == 0 {
                error("an extent without an id".to_owned());
            }
            inside.push((number("first"), count));
            outside.push((number("lower_first"), count));
        }
        if inside.len() > EXTENTS {
            error(format!("{} extents, more than {EXTENTS}", inside.len()));
        }
        if !inside
            .iter()
            .any(|(first, count)| *first == 0 && *count > 0)
        {
            error("no extent has the id 0".to_owned());
        }
        for mut extents in [inside, outside] {
            extents.sort_unstable();
            let overlap = extents
                .windows(2)
                .any(|pair| matches!(pair, [(a, count), (b, _)] if a.saturating_add(*count) > *b));
            if overlap {
                error("two extents overlap".to_owned());
                break;
            }
        }
    }
}

/// The clocks that restore goes on from: not so far ahead that they could overflow (`criu/timens.c`;
/// Linux's `proc_timens_set_offset`).
fn clocks(checker: &Checker<'_>, image: &str) {
    /// `KTIME_SEC_MAX / 2`, in seconds.
    const MOST: u64 = (i64::MAX / 1_000_000_000 / 2) as u64;
    let Some(entry) = checker.first(image, &[]) else {
        return;
    };
    for clock in ["monotonic", "boottime"] {
        let time = entry.record().record(clock);
        let seconds = time.and_then(|time| time.number("tv_sec"));
        if let Some(seconds) = seconds.filter(|seconds| *seconds > MOST) {
            let what = format!("{seconds} is more seconds than a clock may have, {MOST}");
            let at = (0, format!("{clock}.tv_sec"));
            checker.error("clock", image, at, what);
        }
    }
}
