//! What of a directory or an archive is not read, whatever is asked: who looks for something has to
//! know that it may be there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use super::{Checkpoint, MemberKind};
use crate::error::{Error, ErrorKind, Location, Result, Warning};

/// As many folders are named.
const FOLDERS: usize = 3;

/// What a walk through the names of a checkpoint finds besides its images.
#[derive(Default)]
pub(crate) struct Gaps {
    pub(crate) losses: Vec<Warning>,
    /// The folders with images that are not this checkpoint's, and how many.
    pub(crate) elsewhere: BTreeMap<String, usize>,
    /// Whether it has images of its own.
    pub(crate) has_images: bool,
}

impl Checkpoint {
    /// What is missing of the checkpoint: what stood behind the place where its archive breaks off,
    /// and images that can't be asked for because their names are not UTF-8. Each could hold anything,
    /// so that whatever is said of this checkpoint is said of a part of it.
    ///
    /// # Errors
    ///
    /// A directory can't be read.
    pub fn losses(&self) -> Result<Vec<Warning>> {
        Ok(self.gaps()?.losses)
    }

    /// The folders with images that are not those of this checkpoint, each with how many there are:
    /// other checkpoints in it or beside it. Its pre-dumps are not meant.
    ///
    /// # Errors
    ///
    /// A directory can't be read.
    pub fn folders_elsewhere(&self) -> Result<BTreeMap<String, usize>> {
        Ok(self.gaps()?.elsewhere)
    }

    pub(crate) fn gaps(&self) -> Result<Gaps> {
        let mut gaps = Gaps {
            losses: self.store.losses().to_vec(),
            ..Gaps::default()
        };
        for member in self.members()? {
            let name = member.name.to_string_lossy();
            let end = name.rfind('/').map_or(0, |slash| slash + 1);
            let (folder, base) = name.split_at(end);
            let is_known = self.schema.kinds().by_file_name(base).is_some();
            if member.kind == MemberKind::Directory || !(is_known || base.ends_with(".img")) {
                continue;
            }
            if folder != self.base {
                // What has an image's ending may be a disk's.
                if is_known && base.ends_with(".img") {
                    *gaps.elsewhere.entry(folder.to_owned()).or_insert(0) += 1;
                }
            } else if member.name.as_str().is_some() {
                gaps.has_images = true;
            } else {
                let name = member.name.as_bytes().escape_ascii();
                gaps.losses.push(Warning {
                    at: Location {
                        file: Some(self.name.clone()),
                        ..Location::default()
                    },
                    message: format!("the image {name} is not read: its name is not UTF-8"),
                });
            }
        }
        if !gaps.elsewhere.is_empty() {
            let parents = self.folders_of_parents();
            gaps.elsewhere.retain(|folder, _| !parents.contains(folder));
        }
        Ok(gaps)
    }

    /// The folders of its pre-dumps that are inside the same directory or archive.
    fn folders_of_parents(&self) -> Vec<String> {
        let mut folders = Vec::new();
        let mut dump = self;
        while let Ok(Some(parent)) = dump.parent() {
            if Arc::ptr_eq(&self.store, &parent.store) {
                folders.push(parent.base.clone());
            } else if let (Ok(own), Ok(there)) =
                (fs::canonicalize(&self.name), fs::canonicalize(&parent.name))
                && let Ok(inside) = there.strip_prefix(own)
            {
                folders.push(format!("{}/", inside.display()));
            }
            dump = parent;
        }
        folders
    }

    /// These folders in words.
    pub(crate) fn name_folders(&self, folders: &BTreeMap<String, usize>) -> String {
        let mut names: Vec<String> = folders
            .keys()
            .take(FOLDERS)
            .map(|name| self.folder(name))
            .collect();
        let more = folders.len() - names.len();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names.join(", ")
    }

    /// That no image is where they should be, and where some are.
    pub(crate) fn no_images(&self) -> Error {
        let what = "no image is in it".to_owned();
        let error = Error::new(ErrorKind::NotACheckpoint(what)).in_file(self.name());
        let elsewhere = self.gaps().map(|gaps| gaps.elsewhere).unwrap_or_default();
        if elsewhere.is_empty() {
            return error;
        }
        let folders = self.name_folders(&elsewhere);
        error.with_hint(match self.is_archive() {
            true => format!("images are in {folders}: unpack it, and give one of them"),
            false => format!("images are in {folders}: give one of them"),
        })
    }

    /// A folder as it can be named on a command line.
    fn folder(&self, name: &str) -> String {
        let label = self.store.label(name);
        label.strip_suffix('/').unwrap_or(&label).to_owned()
    }
}
