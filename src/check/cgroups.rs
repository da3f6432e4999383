//! The sets of cgroups that tasks are in, and the controllers of the sets (`criu/cgroup.c`). None of it is
//! read with `--manage-cgroups=ignore`.

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::inventory::Inventory;
use super::tasks::{CgroupSet, Tasks};
use super::tree::Tree;
use crate::message::Record;
use crate::text::Text;

const IMAGE: &str = "cgroup.img";

pub(super) fn check(checker: &Checker<'_>, inventory: &Inventory, tree: &Tree, tasks: &Tasks) {
    let entry = checker.first(IMAGE, &[]);
    let record = entry.as_ref().map(|entry| entry.record());
    let mut sets: HashMap<u32, usize> = HashMap::new();
    for (index, set) in record.iter().flat_map(|r| r.records("sets")).enumerate() {
        if let Some(id) = set.word("id") {
            if sets.contains_key(&id) {
                let what = format!("duplicate set {id}: the first is taken");
                checker.note(
                    "duplicate-set",
                    IMAGE,
                    (0, format!("sets[{index}].id")),
                    what,
                );
            }
            sets.entry(id).or_insert(index);
        }
    }
    let used = used(checker, inventory, tree, tasks, &sets);
    if let Some(record) = record {
        controllers(checker, record, &used);
    }
}

/// The sets that tasks are moved into: each other than that of the task above it.
fn used(
    checker: &Checker<'_>,
    inventory: &Inventory,
    tree: &Tree,
    tasks: &Tasks,
    sets: &HashMap<u32, usize>,
) -> HashSet<usize> {
    let mut used = HashSet::new();
    let mut by_task: HashMap<u32, Vec<&CgroupSet>> = HashMap::new();
    for set in &tasks.cgroup_sets {
        by_task.entry(set.pid).or_default().push(set);
    }
    // Of each task, the set that it is in when it is forked.
    let mut inherited: HashMap<u32, u32> = HashMap::new();
    for member in tree.members() {
        let above = inherited.get(&member.ppid).copied();
        let above = above.unwrap_or(inventory.root_cg_set);
        let of_task = by_task.get(&member.pid).map_or(&[][..], Vec::as_slice);
        let own = of_task.iter().find(|set| !set.is_thread);
        let own = own.map_or(0, |set| set.set);
        inherited.insert(member.pid, if own == 0 { above } else { own });
        let is_root = member.ppid == 0;
        for set in of_task {
            let is_there = match set.is_thread {
                true => set.set == own,
                false => set.set == 0 || set.set == above,
            };
            match sets.get(&set.set) {
                Some(index) => {
                    if !is_there || is_root {
                        used.insert(*index);
                    }
                }
                None if is_there => {}
                // The set of the CRIU that dumped is in no dump.
                None if set.set == inventory.root_cg_set => {
                    let what = format!(
                        "the set {} is not in the dump: restore needs --manage-cgroups=ignore",
                        set.set
                    );
                    checker.warning("cgroup-set", &set.image, (0, set.field), what);
                }
                None if !checker.has(IMAGE) => {
                    let what = format!("missing: {} has the set {} in it", set.image, set.set);
                    checker.error("cgroup-set", IMAGE, (), what);
                }
                None => {
                    let what = format!("no set in {IMAGE} has the id {}", set.set);
                    checker.error("cgroup-set", &set.image, (0, set.field), what);
                }
            }
        }
    }
    used
}

/// Controllers have names, and each member of a set that is used has its controller. Several controllers
/// in one hierarchy are one member, whose name is a list.
fn controllers(checker: &Checker<'_>, record: Record<'_>, used: &HashSet<usize>) {
    let controllers: Vec<Vec<Text>> = record
        .records("controllers")
        .map(|controller| controller.texts("cnames"))
        .collect();
    for (index, names) in controllers.iter().enumerate() {
        if names.is_empty() {
            let field = format!("controllers[{index}].cnames");
            checker.error(
                "cgroup-controller",
                IMAGE,
                (0, field),
                "a controller without a name",
            );
        }
    }
    for (index, set) in record.records("sets").enumerate() {
        for (place, member) in set.records("ctls").enumerate() {
            let name = member.text("name").unwrap_or_default();
            let listed: HashSet<&[u8]> = name.as_bytes().split(|byte| *byte == b',').collect();
            let is_known = controllers
                .iter()
                .any(|names| names.iter().all(|name| listed.contains(name.as_bytes())));
            if is_known {
                continue;
            }
            let field = format!("sets[{index}].ctls[{place}].name");
            let what = format!("no controller has the name {name}");
            match used.contains(&index) {
                true => checker.error("cgroup-controller", IMAGE, (0, field), what),
                false => checker.note("cgroup-controller", IMAGE, (0, field), what),
            }
        }
    }
}
