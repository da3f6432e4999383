//! Two checkpoints as people look at them: processes, open files, sockets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::value::{compare, text};
use crate::error::{Error, ErrorKind, Result};
use crate::explore::{Explorer, Process, ProcessOptions};

/// What to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewOptions {
    /// Processes: their names, states, threads and parents.
    pub processes: bool,
    /// Their command lines as well.
    pub args: bool,
    /// Their environments as well.
    pub env: bool,
    /// Open files.
    pub files: bool,
    /// Sockets.
    pub sockets: bool,
}

impl ViewOptions {
    /// Whether anything is looked at.
    #[must_use]
    pub fn any(&self) -> bool {
        self.processes || self.args || self.env || self.files || self.sockets
    }
}

/// How something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and it is not the same.
    Modified,
    /// Both have it.
    Unchanged,
}

/// Something that both or one of the checkpoints have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The process that it is, or is of.
    pub pid: u32,
    /// The descriptor, such as `3` or `cwd`; absent for a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<String>,
    /// How it changed.
    pub status: Status,
    /// What it was; null when it was not there.
    pub before: Value,
    /// What it is.
    pub after: Value,
    /// What changed: path, value before, value after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<(String, Value, Value)>,
}

/// A view of both checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct View {
    /// `processes`, `files` or `sockets`.
    pub name: &'static str,
    /// By process and descriptor.
    pub rows: Vec<Row>,
}

/// What a checkpoint has, by process and descriptor: numbers in the order of numbers.
type Things = BTreeMap<(u32, Option<(u64, String)>), Value>;

/// Looks at two checkpoints.
///
/// # Errors
///
/// There is no task in one of them.
pub fn views(a: &Explorer<'_>, b: &Explorer<'_>, options: &ViewOptions) -> Result<Vec<View>> {
    let mut views = Vec::new();
    if options.processes || options.args || options.env {
        let of = |explorer: &Explorer<'_>| processes(explorer, options);
        views.push(view("processes", &of(a)?, &of(b)?));
    }
    if options.files {
        views.push(view("files", &files(a)?, &files(b)?));
    }
    if options.sockets {
        views.push(view("sockets", &sockets(a)?, &sockets(b)?));
    }
    Ok(views)
}

fn view(name: &'static str, a: &Things, b: &Things) -> View {
    let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let row = |key: &(u32, Option<(u64, String)>)| {
        let (before, after) = (a.get(key), b.get(key));
        let mut changes = Vec::new();
        let status = match (before, after) {
            (None, _) => Status::Added,
            (_, None) => Status::Removed,
            (Some(before), Some(after)) if before == after => Status::Unchanged,
            (Some(before), Some(after)) => {
                compare(before, after, "", &mut changes);
                Status::Modified
            }
        };
        Row {
            pid: key.0,
            fd: key.1.as_ref().map(|(_, fd)| fd.clone()),
            status,
            before: before.cloned().unwrap_or_default(),
            after: after.cloned().unwrap_or_default(),
            changes,
        }
    };
    View {
        name,
        rows: keys.into_iter().map(row).collect(),
    }
}

fn processes(explorer: &Explorer<'_>, options: &ViewOptions) -> Result<Things> {
    let wanted = ProcessOptions::default()
        .args(options.args)
        .env(options.env);
    let mut things = Things::new();
    let mut todo: Vec<Process> = explorer.ps(&wanted)?;
    while let Some(mut process) = todo.pop() {
        todo.append(&mut process.children);
        let pid = process.pid;
        let mut value = to_value(&process)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("pid");
        }
        things.insert((pid, None), value);
    }
    Ok(things)
}

fn files(explorer: &Explorer<'_>) -> Result<Things> {
    let mut things = Things::new();
    for task in explorer.fds()? {
        for file in task.files {
            let fd = text(&to_value(&file.fd)?);
            let order = fd.parse().unwrap_or(u64::MAX);
            let value = json!({"type": &*file.kind, "path": to_value(&*file.path)?});
            things.insert((task.pid, Some((order, fd))), value);
        }
    }
    Ok(things)
}

fn sockets(explorer: &Explorer<'_>) -> Result<Things> {
    /// What only tells sockets of one dump apart.
    const IDS: [&str; 5] = ["fd", "id", "ino", "peer", "ns_id"];
    let mut things = Things::new();
    for task in explorer.sockets()? {
        for socket in task.sockets {
            let mut value = to_value(&socket)?;
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|name, _| !IDS.contains(&name.as_str()));
            }
            let fd = (u64::from(socket.fd), socket.fd.to_string());
            things.insert((task.pid, Some(fd)), value);
        }
    }
    Ok(things)
}

fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::new(ErrorKind::Json(error.to_string())))
}
