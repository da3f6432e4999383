//! The process tree: one root, each other task below a task that stands before it, each number once.
//!
//! CRIU's `criu/pstree.c` (`read_one_pstree_item`) reads the entries in order. It keeps one tree of all
//! numbers: of tasks, threads, sessions and groups.

use std::collections::HashMap;

use super::checker::Checker;
use crate::explore::{TaskState, raw_thread_ids, task_id};

/// A task of the tree.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: u32,
    pub(super) ppid: u32,
    /// Its process group; 0 if that is outside of the namespace.
    pub(super) pgid: u32,
    /// Its session; likewise.
    pub(super) sid: u32,
    /// Its entry in `pstree.img`.
    pub(super) entry: u64,
    /// Its threads besides itself; none of a task that has ended.
    pub(super) threads: Vec<u32>,
    pub(super) state: Option<TaskState>,
}

impl Member {
    /// Returns true if the task has memory, files and threads.
    pub(super) fn is_alive(&self) -> bool {
        self.state.is_none_or(TaskState::has_resources)
    }
}

/// The tasks; of a pre-dump, which has no tree, those whose memory it has.
#[derive(Debug)]
pub(super) enum Tree {
    Dump(Vec<Member>),
    PreDump(Vec<u32>),
}

impl Tree {
    pub(super) fn members(&self) -> &[Member] {
        match self {
            Tree::Dump(members) => members,
            Tree::PreDump(_) => &[],
        }
    }
}

pub(super) const IMAGE: &str = "pstree.img";

/// The first number that no process can have: Linux's `PID_MAX_LIMIT` of 64-bit machines.
const PID_LIMIT: u32 = 4 << 20;

/// What a number of the tree stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    /// A session or group without a task so far.
    Leader,
    Task(u64),
    Thread(u32),
}

pub(super) fn read(checker: &Checker<'_>) -> Tree {
    let mut reading = Reading {
        checker,
        members: Vec::new(),
        numbers: HashMap::new(),
        root: None,
    };
    let found = checker.each(IMAGE, &[], &mut |entry, record| {
        let Some(pid) = task_id(record, "pid") else {
            return;
        };
        let raw = raw_thread_ids(record);
        let id = |name| task_id(record, name).unwrap_or(0);
        reading.add(
            Member {
                pid,
                ppid: record.word("ppid").unwrap_or(0),
                pgid: id("pgid"),
                sid: id("sid"),
                entry,
                threads: Vec::new(),
                state: state(checker, pid),
            },
            &raw,
        );
    });
    let Reading { members, root, .. } = reading;
    if found {
        if members.is_empty() && !checker.is_damaged(IMAGE) {
            checker.error("no-task", IMAGE, (), "it has no task");
        } else if root.is_none() {
            let what = "no task is the root: none has the parent 0";
            checker.error("no-root", IMAGE, (), what);
        }
        return Tree::Dump(members);
    }
    if checker.has_any("core-") || checker.has("files.img") || checker.has_any("fdinfo-") {
        checker.error("missing-tree", IMAGE, (), "missing: it lists the tasks");
    }
    let pagemaps = checker.named("pagemap-").into_iter();
    let mut pids: Vec<u32> = pagemaps.filter_map(|(_, pid)| pid.parse().ok()).collect();
    pids.sort_unstable();
    Tree::PreDump(pids)
}

/// The state of a task, by its core image.
fn state(checker: &Checker<'_>, pid: u32) -> Option<TaskState> {
    let core = checker.first(&format!("core-{pid}.img"), &[])?;
    let state = core.record().record("tc")?.word("task_state")?;
    Some(TaskState::from(state))
}

/// The entries so far.
struct Reading<'a, 'c> {
    checker: &'a Checker<'c>,
    members: Vec<Member>,
    numbers: HashMap<u32, Number>,
    root: Option<u64>,
}

