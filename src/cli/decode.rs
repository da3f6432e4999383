//! `crit decode` and `crit show`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::args::{BigInts, Decode, Show};
use super::messages::{caution, hint, warn};
use super::options::{From, SchemaArgs};
use super::output::Output;
use super::{input, source, whole};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageReader;
use crate::json::{self, DecodeOptions, DecodeReport};
use crate::limits::ENTRY;
use crate::schema::Schema;

pub(super) fn run(args: &Decode, source: &SchemaArgs) -> Result<ExitCode> {
    let options = DecodeOptions::default()
        .pretty(args.pretty)
        .no_payload(args.nopl)
        .quote_big_ints(args.big_ints == BigInts::String)
        .exact(args.exact);
    if let (Some(dir), Some(output)) = (&args.dir, &args.files.output) {
        whole::check_force(args.force, args.dir.is_some())?;
        let schema = source::schema(source)?;
        return whole::decode(&schema, dir, output, &options, (args.max_entry, args.force));
    }
    let job = Job {
        from: &args.from,
        input: args.files.input.as_deref(),
        output: args.files.output.as_deref(),
        bare: args.bare,
        max_entry: args.max_entry,
        options,
    };
    job.run(source)
}

pub(super) fn show(args: &Show, source: &SchemaArgs) -> Result<ExitCode> {
    let job = Job {
        from: &args.from,
        input: Some(&args.input),
        output: None,
        bare: args.bare,
        max_entry: ENTRY,
        options: DecodeOptions::default().pretty(true).no_payload(args.nopl),
    };
    job.run(source)
}

/// One image to decode.
struct Job<'a> {
    from: &'a From,
    input: Option<&'a Path>,
    output: Option<&'a Path>,
    bare: bool,
    max_entry: u64,
    options: DecodeOptions,
}

impl Job<'_> {
    fn run(self, source: &SchemaArgs) -> Result<ExitCode> {
        let schema = source::schema(source)?;
        let bare = match (self.bare, &source.message) {
            (false, _) => None,
            (true, Some(message)) => Some(message.as_str()),
            (true, None) => {
                let what = "--bare needs --message: nothing else says which message it is";
                return Err(Error::new(ErrorKind::Value(what.to_owned())));
            }
        };
        decode(&schema, &self, bare)
    }
}

fn decode(schema: &Schema, job: &Job<'_>, bare: Option<&str>) -> Result<ExitCode> {
    let (input, output, options) = (job.input, job.output, &job.options);
    let input = input::open_in(job.from, schema, input, output)?.with_progress("decoding", output);
    let from = input.label().to_owned();
    // The name of a file says something about what is in it; that of stdin does not.
    let reader = match (bare, &input.name) {
        (Some(message), _) => ImageReader::bare(schema, input.data, message),
        (None, Some(name)) => ImageReader::named(schema, input.data, name),
        (None, None) => ImageReader::new(schema, input.data),
    };
    let mut reader = reader.map_err(|error| error.in_file(&from))?;
    reader.limit_entries(job.max_entry);
    let mut output = Output::open(output)?;
    let report = json::decode(&mut reader, &mut output, options)
        .map_err(|error| output.locate(error, &from))?;
    if output.is_stdout() {
        output.write_all(b"\n").map_err(|e| output.error(e))?;
    }
    output.commit()?;
    tell(&report, &from);
    Ok(ExitCode::SUCCESS)
}

/// Says what was odd about an image.
pub(super) fn tell(report: &DecodeReport, from: &str) {
    if report.unknown_fields > 0 {
        let fields = match report.unknown_fields {
            1 => "1 field that the schema lacks was".to_owned(),
            n => format!("{n} fields that the schema lacks were"),
        };
        caution(&format!("{from}: {fields} kept under @unknown"));
        hint("--schema-dir with a checkout of the CRIU that wrote the image names them");
    }
    warn(&report.warnings, report.more_warnings, from);
    if report
        .warnings
        .iter()
        .any(|warning| warning.message.starts_with("required field"))
    {
        hint("`crit encode` writes such an image with --lenient");
    }
}
