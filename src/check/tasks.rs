//! The images that each task needs (CRIU's `criu/cr-restore.c` opens them), and its core image.
//!
//! CRIU opens a missing image as an empty one (`criu/image.c`, `do_open_image`): only readers that must
//! have an entry fail. An empty descriptor table has no image (`criu/files.c`,
//! `dump_task_files_seized`); a task that has ended has a core image and no other
//! (`criu/cr-dump.c`, `dump_one_zombie`).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::checker::Checker;
use super::inventory::{Namespaces, namespaces};
use super::tree::{Member, Tree};
use super::{creds, notify, seccomp, threads, timers};
use crate::explore::TaskState;
use crate::message::Record;

/// A task that is alive or stopped.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) pid: u32,
    pub(super) namespaces: Option<Namespaces>,
    pub(super) files_id: Option<u32>,
    /// The image of its descriptor table.
    pub(super) table: String,
    /// The address above all addresses of a task of its kind, if that is known.
    pub(super) address_limit: Option<u64>,
    /// It is a task of x86-64.
    pub(super) is_x86_64: bool,
}

/// What the images of the tasks say.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// The tasks that are alive or stopped, in the order of `pstree.img`.
    pub(super) living: Vec<Task>,
    /// The place of the root task among them, if it is alive.
    root: Option<usize>,
    /// All tasks, including those that have ended.
    pub(super) pids: BTreeSet<u32>,
    /// The threads of living tasks, besides the tasks themselves.
    pub(super) tids: BTreeSet<u32>,
    /// The sets of cgroups of living tasks and their threads.
    pub(super) cgroup_sets: Vec<CgroupSet>,
    /// It is a pre-dump, which has memory only.
    pub(super) pre_dump: bool,
}

impl Tasks {
    /// Returns the root task, if it is alive.
    pub(super) fn root(&self) -> Option<&Task> {
        self.root.and_then(|root| self.living.get(root))
    }
}

/// The set of cgroups that a task or thread is in.
#[derive(Debug)]
pub(super) struct CgroupSet {
    pub(super) set: u32,
    pub(super) image: String,
    pub(super) field: &'static str,
    /// The task; the set of a thread is compared to that of its task.
    pub(super) pid: u32,
    pub(super) is_thread: bool,
}

pub(super) fn check(checker: &Checker<'_>, tree: &Tree) -> Tasks {
    let mut tasks = Tasks::default();
    let members = match tree {
        Tree::Dump(members) => members,
        Tree::PreDump(pids) => {
            tasks.pre_dump = true;
            tasks.living = pids.iter().map(|pid| of_pre_dump(*pid)).collect();
            return tasks;
        }
    };
    let mut machines = Vec::new();
    let mut filters = seccomp::Filters::default();
    for member in members {
        tasks.pids.insert(member.pid);
        tasks.tids.extend(&member.threads);
        let mut look = Look {
            checker,
            member,
            tasks: &mut tasks,
            machines: &mut machines,
            filters: &mut filters,
        };
        look.task();
    }
    filters.check(checker);
    if let Some((machine, image)) = machines.first() {
        for (other, of) in machines.iter().filter(|(other, _)| other != machine) {
            let what = format!("{other}, where {image} has {machine}");
            checker.error("machine", of, (0, "mtype"), what);
        }
    }
    strangers(checker, members, &tasks);
    tasks
}

fn of_pre_dump(pid: u32) -> Task {
    Task {
        pid,
        namespaces: None,
        files_id: None,
        table: String::new(),
        address_limit: None,
        is_x86_64: false,
    }
}

/// Images of tasks and threads that are not in the tree: restore does not open them.
fn strangers(checker: &Checker<'_>, members: &[Member], tasks: &Tasks) {
    const KINDS: [&str; 7] = [
        "core-", "ids-", "mm-", "fs-", "creds-", "pagemap-", "sigacts-",
    ];
    let known: HashSet<u32> = tasks.pids.iter().chain(&tasks.tids).copied().collect();
    for prefix in KINDS {
        for (name, id) in checker.named(prefix) {
            if id.parse().is_ok_and(|id: u32| !known.contains(&id)) {
                checker.ignore(name);
                checker.note("stranger", name, (), "no task and no thread has this id");
            }
        }
    }
    for member in members.iter().filter(|member| !member.is_alive()) {
        checker.ignore(&format!("pagemap-{}.img", member.pid));
    }
}

