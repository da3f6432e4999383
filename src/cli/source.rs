//! Which schema the command works with, and which checkpoint.

use std::fs;
use std::path::Path;

use super::messages::{caution, detail, lose, warn};
use super::options::SchemaArgs;
use super::progress::Progress;
use super::{folder, input};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Schema;

/// As many checkpoints in a folder are named in a hint.
const NAMED: usize = 3;

/// The schema that the options ask for.
pub(super) fn schema(args: &SchemaArgs) -> Result<Schema> {
    let mut schema = match (&args.schema_dir, &args.descriptor_set) {
        (_, Some(set)) => descriptor_set(set)?,
        // An empty CRIT_SCHEMA_DIR is none.
        (Some(folder), None) if !folder.as_os_str().is_empty() => Schema::open(folder)?,
        _ => Schema::bundled()?,
    };
    for file in &args.descriptors {
        let name = || file.display().to_string();
        let table = std::fs::read_to_string(file).map_err(|e| Error::from(e).in_file(name()))?;
        schema = schema.with_rows(&table).map_err(|e| e.in_file(name()))?;
    }
    let schema = match &args.message {
        Some(message) => schema.with_message(message)?,
        None => schema,
    };
    detail(&format!("schema: {}", schema.describe()));
    Ok(schema)
}

/// The schema that a word names: `built-in`, a directory, or a descriptor set.
pub(super) fn named(name: &Path) -> Result<Schema> {
    if name == Path::new("built-in") {
        Schema::bundled()
    } else if name.is_file() {
        descriptor_set(name)
    } else {
        Schema::open(name)
    }
}

fn descriptor_set(path: &Path) -> Result<Schema> {
    let name = || path.display().to_string();
    let bytes = crate::schema::read_set(path)?;
    Schema::from_descriptor_set(&bytes).map_err(|e| e.in_file(name()))
}

/// Opens a checkpoint, and says what is wrong with it. Large packed archives are read once for this.
pub(super) fn checkpoint(schema: &Schema, path: &Path) -> Result<Checkpoint> {
    let checkpoint = checked(schema, path)?;
    let gaps = checkpoint.gaps()?;
    gaps.losses.iter().for_each(lose);
    match (gaps.has_images, gaps.elsewhere.is_empty()) {
        (true, true) => {}
        (true, false) => caution(&format!(
            "{}: images in {} are not looked at",
            checkpoint.name(),
            checkpoint.name_folders(&gaps.elsewhere)
        )),
        (false, false) => return Err(checkpoint.no_images()),
        (false, true) => {
            let inside = folder::inside(path)?.unwrap_or_default();
            let named = inside.iter().take(NAMED);
            let named: Vec<String> = named.map(|path| path.display().to_string()).collect();
            if !named.is_empty() {
                let more = if inside.len() > NAMED { ", ..." } else { "" };
                let hint = format!("checkpoints are in it: {}{more}", named.join(", "));
                return Err(checkpoint.no_images().with_hint(hint));
            }
        }
    }
    Ok(checkpoint)
}

/// The same, for who wants to know what is in it, be it images or not.
pub(super) fn listed(schema: &Schema, path: &Path) -> Result<Checkpoint> {
    let checkpoint = checked(schema, path)?;
    checkpoint.losses()?.iter().for_each(lose);
    Ok(checkpoint)
}

/// The same, for who finds out by himself what is missing of it.
pub(super) fn checked(schema: &Schema, path: &Path) -> Result<Checkpoint> {
    let progress = Progress::waiting("opening the checkpoint");
    let checkpoint = Checkpoint::open_with(schema, path)?;
    drop(progress);
    warn(checkpoint.warnings(), 0, checkpoint.name());
    Ok(checkpoint)
}

/// Refuses an output that would take the place of what is read: the archive, an image of the checkpoint or
/// of a pre-dump, also where links lead to it.
pub(super) fn spare(checkpoint: &Checkpoint, output: Option<&Path>) -> Result<()> {
    let output = output.filter(|output| !input::is_standard(output));
    let existing = output.and_then(|output| Some((output, fs::metadata(output).ok()?)));
    match existing {
        Some((output, file)) if file.is_file() && checkpoint.reads(&file) => {
            let what = "the output would take the place of what is read".to_owned();
            Err(Error::new(ErrorKind::Value(what)).in_file(output.display().to_string()))
        }
        _ => Ok(()),
    }
}
