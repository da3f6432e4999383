//! `crit info`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::args::Info;
use super::messages::report;
use super::options::SchemaArgs;
use super::output::Output;
use super::{input, source};
use crate::error::Result;
use crate::image::{Summary, summarize};

/// One image. Upstream's object, with the file in front when there are several.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    magic: &'a str,
    count: u64,
}

pub(super) fn run(args: &Info, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let read = |path: &Path| -> Result<Summary> {
        let input = input::open_in(&args.from, &schema, Some(path), None)?;
        let from = input.label().to_owned();
        summarize(&schema, input.data, input.name.as_deref()).map_err(|error| error.in_file(from))
    };
    if let [path] = args.inputs.as_slice() {
        let summary = read(path)?;
        print(&row(&summary, None))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = false;
    let mut summaries = Vec::new();
    for path in &args.inputs {
        match read(path) {
            Ok(summary) => summaries.push((summary, path.display().to_string())),
            // A bad file is reported and the others still looked at.
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
    }
    let rows: Vec<_> = summaries
        .iter()
        .map(|(summary, path)| row(summary, Some(path.clone())))
        .collect();
    print(&rows)?;
    Ok(if failed {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

fn row(summary: &Summary, file: Option<String>) -> Row<'_> {
    Row {
        file,
        magic: &summary.kind.name,
        count: summary.count,
    }
}

fn print(value: &impl Serialize) -> Result<()> {
    let mut output = Output::open(None)?;
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
    let written = value.serialize(&mut serializer);
    written
        .map_err(std::io::Error::from)
        .and_then(|()| output.write_all(ascii(&json).as_bytes()))
        .and_then(|()| output.write_all(b"\n"))
        .map_err(|error| output.error(error))?;
    output.commit()
}

/// JSON as Python prints it: what is not ASCII escaped, and what a terminal would take for more than text.
fn ascii(json: &[u8]) -> String {
    let mut text = String::with_capacity(json.len());
    for c in String::from_utf8_lossy(json).chars() {
        if c.is_ascii() && c != '\x7f' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}
