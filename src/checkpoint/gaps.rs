//! What of a directory or an archive is not read, whatever is asked: who looks for something has to
//! know that it may be there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use super::{Checkpoint, MemberKind};
use crate::error::{Error, ErrorKind, Result, Warning};
use crate::limits::WARNINGS;
use crate::text::Text;

/// As many folders are named.
const FOLDERS: usize = 3;

/// What the names in a checkpoint tell besides its images.
pub(crate) struct Gaps {
    pub(crate) losses: Vec<Warning>,
    pub(crate) elsewhere: Vec<String>,
    /// Whether it has images of its own.
    #[cfg(feature = "cli")]
    pub(crate) has_images: bool,
}

impl Checkpoint {
    /// What is missing of the checkpoint: what stood behind the place where its archive breaks off,
    /// and images that can't be asked for, because their names are not UTF-8 or because what has the
    /// name is no file. Each could hold anything, so that whatever is said of this checkpoint is said
    /// of a part of it.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn losses(&self) -> Result<Vec<Warning>> {
        Ok(self.gaps()?.losses)
    }

    /// The folders with images that are not those of this checkpoint: other checkpoints in it or beside
    /// it. Its pre-dumps are not meant. In a directory only the folders in it and beside its images are
    /// looked at, not what is below them.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn folders_elsewhere(&self) -> Result<Vec<String>> {
        Ok(self.gaps()?.elsewhere)
    }

    /// All of it, by one look at the folder of images: every command asks.
    pub(crate) fn gaps(&self) -> Result<Gaps> {
        let names = self.store.names(&self.base)?;
        Ok(Gaps {
            losses: self.losses_among(&names),
            elsewhere: self.elsewhere(&names),
            #[cfg(feature = "cli")]
            has_images: names.iter().any(|(name, kind)| {
                let name = name.as_str().and_then(|name| name.strip_prefix(&self.base));
                name.is_some_and(|name| self.is_image_name(name) && self.is_readable(name, kind))
            }),
        })
    }

    fn losses_among(&self, names: &[(Text, MemberKind)]) -> Vec<Warning> {
        let mut found: Vec<(&Text, String)> = names
            .iter()
            .filter_map(|(name, kind)| Some((name, self.why_not_read(name, kind)?)))
            .collect();
        found.sort_unstable();
        let mut losses = self.store.losses().to_vec();
        let left = WARNINGS.saturating_sub(losses.len());
        let more = found.len().saturating_sub(left);
        for (name, why) in found.into_iter().take(left) {
            let message = format!("{} is not read: {why}", printed(name));
            losses.push(Warning::of_file(&self.name, message));
        }
        if more > 0 {
            let message = format!("{more} more like these are not read");
            losses.push(Warning::of_file(&self.name, message));
        }
        losses
    }

    /// Why a member of the folder of images that has the name of an image can't be read.
    fn why_not_read(&self, name: &Text, kind: &MemberKind) -> Option<String> {
        if *kind == MemberKind::Directory && name.as_str().is_none() {
            return None;
        }
        let Some(whole) = name.as_str() else {
            return Some("its name is not UTF-8".to_owned());
        };
        let base = whole.strip_prefix(&self.base)?;
        if !self.is_image_name(base) {
            return None;
        }
        match kind {
            MemberKind::File => None,
            MemberKind::Link(target) if self.is_archive() => {
                let target = printed(target);
                Some(format!(
                    "a link to {target}, and none in an archive is followed"
                ))
            }
            MemberKind::Link(target) => match self.size(base) {
                Ok(None) => Some(format!("a link to {}, where no file is", printed(target))),
                _ => None,
            },
            MemberKind::HardLink(target) => Some(format!(
                "another name for {}, which is not looked up",
                printed(target)
            )),
            MemberKind::Directory | MemberKind::Unreadable(_) => Some("a directory".to_owned()),
            MemberKind::Special if self.is_archive() => Some("no plain file".to_owned()),
            MemberKind::Special => Some("a device, a FIFO or a socket".to_owned()),
        }
    }

    pub(super) fn is_image_name(&self, name: &str) -> bool {
        name.ends_with(".img") || self.schema.kinds().by_file_name(name).is_some()
    }

    /// Whether a file, under whatever name, is one of those that are read: the archive, an image of this
    /// checkpoint or of its pre-dumps, or what an engine put beside them. No output should take its place.
    #[must_use]
    pub fn reads(&self, file: &fs::Metadata) -> bool {
        let place = (file.dev(), file.ino());
        let folders = BTreeSet::from(["", &self.base]);
        let here = folders.into_iter().any(|folder| {
            let names = self.store.names(folder).unwrap_or_default();
            let mut names = names.iter().filter_map(|(name, _)| name.as_str());
            names.any(|name| {
                let (_, base) = split(name);
                let ends = [".dump", ".tar", ".json"]
                    .iter()
                    .any(|end| base.ends_with(end));
                let is_read = self.is_image_name(base) || (ends && folder.is_empty());
                is_read && self.store.place(name) == Some(place)
            })
        });
        here || matches!(self.parent(), Ok(Some(parent)) if parent.reads(file))
    }

    fn elsewhere(&self, own: &[(Text, MemberKind)]) -> Vec<String> {
        let mut folders = BTreeSet::new();
        let mut look_at = |name: &Text, kind: &MemberKind| {
            let Some((folder, base)) = name.as_str().map(split) else {
                return;
            };
            // What has an image's ending may be a disk's.
            if folder != self.base
                && *kind != MemberKind::Directory
                && base.ends_with(".img")
                && self.schema.kinds().by_file_name(base).is_some()
            {
                folders.insert(folder.to_owned());
            }
        };
        if self.is_archive() {
            for member in self.members().unwrap_or_default() {
                look_at(&member.name, &member.kind);
            }
        } else {
            // What can't be looked into is nothing of this checkpoint's.
            let names = |folder: &str| self.store.names(folder).unwrap_or_default();
            let above = match self.base.is_empty() {
                true => Vec::new(),
                false => names(""),
            };
            for (name, kind) in own.iter().chain(&above) {
                look_at(name, kind);
                if let (MemberKind::Directory, Some(folder)) = (kind, name.as_str()) {
                    for (name, kind) in names(&format!("{folder}/")) {
                        look_at(&name, &kind);
                    }
                }
            }
        }
        if !folders.is_empty() {
            let parents = self.folders_of_parents();
            folders.retain(|folder| !parents.contains(folder));
        }
        folders.into_iter().collect()
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
    pub(crate) fn name_folders(&self, folders: &[String]) -> String {
        let named = folders.iter().take(FOLDERS);
        let mut names: Vec<String> = named
            .map(|name| match name.strip_suffix('/') {
                None => format!("{} itself", self.name),
                Some(name) => self.store.label(name),
            })
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
        let elsewhere = self.folders_elsewhere().unwrap_or_default();
        if elsewhere.is_empty() {
            return error;
        }
        let folders = self.name_folders(&elsewhere);
        error.with_hint(match self.is_archive() {
            true => format!("images are in {folders}: unpack it, and give one of them"),
            false => format!("images are in {folders}: give one of them"),
        })
    }
}

/// The folder of a name, with its slash, and what is behind.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.rfind('/').map_or(0, |slash| slash + 1))
}

/// A name, with escapes for bytes that are not UTF-8.
fn printed(name: &Text) -> String {
    match name.as_str() {
        Some(name) => name.to_owned(),
        None => name.as_bytes().escape_ascii().to_string(),
    }
}
