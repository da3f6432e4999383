//! Which schema the command works with, and which checkpoint.

use std::path::Path;

use super::messages::{detail, warn};
use super::options::SchemaArgs;
use super::progress::Progress;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::schema::Schema;

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
    let progress = Progress::waiting("opening the checkpoint");
    let checkpoint = Checkpoint::open_with(schema, path)?;
    drop(progress);
    warn(checkpoint.warnings(), 0, checkpoint.name());
    Ok(checkpoint)
}
