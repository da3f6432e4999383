//! What of a directory or an archive is not read, whatever is asked: who looks for something has to
//! know that it may be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use super::{Checkpoint, MemberKind};
use crate::error::{Error, ErrorKind, Location, Result, Warning};
use crate::limits::WARNINGS;
use crate::text::Text;

/// As many folders are named.
const FOLDERS: usize = 3;

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
        let mut losses = self.store.losses().to_vec();
        let loss = |message| Warning {
            at: Location {
                file: Some(self.name.clone()),
                ..Location::default()
            },
            message,
        };
        // Of members that stand twice, the last counts.
        let names: BTreeMap<Text, MemberKind> = self.store.names(&self.base)?.into_iter().collect();
        let mut more = 0u64;
        for (name, kind) in &names {
            match self.why_not_read(name, kind) {
                Some(why) if losses.len() < WARNINGS => {
                    losses.push(loss(format!("{} is not read: {why}", printed(name))));
                }
                Some(_) => more += 1,
                None => {}
            }
        }
        if more > 0 {
            losses.push(loss(format!("{more} more like these are not read")));
        }
        Ok(losses)
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

    fn is_image_name(&self, name: &str) -> bool {
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

    /// The folders with images that are not those of this checkpoint: other checkpoints in it or beside
    /// it. Its pre-dumps are not meant. In a directory only the folders in it and beside its images are
    /// looked at, not what is below them.
    #[must_use]
    pub fn folders_elsewhere(&self) -> Vec<String> {
        let mut folders = BTreeSet::new();
        let mut look_at = |names: Vec<(Text, MemberKind)>| {
            for (name, kind) in names {
                let Some((folder, base)) = name.as_str().map(split) else {
                    continue;
                };
                // What has an image's ending may be a disk's.
                let is_known =
                    base.ends_with(".img") && self.schema.kinds().by_file_name(base).is_some();
                if folder != self.base && is_known && kind != MemberKind::Directory {
                    folders.insert(folder.to_owned());
                }
            }
        };
        if self.is_archive() {
            let members = self.members().unwrap_or_default().into_iter();
            look_at(members.map(|member| (member.name, member.kind)).collect());
        } else {
            let tops = BTreeSet::from(["", &self.base]);
            for top in tops {
                let names = self.store.names(top).unwrap_or_default();
                let inner = names
                    .iter()
                    .filter(|(_, kind)| *kind == MemberKind::Directory);
                for (inner, _) in inner.filter(|(name, _)| name.as_str().is_some()) {
                    // What can't be looked into is nothing of this checkpoint's.
                    let names = self.store.names(&format!("{inner}/"));
                    look_at(names.unwrap_or_default());
                }
                look_at(names);
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
        let elsewhere = self.folders_elsewhere();
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
