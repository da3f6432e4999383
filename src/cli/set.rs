//! `crit set`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::Value;

use super::options::{Json, SchemaArgs};
use super::output::{Output, print};
use super::source;
use crate::edit::{self, Action, Changed, Edit, apply};
use crate::error::{Error, ErrorKind, Result};
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
    /// Keep the image as it was under this ending
    #[arg(long, value_name = "ENDING", num_args = 0..=1, default_missing_value = ".bak", require_equals = true)]
    backup: Option<String>,
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
            if let Some(ending) = &args.backup {
                keep(&args.image, ending)?;
            }
            output.commit()?;
        }
        changed
    };
    print(args.json.json.then_some(&changed), || differences(&changed))?;
    Ok(ExitCode::SUCCESS)
}

/// Copies the image to a name with this ending.
pub(super) fn keep(image: &Path, ending: &str) -> Result<()> {
    if ending.is_empty() || ending.contains('/') {
        let what = format!("`{ending}` is no ending of a file's name");
        return Err(Error::new(ErrorKind::Value(what)));
    }
    let mut name = image.as_os_str().to_owned();
    name.push(ending);
    let name = PathBuf::from(name);
    let from = |error: std::io::Error| Error::from(error).in_file(image.display().to_string());
    let mut source = File::open(image).map_err(from)?;
    let permissions = source.metadata().map_err(from)?.permissions();
    let mut output = Output::open(Some(&name))?;
    let copied = std::io::copy(&mut source, &mut output);
    copied.map_err(|error| output.error(error))?;
    if let Some(file) = output.file() {
        let result = file.set_permissions(permissions);
        result.map_err(|error| output.error(error))?;
    }
    output.commit()
}

/// A line for each change.
fn differences(changed: &[Changed]) -> String {
    let mut text = String::new();
    for change in changed {
        let path = printable(&change.path);
        let _ = match (&change.before, &change.after) {
            (before, Value::Null) => writeln!(text, "{path}: {} -> gone", value(before)),
            (Value::Null, after) => writeln!(text, "{path}: nothing -> {}", value(after)),
            (before, after) => writeln!(text, "{path}: {} -> {}", value(before), value(after)),
        };
    }
    text
}

fn value(value: &Value) -> String {
    printable(&value.to_string())
}
