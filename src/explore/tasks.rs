//! The tasks of a checkpoint: who they are, and what state they were in.

use std::collections::{HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::{Explorer, names};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{TASK_ENTRY, TASKS};
use crate::message::Record;
use crate::text::Text;

/// A task: one entry of `pstree.img`, and what its core image says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Task {
    /// The process id, inside the namespace that was dumped.
    pub pid: u32,
    /// That of the parent; 0 for the root.
    pub ppid: u32,
    /// The process group.
    pub pgid: Option<u32>,
    /// The session.
    pub sid: Option<u32>,
    /// The threads; the first is the task itself.
    pub threads: Vec<u32>,
    /// The command name.
    pub comm: Option<Text>,
    /// The state.
    pub state: Option<TaskState>,
}

impl Task {
    /// Whether it has memory, descriptors and the like: ended tasks have none.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        self.state.is_none_or(TaskState::has_resources)
    }
}

/// The state of a task (`TASK_*` in CRIU's `criu/include/pid.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It is stopped by a signal.
    Stopped,
    /// It has ended, and its parent has not noticed yet.
    Zombie,
    /// Another number.
    Other(u32),
}

impl From<u32> for TaskState {
    fn from(number: u32) -> Self {
        match number {
            1 => TaskState::Alive,
            2 => TaskState::Dead,
            3 => TaskState::Stopped,
            6 => TaskState::Zombie,
            other => TaskState::Other(other),
        }
    }
}

impl TaskState {
    /// Its name in lower case, or its number.
    #[must_use]
    pub fn name(self) -> String {
        let number = match self {
            TaskState::Alive => 1,
            TaskState::Dead => 2,
            TaskState::Stopped => 3,
            TaskState::Zombie => 6,
            TaskState::Other(number) => number,
        };
        names::name("task", "state", u64::from(number))
    }

    /// Whether such a task has memory, files, and all else: the dead have not.
    #[must_use]
    pub fn has_resources(self) -> bool {
        !matches!(self, TaskState::Dead | TaskState::Zombie)
    }
}

impl Serialize for TaskState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

