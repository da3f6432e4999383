//! The schema: which messages there are, which magic stands for which, compiled when asked for.
//!
//! Nothing is compiled until an image needs it, and then only its message, with what that reaches:
//! `pstree.img` never pays for `core.proto`, and `inventory.img`, whose file imports it, only for
//! the one message in it that it uses.

mod bundled;
mod check;
mod checkout;
mod compile;
mod describe;
mod descriptor_set;
mod diff;
mod export;
mod folder;
mod handlers;
mod hints;
mod layout;
mod magics;
mod mapping;
mod plain;
mod reach;
mod source;
mod types;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;
use prost_reflect::DescriptorPool;

pub use check::Finding;
pub use describe::{Contents, EnumInfo, FieldInfo, KindInfo, MessageInfo};
pub use diff::{Change, diff};
pub use export::ExportedSet;
pub(crate) use hints::IntegerHint;
pub(crate) use layout::{FieldNumber, Layout, PayloadLayout, SizedBytes};
pub use mapping::Origin;
pub use types::MessageType;
pub(crate) use types::{EnumType, Field, FieldKind, Shape, Types};

use crate::descriptor::{ImageKind, ImageKinds, Names};
use crate::error::{Error, ErrorKind, Result};
use checkout::Checkout;
use descriptor_set::DescriptorSet;
use folder::Folders;
use mapping::Mapping;
use reach::Parsed;
use source::Source;

/// A schema: messages, and the image kinds whose magics lead to them.
///
/// Cheap to clone, and shared between threads. What it compiles it keeps.
///
/// ```
/// let schema = criu_images::Schema::bundled()?;
/// let kind = schema.kinds().by_magic(0x5027_3030).unwrap();
/// assert_eq!(kind.name, "PSTREE");
/// assert_eq!(schema.message("pstree_entry")?.name(), "pstree_entry");
/// # Ok::<(), criu_images::Error>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    source: Arc<dyn Source>,
    kinds: ImageKinds,
    mapping: Mapping,
    names: Names,
    /// The message that every image has, whatever its magic says.
    forced: Option<String>,
    parsed: Arc<Parsed>,
    messages: Mutex<HashMap<String, MessageType>>,
    layouts: Mutex<HashMap<String, Arc<Layout>>>,
}

/// Descriptors as the schema has them, and their plain twins.
struct Compiled {
    schema: DescriptorPool,
    plain: DescriptorPool,
}

impl Schema {
    /// The schema of CRIU 4.2, which is built in.
    ///
    /// # Errors
    ///
    /// None with the tables as they are; a mistake in them is named.
    pub fn bundled() -> Result<Schema> {
        static SCHEMA: OnceCell<Schema> = OnceCell::new();
        SCHEMA
            .get_or_try_init(|| Schema::with_bundled_rows(Arc::new(bundled::Bundled)))
            .cloned()
    }

    /// The schema of a CRIU checkout of any version, released or not.
    ///
    /// The messages come from its .proto files. Which magic stands for which message comes from its
    /// C sources, its Python table, and the built-in rows, in this order, as far as the messages
    /// exist. All of these are read as text; nothing of the checkout is run.
    ///
    /// # Errors
    ///
    /// The directory has no .proto files or no magics where a checkout has them. What is wrong in
    /// a .proto file is an error once an image needs it.
    pub fn from_checkout(root: impl AsRef<Path>) -> Result<Schema> {
        let checkout = Checkout::read(root.as_ref())?;
        let names = Names::bundled()?.clone();
        let source: Arc<dyn Source> = Arc::new(checkout.source);
        some_files(&source, root.as_ref())?;
        Ok(Schema::new(source, checkout.kinds, checkout.mapping, names))
    }

    /// The schema of a directory of .proto files, with the built-in image kinds.
    ///
    /// # Errors
    ///
    /// The directory can't be read, or has no .proto files.
    pub fn from_dir(root: impl AsRef<Path>) -> Result<Schema> {
        let root = root.as_ref();
        let description = format!("the .proto files in {}", root.display());
        let source: Arc<dyn Source> = Arc::new(Folders::new(description, vec![root.to_owned()]));
        some_files(&source, root)?;
        Schema::with_bundled_rows(source)
    }

    /// The schema in a directory: of a checkout when it looks like one, or else of its .proto files.
    ///
    /// # Errors
    ///
    /// As [`Schema::from_checkout`] and [`Schema::from_dir`].
    pub fn open(root: impl AsRef<Path>) -> Result<Schema> {
        if checkout::is_checkout(root.as_ref()) {
            Schema::from_checkout(root)
        } else {
            Schema::from_dir(root)
        }
    }

