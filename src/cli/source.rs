//! Which schema the command works with, and which checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use super::messages::{caution, detail, lose, warn};
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
    let checkpoint = listed(schema, path)?;
    let gaps = checkpoint.gaps()?;
    if !gaps.has_images && !gaps.elsewhere.is_empty() {
        return Err(checkpoint.no_images());
    }
    if !gaps.elsewhere.is_empty() {
        caution(&format!(
            "{}: images in {} are not looked at",
            checkpoint.name(),
            checkpoint.name_folders(&gaps.elsewhere)
        ));
    }
    Ok(checkpoint)
}

/// The same, for who wants to know what is in it, be it images or not.
pub(super) fn listed(schema: &Schema, path: &Path) -> Result<Checkpoint> {
    let checkpoint = checked(schema, path)?;
    for loss in checkpoint.losses()? {
        lose(&loss);
    }
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

/// The checkpoints in a folder, directories and archives; `None` when the path is no folder, or a
/// checkpoint itself.
pub(super) fn inside(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let named = |error: std::io::Error| Error::from(error).in_file(path.display().to_string());
    if !fs::metadata(path).map_err(named)?.is_dir() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(named)? {
        let entry = entry.map_err(named)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_own = ["checkpoint", "pre-checkpoint", "stats-dump"];
        if name.ends_with(".img") || is_own.contains(&name.as_str()) {
            return Ok(None);
        }
        let is_archive = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"]
            .iter()
            .any(|ending| name.ends_with(ending));
        let path = entry.path();
        let holds = |name: &str| path.join(name).is_file();
        let is_directory = || {
            ["inventory.img", "pstree.img", "checkpoint/inventory.img"]
                .into_iter()
                .any(holds)
        };
        if (is_archive && path.is_file()) || is_directory() {
            found.push(path);
        }
    }
    found.sort();
    Ok(Some(found))
}
