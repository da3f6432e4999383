//! The images that each task must have (CRIU's `criu/cr-restore.c` opens them).

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::inventory::{Inventory, Namespaces, namespaces};
use super::tree::{Member, Tree};
use crate::explore::TaskState;
use crate::message::Record;

/// A task that has resources.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) pid: u32,
    pub(super) namespaces: Option<Namespaces>,
    /// It has an address space of its own.
    pub(super) has_memory: bool,
}

/// What the images of the tasks say.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) living: Vec<Task>,
    /// All tasks and threads, also those that ended.
    pub(super) ids: BTreeSet<u32>,
    /// The images of descriptor tables that tasks have, by a task that has it.
    pub(super) tables: BTreeMap<String, u32>,
    /// The sets of cgroups that tasks are in, with the image and the field that say so.
    pub(super) cgroup_sets: Vec<(u32, String, &'static str)>,
    /// The filters of seccomp that threads have, with the image that says so.
    pub(super) filters: Vec<(u32, String)>,
    /// The machines that threads ran on, with the image that says so.
    machines: Vec<(String, String)>,
    /// Whether it is a pre-dump: only memory.
    pub(super) pre_dump: bool,
}

/// The registers of each machine (CRIU's `images/core.proto`).
const MACHINES: [(&str, &str); 8] = [
    ("X86_64", "thread_info"),
    ("ARM", "ti_arm"),
    ("AARCH64", "ti_aarch64"),
    ("PPC64", "ti_ppc64"),
    ("S390", "ti_s390"),
    ("MIPS", "ti_mips"),
    ("LOONGARCH64", "ti_loongarch64"),
    ("RISCV64", "ti_riscv64"),
];

pub(super) fn check(checker: &Checker<'_>, inventory: &Inventory, tree: &Tree) -> Tasks {
    let mut tasks = Tasks::default();
    let members = match tree {
        Tree::Dump(members) => members,
        Tree::PreDump(pids) => {
            tasks.pre_dump = true;
            tasks.living = pids
                .iter()
                .map(|pid| Task {
                    pid: *pid,
                    namespaces: None,
                    has_memory: true,
                })
                .collect();
            return tasks;
        }
    };
    let mut spaces = BTreeSet::new();
    for member in members {
        tasks.ids.insert(member.pid);
        tasks.ids.extend(&member.threads);
        task(checker, inventory, member, &mut spaces, &mut tasks);
    }
    for (name, id) in checker.named("core-") {
        if id.parse().is_ok_and(|id: u32| !tasks.ids.contains(&id)) {
            checker.warning(name, (), "no task and no thread has this id");
        }
    }
    if let Some((machine, image)) = tasks.machines.first() {
        for (other, of) in tasks.machines.iter().filter(|(other, _)| other != machine) {
            let what = format!("{other}, where {image} has {machine}");
            checker.error(of, (0, "mtype"), what);
        }
    }
    tasks
}

