//! `crit diff`: what differs between two images or two checkpoints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::Value;

use super::get::plain;
use super::messages::warn;
use super::options::{Json, SchemaArgs};
use super::output::print_marked;
use super::progress::Progress;
use super::source;
use crate::checkpoint::Checkpoint;
use crate::compare::{
    Compared, Difference, Row, Status, View, ViewOptions, checkpoints, images, views,
};
use crate::error::{Error, ErrorKind, Result};
use crate::explore::Explorer;
use crate::image::ImageReader;
use crate::render::{bytes, printable};
use crate::schema::Schema;

/// Characters of a value in a line.
const LONGEST: usize = 100;

#[derive(Debug, ClapArgs)]
pub(super) struct Diff {
    /// An image, a directory of images, or an archive
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Of two checkpoints: the processes
    #[arg(long)]
    ps: bool,
    /// The processes with their command lines
    #[arg(long, alias = "ps-tree-cmd")]
    ps_args: bool,
    /// The processes with their environments
    #[arg(long, alias = "ps-tree-env")]
    ps_env: bool,
    /// The open files
    #[arg(long)]
    files: bool,
    /// The sockets
    #[arg(long)]
    sockets: bool,
    /// Also what is the same, of processes, files and sockets
    #[arg(long)]
    show_unchanged: bool,
    #[command(flatten)]
    json: Json,
}

pub(super) fn run(args: &Diff, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let options = args.views();
    let different = match (image(&schema, &args.a), image(&schema, &args.b)) {
        (Some(a), Some(b)) if !options.any() => two_images(args, a?, b?)?,
        _ => two_checkpoints(args, &schema, &options)?,
    };
    Ok(ExitCode::from(u8::from(different)))
}

impl Diff {
    fn views(&self) -> ViewOptions {
        ViewOptions {
            processes: self.ps,
            args: self.ps_args,
            env: self.ps_env,
            files: self.files,
            sockets: self.sockets,
        }
    }
}

type Image = ImageReader<std::fs::File>;

/// The reader of a file that is an image; `None` for a directory or an archive.
fn image(schema: &Schema, path: &Path) -> Option<Result<Image>> {
    if path.is_dir() {
        return None;
    }
    let label = path.display().to_string();
    let read = std::fs::File::open(path)
        .map_err(|error| Error::from(error).in_file(&label))
        .and_then(|file| ImageReader::named(schema, file, &label));
    match read {
        // An archive has no magic of an image.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnknownMagic(_) | ErrorKind::NotAnImage { .. }
            ) && Checkpoint::open_with(schema, path).is_ok() =>
        {
            None
        }
        read => Some(read),
    }
}

fn two_images(args: &Diff, mut a: Image, mut b: Image) -> Result<bool> {
    let name = args.a.display().to_string();
    let found = images(&mut a, &mut b).map_err(|error| error.in_file(name))?;
    print_marked(args.json.json.then_some(&found), || differences(&found, ""))?;
    Ok(!found.is_empty())
}

fn two_checkpoints(args: &Diff, schema: &Schema, options: &ViewOptions) -> Result<bool> {
    let a = source::checkpoint(schema, &args.a)?;
    let b = source::checkpoint(schema, &args.b)?;
    if options.any() {
        let (a, b) = (Explorer::new(&a), Explorer::new(&b));
        let mut found = views(&a, &b, options)?;
        for explorer in [&a, &b] {
            let name = explorer.checkpoint().name();
            warn(&explorer.warnings(), explorer.more_warnings(), name);
        }
        let rows = || found.iter().flat_map(|view| &view.rows);
        let different = rows().any(|row| row.status != Status::Unchanged);
        if !args.show_unchanged {
            for view in &mut found {
                view.rows.retain(|row| row.status != Status::Unchanged);
            }
        }
        print_marked(args.json.json.then_some(&found), || {
            found.iter().map(view_text).collect()
        })?;
        return Ok(different);
    }
    let mut found = Vec::new();
    let progress = Progress::waiting("comparing");
    checkpoints(&a, &b, &mut |compared| {
        found.push(compared);
        Ok(())
    })?;
    drop(progress);
    print_marked(args.json.json.then_some(&found), || {
        found.iter().map(file_text).collect()
    })?;
    Ok(!found.is_empty())
}

