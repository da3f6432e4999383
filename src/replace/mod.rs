//! Something replaced in all images of a checkpoint at once: an address, a path, a host name, a command
//! name, a cgroup, a user, a group.

mod cgroup;
mod change;
mod mentions;
mod mounts;
mod tarball;

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::sync::Arc;

use prost_reflect::{DynamicMessage, Value};

pub use change::Replacement;
pub use mentions::{Mention, mentions};
pub use mounts::Mounts;
pub use tarball::Tarball;

use crate::descriptor::{FieldMeanings, Meaning};
use crate::edit::{Changed, meaning, reach};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, ImageReader, ImageWriter};
use crate::json::json_value;
use crate::limits::{EXPLORED_ENTRIES, WARNINGS};
use crate::message::present;
use crate::schema::{Field, MessageType, Schema, Shape, Types};
use mounts::{Paths, Roots, Translation};

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

/// Goes through the messages of an entry.
struct Walk<'a> {
    replacer: &'a mut Replacer,
    /// The index of the entry.
    index: u64,
    types: &'a Types,
    reaches: &'a [bool],
    changed: Vec<Changed>,
    /// What a replacement of cgroups makes is there already.
    is_done: bool,
}

impl Walk<'_> {
    fn message(&mut self, shape: &Shape, message: &mut DynamicMessage, way: &str) -> Result<()> {
        let name = shape.desc.name();
        match self.replacer.meanings.of_message(name) {
            Some(Meaning::Cgroup) => self.cgroups(shape, message, way)?,
            Some(Meaning::Mount) => self.root(shape, message, way)?,
            Some(Meaning::Socket) => self.relative_name(shape, message, way)?,
            _ => {}
        }
        for field in &shape.fields {
            let meaning = meaning(self.replacer.meanings, name, field);
            let inner = field.kind.message();
            let inner = inner.filter(|inner| self.reaches.get(*inner) == Some(&true));
            if (meaning.is_none() && inner.is_none()) || present(message, field).is_none() {
                continue;
            }
            let way = format!("{way}.{}", field.name);
            if let Some(meaning) = meaning {
                let changed = self.changed.len();
                self.field(field, message, meaning, &way)?;
                if meaning == Meaning::Path && self.changed.len() == changed {
                    self.by_mount(shape, field, message, &way)?;
                }
            } else if let Some(inner) = inner {
                let inner = self.types.shape(inner);
                match message.get_field_mut(&field.desc) {
                    Value::Message(message) => self.message(inner, message, &way)?,
                    Value::List(list) => {
                        for (place, element) in list.iter_mut().enumerate() {
                            if let Value::Message(message) = element {
                                self.message(inner, message, &format!("{way}[{place}]"))?;
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The name of a unix socket that was bound from a directory: both together are its path. Where the
    /// directory stays and the path does not, the name is a whole path from then on.
    fn relative_name(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        let bytes = |message: &DynamicMessage, name: &str| {
            let field = shape.field_named(name)?;
            let value = present(message, field)?.as_bytes()?.to_vec();
            Some((field, value))
        };
        let (Some((field, name)), Some((_, folder))) =
            (bytes(message, "name"), bytes(message, "name_dir"))
        else {
            return Ok(());
        };
        if matches!(name.first(), None | Some(b'/' | 0)) {
            return Ok(());
        }
        let folder = folder.strip_suffix(b"/").unwrap_or(&folder);
        let whole = [folder, b"/", &name].concat();
        let replacer = &mut *self.replacer;
        let about = replacer.replacements.iter().zip(&mut replacer.found);
        for (replacement, found) in about {
            let text = |text: &[u8]| match replacement {
                Replacement::Path { .. } => replacement.text(Meaning::Path, text),
                _ => None,
            };
            // A directory that changes takes the socket with it.
            if text(folder).is_some() {
                return Ok(());
            }
            let Some(after) = text(&whole) else {
                continue;
            };
            *found += 1;
            let inside = after.strip_prefix([folder, b"/"].concat().as_slice());
            let after = Value::Bytes(inside.unwrap_or(&after).to_vec().into());
            let way = format!("{way}.{}", field.name);
            return self.put(field, message, after, &way);
        }
        Ok(())
    }

    /// Gives a field another value, and notes it.
    fn put(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        after: Value,
        way: &str,
    ) -> Result<()> {
        check_length(field, &after).map_err(|error| error.in_field(inside_of(way)))?;
        let before = message.get_field(&field.desc).into_owned();
        self.changed.push(Changed::new(
            way.to_owned(),
            json_value(self.types, field, &before, true)?,
            json_value(self.types, field, &after, true)?,
        ));
        message.set_field(&field.desc, after);
        Ok(())
    }

    /// A field that may hold something that is replaced.
    fn field(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        meaning: Meaning,
        way: &str,
    ) -> Result<()> {
        let before = message.get_field(&field.desc);
        // A peer of no address is none: only where a socket listens is that a choice.
        if meaning == Meaning::Address && &*field.name == "dst_addr" && is_unspecified(&before) {
            return Ok(());
        }
        match self.value(&before, meaning) {
            Some(after) => self.put(field, message, after, way),
            None => Ok(()),
        }
    }

    /// A path that is reached by a mount: the directory that moves may be mounted there.
    fn by_mount(
        &mut self,
        shape: &Shape,
        field: &Field,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        let mount = shape
            .field_named("mnt_id")
            .and_then(|field| present(message, field)?.as_i32())
            .and_then(|mount| u64::try_from(mount).ok());
        let (Some(mount), Some(Value::Bytes(path))) = (mount, present(message, field)) else {
            return Ok(());
        };
        // Names of sockets end with a zero.
        let (path, end) = match path.strip_suffix(b"\0") {
            Some(path) => (path, &b"\0"[..]),
            None => (&path[..], &b""[..]),
        };
        let replacer = &*self.replacer;
        let renamed = replacer
            .mounts
            .renamed_file(mount, path, &replacer.translations, replacer.paths())
            .map_err(|error| error.in_field(inside_of(way)))?;
        let Some((number, new)) = renamed else {
            return Ok(());
        };
        self.replacer.count(number);
        let new = [new.as_slice(), end].concat();
        self.put(field, message, Value::Bytes(new.into()), way)
    }

    /// The new value: that of the first replacement that is about it; of options of a mount, several may
    /// be.
    fn value(&mut self, value: &Value, meaning: Meaning) -> Option<Value> {
        let replacer = &mut *self.replacer;
        if meaning == Meaning::MountOptions {
            let mut new = None;
            let about = replacer.replacements.iter().zip(&mut replacer.found);
            for (replacement, found) in about.filter(|(r, _)| r.is_about(meaning)) {
                let value = new.as_ref().unwrap_or(value);
                if let Some(next) = replaced(replacement, value, meaning) {
                    *found += 1;
                    new = Some(next);
                }
            }
            if new.is_some() {
                return new;
            }
        }
        let about = replacer.replacements.iter().zip(&mut replacer.found);
        for (replacement, found) in about.filter(|(r, _)| r.is_about(meaning)) {
            if let Some(new) = replaced(replacement, value, meaning) {
                *found += 1;
                return Some(new);
            }
        }
        let about = replacer.replacements.iter().zip(&mut replacer.done);
        for (replacement, done) in about.filter(|(r, _)| r.is_about(meaning)) {
            *done += u64::from(is_made_by(replacement, value, meaning));
        }
        None
    }
}

/// Whether the words of an address are all zero.
fn is_unspecified(value: &Value) -> bool {
    let words = value.as_list().unwrap_or_default();
    words.iter().all(|word| word.as_u32() == Some(0))
}

/// The way in an entry, of a way in an image.
fn inside_of(way: &str) -> &str {
    way.split_once('.').map_or(way, |(_, inside)| inside)
}

/// Whether a value is what a replacement makes.
fn is_made_by(replacement: &Replacement, value: &Value, meaning: Meaning) -> bool {
    match (replacement.inverse(), replacement, value) {
        (Some(inverse), ..) => replaced(&inverse, value, meaning).is_some(),
        (None, Replacement::Hostname { new, .. }, Value::Bytes(bytes)) => new.as_bytes() == bytes,
        _ => false,
    }
}

/// A value with something replaced in it.
fn replaced(replacement: &Replacement, value: &Value, meaning: Meaning) -> Option<Value> {
    match value {
        Value::Bytes(bytes) => {
            let text = replacement.text(meaning, bytes)?;
            Some(Value::Bytes(text.into()))
        }
        Value::U32(number) => replacement.number(u64::from(*number)).map(Value::U32),
        Value::I32(number) => {
            let new = replacement.number(u64::try_from(*number).ok()?)?;
            i32::try_from(new).ok().map(Value::I32)
        }
        Value::List(list) if meaning == Meaning::Address => {
            let words: Option<Vec<u32>> = list.iter().map(Value::as_u32).collect();
            let words = replacement.address(&words?)?;
            Some(Value::List(words.into_iter().map(Value::U32).collect()))
        }
        Value::List(list) => {
            let mut any = false;
            let elements = list.iter().map(|element| {
                let new = replaced(replacement, element, meaning);
                any |= new.is_some();
                new.unwrap_or_else(|| element.clone())
            });
            let elements = elements.collect();
            any.then_some(Value::List(elements))
        }
        _ => None,
    }
}

/// A path has no more bytes than Linux takes.
fn check_length(field: &Field, value: &Value) -> Result<()> {
    /// `sun_path`, the name of a unix socket.
    const SOCKET: usize = 108;
    /// `PATH_MAX`.
    const PATH: usize = 4096;
    let most = if field.hints.unix_name { SOCKET } else { PATH };
    match value {
        Value::Bytes(bytes) if bytes.len() > most => {
            let what = format!("it would have {} bytes, more than {most}", bytes.len());
            Err(Error::new(ErrorKind::Value(what)))
        }
        _ => Ok(()),
    }
}
