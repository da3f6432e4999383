//! Folders of checkpoints, where several checkpoints may be given.

use std::fs;
use std::path::{Path, PathBuf};

use super::messages::{caution, report};
use crate::error::{Error, Result};

/// The endings of archives, those that are refused when they are opened too.
const ARCHIVES: [&str; 9] = [
    ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2",
];
/// Archives that belong to a checkpoint of an engine's.
const PARTS: [&str; 2] = ["rootfs-diff.tar", "devshm-checkpoint.tar"];
/// As deep as checkpoints are looked for.
const DEPTH: usize = 8;

/// What was given, with the checkpoints in folders in their place. Where a path can't be read, that is
/// said, and the others stand; the result is also whether that was so.
pub(super) fn expand(paths: &[PathBuf]) -> (Vec<PathBuf>, bool) {
    let mut all = Vec::new();
    let mut failed = false;
    for path in paths {
        match inside(path) {
            Ok(Some(inside)) if !inside.is_empty() => all.extend(inside),
            // A folder without any is said to be no checkpoint.
            Ok(_) => all.push(path.clone()),
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
    }
    (all, failed)
}

/// The checkpoints in a folder, directories and archives, also in folders in it; `None` when the path is
/// no folder, or a checkpoint itself.
pub(super) fn inside(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let named = |error: std::io::Error| Error::from(error).in_file(path.display().to_string());
    if !fs::metadata(path).map_err(named)?.is_dir() {
        return Ok(None);
    }
    let top = Contents::of(path).map_err(named)?;
    if top.is_checkpoint {
        let others: Vec<_> = top.archives.iter().filter(|path| !is_part(path)).collect();
        if let Some(first) = others.first() {
            let (path, first) = (path.display(), first.display());
            let more = if others.len() > 1 { ", ..." } else { "" };
            caution(&format!(
                "{path}: it is a checkpoint itself: {first}{more} not looked at"
            ));
        }
        return Ok(None);
    }
    let mut found = Vec::new();
    top.collect(DEPTH, &mut found);
    found.sort();
    Ok(Some(found))
}

fn is_part(path: &Path) -> bool {
    PARTS.iter().any(|part| path.ends_with(part))
}

/// What is in a directory.
#[derive(Default)]
struct Contents {
    is_checkpoint: bool,
    archives: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Contents {
    fn of(path: &Path) -> std::io::Result<Self> {
        let mut contents = Contents::default();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let is_own = ["checkpoint", "pre-checkpoint", "stats-dump"];
            contents.is_checkpoint |= name.ends_with(".img") || is_own.contains(&name.as_str());
            let kind = entry.file_type()?;
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                // What a link leads to is looked at, but not gone through.
                contents.directories.push(path);
            } else if ARCHIVES.iter().any(|ending| name.ends_with(ending)) {
                contents.archives.push(path);
            }
        }
        Ok(contents)
    }

    fn collect(self, depth: usize, found: &mut Vec<PathBuf>) {
        found.extend(self.archives);
        for directory in self.directories {
            match Contents::of(&directory) {
                Ok(contents) if contents.is_checkpoint => found.push(directory),
                Ok(contents) if depth > 1 && !directory.is_symlink() => {
                    contents.collect(depth - 1, found);
                }
                Ok(_) => {}
                // Why is said by who opens it.
                Err(_) => found.push(directory),
            }
        }
    }
}
