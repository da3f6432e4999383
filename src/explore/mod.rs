//! Explorers: what a checkpoint tells about the tasks that were dumped, one file for each question.
//!
//! Each answer is plain data that serialises to JSON. What is missing, unknown or malformed is a gap
//! in the answer and a warning, never the end of it: one task that was a zombie, or an image that
//! was lost, does not hide the others.

mod cgroups;
mod creds;
mod fds;
mod files;
mod mems;
mod mounts;
mod names;
mod namespaces;
mod ps;
mod rss;
mod signals;
mod sockets;
mod tasks;
mod threads;
mod timers;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;

pub use cgroups::{CgroupController, CgroupDir, CgroupMember, CgroupProperty, CgroupSet, Cgroups};
pub use creds::{Credentials, ThreadCredentials};
pub use fds::{Descriptor, DescriptorName, TaskFiles};
pub use mems::{Mapping, MappingKind, TaskMappings};
pub use mounts::{Mount, MountNamespace, Mounts};
pub use names::auxv_name;
pub use namespaces::{IdMap, Namespace, Namespaces, NetDevice, TaskNamespaces};
pub use ps::{Process, ProcessOptions};
pub use rss::{ResidentRun, RunArea, TaskResident};
pub use signals::{Handler, PendingSignal, TaskSignals, ThreadSignals};
pub use sockets::{Peer, Socket, TaskSockets};
pub use tasks::{Task, TaskState};
pub(crate) use tasks::{raw_thread_ids, task_id};
pub(crate) use threads::is_compat;
pub use threads::{TaskThreads, Thread};
pub use timers::{IntervalTimer, PosixTimer, TaskTimers};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result, Warning};
use crate::image::Entry;
use crate::limits::WARNINGS;
use crate::memory::Memories;
use crate::message::Record;
use files::FileTable;

/// Asks a checkpoint about its tasks.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Checkpoint, Explorer};
///
/// let dump = Checkpoint::open("tests/images/tree")?;
/// let explorer = Explorer::new(&dump);
/// let roots = explorer.ps(&Default::default())?;
/// assert_eq!(roots[0].comm.as_ref().unwrap(), "tree.py");
/// for warning in explorer.warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Explorer<'c> {
    checkpoint: &'c Checkpoint,
    only: Vec<u32>,
    memories: Memories<'c>,
    tasks: OnceCell<Vec<Task>>,
    files: OnceCell<FileTable>,
    sockets: OnceCell<FileTable>,
    warnings: Mutex<Vec<Warning>>,
    more: Mutex<u64>,
}

impl<'c> Explorer<'c> {
    /// Asks about all tasks.
    #[must_use]
    pub fn new(checkpoint: &'c Checkpoint) -> Self {
        Explorer {
            checkpoint,
            only: Vec::new(),
            memories: Memories::new(checkpoint),
            tasks: OnceCell::new(),
            files: OnceCell::new(),
            sockets: OnceCell::new(),
            warnings: Mutex::default(),
            more: Mutex::default(),
        }
    }

    /// Asks only about this task and those below it in the tree; called again, about several.
    #[must_use]
    pub fn subtree(mut self, pid: u32) -> Self {
        self.only.push(pid);
        self.tasks = OnceCell::new();
        self
    }

    /// The checkpoint that is asked.
    #[must_use]
    pub fn checkpoint(&self) -> &'c Checkpoint {
        self.checkpoint
    }

    /// What is missing from the answers so far: the first [`WARNINGS`] gaps for each explorer.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        lock(&self.warnings).clone()
    }

    /// How many gaps there were beyond [`Explorer::warnings`].
    #[must_use]
    pub fn more_warnings(&self) -> u64 {
        *lock(&self.more)
    }

    /// Notes the gaps that another explorer of the same checkpoint found.
    fn take_warnings(&self, other: &Explorer<'_>) {
        other.warnings().into_iter().for_each(|gap| self.warn(gap));
        *lock(&self.more) += other.more_warnings();
    }

    /// Notes a gap that has a file.
    fn gap(&self, image: &str, message: impl Into<String>) {
        self.warn(Warning::of_file(self.checkpoint.label(image), message));
    }

    /// Notes a gap for an error.
    fn failed(&self, error: &Error) {
        self.warn(Warning {
            at: error.location().clone(),
            message: error.kind().to_string(),
        });
    }

    fn warn(&self, warning: Warning) {
        let mut warnings = lock(&self.warnings);
        if warnings.contains(&warning) {
            return;
        }
        if warnings.len() < WARNINGS {
            warnings.push(warning);
        } else {
            *lock(&self.more) += 1;
        }
    }

    /// The first entry of an image; `None`, with a gap noted when it is malformed, if there is none.
    fn first(&self, image: &str) -> Option<Arc<Entry>> {
        match self.checkpoint.first_entry(image) {
            Ok(entry) => entry,
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// The first entry of an image that should be there: its absence is a gap.
    fn needed(&self, image: &str, what: &str) -> Option<Arc<Entry>> {
        self.present(image, what, self.checkpoint.first_entry(image))
    }

    /// The same, with only these fields.
    fn needed_fields(&self, image: &str, fields: &[&str], what: &str) -> Option<Arc<Entry>> {
        self.present(image, what, self.checkpoint.first_entry_of(image, fields))
    }

    /// What was read of an image that should be there.
    fn present(
        &self,
        image: &str,
        what: &str,
        read: Result<Option<Arc<Entry>>>,
    ) -> Option<Arc<Entry>> {
        match read {
            Ok(Some(entry)) => return Some(entry),
            Ok(None) => self.gap(image, format!("missing or empty: {what}")),
            Err(error) => self.failed(&error),
        }
        None
    }

    /// Hands over every entry of an image that may be absent, with the fields that are wanted (all,
    /// when none is named); false when it is.
    fn each(&self, image: &str, fields: &[&str], each: &mut dyn FnMut(Record<'_>)) -> bool {
        let result = self.checkpoint.each_entry(image, fields, &mut |record| {
            each(record);
            Ok(())
        });
        result.unwrap_or_else(|error| {
            // What was handed over before stays.
            self.failed(&error);
            true
        })
    }
}

impl fmt::Debug for Explorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer")
            .field("checkpoint", &self.checkpoint)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
