//! SysV segments, queues and semaphores (`criu/ipc_ns.c`), which are restored if the root task has an IPC
//! namespace of its own.

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::inventory::{IPC, Inventory};
use super::namespaces;
use super::tasks::Tasks;
use crate::message::Record;

/// Returns the segments that are restored, with their sizes in bytes.
pub(super) fn check(
    checker: &Checker<'_>,
    inventory: &Inventory,
    tasks: &Tasks,
) -> HashMap<u64, u64> {
    let mut segments = HashMap::new();
    let own = namespaces::own_image(inventory, tasks, IPC, "");
    const PREFIXES: [&str; 4] = ["ipcns-var-", "ipcns-shm-", "ipcns-msg-", "ipcns-sem-"];
    for prefix in PREFIXES {
        for (name, id) in checker.named(prefix) {
            if own.as_deref() != Some(&format!("{id}.img")) && !tasks.pre_dump {
                checker.ignore(name);
                let what = "restore makes no IPC namespace of this id";
                checker.note("stranger", name, (), what);
            }
        }
    }
    let Some(own) = own else {
        return segments;
    };
    let variables = checker.first(&format!("ipcns-var-{own}"), &[]);
    let limit = |name: &str| {
        let entry = variables.as_ref()?;
        entry.record().number(name)
    };
    if let Some(entry) = &variables {
        limits(checker, &format!("ipcns-var-{own}"), entry.record());
    }
    let mut objects = Objects {
        checker,
        ids: HashSet::new(),
        keys: HashSet::new(),
    };
    let name = format!("ipcns-shm-{own}");
    checker.each(&name, &[], &mut |entry, record| {
        let Some(id) = objects.add(&name, entry, record, "segment") else {
            return;
        };
        let size = record.number("size").unwrap_or(0);
        segments.insert(id, size);
        let most = limit("shm_ctlmax").unwrap_or(u64::MAX);
        if size == 0 || size > most {
            let what = format!("a segment of {size} bytes, where 1 to {most} may be");
            checker.error("ipc-size", &name, (entry, "size"), what);
        }
        let pages = format!("pagemap-shmem-{id}.img");
        if record.is("in_pagemaps") && !checker.has(&pages) {
            let what = format!("missing: the pages of a segment (entry {entry} of {name})");
            checker.error("missing-pagemap", &pages, (), what);
        }
    });
    let mut objects = objects.next();
    let name = format!("ipcns-msg-{own}");
    checker.each(&name, &[], &mut |entry, record| {
        objects.add(&name, entry, record, "message queue");
    });
    let mut objects = objects.next();
    let name = format!("ipcns-sem-{own}");
    checker.each(&name, &[], &mut |entry, record| {
        objects.add(&name, entry, record, "semaphore set");
        if record.number("nsems") == Some(0) {
            checker.error(
                "ipc-size",
                &name,
                (entry, "nsems"),
                "a set without a semaphore",
            );
        }
    });
    segments
}

/// Limits of the namespace that the kernel refuses to set.
fn limits(checker: &Checker<'_>, image: &str, record: Record<'_>) {
    /// `IPCMNI`: how many objects of a kind there may be.
    const OBJECTS: u64 = 1 << 15;
    /// `kernel.sem` has four numbers.
    const SEMAPHORES: usize = 4;
    let error = |field: &str, what: String| {
        checker.error("ipc-limit", image, (0, field), what);
    };
    for field in ["shm_ctlmni", "msg_ctlmni"] {
        if let Some(limit) = record.number(field).filter(|limit| *limit > OBJECTS) {
            error(field, format!("{limit} is above {OBJECTS}"));
        }
    }
    // With fewer numbers the others stay as they are; more are not looked at.
    let semaphores = record.numbers("sem_ctls");
    if semaphores.is_empty() {
        error(
            "sem_ctls",
            "no number: nothing is written, and that fails".to_owned(),
        );
    } else if semaphores.len() < SEMAPHORES {
        let what = format!(
            "{} numbers of {SEMAPHORES}: the others are those of a new namespace",
            semaphores.len()
        );
        checker.warning("ipc-limit", image, (0, "sem_ctls"), what);
    }
    if let Some(limit) = semaphores
        .get(SEMAPHORES - 1)
        .filter(|limit| **limit > OBJECTS)
    {
        error("sem_ctls[3]", format!("{limit} is above {OBJECTS}"));
    }
}

/// The objects of one kind: each id and each key once.
struct Objects<'a, 'c> {
    checker: &'a Checker<'c>,
    ids: HashSet<u64>,
    keys: HashSet<u64>,
}

impl<'a, 'c> Objects<'a, 'c> {
    fn next(self) -> Objects<'a, 'c> {
        Objects {
            checker: self.checker,
            ids: HashSet::new(),
            keys: HashSet::new(),
        }
    }

    /// Adds an object, and returns its id.
    fn add(&mut self, image: &str, entry: u64, record: Record<'_>, called: &str) -> Option<u64> {
        let description = record.record("desc")?;
        let id = description.number("id")?;
        let error = |field: &str, what: String| {
            self.checker
                .error("ipc-object", image, (entry, field), what);
        };
        if id > i32::MAX as u64 {
            error(
                "desc.id",
                format!("{id} is above the largest id, {}", i32::MAX),
            );
        }
        if !self.ids.insert(id) {
            error("desc.id", format!("duplicate {called} {id}"));
        }
        // 0 is `IPC_PRIVATE`, which many have.
        let key = description.number("key").unwrap_or(0);
        if key != 0 && !self.keys.insert(key) {
            error("desc.key", format!("duplicate key 0x{key:x} of a {called}"));
        }
        Some(id)
    }
}
