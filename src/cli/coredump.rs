//! `crit coredump`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::messages::{caution, report, warn};
use super::options::{Json, SchemaArgs, pid};
use super::output::{Output, print};
use super::progress::Progress;
use super::source;
use crate::checkpoint::Checkpoint;
use crate::coredump::CoreDump;
use crate::error::{Error, ErrorKind, Result};
use crate::explore::{Explorer, Task};
use crate::memory::Memories;
use crate::render::printable;

#[derive(Debug, ClapArgs)]
pub(super) struct Coredump {
    /// A directory of images, or a container engine's archive of one [the current directory]
    #[arg(value_name = "DIR|ARCHIVE")]
    checkpoint: Option<PathBuf>,
    /// The same, as upstream's tool has it
    #[arg(
        short = 'i',
        long = "in",
        alias = "input",
        value_name = "DIR",
        conflicts_with = "checkpoint"
    )]
    input: Option<PathBuf>,
    /// Only these tasks: a list, and repeated
    #[arg(short = 'p', long, value_name = "PID,...", value_delimiter = ',', value_parser = pid)]
    pid: Vec<u32>,
    /// Where the files core.PID are written
    #[arg(
        short = 'o',
        long = "out",
        alias = "output",
        value_name = "DIR",
        default_value = "."
    )]
    output: PathBuf,
    /// Overwrite core files that exist
    #[arg(long)]
    force: bool,
    /// Put pages of mapped files that are not in the dump into the core, out of the files below DIR
    #[arg(long, value_name = "DIR")]
    sysroot: Option<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// A core file that was written.
#[derive(Debug, Serialize)]
struct Written {
    pid: u32,
    file: String,
    /// Bytes of memory in it.
    memory: u64,
    /// What is missing from it.
    missing: Vec<&'static str>,
}

pub(super) fn run(args: &Coredump, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let path = args.checkpoint.as_ref().or(args.input.as_ref());
    let checkpoint = source::checkpoint(&schema, path.map_or(Path::new("."), PathBuf::as_path))?;
    let explorer = Explorer::new(&checkpoint);
    let tasks = wanted(&explorer, &args.pid)?;
    warn(
        &explorer.warnings(),
        explorer.more_warnings(),
        checkpoint.name(),
    );
    let mut written = Vec::new();
    let mut failed = false;
    let memories = Memories::new(&checkpoint);
    for task in &tasks {
        match write(args, &checkpoint, &memories, task) {
            Ok(core) => written.push(core),
            Err(error) if error.is_write() => return Err(error),
            // One task that can't be written does not keep the others.
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
    }
    print(args.json.json.then_some(&written), || {
        written
            .iter()
            .map(|core| printable(&core.file) + "\n")
            .collect()
    })?;
    Ok(if failed {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

fn wanted(explorer: &Explorer<'_>, pids: &[u32]) -> Result<Vec<Task>> {
    let tasks = explorer.tasks()?.iter();
    let name = explorer.checkpoint().name();
    let wanted: Vec<Task> = tasks
        .filter(|task| pids.is_empty() || pids.contains(&task.pid))
        .cloned()
        .collect();
    let living: Vec<Task> = wanted
        .iter()
        .filter(|task| task.has_resources())
        .cloned()
        .collect();
    for task in wanted.iter().filter(|task| !task.has_resources()) {
        let pid = task.pid;
        caution(&format!("{name}: task {pid} has ended: it has no memory"));
    }
    let unknown = pids
        .iter()
        .find(|pid| !living.iter().any(|task| task.pid == **pid));
    if let Some(pid) = unknown.or(living.is_empty().then_some(&0)) {
        let mut tasks = explorer.tasks()?.iter();
        let what = match tasks.find(|task| task.pid != *pid && task.threads.contains(pid)) {
            Some(task) => format!("{pid} is a thread of task {0}: -p {0}", task.pid),
            None if pids.is_empty() => "no task has memory".to_owned(),
            None => format!("no living task has the pid {pid}"),
        };
        return Err(Error::new(ErrorKind::Value(what)).in_file(name));
    }
    Ok(living)
}

fn write(
    args: &Coredump,
    checkpoint: &Checkpoint,
    memories: &Memories<'_>,
    task: &Task,
) -> Result<Written> {
    let mut memory = memories.open(task.pid)?;
    if let Some(root) = &args.sysroot {
        memory = memory.with_sysroot(root)?;
    }
    let core = CoreDump::new(checkpoint, task, &memory)?;
    let path = args.output.join(format!("core.{}", task.pid));
    let mut output = Output::open_new(&path, args.force)?;
    let result = match output.file() {
        Some(file) => {
            // It holds all that the task had in memory: nobody else's business, as the kernel has it.
            let private = file.set_permissions(Permissions::from_mode(0o600));
            let progress = Progress::new("writing", core.memory_bytes());
            private
                .map_err(Error::writing)
                .and_then(|()| core.write(file, &mut |count| progress.add(count)))
        }
        None => Ok(()),
    };
    result.map_err(|error| output.locate(error, checkpoint.name()))?;
    output.commit()?;
    warn(&memory.warnings(), 0, checkpoint.name());
    for gap in core.gaps() {
        let (name, pid) = (printable(checkpoint.name()), task.pid);
        caution(&format!("{name}: core.{pid}: {gap}"));
    }
    Ok(Written {
        pid: task.pid,
        file: path.display().to_string(),
        memory: core.memory_bytes(),
        missing: core.gaps().to_vec(),
    })
}