fn file_text(compared: &Compared) -> String {
    match compared {
        Compared::Removed { file } => format!("- {}\n", printable(file)),
        Compared::Added { file } => format!("+ {}\n", printable(file)),
        Compared::Entries {
            file,
            differences: found,
        } => differences(found, &format!("{}: ", printable(file))),
        Compared::Bytes {
            file,
            at,
            before,
            after,
        } => {
            let file = printable(file);
            let sizes = match before == after {
                true => bytes(*before),
                false => format!("{} and {}", bytes(*before), bytes(*after)),
            };
            format!("~ {file}: differs from byte 0x{at:x} on ({sizes})\n")
        }
        Compared::Unreadable { file, error } => {
            format!("! {}: {}\n", printable(file), printable(error))
        }
    }
}

/// A line for each difference.
fn differences(found: &[Difference], prefix: &str) -> String {
    let mut text = String::new();
    for difference in found {
        let entry = difference.entry_a.or(difference.entry_b);
        let mut way = format!("entries[{}]", entry.unwrap_or(0));
        if !difference.key.is_empty() {
            way = format!("entries[{}]", printable(&difference.key));
        }
        let field = printable(&difference.field);
        if !field.is_empty() {
            way = format!("{way}.{field}");
        }
        let _ = writeln!(
            text,
            "{}",
            change(
                &format!("{prefix}{way}"),
                difference
                    .before_shown
                    .as_ref()
                    .unwrap_or(&difference.before),
                difference.after_shown.as_ref().unwrap_or(&difference.after)
            )
        );
    }
    text
}

/// `+` for what is new, `-` for what is gone, `~` for what is another.
fn change(what: &str, before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Null, after) => format!("+ {what}: {}", short(after)),
        (before, Value::Null) => format!("- {what}: {}", short(before)),
        (before, after) => format!("~ {what}: {} -> {}", short(before), short(after)),
    }
}

fn short(value: &Value) -> String {
    let mut text = plain(value);
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn view_text(view: &View) -> String {
    let mut text = format!("{}:\n", view.name);
    for row in &view.rows {
        let sign = match row.status {
            Status::Added => '+',
            Status::Removed => '-',
            Status::Modified => '~',
            Status::Unchanged => ' ',
        };
        let _ = writeln!(text, "{sign} {}", row_text(row));
        for (field, before, after) in &row.changes {
            let _ = writeln!(text, "    {}", change(&printable(field), before, after));
        }
    }
    if view.rows.is_empty() {
        text.push_str("  no difference\n");
    }
    text
}

/// A process with its name, or a descriptor with what it is.
fn row_text(row: &Row) -> String {
    let value = match row.after.is_null() {
        true => &row.before,
        false => &row.after,
    };
    let get = |name: &str| value.get(name).map(plain);
    match &row.fd {
        None => {
            let comm = get("comm").unwrap_or_default();
            format!("{} {comm}", row.pid)
        }
        Some(fd) => {
            let path = get("path").or_else(|| {
                let ends: Vec<String> = [("src_addr", "src_port"), ("dest_addr", "dest_port")]
                    .into_iter()
                    .filter_map(|(address, port)| {
                        let port = get(port).map_or(String::new(), |port| format!(":{port}"));
                        Some(format!("{}{port}", get(address)?))
                    })
                    .collect();
                let state = get("state").unwrap_or_default();
                Some(format!("{} {state}", ends.join(" -> ")).trim().to_owned())
            });
            let kind = get("type").or_else(|| get("family")).unwrap_or_default();
            format!("{} {fd} {kind} {}", row.pid, path.unwrap_or_default())
        }
    }
}
