//! `crit recode`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::messages::report;
use super::options::{Json, SchemaArgs};
use super::output::print;
use super::progress::Progress;
use super::{folder, source};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::image::ImageReader;
use crate::json::recode;
use crate::parallel::in_parallel;
use crate::render::{bytes, printable};
use crate::schema::Schema;

#[derive(Debug, ClapArgs)]
pub(super) struct Recode {
    /// Images, directories of images, or archives of them
    #[arg(value_name = "DIR|ARCHIVE|IMAGE", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// What became of an image.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// The bytes that its plain JSON gave.
    bytes: u64,
    /// The first byte that came back otherwise from the plain JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs_at: Option<u64>,
    /// The same of the pretty JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pretty_differs_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Row {
    fn differs(&self) -> bool {
        self.differs_at.is_some() || self.pretty_differs_at.is_some()
    }
}

/// An image that is to be looked at.
struct Job<'a> {
    name: String,
    open: Box<dyn Fn() -> Result<Box<dyn Read + Send>> + Sync + Send + 'a>,
}

pub(super) fn run(args: &Recode, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let (paths, mut failed) = folder::expand(&args.paths);
    let mut checkpoints = Vec::new();
    let mut jobs = Vec::new();
    for path in &paths {
        match source::checkpoint(&schema, path) {
            Ok(checkpoint) => checkpoints.push(checkpoint),
            Err(error) if path.is_dir() => {
                report(&error);
                failed = true;
            }
            // A file that is no archive is an image, or looks like one.
            Err(error) => match is_image(&schema, path) {
                true => jobs.push(file(path)),
                false => {
                    report(&error);
                    failed = true;
                }
            },
        }
    }
    for checkpoint in &checkpoints {
        for name in checkpoint.image_names()? {
            jobs.push(member(checkpoint, name));
        }
    }
    let progress = Progress::of_many("reading and writing images", jobs.len());
    let rows = in_parallel(&jobs, |job| {
        let row = row(&schema, job);
        progress.add(1);
        row
    });
    drop(progress);
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    if rows.is_empty() {
        checkpoints
            .iter()
            .for_each(|checkpoint| report(&checkpoint.no_images()));
        return Ok(ExitCode::from(2));
    }
    failed |= rows.iter().any(|row| row.error.is_some());
    let differs = rows.iter().any(Row::differs);
    print(args.json.json.then_some(&rows), || text(&rows))?;
    Ok(match (failed, differs) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Whether a file begins as an image, or has the name of one.
fn is_image(schema: &Schema, path: &Path) -> bool {
    let name = path.display().to_string();
    let begins = || {
        let file = File::open(path).map_err(Error::from);
        file.and_then(|file| ImageReader::named(schema, file, &name).map(drop))
    };
    // A FIFO would be waited for.
    path.metadata().is_ok_and(|metadata| metadata.is_file())
        && match begins() {
            Err(error) => !error.kind().is_of_no_messages(&name),
            Ok(()) => true,
        }
}

fn file(path: &Path) -> Job<'_> {
    let name = path.display().to_string();
    let label = name.clone();
    Job {
        name,
        open: Box::new(move || {
            let file = File::open(path).map_err(|e| Error::from(e).in_file(&label))?;
            Ok(Box::new(file))
        }),
    }
}

fn member(checkpoint: &Checkpoint, image: String) -> Job<'_> {
    Job {
        name: checkpoint.label(&image),
        open: Box::new(move || checkpoint.read_again(&image)),
    }
}

/// Recodes an image both ways; `None` for what is no image with messages.
fn row(schema: &Schema, job: &Job<'_>) -> Option<Row> {
    let mut row = Row {
        name: job.name.clone(),
        bytes: 0,
        differs_at: None,
        pretty_differs_at: None,
        error: None,
    };
    for pretty in [false, true] {
        match recode(schema, &job.name, &job.open, pretty) {
            Ok(recoded) if pretty => row.pretty_differs_at = recoded.differs_at,
            Ok(recoded) => {
                row.bytes = recoded.bytes;
                row.differs_at = recoded.differs_at;
            }
            Err(error) => match error.kind() {
                kind if kind.is_of_no_messages(&job.name) => return None,
                _ => {
                    row.error = Some(error.to_string());
                    break;
                }
            },
        }
    }
    Some(row)
}

fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let name = printable(&row.name);
        for (form, at) in [("plain", row.differs_at), ("pretty", row.pretty_differs_at)] {
            if let Some(at) = at {
                text.push_str(&format!(
                    "{name}: differs from byte {at} on by its {form} JSON\n"
                ));
            }
        }
        if let Some(error) = &row.error {
            text.push_str(&format!("{}\n", printable(error)));
        }
    }
    let whole = rows
        .iter()
        .filter(|row| row.error.is_none() && !row.differs())
        .count();
    let size = bytes(
        rows.iter()
            .map(|row| row.bytes)
            .fold(0, u64::saturating_add),
    );
    let of = rows.len();
    text.push_str(&format!(
        "{whole} of {of} images come back byte for byte, {size}\n"
    ));
    text
}
