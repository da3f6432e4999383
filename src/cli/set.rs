//! `crit set`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::Value;

use super::backup::Backup;
use super::options::{Json, SchemaArgs};
use super::output::{Output, print_marked};
use super::progress::Progress;
use super::source;
use crate::edit::{self, Action, Changed, Edit, apply};
use crate::error::{Error, Result};
use crate::render::printable;

#[derive(Debug, ClapArgs)]
pub(super) struct Set {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// What to change: PATH=VALUE; PATH+=VALUE and PATH-=VALUE add to a list and take out of it. Values have any form that
    /// pretty JSON has: names, flags, hexadecimal numbers, IP addresses
    #[arg(
        value_name = "PATH=VALUE",
        required_unless_present = "delete",
        allow_hyphen_values = false
    )]
    changes: Vec<String>,
    /// Take out a field, an element of a list, or an entry
    #[arg(long, value_name = "PATH")]
    delete: Vec<String>,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backup: Backup,
    #[command(flatten)]
    json: Json,
}

pub(super) fn run(args: &Set, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let mut edits = Vec::new();
    for text in &args.changes {
        edits.push(Edit::parse(text)?);
    }
    for text in &args.delete {
        edits.push(Edit::new(edit::Path::parse(text)?, Action::Delete)?);
    }
    let label = args.image.display().to_string();
    let named = |error: std::io::Error| Error::from(error).in_file(&label);
    let input = File::open(&args.image).map_err(named)?;
    let progress = Progress::waiting("changing the image");
    let changed = if args.dry_run {
        apply(&schema, input, std::io::sink(), &edits).map_err(|error| error.in_file(&label))?
    } else {
        let mut output = Output::open(Some(&args.image))?;
        let changed = {
            let mut out = BufWriter::with_capacity(64 << 10, &mut output);
            apply(&schema, input, &mut out, &edits)
                .and_then(|changed| out.flush().map(|()| changed).map_err(Error::writing))
        };
        let changed = changed.map_err(|error| output.locate(error, &label))?;
        // An image that stays the same is not written.
        if !changed.is_empty() {
            args.backup.keep(&args.image)?;
            output.commit()?;
        }
        changed
    };
    drop(progress);
    print_marked(args.json.json.then_some(&changed), || {
        announced(&changed, args.dry_run)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each change.
pub(super) fn differences(changed: &[Changed]) -> String {
    let mut text = String::new();
    for change in changed {
        let path = printable(&change.path);
        let value = |value: &Value| match value.as_u64().filter(|_| change.octal) {
            Some(mode) => format!("0o{mode:o}"),
            None => printable(&value.to_string()),
        };
        let _ = match (&change.before, &change.after) {
            (before, Value::Null) => writeln!(text, "{path}: {} -> gone", value(before)),
            (Value::Null, after) => writeln!(text, "{path}: nothing -> {}", value(after)),
            (before, after) => writeln!(text, "{path}: {} -> {}", value(before), value(after)),
        };
    }
    text
}

/// The same, each line with the words that nothing changed yet, where nothing did.
pub(super) fn announced(changed: &[Changed], dry_run: bool) -> String {
    let would = if dry_run { "would change: " } else { "" };
    let lines = differences(changed);
    let lines = lines.lines().map(|line| format!("{would}{line}\n"));
    lines.collect()
}
