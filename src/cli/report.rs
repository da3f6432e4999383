//! `crit report`.

use std::io::Write as _;
use std::process::ExitCode;

use super::args::Report;
use super::options::SchemaArgs;
use super::output::Output;
use super::progress::Progress;
use super::source;
use crate::error::Result;

pub(super) fn run(args: &Report, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let checkpoint = source::checkpoint(&schema, &args.checkpoint)?;
    let progress = Progress::waiting("looking at the checkpoint");
    let page = crate::report::html(&checkpoint)?;
    drop(progress);
    let mut output = Output::open(args.output.as_deref())?;
    output
        .write_all(page.as_bytes())
        .map_err(|error| output.error(error))?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}
