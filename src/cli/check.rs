//! `crit check`: whether CRIU restores checkpoints.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::messages::report;
use super::options::{Json, SchemaArgs};
use super::output::print_marked;
use super::progress::Progress;
use super::{folder, source};
use crate::check::{CheckOptions, Finding, Group, Report, Severity, Surplus, check_with};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::render::printable;
use crate::schema::Schema;

#[derive(Debug, ClapArgs)]
pub(super) struct Check {
    /// Directories of images, or container engines' archives of them
    #[arg(value_name = "DIR|ARCHIVE", required = true)]
    checkpoints: Vec<PathBuf>,
    /// Print each finding, not one line for those of a rule
    #[arg(long)]
    all: bool,
    /// Exit with 1 on warnings too
    #[arg(long)]
    strict: bool,
    /// Accept pages images that are missing or too short: of a checkpoint stripped of its memory
    #[arg(long)]
    allow_missing_pages: bool,
    #[command(flatten)]
    json: Json,
}

/// The findings about a checkpoint.
#[derive(Debug, Serialize)]
struct Checked {
    checkpoint: String,
    images: u64,
    findings: Findings,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<Surplus>,
    #[serde(skip)]
    counts: [u64; 3],
}

/// Each finding, or those of a rule together.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Findings {
    Each(Vec<Finding>),
    Grouped(Vec<Group>),
}

const SEVERITIES: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

impl Checked {
    fn new(checkpoint: &Checkpoint, report: Report, all: bool) -> Self {
        Checked {
            checkpoint: checkpoint.name().to_owned(),
            images: report.images,
            counts: SEVERITIES.map(|severity| report.count(severity)),
            findings: match all {
                true => Findings::Each(report.findings.clone()),
                false => Findings::Grouped(report.groups()),
            },
            more: if all { report.more } else { Vec::new() },
        }
    }

    /// The lines of the findings.
    fn lines(&self) -> Vec<String> {
        let more = |more: &Surplus| {
            let severity = more.severity.name();
            format!("{severity}: {} more of the rule {}", more.count, more.rule)
        };
        let lines: Vec<String> = match &self.findings {
            Findings::Each(all) => all.iter().map(ToString::to_string).collect(),
            Findings::Grouped(groups) => groups.iter().map(ToString::to_string).collect(),
        };
        lines
            .into_iter()
            .chain(self.more.iter().map(more))
            .collect()
    }

    fn fails(&self, strict: bool) -> bool {
        let [errors, warnings, _] = self.counts;
        errors > 0 || strict && warnings > 0
    }
}

pub(super) fn run(args: &Check, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let mut all = Vec::new();
    let (paths, mut failed) = folder::expand(&args.checkpoints);
    for path in &paths {
        match checked(&schema, path, args) {
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
    let fails = all.iter().any(|checked| checked.fails(args.strict));
    Ok(ExitCode::from(if failed { 2 } else { u8::from(fails) }))
}

fn checked(schema: &Schema, path: &Path, args: &Check) -> Result<Checked> {
    let checkpoint = source::checked(schema, path)?;
    let progress = Progress::of_images("checking", &checkpoint)?;
    let options = CheckOptions::default().allow_missing_pages(args.allow_missing_pages);
    let report = check_with(&checkpoint, options, &|name| {
        progress.add_image(&checkpoint, name);
    })?;
    Ok(Checked::new(&checkpoint, report, args.all))
}

fn text(checked: &Checked) -> String {
    let mut text = String::new();
    for line in checked.lines() {
        text.push_str(&printable(&line));
        text.push('\n');
    }
    let number = |count: u64, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let [errors, warnings, notes] = checked.counts;
    let mut counts = vec![
        number(checked.images, "image"),
        number(errors, "error"),
        number(warnings, "warning"),
    ];
    if notes > 0 {
        counts.push(number(notes, "note"));
    }
    let name = printable(&checked.checkpoint);
    text.push_str(&format!("{name}: {}\n", counts.join(", ")));
    text
}
