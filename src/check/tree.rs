//! The process tree: one root, each other task below a task that stands before it, each thread once.
//!
//! CRIU's `criu/pstree.c` reads the entries in order and looks for the parent among those before.

use std::collections::HashMap;

use super::Checker;
use crate::explore::{task_id, thread_ids};

/// A task of the tree.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: u32,
    /// Its entry in `pstree.img`.
    pub(super) entry: u64,
    /// Its threads, itself among them.
    pub(super) threads: Vec<u32>,
}

/// The tasks; of a pre-dump, which has no tree, those whose memory is there.
#[derive(Debug)]
pub(super) enum Tree {
    Dump(Vec<Member>),
    PreDump(Vec<u32>),
}

const IMAGE: &str = "pstree.img";

pub(super) fn read(checker: &Checker<'_>) -> Tree {
    let mut members = Vec::new();
    let mut entries: HashMap<u32, u64> = HashMap::new();
    let mut threads: HashMap<u32, u32> = HashMap::new();
    let mut root = None;
    let found = checker.each(IMAGE, &[], &mut |entry, record| {
        let Some(pid) = task_id(record, "pid") else {
            return;
        };
        if pid == 0 {
            checker.error(IMAGE, (entry, "pid"), "0 is no task's id");
            return;
        }
        if let Some(before) = entries.insert(pid, entry) {
            let what = format!("task {pid} stands in entry {before} already");
            checker.error(IMAGE, (entry, "pid"), what);
            return;
        }
        let ppid = record.word("ppid").unwrap_or(0);
        match (ppid, root) {
            (0, None) => root = Some(entry),
            (0, Some(other)) => {
                let what = format!("a second root: entry {other} is one");
                checker.error(IMAGE, (entry, "ppid"), what);
            }
            (ppid, _) if ppid == pid || !entries.contains_key(&ppid) => {
                let what = format!("no task before it has the id {ppid}");
                checker.error(IMAGE, (entry, "ppid"), what);
            }
            _ => {}
        }
        let mine = thread_ids(record, pid);
        if !mine.contains(&pid) {
            let what = format!("task {pid} itself is not among its threads");
            checker.error(IMAGE, (entry, "threads"), what);
        }
        for tid in &mine {
            match threads.insert(*tid, pid) {
                Some(other) if other == pid => {
                    let what = format!("thread {tid} stands twice");
                    checker.error(IMAGE, (entry, "threads"), what);
                }
                Some(other) => {
                    let what = format!("thread {tid} is one of task {other}");
                    checker.error(IMAGE, (entry, "threads"), what);
                }
                None => {}
            }
        }
        members.push(Member {
            pid,
            entry,
            threads: mine,
        });
    });
    if found {
        if members.is_empty() && !checker.is_damaged(IMAGE) {
            checker.error(IMAGE, (), "it has no task");
        } else if root.is_none() {
            checker.error(IMAGE, (), "no task is the root: none has the parent 0");
        }
        return Tree::Dump(members);
    }
    if checker.has_any("core-") || checker.has("files.img") || checker.has_any("fdinfo-") {
        checker.error(IMAGE, (), "missing: it says which tasks there are");
    }
    let pagemaps = checker.named("pagemap-").into_iter();
    let mut pids: Vec<u32> = pagemaps.filter_map(|(_, pid)| pid.parse().ok()).collect();
    pids.sort_unstable();
    Tree::PreDump(pids)
}