fn task(
    checker: &Checker<'_>,
    inventory: &Inventory,
    member: &Member,
    spaces: &mut BTreeSet<u32>,
    tasks: &mut Tasks,
) {
    let pid = member.pid;
    let needed = |image: &str, what: &str| {
        let is_there = checker.has(image);
        if !is_there {
            let entry = member.entry;
            let what = format!("missing: {what} of task {pid} (entry {entry} of pstree.img)");
            checker.error(image, (), what);
        }
        is_there
    };
    let image = format!("core-{pid}.img");
    if !needed(&image, "the state") {
        return;
    }
    let Some(core) = checker.first(&image, &[]) else {
        return;
    };
    let core = core.record();
    let Some(tc) = core.record("tc") else {
        checker.error(
            &image,
            (0, "tc"),
            "it is missing: this is the core of a task",
        );
        return;
    };
    task_core(checker, core, tc, &image);
    if tc
        .word("task_state")
        .map(TaskState::from)
        .is_some_and(|state| !state.has_resources())
    {
        return;
    }
    note_thread(checker, core, &image, tasks);
    for tid in member.threads.iter().filter(|tid| **tid != pid) {
        let image = format!("core-{tid}.img");
        if needed(&image, &format!("the registers of thread {tid}"))
            && let Some(core) = checker.first(&image, &[])
        {
            note_thread(checker, core.record(), &image, tasks);
        }
    }
    let has_credentials = core
        .record("thread_core")
        .is_some_and(|thread| thread.record("creds").is_some());
    if !has_credentials {
        needed(&format!("creds-{pid}.img"), "the credentials");
    }
    let image = format!("ids-{pid}.img");
    let ids = match needed(&image, "the ids of what it shares with others") {
        true => checker.first(&image, &[]),
        false => None,
    };
    let ids = ids.as_ref().map(|entry| entry.record());
    let id = |field: &str| ids.and_then(|ids| ids.word(field)).filter(|id| *id != 0);
    let table = match id("files_id").filter(|_| inventory.fdinfo_per_id) {
        Some(id) => format!("fdinfo-{id}.img"),
        None => format!("fdinfo-{pid}.img"),
    };
    if needed(&table, "the descriptors") {
        tasks.tables.entry(table).or_insert(pid);
    }
    needed(
        &format!("fs-{pid}.img"),
        "the working directory and the root",
    );
    // Tasks that share an address space have it once.
    let has_memory = id("vm_id").is_none_or(|id| spaces.insert(id));
    if has_memory {
        needed(&format!("mm-{pid}.img"), "the memory areas");
        needed(&format!("pagemap-{pid}.img"), "the pages");
    }
    tasks.living.push(Task {
        pid,
        namespaces: ids.map(namespaces),
        has_memory,
    });
}

/// What only a task has in its core image.
fn task_core(checker: &Checker<'_>, core: Record<'_>, tc: Record<'_>, image: &str) {
    /// The signals that can have handlers: all but `SIGKILL` and `SIGSTOP`; MIPS has more.
    const HANDLED: usize = 62;
    if let Some(TaskState::Other(state)) = tc.word("task_state").map(TaskState::from) {
        let what = format!("{state} is no state of a task");
        checker.error(image, (0, "tc.task_state"), what);
    }
    let handlers = tc.records("sigactions").count();
    let is_mips = core.enum_name("mtype").as_deref() == Some("MIPS");
    if handlers != 0 && handlers != HANDLED && !is_mips {
        let what = format!("{handlers} handlers of signals, where {HANDLED} are needed");
        checker.error(image, (0, "tc.sigactions"), what);
    }
    let mut seen = BTreeSet::new();
    let timers = tc.record("timers");
    for (place, timer) in timers
        .iter()
        .flat_map(|timers| timers.records("posix"))
        .enumerate()
    {
        if let Some(id) = timer.number("it_id")
            && !seen.insert(id)
        {
            let field = format!("tc.timers.posix[{place}].it_id");
            checker.error(image, (0, field), format!("the timer {id} stands twice"));
        }
    }
}

/// What a core image says of a thread.
fn note_thread(checker: &Checker<'_>, core: Record<'_>, image: &str, tasks: &mut Tasks) {
    let machine = core.enum_name("mtype").unwrap_or_default();
    tasks.machines.push((machine.to_string(), image.to_owned()));
    let registers = MACHINES.iter().find(|(name, _)| *name == machine);
    match registers {
        Some((_, field)) if core.record(field).is_none() => {
            let what = format!("it is missing: the registers of a thread on {machine}");
            checker.error(image, (0, *field), what);
        }
        None => {
            let what = format!("the machine {machine} is not known");
            checker.warning(image, (0, "mtype"), what);
        }
        Some(_) => {}
    }
    for (record, field) in [
        (core.record("tc"), "tc.cg_set"),
        (core.record("thread_core"), "thread_core.cg_set"),
    ] {
        if let Some(set) = record.and_then(|record| record.word("cg_set")) {
            tasks.cgroup_sets.push((set, image.to_owned(), field));
        }
    }
    if let Some(thread) = core.record("thread_core")
        && let Some(filter) = thread.word("seccomp_filter")
        && thread.enum_name("seccomp_mode").as_deref() == Some("filter")
    {
        tasks.filters.push((filter, image.to_owned()));
    }
}
