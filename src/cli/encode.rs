//! `crit encode`.

use std::process::ExitCode;

use super::args::{Dialect, Encode};
use super::input;
use super::output::Output;
use crate::error::{ErrorKind, Result};
use crate::json::{self, EncodeOptions};
use crate::schema::Schema;

pub(super) fn run(args: &Encode) -> Result<ExitCode> {
    let schema = Schema::bundled()?;
    let input = input::open(args.files.input.as_deref())?;
    let mut output = Output::open(args.files.output.as_deref())?;
    let options = EncodeOptions::default()
        .lenient(args.lenient)
        .dialect(match args.dialect {
            Dialect::Criu => json::Dialect::Criu,
            Dialect::Go => json::Dialect::Go,
        });
    let name = output.name().to_owned();
    json::encode(&schema, input.data, &mut output, &options).map_err(|error| {
        match error.kind() {
            // What is wrong with the text is wrong in the input.
            ErrorKind::Io(_) => Output::named(&name, error),
            _ => error.in_file(input.name.as_deref().unwrap_or("stdin")),
        }
    })?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}
