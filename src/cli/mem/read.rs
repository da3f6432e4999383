//! Memory at an address, and what a task was started with.

use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;

use serde::Serialize;

use super::{Command, Elements, code};
use crate::cli::output::print_json;
use crate::error::{Error, Result};
use crate::explore::{Task, auxv_name};
use crate::memory::Memory;
use crate::render::{Hexdump, printable};
use crate::text::Text;

/// How many bytes are read at a time.
const STEP: u64 = 1 << 20;

/// Bytes at an address.
#[derive(Debug, Serialize)]
struct Bytes {
    pid: u32,
    address: u64,
    length: u64,
    hex: String,
}

pub(super) fn range(
    command: &Command<'_>,
    range: &Range<u64>,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let pid = command.task()?.pid;
    let memory = command.memory(pid)?;
    if command.args.json.json {
        let bytes = memory
            .read(range.clone())
            .inspect_err(|error| command.warn(&memory, Some(error)))?;
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in &bytes {
            hex.push_str(&format!("{byte:02x}"));
        }
        let answer = Bytes {
            pid,
            address: range.start,
            length: bytes.len() as u64,
            hex,
        };
        print_json(out, &answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let read = if command.args.output.is_some() {
        each_step(&memory, range, &mut |_, bytes| out.write_all(bytes))
    } else {
        let mut dump = Hexdump::new(out, "");
        each_step(&memory, range, &mut |at, bytes| dump.bytes(at, bytes))
    };
    // Also where it failed: such as why a file that is mapped could not be opened.
    command.warn(&memory, read.as_ref().err());
    read.map(|()| ExitCode::SUCCESS)
}

/// Reads a range piece by piece.
fn each_step(
    memory: &Memory,
    range: &Range<u64>,
    each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let step = STEP.min(range.end - at);
        let bytes = memory.read(at..at + step)?;
        each(at, &bytes).map_err(Error::writing)?;
        at += step;
    }
    Ok(())
}

/// What a task was started with.
#[derive(Debug, Serialize)]
struct StartUp {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Vec<Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auxv: Option<Vec<Auxiliary>>,
}

/// An entry of the auxiliary vector.
#[derive(Debug, Serialize)]
struct Auxiliary {
    key: u64,
    name: String,
    value: u64,
}

/// `--args`, `--env`, `--auxv`.
pub(super) fn start_up(command: &Command<'_>, out: &mut dyn Write) -> Result<ExitCode> {
    if command.args.json.json {
        let mut elements = Elements::new(out);
        let all = command
            .each_memory(&mut |task, memory| elements.add(&StartUp::of(command, task, memory)?))?;
        elements.end()?;
        return Ok(code(all));
    }
    let several = command.tasks()?.len() > 1;
    let all = command.each_memory(&mut |task, memory| {
        let answer = StartUp::of(command, task, memory)?;
        print(&answer, several, out).map_err(Error::writing)
    })?;
    Ok(code(all))
}

impl StartUp {
    fn of(command: &Command<'_>, task: &Task, memory: &Memory) -> Result<Self> {
        let space = memory.address_space();
        let args = command.args;
        Ok(StartUp {
            pid: task.pid,
            comm: task.comm.clone(),
            args: args.args.then(|| memory.args()).transpose()?,
            env: args.env.then(|| memory.env()).transpose()?,
            auxv: args.auxv.then(|| auxv(&space.auxv)),
        })
    }
}

fn auxv(pairs: &[(u64, u64)]) -> Vec<Auxiliary> {
    let entries = pairs.iter().map(|(key, value)| Auxiliary {
        key: *key,
        name: auxv_name(*key),
        value: *value,
    });
    entries.collect()
}

fn print(answer: &StartUp, several: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if several {
        let comm = answer.comm.clone().unwrap_or_default().to_string();
        writeln!(out, "{} {}:", answer.pid, printable(&comm))?;
    }
    for text in answer.args.iter().chain(&answer.env).flatten() {
        writeln!(out, "{}", printable(&text.to_string()))?;
    }
    for entry in answer.auxv.iter().flatten() {
        writeln!(out, "{:<18} 0x{:x}", entry.name, entry.value)?;
    }
    Ok(())
}
