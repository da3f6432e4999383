//! Something replaced in all images of a checkpoint at once: an address, a path, a host name, a command
//! name, a cgroup, a user, a group.

mod cgroup;
mod change;
mod mentions;
mod mounts;
mod tarball;
mod walk;

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::sync::Arc;

pub use change::Replacement;
pub use mentions::{Mention, mentions};
pub use mounts::Mounts;
pub use tarball::Tarball;

use crate::descriptor::{FieldMeanings, Meaning};
use crate::edit::{Changed, reach};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, ImageReader, ImageWriter};
use crate::limits::{EXPLORED_ENTRIES, WARNINGS};
use crate::schema::{MessageType, Schema};
use mounts::{Paths, Roots, Translation};
use walk::{Walk, inside_of};

/// Replaces in one image after the other, and counts.
#[derive(Debug)]
pub struct Replacer {
    meanings: &'static FieldMeanings,
    replacements: Vec<Replacement>,
    /// How often each was found.
    found: Vec<u64>,
    /// How often what each makes was there already.
    done: Vec<u64>,
    /// The new roots of the mounts of the image at hand.
    roots: Roots,
    /// The mounts of the checkpoint, and how paths change in each of its namespaces.
    mounts: Arc<Mounts>,
    translations: Vec<Translation>,
}

/// What was replaced in an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// The fields that changed.
    pub changed: Vec<Changed>,
    /// Fields that the schema does not know, as paths of numbers: they were not searched.
    pub unknown: BTreeSet<String>,
}

impl Replacer {
    /// Replaces all of these.
    ///
    /// # Errors
    ///
    /// As [`Replacement::check`].
    pub fn new(mut replacements: Vec<Replacement>) -> Result<Self> {
        for replacement in &replacements {
            replacement.check()?;
        }
        // Of a path and one above it, the one goes before the other, whatever the order.
        replacements.sort_by_key(|replacement| std::cmp::Reverse(replacement.precision()));
        Ok(Replacer {
            meanings: FieldMeanings::bundled()?,
            roots: Roots::new(),
            mounts: Arc::default(),
            translations: Vec::new(),
            found: vec![0; replacements.len()],
            done: vec![0; replacements.len()],
            replacements,
        })
    }

    /// Takes the mounts of the checkpoint into account: a file that is open by a bind mount is found by
    /// the path that its directory has on another mount.
    ///
    /// # Errors
    ///
    /// The source of a bind mount would move to another mount.
    pub fn with_mounts(mut self, mounts: Arc<Mounts>) -> Result<Self> {
        self.translations = mounts.translations(self.paths())?;
        self.mounts = mounts;
        Ok(self)
    }

    /// What was not found, and whether what it makes is there already: a run before this one may have
    /// ended in the middle.
    pub fn not_found(&self) -> impl Iterator<Item = (&Replacement, bool)> {
        let counts = self.found.iter().zip(&self.done);
        let all = self.replacements.iter().zip(counts);
        all.filter(|(_, (found, _))| **found == 0)
            .map(|(replacement, (_, done))| (replacement, *done > 0))
    }

    /// Whether an image may have any of it: only then it need be gone through.
    ///
    /// # Errors
    ///
    /// As [`ImageReader::named`].
    pub fn concerns(&self, schema: &Schema, name: &str, input: impl Read) -> Result<bool> {
        let reader = ImageReader::named(schema, input, name)?;
        let layout = reader.layout();
        let mut types = layout.head.iter().chain([&layout.entry]);
        Ok(types.any(|ty| self.reach(ty).get(ty.index) == Some(&true)))
    }

    /// Returns true if the tarball of a tmpfs may have any of it: names and owners of files.
    #[must_use]
    pub fn concerns_tarballs(&self) -> bool {
        let meanings = [Meaning::Path, Meaning::Uid, Meaning::Gid];
        let mut replacements = self.replacements.iter();
        replacements.any(|replacement| meanings.iter().any(|m| replacement.is_about(*m)))
    }

