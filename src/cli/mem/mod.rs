//! `crit mem`: the memory of tasks, listed, read, searched, patched.

mod args;
mod list;
mod read;
mod search;
mod values;
mod write;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use once_cell::unsync::OnceCell;
use serde::Serialize;

pub(super) use args::Mem;

use super::messages::{report, warn};
use super::options::SchemaArgs;
use super::output::Output;
use super::source;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::explore::{Explorer, Task};
use crate::memory::{Memories, Memory};
use crate::render::json;

pub(super) fn run(args: &Mem, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let checkpoint = source::checkpoint(&schema, &args.checkpoint)?;
    let command = Command {
        args,
        checkpoint: &checkpoint,
        memories: Memories::new(&checkpoint),
        tasks: OnceCell::new(),
        said: RefCell::default(),
    };
    args.check()?;
    if let Some(address) = args.write {
        return write::run(&command, address);
    }
    source::spare(&checkpoint, args.output.as_deref())?;
    let mut output = Output::open(args.output.as_deref())?;
    let result = {
        let mut out = BufWriter::with_capacity(64 << 10, &mut output);
        command
            .answer(&mut out)
            .and_then(|code| out.flush().map(|()| code).map_err(Error::writing))
    };
    let code = result.map_err(|error| output.locate(error, checkpoint.name()))?;
    output.commit()?;
    Ok(code)
}

/// What was asked, of what.
struct Command<'a> {
    args: &'a Mem,
    checkpoint: &'a Checkpoint,
    memories: Memories<'a>,
    tasks: OnceCell<Vec<Task>>,
    /// Which warnings were said.
    said: RefCell<HashSet<String>>,
}

impl Command<'_> {
    fn answer(&self, out: &mut dyn Write) -> Result<ExitCode> {
        let args = self.args;
        if let Some(range) = &args.read {
            return read::range(self, &range.0, out);
        }
        if args.args || args.env || args.auxv {
            return read::start_up(self, out);
        }
        if let Some(shortest) = args.strings {
            return search::strings(self, shortest, out);
        }
        if let Some(pattern) = search::pattern(args)? {
            return search::search(self, &pattern, out);
        }
        match args.pid.as_slice() {
            [] => list::tasks(self, out),
            [pid] => list::regions(self, *pid, out),
            _ => list::regions_of_each(self, out),
        }
    }

    /// The tasks that are asked about: one, or all that have memory.
    fn tasks(&self) -> Result<&[Task]> {
        let tasks = self.tasks.get_or_try_init(|| self.find_tasks())?;
        Ok(tasks)
    }

    fn find_tasks(&self) -> Result<Vec<Task>> {
        let explorer = Explorer::new(self.checkpoint);
        let tasks = explorer.tasks()?.to_vec();
        warn(
            &explorer.warnings(),
            explorer.more_warnings(),
            self.checkpoint.name(),
        );
        if self.args.pid.is_empty() {
            let living = tasks.into_iter().filter(Task::has_resources);
            return Ok(living.collect());
        }
        let wanted = self.args.pid.iter().map(|pid| self.find_task(&tasks, *pid));
        wanted.collect()
    }

    /// The task of a pid that was given.
    fn find_task(&self, tasks: &[Task], pid: u32) -> Result<Task> {
        let wrong =
            |what: String| Error::new(ErrorKind::Value(what)).in_file(self.checkpoint.name());
        match tasks.iter().find(|task| task.pid == pid) {
            Some(task) if task.has_resources() => Ok(task.clone()),
            Some(_) => Err(wrong(format!("task {pid} has ended: it has no memory"))),
            None => {
                let error = wrong(format!("no task has the pid {pid}"));
                Err(
                    match tasks.iter().find(|task| task.threads.contains(&pid)) {
                        Some(task) => {
                            error.with_hint(format!("it is a thread of task {}", task.pid))
                        }
                        None => error
                            .with_hint(format!("`crit mem {}` lists them", self.checkpoint.name())),
                    },
                )
            }
        }
    }

    /// The one task that is asked about.
    fn task(&self) -> Result<&Task> {
        match self.tasks()? {
            [task] => Ok(task),
            tasks => {
                let what = format!("which of the {} tasks?", tasks.len());
                let error = Error::new(ErrorKind::Value(what)).in_file(self.checkpoint.name());
                Err(error.with_hint("-p PID says which task"))
            }
        }
    }

    /// Says what is odd about a memory; of a segment that many tasks share, and of what is an error
    /// already, not again.
    fn warn(&self, memory: &Memory, failed: Option<&Error>) {
        let failed = failed.and_then(|error| error.location().file.as_ref());
        let mut new = memory.warnings();
        let mut said = self.said.borrow_mut();
        new.retain(|warning| {
            let is_error = failed.is_some() && warning.at.file.as_ref() == failed;
            !is_error && said.insert(warning.to_string())
        });
        warn(&new, 0, self.checkpoint.name());
    }

    fn memory(&self, pid: u32) -> Result<Memory> {
        let memory = self.memories.open(pid)?;
        match &self.args.sysroot {
            Some(root) => memory.with_sysroot(root),
            None => Ok(memory),
        }
    }

    /// Asks every task; one that can't be asked is said, and does not hide the others. False when
    /// there was one.
    fn each_memory(&self, each: &mut dyn FnMut(&Task, &Memory) -> Result<()>) -> Result<bool> {
        let mut all = true;
        let tasks = self.tasks()?;
        let single = tasks.len() == 1;
        for task in tasks {
            let result = self.memory(task.pid).and_then(|memory| {
                let result = each(task, &memory);
                self.warn(&memory, result.as_ref().err());
                result
            });
            match result {
                Err(error) if single || error.is_write() => return Err(error),
                Err(error) => {
                    report(&error);
                    all = false;
                }
                Ok(()) => {}
            }
        }
        Ok(all)
    }
}

/// The exit code when some tasks could not be asked: the answer is not whole.
fn code(all: bool) -> ExitCode {
    if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

/// A JSON array whose elements are printed as they come.
struct Elements<'w> {
    out: &'w mut dyn Write,
    empty: bool,
}

impl<'w> Elements<'w> {
    fn new(out: &'w mut dyn Write) -> Self {
        Elements { out, empty: true }
    }

    fn add(&mut self, value: &impl Serialize) -> Result<()> {
        let separator: &[u8] = if self.empty { b"[\n  " } else { b",\n  " };
        self.empty = false;
        self.out
            .write_all(separator)
            .and_then(|()| json(self.out, value, 1))
            .map_err(Error::writing)
    }

    fn end(self) -> Result<()> {
        let end: &[u8] = if self.empty { b"[]\n" } else { b"\n]\n" };
        self.out.write_all(end).map_err(Error::writing)
    }
}
