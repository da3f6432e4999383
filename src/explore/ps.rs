//! The process tree.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::{Explorer, Task, TaskState};
use crate::error::Result;
use crate::limits::{COMMAND_LINES, TREE_DEPTH};
use crate::memory::start_up_cost;
use crate::text::Text;

/// A command line or an environment.
type Strings = Vec<Text>;

/// A process with its children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// The process group.
    pub pgid: Option<u32>,
    /// The session.
    pub sid: Option<u32>,
    /// The command name.
    pub comm: Option<Text>,
    /// That of the parent; 0 for the root.
    pub ppid: u32,
    /// The state.
    pub state: Option<TaskState>,
    /// The ids of the threads; the first is the process itself.
    pub threads: Vec<u32>,
    /// The command line, when it was asked for and the checkpoint holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Text>>,
    /// The environment, as it was when the program started, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<Text>>,
    /// The children, in the order of the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Process>,
}

/// What [`Explorer::ps`] reads besides the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Read the command lines out of the dumped memory.
    pub args: bool,
    /// Read the environments out of the dumped memory.
    pub env: bool,
}

impl ProcessOptions {
    /// Read the command lines out of the dumped memory.
    #[must_use]
    pub fn args(mut self, yes: bool) -> Self {
        self.args = yes;
        self
    }

    /// Read the environments out of the dumped memory.
    #[must_use]
    pub fn env(mut self, yes: bool) -> Self {
        self.env = yes;
        self
    }
}

impl Explorer<'_> {
    /// The process tree: its roots. A checkpoint has one; where the parent of a task is missing, that
    /// task is a root as well.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn ps(&self, options: &ProcessOptions) -> Result<Vec<Process>> {
        let tasks = self.tasks()?;
        let place: HashMap<u32, usize> = tasks
            .iter()
            .enumerate()
            .map(|(at, t)| (t.pid, at))
            .collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
        let mut roots = Vec::new();
        for (at, task) in tasks.iter().enumerate() {
            match place.get(&task.ppid) {
                // A parent is another task.
                Some(parent) if *parent != at => children
                    .get_mut(*parent)
                    .into_iter()
                    .for_each(|c| c.push(at)),
                _ => {
                    if task.ppid != 0 && !self.only.contains(&task.pid) {
                        let what =
                            format!("the parent {} of task {} is missing", task.ppid, task.pid);
                        self.gap("pstree.img", what);
                    }
                    roots.push(at);
                }
            }
        }
        let mut grower = Grower {
            explorer: self,
            tasks,
            children: &children,
            reached: vec![false; tasks.len()],
            todo: roots.into(),
            options,
            left: COMMAND_LINES,
        };
        let mut forest = Vec::new();
        let mut unreached = 0;
        loop {
            while let Some(root) = grower.todo.pop_front() {
                forest.extend(grower.grow(root));
            }
            // A task that no root leads to is on a loop, or below one.
            while grower.reached.get(unreached) == Some(&true) {
                unreached += 1;
            }
            let Some(task) = tasks.get(unreached) else {
                return Ok(forest);
            };
            let what = format!("task {} is its own ancestor", task.pid);
            self.gap("pstree.img", what);
            grower.todo.push_back(unreached);
        }
    }

    fn process(&self, task: &Task, options: &ProcessOptions, left: &mut u64) -> Process {
        let mut process = Process {
            pid: task.pid,
            pgid: task.pgid,
            sid: task.sid,
            comm: task.comm.clone(),
            ppid: task.ppid,
            state: task.state,
            threads: task.threads.clone(),
            args: None,
            env: None,
            children: Vec::new(),
        };
        if (options.args || options.env) && task.has_resources() && *left > 0 {
            let read = self.strings(task, options).unwrap_or_else(|error| {
                let error =
                    error.in_file(self.checkpoint.label(&format!("pagemap-{}.img", task.pid)));
                self.failed(&error);
                (None, None)
            });
            let cost = cost(&read.0).saturating_add(cost(&read.1));
            match left.checked_sub(cost) {
                Some(rest) => {
                    *left = rest;
                    (process.args, process.env) = read;
                }
                None => {
                    *left = 0;
                    let what = format!(
                        "the command lines of all tasks have more than {} MiB: those from task {} on are left out",
                        COMMAND_LINES >> 20,
                        task.pid
                    );
                    self.gap(&format!("mm-{}.img", task.pid), what);
                }
            }
        }
        process
    }

    /// The command line and the environment out of the dumped memory.
    fn strings(
        &self,
        task: &Task,
        options: &ProcessOptions,
    ) -> Result<(Option<Strings>, Option<Strings>)> {
        if self
            .checkpoint
            .size(&format!("mm-{}.img", task.pid))?
            .is_none()
        {
            self.gap(
                &format!("mm-{}.img", task.pid),
                "missing: the command line is unknown",
            );
            return Ok((None, None));
        }
        let memory = self.memories.open(task.pid)?;
        if !memory.has_pages() {
            self.gap(
                &format!("pagemap-{}.img", task.pid),
                "missing: the command line is unknown",
            );
            return Ok((None, None));
        }
        let args = options.args.then(|| memory.args()).transpose()?;
        let env = options.env.then(|| memory.env()).transpose()?;
        Ok((args, env))
    }
}

/// What strings take, counted as the kernel counts them.
fn cost(strings: &Option<Strings>) -> u64 {
    let strings = strings.iter().flatten();
    strings
        .map(|text| start_up_cost(text.as_bytes().len() as u64 + 1, 1))
        .fold(0, u64::saturating_add)
}

/// Puts processes below their parents, without recursion: a hostile tree is as deep as it is long.
struct Grower<'e, 'c> {
    explorer: &'e Explorer<'c>,
    tasks: &'e [Task],
    /// The places of the children of the task at each place.
    children: &'e [Vec<usize>],
    reached: Vec<bool>,
    /// The places of roots.
    todo: VecDeque<usize>,
    options: &'e ProcessOptions,
    /// How much of command lines and environments the answer may still take.
    left: u64,
}

impl<'e> Grower<'e, '_> {
    /// A task with all below it; `None` when it stands somewhere else already.
    fn grow(&mut self, root: usize) -> Option<Process> {
        let mut open = vec![self.enter(root)?];
        loop {
            let depth = open.len();
            let (_, rest) = open.last_mut()?;
            if let Some(child) = rest.next() {
                if depth < TREE_DEPTH {
                    open.extend(self.enter(*child));
                } else {
                    let what = format!(
                        "the tree is deeper than {TREE_DEPTH}: what is below is shown apart"
                    );
                    self.explorer.gap("pstree.img", what);
                    self.todo.push_back(*child);
                }
                continue;
            }
            let (done, _) = open.pop()?;
            match open.last_mut() {
                Some((parent, _)) => parent.children.push(done),
                None => return Some(done),
            }
        }
    }

    fn enter(&mut self, at: usize) -> Option<(Process, std::slice::Iter<'e, usize>)> {
        let reached = self.reached.get_mut(at).filter(|reached| !**reached)?;
        *reached = true;
        let task = self.tasks.get(at)?;
        Some((
            self.explorer.process(task, self.options, &mut self.left),
            self.children.get(at)?.iter(),
        ))
    }
}