    fn reach(&self, ty: &MessageType) -> Vec<bool> {
        let all = [
            Meaning::Path,
            Meaning::MountOptions,
            Meaning::Address,
            Meaning::Hostname,
            Meaning::Comm,
            Meaning::Uid,
            Meaning::Gid,
            Meaning::Cgroup,
            Meaning::Mount,
        ];
        let is_wanted = |meaning: &Meaning| self.replacements.iter().any(|r| r.is_about(*meaning));
        let wanted: Vec<Meaning> = all.into_iter().filter(is_wanted).collect();
        reach(self.meanings, &ty.types, &wanted)
    }

    /// Copies an image with everything replaced, and returns what changed.
    ///
    /// ```
    /// # fn main() -> Result<(), criu_images::Error> {
    /// use criu_images::{Schema, replace::{Replacement, Replacer}};
    ///
    /// let image = std::fs::File::open("tests/images/simple/files.img")?;
    /// let path = Replacement::Path { old: "/dev".to_owned(), new: "/elsewhere".to_owned() };
    /// let mut out = Vec::new();
    /// let mut replacer = Replacer::new(vec![path])?;
    /// let replaced = replacer.apply(&Schema::bundled()?, "files.img", image, &mut out)?;
    /// assert_eq!(replaced.changed[0].after, "/elsewhere/null");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The image is malformed; what would be replaced is too long, or can't be moved there.
    pub fn apply(
        &mut self,
        schema: &Schema,
        name: &str,
        input: impl Read,
        output: impl Write,
    ) -> Result<Replaced> {
        let mut reader = ImageReader::named(schema, input, name)?;
        let mut writer = ImageWriter::new(schema, reader.kind(), reader.head(), output)?;
        let mut replaced = Replaced::default();
        let mut reaches: Option<(MessageType, Vec<bool>)> = None;
        let mut index = 0u64;
        let mut ahead = self.read_mounts(&mut reader)?;
        loop {
            let next = match ahead.pop_front() {
                Some(entry) => Some(entry),
                None => reader.read_entry()?,
            };
            let Some(mut entry) = next else {
                break;
            };
            let ty = entry.ty.clone();
            // The head of an image is of another type than its entries.
            let reaches = match &reaches {
                Some((of, reaches)) if *of == ty => reaches,
                _ => &reaches.insert((ty.clone(), self.reach(&ty))).1,
            };
            if reaches.get(ty.index) == Some(&true) {
                if replaced.unknown.len() < WARNINGS {
                    let unknown = entry.unknown_fields()?.into_iter();
                    replaced.unknown.extend(unknown.map(|field| field.path));
                }
                let mut walk = Walk {
                    replacer: self,
                    index,
                    types: &ty.types,
                    reaches,
                    changed: Vec::new(),
                    is_done: false,
                };
                let mut message = entry.message.clone();
                let way = format!("entries[{index}]");
                walk.message(ty.shape(), &mut message, &way)
                    .map_err(|error| error.in_entry(index))?;
                if !walk.changed.is_empty() {
                    replaced.changed.append(&mut walk.changed);
                    *entry.message_mut() = message;
                }
            }
            writer.write_entry(&entry)?;
            index += 1;
        }
        writer.finish()?;
        Ok(replaced)
    }

    /// The paths that are replaced.
    fn paths(&self) -> Paths<'_> {
        Paths(&self.replacements)
    }

    /// Counts one more of what a replacement is about.
    fn count(&mut self, number: usize) {
        if let Some(found) = self.found.get_mut(number) {
            *found += 1;
        }
    }

    /// Reads all entries of an image of mounts, whose roots are translated by each other.
    fn read_mounts<R: Read>(&mut self, reader: &mut ImageReader<R>) -> Result<VecDeque<Entry>> {
        self.roots.clear();
        let mut entries = Vec::new();
        let name = reader.layout().entry.descriptor().name().to_owned();
        let is_path = |replacement: &Replacement| replacement.is_about(Meaning::Path);
        if self.meanings.of_message(&name) != Some(Meaning::Mount)
            || !self.replacements.iter().any(is_path)
        {
            return Ok(VecDeque::new());
        }
        while let Some(entry) = reader.read_entry()? {
            if entries.len() as u64 >= EXPLORED_ENTRIES {
                let what = format!("more than {EXPLORED_ENTRIES} mounts");
                return Err(Error::new(ErrorKind::Limit(what)));
            }
            entries.push(entry);
        }
        self.roots = mounts::translate_entries(&entries, self.paths())?;
        Ok(entries.into())
    }
}
