//! `crit get`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::Value;

use super::options::{From, Json, SchemaArgs};
use super::output::print;
use super::{input, source};
use crate::edit::{Path, values};
use crate::error::Result;
use crate::render::printable;

#[derive(Debug, ClapArgs)]
pub(super) struct Get {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where in it: `entries[0].tc.comm`, `entries[id=5].reg.name`, `entries[*].isk.src_addr`; without `entries`, of the only one
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    json: Json,
}

pub(super) fn run(args: &Get, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let mut found = Vec::new();
    let mut plural = args.paths.len() > 1;
    for text in &args.paths {
        let path = Path::parse(text)?;
        plural |= path.is_plural();
        let input = input::open_in(&args.from, &schema, Some(&args.image), None)?
            .with_progress("reading", None);
        let label = input.label().to_owned();
        let values = values(&schema, input.data, &path);
        let mut values = values.map_err(|error| error.in_file(label))?;
        // Of many entries, those that have something there.
        values.retain(|(_, value)| !(path.is_plural() && value.is_null()));
        found.extend(values);
    }
    let json = args.json.json.then(|| {
        let objects = found.iter();
        let objects: Vec<Value> = objects
            .map(|(path, value)| serde_json::json!({"path": path, "value": value}))
            .collect();
        objects
    });
    print(json.as_ref(), || {
        let mut text = String::new();
        for (path, value) in &found {
            if plural {
                let _ = write!(text, "{} = ", printable(path));
            }
            let _ = writeln!(text, "{}", plain(value));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A value as people read it: a text without quotes, all else as JSON in a line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Null => "null".to_owned(),
        other => printable(&other.to_string()),
    }
}