impl Reading<'_, '_> {
    fn add(&mut self, mut member: Member, raw_threads: &[u32]) {
        let (pid, entry) = (member.pid, member.entry);
        let error = |rule, field: &str, what: String| {
            self.checker.error(rule, IMAGE, (entry, field), what);
        };
        if pid == 0 {
            return error("pid", "pid", "0 is not a process id".to_owned());
        }
        for (field, id) in [("pid", pid), ("pgid", member.pgid), ("sid", member.sid)] {
            if id >= PID_LIMIT {
                let what = format!("{id} is above the largest process id, {}", PID_LIMIT - 1);
                error("pid", field, what);
            }
        }
        match self.numbers.insert(pid, Number::Task(entry)) {
            Some(Number::Task(before)) => {
                let what = format!("duplicate task {pid}: entry {before} has it too");
                return error("duplicate-task", "pid", what);
            }
            Some(Number::Thread(of)) => {
                let what = format!("{pid} is a thread of task {of}");
                error("duplicate-thread", "pid", what);
            }
            _ => {}
        }
        for (field, id) in [("pgid", member.pgid), ("sid", member.sid)] {
            match self.numbers.entry(id).or_insert(Number::Leader) {
                Number::Thread(of) => {
                    let what = format!("{id} is a thread of task {of}");
                    error("leader-is-thread", field, what);
                }
                Number::Leader | Number::Task(_) => {}
            }
        }
        match (member.ppid, self.root) {
            (0, None) => self.root = Some(entry),
            (0, Some(other)) => {
                let what = format!("a second root: entry {other} is one");
                error("second-root", "ppid", what);
            }
            (ppid, _)
                if ppid == pid || !matches!(self.numbers.get(&ppid), Some(Number::Task(_))) =>
            {
                error(
                    "parent",
                    "ppid",
                    format!("no task before it has the id {ppid}"),
                );
            }
            _ => {}
        }
        member.threads = self.threads(&member, raw_threads);
        self.members.push(member);
    }

    /// The threads of a task besides itself. The first number of a task that has ended was never written
    /// (`dump_pstree`), and nothing reads it.
    fn threads(&mut self, member: &Member, raw: &[u32]) -> Vec<u32> {
        let (pid, entry) = (member.pid, member.entry);
        let error = |rule, what: String| {
            self.checker.error(rule, IMAGE, (entry, "threads"), what);
        };
        if !member.is_alive() {
            if raw.len() > 1 {
                let what = format!("{} threads of a task that has ended", raw.len());
                error("dead-threads", what);
            }
            return Vec::new();
        }
        let [first, others @ ..] = raw else {
            error(
                "no-thread",
                format!("task {pid} itself is not among its threads"),
            );
            return Vec::new();
        };
        if *first != pid {
            let what = match others.contains(&pid) {
                true => format!("task {pid} itself is not the first of its threads"),
                false => format!("task {pid} itself is not among its threads"),
            };
            error("no-thread", what);
        }
        let mut threads = Vec::new();
        for tid in others
            .iter()
            .copied()
            .filter(|tid| *tid != pid || *first == pid)
        {
            if tid >= PID_LIMIT || tid == 0 {
                error("pid", format!("{tid} is not a thread id"));
            }
            match self.numbers.insert(tid, Number::Thread(pid)) {
                None => threads.push(tid),
                Some(Number::Thread(of)) if of == pid => {
                    error("duplicate-thread", format!("duplicate thread {tid}"));
                }
                Some(Number::Thread(of)) => {
                    error(
                        "duplicate-thread",
                        format!("thread {tid} is one of task {of}"),
                    );
                }
                Some(Number::Task(of)) => {
                    error(
                        "duplicate-thread",
                        format!("thread {tid} is the task of entry {of}"),
                    );
                }
                Some(Number::Leader) => {
                    let what =
                        format!("thread {tid} has the number of a session or group before it");
                    error("duplicate-thread", what);
                }
            }
        }
        threads
    }
}