impl Explorer<'_> {
    /// The tasks, in the order of `pstree.img`: all, or those of the subtree that is asked about.
    ///
    /// Without that image, the tasks that other images are named after.
    ///
    /// # Errors
    ///
    /// There is no task, or not the one that is asked about.
    pub fn tasks(&self) -> Result<&[Task]> {
        self.tasks
            .get_or_try_init(|| self.find_tasks())
            .map(Vec::as_slice)
    }

    /// The same, but those that have ended are left out, each a gap that says so.
    pub(super) fn living<'a>(&'a self, what: &'a str) -> Result<impl Iterator<Item = &'a Task>> {
        let living = move |task: &&Task| match task.state {
            Some(state) if !task.has_resources() => {
                let message = format!("task {} is {}: it has no {what}", task.pid, state.name());
                self.gap(&format!("core-{}.img", task.pid), message);
                false
            }
            _ => true,
        };
        Ok(self.tasks()?.iter().filter(living))
    }

    fn find_tasks(&self) -> Result<Vec<Task>> {
        let mut tasks = Vec::new();
        let mut seen = HashSet::new();
        let mut index = 0;
        let mut threads = 0;
        let read =
            self.checkpoint
                .each_entry_up_to(TASK_ENTRY, "pstree.img", &FIELDS, &mut |record| {
                    match task_id(record, "pid") {
                        None => self.gap("pstree.img", format!("entry {index} has no pid")),
                        Some(pid) if !seen.insert(pid) => {
                            self.gap(
                                "pstree.img",
                                format!("entry {index}: task {pid} stands twice"),
                            );
                        }
                        Some(pid) => {
                            let task = Task {
                                pid,
                                ppid: record.word("ppid").unwrap_or(0),
                                pgid: task_id(record, "pgid"),
                                sid: task_id(record, "sid"),
                                threads: thread_ids(record, pid),
                                comm: None,
                                state: None,
                            };
                            threads += task.threads.len();
                            tasks.push(task);
                        }
                    }
                    index += 1;
                    if index.max(threads) > TASKS {
                        let what = format!("more than {TASKS} tasks and threads");
                        return Err(Error::new(ErrorKind::Limit(what))
                            .in_file(self.checkpoint.label("pstree.img")));
                    }
                    Ok(())
                });
        let complete = read.unwrap_or_else(|error| {
            self.failed(&error);
            false
        });
        if !complete || tasks.is_empty() {
            let known: HashSet<u32> = tasks.iter().map(|task| task.pid).collect();
            let others = self.tasks_by_name()?.into_iter();
            tasks.extend(others.filter(|task| !known.contains(&task.pid)));
        }
        if tasks.is_empty() {
            let what = "no task is in this checkpoint".to_owned();
            let error = Error::new(ErrorKind::NotACheckpoint(what));
            return Err(error.in_file(self.checkpoint.name()));
        }
        if let Some(pid) = self
            .only
            .iter()
            .find(|pid| !tasks.iter().any(|task| task.pid == **pid))
        {
            let what = format!("no task {pid} is in this checkpoint");
            return Err(Error::new(ErrorKind::Value(what)).in_file(self.checkpoint.name()));
        }
        if !self.only.is_empty() {
            tasks = subtrees(tasks, &self.only);
        }
        for task in &mut tasks {
            self.read_core(task);
        }
        Ok(tasks)
    }

    /// The tasks that images are named after: of a pre-dump, or where `pstree.img` was lost.
    fn tasks_by_name(&self) -> Result<Vec<Task>> {
        let mut pids: Vec<u32> = Vec::new();
        for name in self.checkpoint.image_names()? {
            let number = ["mm-", "pagemap-", "ids-"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix)?.strip_suffix(".img"));
            pids.extend(number.and_then(|digits| digits.parse::<u32>().ok()));
        }
        pids.sort_unstable();
        pids.dedup();
        if !pids.is_empty() {
            let what = "missing or damaged: the tasks are those that other images are named after";
            self.gap("pstree.img", what);
        }
        let task = |pid| Task {
            pid,
            ppid: 0,
            pgid: None,
            sid: None,
            threads: vec![pid],
            comm: None,
            state: None,
        };
        Ok(pids.into_iter().map(task).collect())
    }

    fn read_core(&self, task: &mut Task) {
        let image = format!("core-{}.img", task.pid);
        const FIELDS: [&str; 3] = ["tc.comm", "tc.task_state", "thread_core.comm"];
        let what = "the name and state of the task are unknown";
        let Some(core) = self.needed_fields(&image, &FIELDS, what) else {
            return;
        };
        let core = core.record();
        let tc = core.record("tc");
        let thread = core.record("thread_core");
        task.comm = tc
            .and_then(|tc| tc.text("comm"))
            .or_else(|| thread.and_then(|thread| thread.text("comm")));
        task.state = tc.and_then(|tc| tc.word("task_state")).map(TaskState::from);
        // The thread ids of a task that has ended are not what they seem: see `raw_thread_ids`.
        if !task.has_resources() {
            task.threads = vec![task.pid];
        }
        if tc.is_none() {
            self.gap(&image, "no tc: the name and state of the task are unknown");
        }
    }
}

/// What is read of an entry of `pstree.img`.
const FIELDS: [&str; 9] = [
    "pid",
    "ppid",
    "pgid",
    "sid",
    "threads",
    "ns_pid",
    "ns_pgid",
    "ns_sid",
    "ns_tid.tid",
];

/// The id of a task or its group or session. CRIUs with nested pid namespaces write a list instead,
/// whose first element is the id inside the innermost one.
pub(crate) fn task_id(record: Record<'_>, name: &str) -> Option<u32> {
    record
        .word(name)
        .or_else(|| record.words(&format!("ns_{name}")).first().copied())
}

/// Returns the thread ids of an entry of `pstree.img` as they stand there. Of a task that has ended, the
/// first was never written by CRIU (`criu/pstree.c`, `dump_pstree`): it may be any number.
pub(crate) fn raw_thread_ids(record: Record<'_>) -> Vec<u32> {
    let threads = record.words("threads");
    if !threads.is_empty() {
        return threads;
    }
    // One list of ids for each thread.
    let nested = record.records("ns_tid");
    nested
        .filter_map(|list| list.words("tid").first().copied())
        .collect()
}

/// Returns the threads of a task that lives: those of the image, at least itself.
fn thread_ids(record: Record<'_>, pid: u32) -> Vec<u32> {
    let mut threads = raw_thread_ids(record);
    threads.retain(|tid| *tid != 0);
    if threads.is_empty() {
        threads.push(pid);
    }
    threads
}

/// Returns the tasks and all below them, in the order that they were in.
fn subtrees(tasks: Vec<Task>, pids: &[u32]) -> Vec<Task> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for task in &tasks {
        children.entry(task.ppid).or_default().push(task.pid);
    }
    let mut wanted = HashSet::new();
    let mut todo = pids.to_vec();
    while let Some(pid) = todo.pop() {
        if wanted.insert(pid) {
            todo.extend(children.get(&pid).into_iter().flatten());
        }
    }
    tasks
        .into_iter()
        .filter(|task| wanted.contains(&task.pid))
        .collect()
}
