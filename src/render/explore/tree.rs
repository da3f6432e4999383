//! The process tree as a drawing.

use std::io::{self, Write};

use crate::explore::{Process, TaskState};
use crate::render::printable_bytes;
use crate::text::Text;

/// The deepest level that is drawn with its lines.
const DEEPEST: usize = 200;

/// What is left to print: a process, the lines to its left, and whether it is the last of its siblings.
struct Branch<'p> {
    process: &'p Process,
    left: String,
    last: bool,
    root: bool,
}

/// Draws the tree. Names are made safe to print, whoever reads them.
pub(crate) fn ps_tree(out: &mut impl Write, roots: &[Process]) -> io::Result<()> {
    let branch = |process, left: &str, last, root| Branch {
        process,
        left: left.to_owned(),
        last,
        root,
    };
    let mut todo: Vec<Branch<'_>> = roots
        .iter()
        .rev()
        .map(|root| branch(root, "", true, true))
        .collect();
    while let Some(Branch {
        process,
        left,
        last,
        root,
    }) = todo.pop()
    {
        let joint = match (root, last) {
            (true, _) => "",
            (false, true) => "└─ ",
            (false, false) => "├─ ",
        };
        writeln!(out, "{left}{joint}{}", title(process))?;
        let below = match (root, last) {
            _ if left.chars().count() > 3 * DEEPEST => left.clone(),
            (true, _) => String::new(),
            (false, true) => format!("{left}   "),
            (false, false) => format!("{left}│  "),
        };
        let lines = environment(process);
        let bar = if process.children.is_empty() {
            "   "
        } else {
            "│  "
        };
        for line in lines {
            writeln!(out, "{below}{bar}  {line}")?;
        }
        let count = process.children.len();
        let children = process.children.iter().enumerate().rev();
        todo.extend(children.map(|(at, child)| branch(child, &below, at + 1 == count, false)));
    }
    Ok(())
}

/// `[PID] command`, with what is not ordinary about the process.
fn title(process: &Process) -> String {
    let comm = match (&process.args, &process.comm) {
        (Some(args), _) if !args.is_empty() => command_line(args),
        (_, Some(comm)) => printable_bytes(comm.as_bytes()),
        _ => "?".to_owned(),
    };
    let mut text = format!("[{}] {comm}", process.pid);
    match process.state {
        Some(TaskState::Alive) | None => {}
        Some(state) => text.push_str(&format!(" ({})", state.name())),
    }
    if process.threads.len() > 1 {
        text.push_str(&format!(" {{{} threads}}", process.threads.len()));
    }
    text
}

fn environment(process: &Process) -> Vec<String> {
    let variables = process.env.iter().flatten();
    variables
        .map(|variable| printable_bytes(variable.as_bytes()))
        .collect()
}

/// Arguments as a shell would take them, where they are not plain.
pub(super) fn command_line(args: &[Text]) -> String {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b))
    };
    let words = args.iter().map(|arg| {
        let text = printable_bytes(arg.as_bytes());
        if plain(&text) {
            text
        } else {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
