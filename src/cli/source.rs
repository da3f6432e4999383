//! Which schema the command works with.

use std::path::Path;

use super::messages::detail;
use super::options::SchemaArgs;
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
