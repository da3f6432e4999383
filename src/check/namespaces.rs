//! The namespaces, mounts and cgroups that tasks and files are in.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Checker;
use super::files::Files;
use super::inventory::{Inventory, NAMESPACES};
use super::tasks::Tasks;

pub(super) fn check(checker: &Checker<'_>, inventory: &Inventory, tasks: &Tasks, files: &Files) {
    if tasks.pre_dump {
        return;
    }
    images(checker, inventory, tasks);
    networks(checker, files);
    let mounts = mounts(checker);
    if !mounts.is_empty() {
        files_on_mounts(checker, files, &mounts);
    }
    cgroups(checker, tasks);
}

/// Each namespace that tasks are in, other than those of the CRIU that dumped, has its image.
fn images(checker: &Checker<'_>, inventory: &Inventory, tasks: &Tasks) {
    for (place, (field, prefix)) in NAMESPACES.iter().enumerate() {
        let own = inventory.root_ids.and_then(|ids| ids.get(place).copied());
        let dumped = checker.has_any(prefix);
        let mut known = HashSet::new();
        for task in &tasks.living {
            let id = task.namespaces.and_then(|ids| ids.get(place).copied());
            let Some(id) = id.filter(|id| *id != 0) else {
                continue;
            };
            known.insert(format!("{prefix}{id}.img"));
            // Without a word about CRIU's own, those that have no image at all are not dumped.
            let needed = match own {
                Some(own) => own != 0 && own != id,
                None => dumped,
            };
            let image = format!("{prefix}{id}.img");
            if needed && !prefix.is_empty() && !checker.has(&image) {
                let what = format!(
                    "missing: the namespace of task {} ({field} of ids-{0}.img)",
                    task.pid
                );
                checker.error(&image, (), what);
            }
        }
    }
}

/// The network namespaces of sockets.
fn networks(checker: &Checker<'_>, files: &Files) {
    for kind in ["UNIXSK", "INETSK", "PACKETSK", "NETLINKSK", "TUNF"] {
        for reference in files.of(kind, "ns_id").iter().filter(|r| r.to != 0) {
            let image = format!("netns-{}.img", reference.to);
            if checker.has_any("netns-") && !checker.has(&image) {
                let place = &reference.place;
                let what = format!("no network namespace has the id {}", reference.to);
                checker.error(place.image, place.field("ns_id"), what);
            }
        }
    }
}

/// Each mount stands once, below another of its namespace, with one root; all ids.
fn mounts(checker: &Checker<'_>) -> HashSet<u64> {
    let mut all = HashSet::new();
    for (image, _) in checker.named("mountpoints-") {
        let mut entries: HashMap<u64, u64> = HashMap::new();
        let mut tops = HashSet::new();
        let mut parents: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        checker.each(
            image,
            &["mnt_id", "parent_mnt_id", "mountpoint"],
            &mut |entry, record| {
                let Some(id) = record.number("mnt_id") else {
                    return;
                };
                if let Some(before) = entries.insert(id, entry) {
                    let what = format!("the mount {id} stands in entry {before} already");
                    checker.error(image, (entry, "mnt_id"), what);
                }
                if record.bytes("mountpoint") == Some(b"/") {
                    tops.insert(entry);
                }
                if let Some(parent) = record.number("parent_mnt_id") {
                    parents.insert(entry, (id, parent));
                }
                all.insert(id);
            },
        );
        if checker.is_damaged(image) {
            continue;
        }
        let Some(root) = tops.iter().min().copied() else {
            checker.error(image, (), "no mount is the root: none is at /");
            continue;
        };
        // The parent of the root is a mount of another namespace. All others hang below it.
        let mut below: HashMap<u64, Vec<u64>> = HashMap::new();
        for (id, parent) in parents.values() {
            below.entry(*parent).or_default().push(*id);
        }
        let mut reached = HashSet::new();
        let mut todo: Vec<u64> = parents
            .iter()
            .filter(|(entry, _)| tops.contains(entry))
            .filter(|(entry, (_, parent))| **entry == root || !entries.contains_key(parent))
            .map(|(_, (id, _))| *id)
            .collect();
        while let Some(id) = todo.pop() {
            if reached.insert(id) {
                todo.extend(below.get(&id).into_iter().flatten());
            }
        }
        for (entry, (id, parent)) in &parents {
            if !reached.contains(id) {
                let what = match entries.contains_key(parent) {
                    true => format!("the mount {parent} does not hang below the root"),
                    false => format!("no mount has the id {parent}, and this is not the root"),
                };
                checker.error(image, (*entry, "parent_mnt_id"), what);
            }
        }
    }
    all
}

/// The mounts that files are on.
fn files_on_mounts(checker: &Checker<'_>, files: &Files, mounts: &HashSet<u64>) {
    for kind in ["REG", "UNIXSK"] {
        for reference in files.of(kind, "mnt_id") {
            let id = reference.to;
            if !mounts.contains(&id) {
                let place = &reference.place;
                checker.error(
                    place.image,
                    place.field("mnt_id"),
                    format!("no mount has the id {id}"),
                );
            }
        }
    }
}

/// The sets of cgroups that tasks are in, and the controllers of the sets.
fn cgroups(checker: &Checker<'_>, tasks: &Tasks) {
    let image = "cgroup.img";
    let Some(entry) = checker.first(image, &[]) else {
        let mut sets = tasks.cgroup_sets.iter();
        // Without cgroups dumped, all are in the set of the CRIU that dumped, of which only the number is known.
        if let Some((set, of, field)) = sets
            .find(|(set, ..)| *set > 1)
            .filter(|_| !checker.has(image))
        {
            let what = format!("missing: {field} of {of} refers to the set {set} in it");
            checker.error(image, (), what);
        }
        return;
    };
    let record = entry.record();
    let mut controllers = HashSet::new();
    for controller in record.records("controllers") {
        controllers.extend(controller.texts("cnames"));
    }
    let mut sets = HashSet::new();
    for (index, set) in record.records("sets").enumerate() {
        if let Some(id) = set.word("id")
            && !sets.insert(id)
        {
            let what = format!("the set {id} stands twice");
            checker.error(image, (0, format!("sets[{index}].id")), what);
        }
        for (place, member) in set.records("ctls").enumerate() {
            let name = member.text("name").unwrap_or_default();
            if !controllers.is_empty() && !controllers.contains(&name) {
                let what = format!("no controller has the name {name}");
                checker.error(
                    image,
                    (0, format!("sets[{index}].ctls[{place}].name")),
                    what,
                );
            }
        }
    }
    let root = checker
        .first("inventory.img", &["root_cg_set"])
        .and_then(|entry| entry.record().word("root_cg_set"));
    for (set, of, field) in &tasks.cgroup_sets {
        // The set of the CRIU that dumped is not in the image.
        if !sets.contains(set) && root != Some(*set) {
            checker.error(
                of,
                (0, *field),
                format!("no set in {image} has the id {set}"),
            );
        }
    }
}