/// A look at a task and its images.
struct Look<'a, 'c> {
    checker: &'a Checker<'c>,
    member: &'a Member,
    tasks: &'a mut Tasks,
    machines: &'a mut Vec<(String, String)>,
    filters: &'a mut seccomp::Filters,
}

impl Look<'_, '_> {
    /// An image without which the task is not restored; true if it is there.
    fn needed(&self, rule: &'static str, image: &str, what: &str) -> bool {
        let is_there = self.checker.has(image);
        if !is_there {
            let Member { pid, entry, .. } = self.member;
            let what = format!("missing: {what} of task {pid} (entry {entry} of pstree.img)");
            self.checker.error(rule, image, (), what);
        }
        is_there
    }

    fn task(&mut self) {
        let (checker, pid) = (self.checker, self.member.pid);
        let image = format!("core-{pid}.img");
        if !self.needed("missing-core", &image, "the state") {
            return;
        }
        let Some(core) = checker.first(&image, &[]) else {
            return;
        };
        let core = core.record();
        let machine = core.enum_name("mtype").unwrap_or_default().into_owned();
        self.machines.push((machine.clone(), image.clone()));
        let Some(tc) = core.record("tc") else {
            let what = "missing: this is the core image of a task";
            checker.error("missing-state", &image, (0, "tc"), what);
            return;
        };
        if let Some(state) = tc.word("task_state")
            && !matches!(
                TaskState::from(state),
                TaskState::Alive | TaskState::Dead | TaskState::Stopped
            )
        {
            let what = format!("{state} is not the state of a task in a dump: 1, 2 and 3 are");
            checker.error("task-state", &image, (0, "tc.task_state"), what);
        }
        if !self.member.is_alive() {
            return;
        }
        self.core(core, tc, &image, &machine);
        for tid in &self.member.threads {
            let image = format!("core-{tid}.img");
            let what = format!("the registers of thread {tid}");
            if self.needed("missing-core", &image, &what)
                && let Some(entry) = checker.first(&image, &[])
            {
                let record = entry.record();
                threads::of_thread(checker, record, &image, &machine);
                self.thread(record, &image, Some(core));
            }
        }
        self.shared(core, &machine);
    }

    /// The core image of a task that lives (`check_core`, `sigreturn_restore`).
    fn core(&mut self, core: Record<'_>, tc: Record<'_>, image: &str, machine: &str) {
        let (checker, pid) = (self.checker, self.member.pid);
        threads::registers(checker, core, image, machine);
        threads::core(checker, core, image);
        self.thread(core, image, None);
        handlers(checker, tc, image, pid);
        timers::check(checker, tc, image, self.member);
        notify::signals(checker, tc, "tc.signals_s", image);
        membarrier(checker, tc, image);
        if tc.record("rlimits").is_none() {
            let what = "the limits are in an image of their own, as CRIU before 1.3 did: restore needs --deprecated";
            checker.warning("deprecated", image, (0, "tc.rlimits"), what);
        }
        let credentials = core.record("thread_core").map(|own| own.record("creds"));
        if credentials.is_some_and(|creds| creds.is_none()) {
            let image = format!("creds-{pid}.img");
            if self.needed("missing-creds", &image, "the credentials")
                && !self.member.threads.is_empty()
            {
                let what = "its threads have no credentials in their core images";
                checker.error("missing-creds", &image, (), what);
            }
        }
    }

