//! The ids of what tasks share: descriptor tables and namespaces (`criu/pstree.c`,
//! `prepare_pstree_kobj_ids`; `criu/cr-restore.c`, `restore_root_task`).

use std::collections::HashMap;

use super::checker::Checker;
use super::inventory::{Inventory, MNT, NAMESPACES, NET, PID};
use super::tasks::{Task, Tasks};
use super::tree::Tree;

pub(super) fn check(checker: &Checker<'_>, inventory: &Inventory, tree: &Tree, tasks: &Tasks) {
    let members = tree.members();
    let Some(root) = members.iter().find(|member| member.ppid == 0) else {
        return;
    };
    let by_pid: HashMap<u32, &Task> = tasks.living.iter().map(|task| (task.pid, task)).collect();
    let Some(of_root) = by_pid
        .get(&root.pid)
        .filter(|task| task.namespaces.is_some())
    else {
        if !root.is_alive() {
            let what = format!("the root task {} has ended", root.pid);
            checker.error(
                "dead-root",
                &format!("core-{}.img", root.pid),
                (0, "tc.task_state"),
                what,
            );
        }
        return;
    };
    let image = format!("ids-{}.img", root.pid);
    if of_root.files_id.is_some() && of_root.files_id == inventory.root_files {
        let what = "the root task has the descriptor table of the CRIU that dumped it";
        checker.error("shared-table", &image, (0, "files_id"), what);
    }
    pid_namespace(checker, inventory, of_root, &image);
    let own = of_root.namespaces.and_then(|ids| ids.get(NET).copied());
    if own == Some(0) && has_own(inventory, of_root, NET) {
        let at = (0, "net_ns_id");
        let is_there = checker
            .first(&image, &["net_ns_id"])
            .is_some_and(|entry| entry.record().word("net_ns_id").is_some());
        if is_there {
            let what = "no network namespace has the id 0: it gets a new one, without devices";
            checker.warning("missing-ids", &image, at, what);
        } else {
            let what = "missing: the root task's network namespace";
            checker.error("missing-ids", &image, at, what);
        }
    }
    for member in members.iter().filter(|member| member.ppid != 0) {
        let Some(ids) = by_pid.get(&member.pid).and_then(|task| task.namespaces) else {
            continue;
        };
        let image = format!("ids-{}.img", member.pid);
        let Some(parent) = by_pid.get(&member.ppid).and_then(|task| task.namespaces) else {
            let what = format!("its parent {} has no ids", member.ppid);
            checker.error("missing-ids", &image, (), what);
            continue;
        };
        for (place, kind) in NAMESPACES.iter().enumerate() {
            let (own, above) = (ids.get(place), parent.get(place));
            // Mount and network namespaces may be nested below a root that has its own.
            let may_differ = [MNT, NET].contains(&place) && has_own(inventory, of_root, place);
            if own != above && !may_differ {
                let what = format!(
                    "it is not in the {} namespace of its parent: only the root task may be in another",
                    kind.name
                );
                checker.error("namespace-of-child", &image, (0, kind.field), what);
            }
        }
    }
}

/// Returns true if the root task has a namespace of this kind other than that of CRIU.
pub(super) fn has_own(inventory: &Inventory, root: &Task, place: usize) -> bool {
    let own = root.namespaces.and_then(|ids| ids.get(place).copied());
    let outside = inventory.root_ids.and_then(|ids| ids.get(place).copied());
    own.is_some() && outside.is_some() && own != outside
}

/// The init of a pid namespace is process 1, and process 1 is in a namespace of its own.
fn pid_namespace(checker: &Checker<'_>, inventory: &Inventory, root: &Task, image: &str) {
    if inventory.root_ids.is_none() {
        return;
    }
    let id = root
        .namespaces
        .and_then(|ids| ids.get(PID).copied())
        .unwrap_or(0);
    let external = checker
        .first(&format!("pidns-{id}.img"), &["ext_key"])
        .is_some_and(|entry| entry.record().bytes("ext_key").is_some());
    let is_own = has_own(inventory, root, PID);
    let at = (0, "pid_ns_id");
    match (root.pid, is_own) {
        (1, false) => {
            let what = "process 1 can only be restored in a pid namespace of its own";
            checker.error("pid-namespace", image, at, what);
        }
        (1, true) if external => {
            let what = "process 1 can't be restored in an external pid namespace";
            checker.error("pid-namespace", image, at, what);
        }
        (_, true) if root.pid != 1 && !external => {
            let what = format!(
                "a pid namespace without process 1: the root task is {}",
                root.pid
            );
            checker.error("pid-namespace", image, at, what);
        }
        (_, true) if external => {
            let what = "an external pid namespace: restore needs --inherit-fd";
            checker.warning("external-namespace", &format!("pidns-{id}.img"), (), what);
        }
        _ => {}
    }
}
