//! Tasks with the sizes of their memory, and the areas of a task.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use super::{Command, Elements, code, warn};
use crate::cli::output::print_json;
use crate::error::{Error, Result};
use crate::explore::Task;
use crate::memory::{Memory, PageCounts, Region};
use crate::render::{Table, bytes, printable};
use crate::text::Text;

/// How much memory a task has, in bytes.
#[derive(Debug, Serialize)]
struct TaskMemory {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<Text>,
    /// All areas.
    size: u64,
    /// What the checkpoint holds, here or in a pre-dump.
    resident: u64,
    /// What of it is in segments that tasks share.
    shared: u64,
    /// What of it is in a pre-dump.
    in_parent: u64,
    /// What was left to a lazy server.
    lazy: u64,
    /// What is said to be in a pre-dump that doesn't have it.
    lost: u64,
}

impl TaskMemory {
    fn of(task: &Task, memory: &Memory) -> Self {
        let regions = memory.regions();
        let sum = |wanted: &dyn Fn(&Region) -> bool| {
            let mut pages = PageCounts::default();
            let wanted = regions.iter().filter(|region| wanted(region));
            wanted.for_each(|region| pages.add(region.pages));
            pages
        };
        let in_bytes = |pages: u64| pages.saturating_mul(memory.page_size());
        let all = sum(&|_| true);
        let size = regions.iter().map(|region| region.area.len());
        TaskMemory {
            pid: task.pid,
            comm: task.comm.clone(),
            size: size.fold(0, u64::saturating_add),
            resident: in_bytes(all.present()),
            shared: in_bytes(sum(&Region::is_shared).present()),
            in_parent: in_bytes(all.in_parent),
            lazy: in_bytes(all.lazy),
            lost: in_bytes(all.lost),
        }
    }
}

pub(super) fn tasks(command: &Command<'_>, out: &mut dyn Write) -> Result<ExitCode> {
    let mut table = Table::new(&[
        ">PID",
        "COMMAND",
        ">SIZE",
        ">RESIDENT",
        ">SHARED",
        ">IN PARENT",
        ">LAZY",
    ]);
    let mut elements = command.args.json.json.then(|| Elements::new(out));
    let all = command.each_memory(&mut |task, memory| {
        let sizes = TaskMemory::of(task, memory);
        if let Some(elements) = &mut elements {
            return elements.add(&sizes);
        }
        let or_nothing = |count| {
            if count == 0 {
                String::new()
            } else {
                bytes(count)
            }
        };
        table.row([
            sizes.pid.to_string(),
            sizes.comm.unwrap_or_default().to_string(),
            bytes(sizes.size),
            bytes(sizes.resident),
            or_nothing(sizes.shared),
            or_nothing(sizes.in_parent),
            or_nothing(sizes.lazy),
        ]);
        Ok(())
    })?;
    match elements {
        Some(elements) => elements.end()?,
        None => out
            .write_all(table.text().as_bytes())
            .map_err(Error::writing)?,
    }
    Ok(code(all))
}

pub(super) fn regions(command: &Command<'_>, pid: u32, out: &mut dyn Write) -> Result<ExitCode> {
    command.task()?;
    let memory = command.memory(pid)?;
    warn(&memory.warnings(), 0, command.checkpoint.name());
    let regions = selected(command, &memory);
    if command.args.json.json {
        print_json(out, &regions)?;
        return Ok(ExitCode::SUCCESS);
    }
    out.write_all(table(&regions).text().as_bytes())
        .map_err(Error::writing)?;
    Ok(ExitCode::SUCCESS)
}

/// The areas of a task.
#[derive(Debug, Serialize)]
struct OfTask {
    pid: u32,
    regions: Vec<Region>,
}

/// The areas of several tasks.
pub(super) fn regions_of_each(command: &Command<'_>, out: &mut dyn Write) -> Result<ExitCode> {
    let mut elements = command.args.json.json.then(|| Elements::new(&mut *out));
    let mut text = String::new();
    let all = command.each_memory(&mut |task, memory| {
        warn(&memory.warnings(), 0, command.checkpoint.name());
        let regions = selected(command, memory);
        match &mut elements {
            Some(elements) => elements.add(&OfTask {
                pid: task.pid,
                regions,
            })?,
            None => {
                let comm = task.comm.clone().unwrap_or_default().to_string();
                text.push_str(&format!("{} {}:\n", task.pid, printable(&comm)));
                text.push_str(&table(&regions).text());
            }
        }
        Ok(())
    })?;
    match elements {
        Some(elements) => elements.end()?,
        None => out.write_all(text.as_bytes()).map_err(Error::writing)?,
    }
    Ok(code(all))
}

/// The areas of a task that are asked for.
fn selected(command: &Command<'_>, memory: &Memory) -> Vec<Region> {
    let selection = command.args.selection();
    let mut regions = memory.regions();
    regions.retain(|region| selection.has(memory, &region.area));
    regions
}

fn table(regions: &[Region]) -> Table {
    let mut table = Table::new(&[
        "ADDRESSES",
        "PROT",
        "KIND",
        ">SIZE",
        ">PAGES",
        ">IN PARENT",
        ">LAZY",
        "FILE",
    ]);
    for region in regions {
        let count = |pages: u64| {
            if pages == 0 {
                String::new()
            } else {
                pages.to_string()
            }
        };
        let shared = if region.is_shared() { "s" } else { "p" };
        let file = region.file.as_ref().map(|file| match region.area.pgoff {
            0 => file.to_string(),
            offset => format!("{file} + {offset:#x}"),
        });
        table.row([
            format!("{:x}-{:x}", region.area.start, region.area.end),
            format!("{}{shared}", region.area.protection()),
            region.kind.to_owned(),
            bytes(region.area.len()),
            count(region.pages.present()),
            count(region.pages.in_parent),
            count(region.pages.lazy),
            file.unwrap_or_default(),
        ]);
    }
    table
}
