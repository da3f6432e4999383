//! `crit export`: the entries of many checkpoints as JSON lines.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::messages::report;
use super::options::{SchemaArgs, path};
use super::output::Output;
use super::progress::{Progress, is_silent};
use super::{folder, source};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::json::{DecodeOptions, decode_lines};
use crate::schema::Schema;

#[derive(Debug, ClapArgs)]
pub(super) struct Export {
    /// Directories of images, container engines' archives of them, or folders of either
    #[arg(value_name = "DIR|ARCHIVE", required = true)]
    checkpoints: Vec<PathBuf>,
    /// One line for each entry: checkpoint, image, magic, index, and the decoded message (the only
    /// form that there is)
    #[arg(long)]
    jsonl: bool,
    /// Only images of this magic, such as FILES
    #[arg(long, value_name = "NAME")]
    magic: Vec<String>,
    /// Numbers in the form of their field: flags, device numbers, IP addresses
    #[arg(long)]
    pretty: bool,
    /// Payloads too, as `crit decode` prints them; without it only their sizes are there
    #[arg(long)]
    payload: bool,
    /// Write to this file instead of stdout: whole, or not at all
    #[arg(short = 'o', long = "out", alias = "output", value_name = "FILE", value_parser = path())]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Export, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    for magic in &args.magic {
        schema.kind(magic)?;
    }
    let (paths, mut failed) = folder::expand(&args.checkpoints);
    let mut output = Output::open(args.output.as_deref())?;
    let progress =
        is_silent(args.output.as_deref()).then(|| Progress::of_many("exporting", paths.len()));
    for path in &paths {
        match source::checkpoint(&schema, path) {
            Ok(checkpoint) => {
                source::spare(&checkpoint, args.output.as_deref())?;
                failed |= !export(args, &schema, &checkpoint, &mut output)?;
            }
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
        if let Some(progress) = &progress {
            progress.add(1);
        }
    }
    drop(progress);
    output.commit()?;
    Ok(if failed {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes the lines of a checkpoint. What can't be read is said, and the rest is written all the same;
/// the result is whether all could be read.
fn export(
    args: &Export,
    schema: &Schema,
    checkpoint: &Checkpoint,
    output: &mut Output,
) -> Result<bool> {
    let options = DecodeOptions::default()
        .pretty(args.pretty)
        .no_payload(!args.payload);
    let mut whole = true;
    let mut images = 0;
    for name in checkpoint.image_names()? {
        match image(args, schema, checkpoint, &name, output, &options) {
            Ok(()) => images += 1,
            // Nothing more can be written.
            Err(error) if error.is_write() => return Err(output.locate(error, &name)),
            Err(error) if error.kind().is_of_no_messages(&name) => (),
            Err(error) => {
                report(&error.in_file(checkpoint.label(&name)));
                whole = false;
            }
        }
    }
    if images == 0 && whole {
        report(&checkpoint.no_images());
        whole = false;
    }
    Ok(whole)
}

fn image(
    args: &Export,
    schema: &Schema,
    checkpoint: &Checkpoint,
    name: &str,
    output: &mut Output,
    options: &DecodeOptions,
) -> Result<()> {
    let mut reader = checkpoint.image_reader_again(name)?;
    let magic = &reader.kind().name;
    let mut wanted = args.magic.iter();
    if !args.magic.is_empty()
        && !wanted.any(|name| schema.kind(name).is_ok_and(|kind| kind.name == *magic))
    {
        return Ok(());
    }
    decode_lines(&mut reader, output, checkpoint.name(), name, options)?;
    Ok(())
}
