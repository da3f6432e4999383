//! `crit report`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::args::Report;
use super::messages::{caution, report};
use super::options::SchemaArgs;
use super::output::Output;
use super::progress::Progress;
use super::source;
use crate::check::CheckOptions;
use crate::error::{Error, ErrorKind, Result};

pub(super) fn run(args: &Report, source: &SchemaArgs) -> Result<ExitCode> {
    if args.output.is_none() && std::io::stdout().is_terminal() {
        let what = "a page is nothing for a terminal".to_owned();
        let error = Error::new(ErrorKind::Value(what));
        return Err(error.with_hint("-o FILE writes it to a file, for a browser"));
    }
    let schema = source::schema(source)?;
    let checkpoint = source::checkpoint(&schema, &args.checkpoint)?;
    source::spare(&checkpoint, args.output.as_deref())?;
    let options = CheckOptions::default().allow_missing_pages(args.allow_missing_pages);
    let progress = Progress::waiting("looking at the checkpoint");
    let page = crate::report::page(&checkpoint, options)?;
    drop(progress);
    if page.findings > 0 {
        let errors = if page.findings == 1 {
            "error"
        } else {
            "errors"
        };
        let (name, count) = (checkpoint.name(), page.findings);
        caution(&format!(
            "{name}: check found {count} {errors}: the page begins with them"
        ));
    }
    page.errors.iter().for_each(report);
    let mut output = Output::open(args.output.as_deref())?;
    output
        .write_all(page.html.as_bytes())
        .map_err(|error| output.error(error))?;
    output.commit()?;
    Ok(ExitCode::from(if page.errors.is_empty() { 0 } else { 2 }))
}
