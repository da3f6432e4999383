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
    let mut reader = match &input.name {
        Some(name) => ImageReader::named(&schema, input.data, name)?,
        None => ImageReader::named(&schema, input.data, "stdin")?,
    };
    let mut output = Output::open(output)?;
    let name = output.name().to_owned();
    let written = json::decode(&mut reader, &mut output, options).and_then(|report| {
        if output.is_stdout() {
            output.write_all(b"\n")?;
        }
        Ok(report)
    });
    let report = written.map_err(|error| Output::named(&name, error))?;
    output.commit()?;
    warn(&report.warnings, report.more_warnings);
    Ok(ExitCode::SUCCESS)
}