    /// Checks the part of a core image that every thread has; `leader` is the core of the task, of its other
    /// threads.
    fn thread(&mut self, core: Record<'_>, image: &str, leader: Option<Record<'_>>) {
        let Some(own) = core.record("thread_core") else {
            return;
        };
        let is_thread = leader.is_some();
        let old = core.record("tc").filter(|_| !is_thread);
        self.filters.add(own, old, image);
        if let Some(record) = own.record("creds") {
            creds::check(self.checker, record, image);
        } else if leader
            .and_then(|core| core.record("thread_core")?.record("creds"))
            .is_some()
        {
            let what = "missing: the credentials of a thread";
            self.checker
                .error("missing-creds", image, (0, "thread_core.creds"), what);
        }
        let of_task = old.and_then(|tc| tc.word("cg_set"));
        let (set, field) = match own.word("cg_set") {
            Some(set) => (Some(set), "thread_core.cg_set"),
            None => (of_task, "tc.cg_set"),
        };
        if let Some(set) = set {
            self.tasks.cgroup_sets.push(CgroupSet {
                set,
                image: image.to_owned(),
                field,
                pid: self.member.pid,
                is_thread,
            });
        }
    }

    /// What the task has besides its core: ids, descriptors, directories, memory.
    fn shared(&mut self, core: Record<'_>, machine: &str) {
        let (checker, pid) = (self.checker, self.member.pid);
        let image = format!("ids-{pid}.img");
        let what = "the ids of what it shares with others";
        let ids = match checker.has(&image) || core.record("ids").is_none() {
            true if self.needed("missing-ids", &image, what) => checker.first(&image, &[]),
            _ => None,
        };
        let ids = ids.as_ref().map(|entry| entry.record());
        let files_id = ids.and_then(|ids| ids.word("files_id"));
        let table = match files_id {
            Some(id) => format!("fdinfo-{id}.img"),
            None => format!("fdinfo-{pid}.img"),
        };
        self.needed(
            "missing-fs",
            &format!("fs-{pid}.img"),
            "the working directory and the root",
        );
        let memory = format!("mm-{pid}.img");
        if self.needed("missing-mm", &memory, "the mappings") {
            self.needed(
                "missing-pagemap",
                &format!("pagemap-{pid}.img"),
                "the pages",
            );
        }
        let is_x86_64 = machine == "X86_64";
        if self.member.ppid == 0 && self.tasks.root.is_none() {
            self.tasks.root = Some(self.tasks.living.len());
        }
        self.tasks.living.push(Task {
            pid,
            namespaces: ids.map(namespaces),
            files_id,
            table,
            address_limit: threads::address_limit(core, machine),
            is_x86_64,
        });
    }
}

/// The handlers of signals (`criu/sigact.c`).
fn handlers(checker: &Checker<'_>, tc: Record<'_>, image: &str, pid: u32) {
    /// Those that can have handlers: all but `SIGKILL` and `SIGSTOP`.
    const HANDLED: usize = 62;
    let handlers = tc.records("sigactions").count();
    if handlers != 0 && handlers != HANDLED {
        let what = format!("{handlers} handlers of signals, where {HANDLED} are needed");
        checker.error("signal-handlers", image, (0, "tc.sigactions"), what);
    }
    if handlers == 0 && !checker.has(&format!("sigacts-{pid}.img")) {
        let what = "missing: the handlers of signals";
        checker.error("signal-handlers", image, (0, "tc.sigactions"), what);
    }
}

/// Each bit is a command of `membarrier` that registers the process (`pie/restorer.c`).
fn membarrier(checker: &Checker<'_>, tc: Record<'_>, image: &str) {
    /// `GLOBAL_EXPEDITED`, `PRIVATE_EXPEDITED`, ... without `REGISTER_` are refused without it.
    const REFUSED: u64 = !0b1_0101_0111;
    let mask = tc.number("membarrier_registration_mask").unwrap_or(0);
    if mask & REFUSED != 0 {
        let what = format!("0x{mask:x} has bits that register nothing");
        let field = "tc.membarrier_registration_mask";
        checker.error("membarrier", image, (0, field), what);
    }
}

/// The descriptor tables of living tasks, with the tasks that have them in the order of their ids.
pub(super) fn tables(tasks: &Tasks) -> BTreeMap<&str, Vec<u32>> {
    let mut tables: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for task in &tasks.living {
        tables.entry(&task.table).or_default().push(task.pid);
    }
    tables.values_mut().for_each(|pids| pids.sort_unstable());
    tables
}
