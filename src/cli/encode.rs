//! `crit encode`.

use std::process::ExitCode;

use super::args::{Dialect, Encode};
use super::options::SchemaArgs;
use super::output::Output;
use super::{input, source, whole};
use crate::error::Result;
use crate::json::{self, EncodeOptions};

pub(super) fn run(args: &Encode, source: &SchemaArgs) -> Result<ExitCode> {
    whole::check_force(args.force, args.dir.is_some())?;
    let schema = source::schema(source)?;
    let options = EncodeOptions::default()
        .lenient(args.lenient)
        .dialect(match args.dialect {
            Dialect::Criu => json::Dialect::Criu,
            Dialect::Go => json::Dialect::Go,
        });
    if let (Some(dir), Some(output)) = (&args.dir, &args.files.output) {
        return whole::encode(&schema, dir, output, &options, args.force);
    }
    let input = input::open(args.files.input.as_deref())?;
    let input = input.with_progress("encoding", args.files.output.as_deref());
    let from = input.label().to_owned();
    let mut output = Output::open_binary(args.files.output.as_deref())?;
    json::encode(&schema, input.data, &mut output, &options)
        .map_err(|error| output.locate(error, &from))?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}
