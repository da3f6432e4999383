//! `crit check`: whether checkpoints are sound.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::messages::report;
use super::options::{Json, SchemaArgs};
use super::output::print_marked;
use super::progress::Progress;
use super::{folder, source};
use crate::check::{Report, Severity, check_with};
use crate::error::Result;
use crate::render::printable;
use crate::schema::Schema;

#[derive(Debug, ClapArgs)]
pub(super) struct Check {
    /// Directories of images, or container engines' archives of them
    #[arg(value_name = "DIR|ARCHIVE", required = true)]
    checkpoints: Vec<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// What became of a checkpoint.
#[derive(Debug, Serialize)]
struct Checked {
    checkpoint: String,
    #[serde(flatten)]
    report: Report,
}

pub(super) fn run(args: &Check, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let mut all = Vec::new();
    let (paths, mut failed) = folder::expand(&args.checkpoints);
    for path in &paths {
        match checked(&schema, path) {
            Ok(checked) => all.push(checked),
            // One that can't be looked at does not keep the others from being.
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
    }
    if all.is_empty() {
        return Ok(ExitCode::from(2));
    }
    print_marked(args.json.json.then_some(&all), || {
        all.iter().map(text).collect()
    })?;
    let errors = all
        .iter()
        .any(|checked| checked.report.count(Severity::Error) > 0);
    Ok(ExitCode::from(if failed { 2 } else { u8::from(errors) }))
}

fn checked(schema: &Schema, path: &Path) -> Result<Checked> {
    let checkpoint = source::checked(schema, path)?;
    let progress = Progress::of_images("checking", &checkpoint)?;
    let report = check_with(&checkpoint, &|name| progress.add_image(&checkpoint, name))?;
    Ok(Checked {
        checkpoint: checkpoint.name().to_owned(),
        report,
    })
}

fn text(checked: &Checked) -> String {
    let mut text = String::new();
    for finding in &checked.report.findings {
        text.push_str(&printable(&finding.to_string()));
        text.push('\n');
    }
    let number = |count: u64, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let count = |severity| checked.report.count(severity) as u64;
    text.push_str(&format!(
        "{}: {}, {}, {}\n",
        printable(&checked.checkpoint),
        number(checked.report.images, "image"),
        number(count(Severity::Error), "error"),
        number(count(Severity::Warning), "warning"),
    ));
    text
}