    /// The schema in an encoded `FileDescriptorSet`, as protoc, buf and `crit schema export` write
    /// it, with the built-in image kinds.
    ///
    /// # Errors
    ///
    /// The bytes are no such set.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Schema> {
        Schema::with_bundled_rows(Arc::new(DescriptorSet::parse(bytes)?))
    }

    /// The same schema with more image kinds: a table of the form of `descriptors/images.json`,
    /// whose rows are laid over those that are there.
    ///
    /// # Errors
    ///
    /// The table is not JSON, or a row is wrong, or does not fit the schema: it is named.
    pub fn with_rows(&self, table: &str) -> Result<Schema> {
        let mut kinds = self.0.kinds.clone();
        let mut mapping = self.0.mapping.clone();
        let rows: Vec<_> = ImageKinds::rows(table)?.into_iter().map(Arc::new).collect();
        for row in &rows {
            let candidates = row.entry.iter().map(|entry| (entry.clone(), Origin::Row));
            mapping.set(&row.name, candidates.collect());
            kinds.lay_over(Arc::clone(row));
        }
        let schema = self.derive(kinds, mapping, None);
        for row in rows.iter().filter(|row| row.entry.is_some()) {
            schema.layout(row)?;
        }
        match &self.0.forced {
            Some(message) => schema.with_message(message),
            None => Ok(schema),
        }
    }

    /// The same schema, in which the images of every magic, also of an unknown one, are entries of
    /// this message.
    ///
    /// # Errors
    ///
    /// The schema has no such message.
    pub fn with_message(&self, message: &str) -> Result<Schema> {
        if let Err(error) = self.message(message) {
            let names = self.contents().map(|contents| contents.messages);
            let names = names.unwrap_or_default();
            return Err(error.did_you_mean(message, names.keys().map(String::as_str)));
        }
        let forced = Some(message.to_owned());
        Ok(self.derive(self.0.kinds.clone(), self.0.mapping.clone(), forced))
    }

    fn with_bundled_rows(source: Arc<dyn Source>) -> Result<Schema> {
        let kinds = ImageKinds::bundled()?.clone();
        let mapping = Mapping::of_rows(&kinds);
        Ok(Schema::new(
            source,
            kinds,
            mapping,
            Names::bundled()?.clone(),
        ))
    }

    fn new(source: Arc<dyn Source>, kinds: ImageKinds, mapping: Mapping, names: Names) -> Self {
        Schema(Arc::new(Inner {
            source,
            kinds,
            mapping,
            names,
            forced: None,
            parsed: Arc::default(),
            messages: Mutex::default(),
            layouts: Mutex::default(),
        }))
    }

    /// A schema of the same messages. What is compiled already is kept.
    fn derive(&self, kinds: ImageKinds, mapping: Mapping, forced: Option<String>) -> Self {
        Schema(Arc::new(Inner {
            source: Arc::clone(&self.0.source),
            kinds,
            mapping,
            names: self.0.names.clone(),
            forced,
            parsed: Arc::clone(&self.0.parsed),
            messages: Mutex::new(lock(&self.0.messages).clone()),
            layouts: Mutex::default(),
        }))
    }

    /// What the schema was read from, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        self.0.source.describe()
    }

    /// The image kinds of this schema.
    #[must_use]
    pub fn kinds(&self) -> &ImageKinds {
        &self.0.kinds
    }

    /// The names of flags and values in this schema.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.0.names
    }

    /// The image kind of this name, such as `PSTREE`; an unknown magic in the form `0x1234abcd` when
    /// a message is forced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownKind`], with the nearest name as a hint.
    pub fn kind(&self, name: &str) -> Result<Arc<ImageKind>> {
        if let Some(kind) = self.0.kinds.by_name(name) {
            return Ok(Arc::clone(kind));
        }
        let magic = name.strip_prefix("0x").filter(|digits| digits.len() == 8);
        if let (Some(_), Some(Ok(magic))) = (
            &self.0.forced,
            magic.map(|digits| u32::from_str_radix(digits, 16)),
        ) {
            return Ok(Arc::new(unknown_kind(magic)));
        }
        let known = self.0.kinds.iter().map(|kind| kind.name.as_str());
        let error = Error::new(ErrorKind::UnknownKind(name.to_owned())).did_you_mean(name, known);
        Err(error.with_hint(if magic.is_some() {
            "--message NAME says which message its entries are"
        } else {
            "--schema-dir takes the magics of another CRIU"
        }))
    }

    /// The image kind with this magic word.
    pub(crate) fn kind_of_magic(&self, magic: u32) -> Option<Arc<ImageKind>> {
        match (self.0.kinds.by_magic(magic), &self.0.forced) {
            (Some(kind), _) => Some(Arc::clone(kind)),
            (None, Some(_)) => Some(Arc::new(unknown_kind(magic))),
            (None, None) => None,
        }
    }

    /// The message of an image kind, and who says so; `None` when no message is known for it.
    ///
    /// # Errors
    ///
    /// The file that declares the message can't be compiled.
    pub fn message_of(&self, kind: &ImageKind) -> Result<Option<(MessageType, Origin)>> {
        if let Some(forced) = &self.0.forced {
            return Ok(Some((self.message(forced)?, Origin::Forced)));
        }
        for (message, origin) in self.0.mapping.candidates(kind) {
            match self.message(message) {
                Ok(found) => return Ok(Some((found, *origin))),
                Err(error) if matches!(error.kind(), ErrorKind::UnknownMessage(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The error for an image kind without a message: candidates, and what to do.
    fn no_message(&self, kind: &ImageKind) -> Error {
        let lower = kind.name.to_lowercase();
        let stem = lower.split('_').next().unwrap_or(&lower);
        let mut near: Vec<String> = Vec::new();
        for name in self.0.source.names().unwrap_or_default() {
            if let Ok(Some(file)) = self.0.source.file(&name) {
                let declared = file.declared().into_iter();
                near.extend(declared.filter(|m| m.contains(stem)).map(str::to_owned));
            }
        }
        near.truncate(5);
        let tried = self.0.mapping.candidates(kind);
        let tried: Vec<&str> = tried.iter().map(|(name, _)| name.as_str()).collect();
        let what = if tried.is_empty() {
            format!("no message is known for the magic {}", kind.name)
        } else {
            format!(
                "the schema has no {} for the magic {}",
                tried.join(" or "),
                kind.name
            )
        };
        let hint = if near.is_empty() {
            "--message NAME says which message its entries are".to_owned()
        } else {
            format!(
                "--message NAME says which message its entries are; perhaps {}",
                near.join(", ")
            )
        };
        Error::new(ErrorKind::NoMessage(what)).with_hint(hint)
    }

    /// The message of this name, with its package or without; of several, the first one by file name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownMessage`] when no file declares it, [`ErrorKind::Schema`] when the file
    /// that does can't be compiled.
    pub fn message(&self, name: &str) -> Result<MessageType> {
        if let Some(known) = lock(&self.0.messages).get(name) {
            return Ok(known.clone());
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        // A file that can't be read or compiled matters only when no other has the message.
        let mut failure = None;
        for file in source::likely_first(self.0.source.names()?, last) {
            match self.message_in(&file, name, last) {
                // Of two threads that come here at once, both go on with the first one's type.
                Ok(Some(message)) => {
                    let mut messages = lock(&self.0.messages);
                    return Ok(messages.entry(name.to_owned()).or_insert(message).clone());
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| {
            Error::new(ErrorKind::UnknownMessage(name.to_owned()))
                .with_hint("--schema-dir takes the schema of another CRIU")
        }))
    }

    /// The message of this name, if this file declares it.
    fn message_in(&self, file: &str, name: &str, last: &str) -> Result<Option<MessageType>> {
        let text = self.0.source.file(file)?;
        if !text.is_some_and(|text| text.mentions(last)) {
            return Ok(None);
        }
        let compiled = self.compile(file, Some(last))?;
        let declared = compiled.schema.get_file_by_name(file);
        let message = declared.and_then(|file| {
            file.messages()
                .find(|m| m.full_name() == name || m.name() == name)
        });
        message
            .map(|message| types::message_type(&message, &compiled.plain, &self.0.names))
            .transpose()
    }

    /// Compiles what one message of a file needs, or the whole file.
    fn compile(&self, file: &str, message: Option<&str>) -> Result<Compiled> {
        let schema = compile::compile(&self.0.source, &self.0.parsed, file, message)?;
        let root = schema.get_file_by_name(file).ok_or_else(|| {
            Error::new(ErrorKind::Schema(format!(
                "{file}: not found after compiling it"
            )))
        })?;
        let plain = plain::plain_pool(&root)?;
        Ok(Compiled { schema, plain })
    }

    /// The kind with its messages found.
    pub(crate) fn layout(&self, kind: &Arc<ImageKind>) -> Result<Arc<Layout>> {
        if let Some(known) = lock(&self.0.layouts).get(&kind.name) {
            return Ok(Arc::clone(known));
        }
        let layout = Arc::new(Layout::resolve(self, kind)?);
        let mut known = lock(&self.0.layouts);
        Ok(Arc::clone(known.entry(kind.name.clone()).or_insert(layout)))
    }

    /// The layout of a file that is a single message.
    pub(crate) fn bare_layout(&self, message: &str) -> Result<Arc<Layout>> {
        Ok(Arc::new(Layout::bare(self.message(message)?)))
    }

    /// Compiles every message that an image kind names, and checks that the payload fields of each
    /// row exist.
    ///
    /// # Errors
    ///
    /// The first row that does not fit, by name, or the first file that does not compile.
    pub fn check(&self) -> Result<()> {
        for kind in self.0.kinds.iter().filter(|kind| kind.entry.is_some()) {
            self.layout(kind)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0.source.describe())
    }
}

/// The bytes of a descriptor set in a file.
#[cfg(feature = "cli")]
pub(crate) fn read_set(path: &Path) -> Result<Vec<u8>> {
    folder::read_bytes(path, crate::limits::DESCRIPTOR_SET)?.ok_or_else(|| {
        let what = "not a regular file".to_owned();
        Error::new(ErrorKind::Schema(what)).in_file(path.display().to_string())
    })
}

/// A directory without any .proto file is a mistake in its name.
fn some_files(source: &Arc<dyn Source>, root: &Path) -> Result<()> {
    if !source.names()?.is_empty() {
        return Ok(());
    }
    let what = "no .proto file in this directory".to_owned();
    Err(Error::new(ErrorKind::Schema(what)).in_file(root.display().to_string()))
}

/// The kind of a magic that nothing knows.
fn unknown_kind(magic: u32) -> ImageKind {
    ImageKind::plain(&format!("0x{magic:08x}"), magic)
}

/// A poisoned cache is still a cache: what is in it was complete when it was put there.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_rows(kinds: ImageKinds) -> Schema {
        let mapping = Mapping::of_rows(&kinds);
        Schema::new(Arc::new(bundled::Bundled), kinds, mapping, Names::default())
    }

    #[test]
    fn every_row_of_the_table_fits_the_bundled_schema() {
        Schema::bundled().unwrap().check().unwrap();
    }

    /// The files and messages that an image kind is compiled with.
    fn compiled_for(kind: &str) -> Vec<(String, Vec<String>)> {
        let schema = Schema::bundled().unwrap();
        let layout = schema.layout(&schema.kind(kind).unwrap()).unwrap();
        let pool = layout.entry.shape().schema.parent_pool().clone();
        let names = |file: prost_reflect::FileDescriptor| {
            let messages = file.messages().map(|m| m.name().to_owned());
            (file.name().to_owned(), messages.collect())
        };
        pool.files().map(names).collect()
    }

    #[test]
    fn only_the_messages_that_an_image_needs_are_compiled() {
        let part = |file: &str, messages: &[&str]| {
            let messages: Vec<String> = messages.iter().map(|&m| m.to_owned()).collect();
            (file.to_owned(), messages)
        };
        let pstree = part("pstree.proto", &["pstree_entry"]);
        assert_eq!(compiled_for("PSTREE"), [pstree]);
        // Its file imports core.proto, and by that the registers of all architectures.
        let ids = part("core.proto", &["task_kobj_ids_entry"]);
        let inventory = part("inventory.proto", &["plugins_entry", "inventory_entry"]);
        assert_eq!(compiled_for("INVENTORY"), [ids, inventory]);
    }

    #[test]
    fn a_row_whose_message_or_field_is_missing_is_named() {
        let row = r#"{"images": [{"name": "NEW", "magic": "0x1", "family": "common", "files": [],
            "entry": "pipe_data_entry", "payload": {"kind": "bytes", "size": ["lenght"]}}]}"#;
        let kinds = ImageKinds::parse(row).unwrap();
        let schema = of_rows(kinds);
        assert_eq!(
            schema.check().unwrap_err().to_string(),
            "descriptor table: row `NEW`: pipe_data_entry has no integer field `lenght`"
        );
        let row = row.replace("pipe_data_entry", "pipe_date_entry");
        let kinds = ImageKinds::parse(&row).unwrap();
        let schema = of_rows(kinds);
        assert_eq!(
            schema.check().unwrap_err().to_string(),
            "the schema has no pipe_date_entry for the magic NEW"
        );
    }

    #[test]
    fn an_unknown_kind_names_the_nearest_known_one() {
        let error = Schema::bundled().unwrap().kind("PSTRE").unwrap_err();
        assert_eq!(error.hint(), Some("did you mean `PSTREE`?"));
    }
}
