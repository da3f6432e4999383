//! `crit decode` and `crit show`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::args::{BigInts, Decode, Show};
use super::input;
use super::output::Output;
use super::report::warn;
use crate::error::Result;
use crate::image::ImageReader;
use crate::json::{self, DecodeOptions};
use crate::schema::Schema;

pub(super) fn run(args: &Decode) -> Result<ExitCode> {
    let options = DecodeOptions::default()
        .pretty(args.pretty)
        .no_payload(args.nopl)
        .quote_big_ints(args.big_ints == BigInts::String)
        .exact(args.exact);
    decode(
        args.files.input.as_deref(),
        args.files.output.as_deref(),
        &options,
    )
}

pub(super) fn show(args: &Show) -> Result<ExitCode> {
    let options = DecodeOptions::default().pretty(true).no_payload(args.nopl);
    decode(Some(&args.input), None, &options)
}

fn decode(
    input: Option<&Path>,
    output: Option<&Path>,
    options: &DecodeOptions,
) -> Result<ExitCode> {
    let schema = Schema::bundled()?;
    let input = input::open(input)?;
    let from = input.label().to_owned();
    // The name of a file says something about what is in it; that of stdin does not.
    let reader = match &input.name {
        Some(name) => ImageReader::named(&schema, input.data, name),
        None => ImageReader::new(&schema, input.data),
    };
    let mut reader = reader.map_err(|error| error.in_file(&from))?;
    let mut output = Output::open(output)?;
    let report = json::decode(&mut reader, &mut output, options)
        .map_err(|error| output.locate(error, &from))?;
    if output.is_stdout() {
        output.write_all(b"\n").map_err(|e| output.error(e))?;
    }
    output.commit()?;
    warn(&report.warnings, report.more_warnings, &from);
    Ok(ExitCode::SUCCESS)
}
