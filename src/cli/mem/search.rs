//! `--search`, `--search-hex`, `--search-regex`, `--strings`.

use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use serde::Serialize;

use super::{Command, Elements, Mem, code};
use crate::cli::messages::{caution, hint};
use crate::cli::progress::Progress;
use crate::error::{Error, Result};
use crate::memory::{Found, Hit, Memory, Pattern, Searchable, Selection};
use crate::render::{Hexdump, bytes, printable, printable_bytes};
use crate::text::Text;

/// Bytes of a hit that a line of text shows.
const SHOWN: usize = 80;

/// The pattern that is asked for, if any.
pub(super) fn pattern(args: &Mem) -> Result<Option<Pattern>> {
    if let Some(text) = &args.search {
        Pattern::bytes(text.as_bytes()).map(Some)
    } else if let Some(bytes) = &args.search_hex {
        Pattern::bytes(&bytes.0).map(Some)
    } else if let Some(expression) = &args.search_regex {
        Pattern::regex(expression).map(Some)
    } else {
        Ok(None)
    }
}

/// A mistyped kind would be a silent no.
fn none_selected(args: &Mem) {
    if args.region.is_empty() && args.prot.is_none() {
        return;
    }
    caution("no area is of this kind, or maps a file with this in its path, and has these rights");
    hint("kinds are heap, stack, anon, file, shmem, memfd, sysv, vdso, vvar, vsyscall, packet");
}

/// A hit with what is around it.
#[derive(Debug, Serialize)]
struct HitInContext {
    #[serde(flatten)]
    hit: Hit,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

/// The bytes around a hit, as far as the checkpoint holds them.
#[derive(Debug, Serialize)]
struct Context {
    address: u64,
    bytes: Text,
}

impl Context {
    fn of(memory: &Memory, hit: &Hit, reach: u32) -> Self {
        let (start, before) = memory.known_before(hit.address, u64::from(reach));
        let end = hit.address + hit.found.as_bytes().len() as u64;
        let behind = memory.known_behind(end, u64::from(reach));
        let bytes = [before.as_slice(), hit.found.as_bytes(), behind.as_slice()].concat();
        Context {
            address: start,
            bytes: bytes.into(),
        }
    }
}

pub(super) fn search(
    command: &Command<'_>,
    pattern: &Pattern,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let args = command.args;
    let selection = args.selection();
    let mut hits = 0u64;
    let mut selected = 0;
    // Images are named from here on.
    let folder = command.checkpoint.label("");
    let mut printer = Printer::new(out, args.json.json);
    let result = command.each_memory(&mut |_, memory| {
        selected += memory.count_selected(&selection);
        let progress = progress("searching", command, memory, &selection);
        memory.search(
            pattern,
            &selection,
            &mut |count| progress.add(count),
            &mut |hit| {
                hits += 1;
                let context = (args.context > 0).then(|| Context::of(memory, &hit, args.context));
                printer.hit(&folder, HitInContext { hit, context })
            },
        )
    });
    // JSON is whole also when something went wrong.
    let end = printer.end();
    let all = result?;
    end?;
    if selected == 0 {
        none_selected(args);
    }
    Ok(match (all, hits) {
        (true, 0) => ExitCode::from(1),
        (all, _) => code(all),
    })
}

/// Progress over what there is to search; what there isn't is said.
fn progress(
    what: &'static str,
    command: &Command<'_>,
    memory: &Memory,
    selection: &Selection,
) -> Progress {
    let Searchable {
        present, missing, ..
    } = memory.searchable(selection);
    if missing > 0 {
        let (name, pid) = (printable(command.checkpoint.name()), memory.pid());
        let missing = bytes(missing);
        caution(&format!(
            "{name}: {missing} of task {pid} are not in the checkpoint: not searched"
        ));
    }
    Progress::new(what, present)
}

/// A text with its task.
#[derive(Debug, Serialize)]
struct FoundIn {
    pid: u32,
    #[serde(flatten)]
    found: Found,
}

pub(super) fn strings(
    command: &Command<'_>,
    shortest: usize,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let args = command.args;
    let selection = args.selection();
    let several = args.pid.len() != 1 && command.tasks()?.len() > 1;
    let mut printer = Printer::new(out, args.json.json);
    let result = command.each_memory(&mut |task, memory| {
        let progress = progress("reading", command, memory, &selection);
        memory.strings(
            shortest,
            &selection,
            &mut |count| progress.add(count),
            &mut |found| {
                let pid = task.pid;
                printer.text(FoundIn { pid, found }, several)
            },
        )
    });
    let end = printer.end();
    let all = result?;
    end?;
    Ok(code(all))
}

/// Prints what is found as it is found.
enum Printer<'w> {
    Json(Elements<'w>),
    Text(&'w mut dyn Write),
}

impl<'w> Printer<'w> {
    fn new(out: &'w mut dyn Write, json: bool) -> Self {
        if json {
            Printer::Json(Elements::new(out))
        } else {
            Printer::Text(out)
        }
    }

    fn hit(&mut self, folder: &str, hit: HitInContext) -> Result<()> {
        match self {
            Printer::Json(elements) => elements.add(&hit),
            Printer::Text(out) => print_hit(*out, folder, &hit).map_err(Error::writing),
        }
    }

    fn text(&mut self, found: FoundIn, several: bool) -> Result<()> {
        match self {
            Printer::Json(elements) => elements.add(&found),
            Printer::Text(out) => {
                let pid = if several {
                    format!("{:>7} ", found.pid)
                } else {
                    String::new()
                };
                let Found { address, text } = &found.found;
                writeln!(out, "{pid}{address:016x}  {text}").map_err(Error::writing)
            }
        }
    }

    fn end(self) -> Result<()> {
        match self {
            Printer::Json(elements) => elements.end(),
            Printer::Text(_) => Ok(()),
        }
    }
}

/// `PID ADDRESS KIND PLACE MATCH`, and the context below.
fn print_hit(out: &mut dyn Write, folder: &str, found: &HitInContext) -> std::io::Result<()> {
    let hit = &found.hit;
    let bytes = hit.found.as_bytes();
    let shown = printable_bytes(bytes.get(..SHOWN).unwrap_or(bytes));
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    let place = match (&hit.image, hit.offset) {
        (Some(image), Some(offset)) => {
            let name = image.strip_prefix(folder).unwrap_or(image);
            format!("{}+0x{offset:x}", printable(name))
        }
        _ => "-".to_owned(),
    };
    let file = hit
        .file
        .as_ref()
        .map(|file| format!("{} ", printable(&file.to_string())));
    let file = file.unwrap_or_default();
    let (pid, address, kind) = (hit.pid, hit.address, hit.kind);
    writeln!(
        out,
        "{pid} 0x{address:x} {kind} {file}{place} {shown}{more}"
    )?;
    match &found.context {
        Some(context) => Hexdump::new(out, "    ").bytes(context.address, context.bytes.as_bytes()),
        None => Ok(()),
    }
}
