//! The schema: which messages there are, which magic stands for which, compiled when asked for.
//!
//! Nothing is compiled until an image needs it, and then only the .proto file that declares its
//! message, with what that imports: `pstree.img` never pays for `core.proto`.

mod bundled;
mod compile;
mod hints;
mod layout;
mod plain;
mod source;
mod types;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;
use prost_reflect::DescriptorPool;

pub(crate) use hints::IntegerHint;
pub(crate) use layout::{FieldNumber, Layout, PayloadLayout, SizedBytes};
pub use types::MessageType;
pub(crate) use types::{EnumType, Field, FieldKind, Shape, Types};

use crate::descriptor::{ImageKind, ImageKinds, Names};
use crate::error::{Error, ErrorKind, Result};
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
    names: Names,
    compiled: Mutex<HashMap<String, Compiled>>,
    messages: Mutex<HashMap<String, MessageType>>,
    layouts: Mutex<HashMap<String, Arc<Layout>>>,
}

/// A .proto file with its imports: as the schema has it, and its plain twin.
#[derive(Clone)]
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
            .get_or_try_init(|| {
                let kinds = ImageKinds::bundled()?.clone();
                Ok(Schema::new(
                    Arc::new(bundled::Bundled),
                    kinds,
                    Names::bundled()?.clone(),
                ))
            })
            .cloned()
    }

    fn new(source: Arc<dyn Source>, kinds: ImageKinds, names: Names) -> Self {
        Schema(Arc::new(Inner {
            source,
            kinds,
            names,
            compiled: Mutex::default(),
            messages: Mutex::default(),
            layouts: Mutex::default(),
        }))
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

    /// The image kind of this name, such as `PSTREE`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownKind`], with the nearest name as a hint.
    pub fn kind(&self, name: &str) -> Result<Arc<ImageKind>> {
        self.0.kinds.by_name(name).cloned().ok_or_else(|| {
            let known = self.0.kinds.iter().map(|kind| kind.name.as_str());
            Error::new(ErrorKind::UnknownKind(name.to_owned())).did_you_mean(name, known)
        })
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
        for file in source::likely_first(self.0.source.names()?, last) {
            let text = self.0.source.text(&file)?;
            if !text.is_some_and(|text| source::mentions(&text, last)) {
                continue;
            }
            let compiled = self.compile(&file)?;
            let found = compiled.schema.get_file_by_name(&file).and_then(|file| {
                file.messages()
                    .find(|m| m.full_name() == name || m.name() == name)
            });
            if let Some(message) = found {
                let message = types::message_type(&message, &compiled.plain, &self.0.names)?;
                // Of two threads that come here at once, both go on with the first one's type.
                let mut messages = lock(&self.0.messages);
                return Ok(messages.entry(name.to_owned()).or_insert(message).clone());
            }
        }
        Err(Error::new(ErrorKind::UnknownMessage(name.to_owned())))
    }

    fn compile(&self, file: &str) -> Result<Compiled> {
        if let Some(known) = lock(&self.0.compiled).get(file) {
            return Ok(known.clone());
        }
        let schema = compile::compile(&self.0.source, file)?;
        let root = schema.get_file_by_name(file).ok_or_else(|| {
            Error::new(ErrorKind::Schema(format!(
                "{file}: not found after compiling it"
            )))
        })?;
        let plain = plain::plain_pool(&root)?;
        let compiled = Compiled { schema, plain };
        let mut known = lock(&self.0.compiled);
        Ok(known.entry(file.to_owned()).or_insert(compiled).clone())
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

/// A poisoned cache is still a cache: what is in it was complete when it was put there.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_fits_the_bundled_schema() {
        Schema::bundled().unwrap().check().unwrap();
    }

    #[test]
    fn only_the_files_that_an_image_needs_are_compiled() {
        let kinds = ImageKinds::bundled().unwrap().clone();
        let schema = Schema::new(Arc::new(bundled::Bundled), kinds, Names::default());
        schema.layout(&schema.kind("PSTREE").unwrap()).unwrap();
        let compiled = lock(&schema.0.compiled);
        let files: Vec<_> = compiled.values().flat_map(|c| c.schema.files()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].name(), "pstree.proto");
    }

    #[test]
    fn a_row_whose_message_or_field_is_missing_is_named() {
        let row = r#"{"images": [{"name": "NEW", "magic": "0x1", "family": "common", "files": [],
            "entry": "pipe_data_entry", "payload": {"kind": "bytes", "size": ["lenght"]}}]}"#;
        let kinds = ImageKinds::parse(row).unwrap();
        let schema = Schema::new(Arc::new(bundled::Bundled), kinds, Names::default());
        assert_eq!(
            schema.check().unwrap_err().to_string(),
            "descriptor table: row `NEW`: pipe_data_entry has no integer field `lenght`"
        );
        let row = row.replace("pipe_data_entry", "pipe_date_entry");
        let kinds = ImageKinds::parse(&row).unwrap();
        let schema = Schema::new(Arc::new(bundled::Bundled), kinds, Names::default());
        assert_eq!(
            schema.check().unwrap_err().to_string(),
            "descriptor table: row `NEW`: the schema has no message `pipe_date_entry`"
        );
    }

    #[test]
    fn an_unknown_kind_names_the_nearest_known_one() {
        let error = Schema::bundled().unwrap().kind("PSTRE").unwrap_err();
        assert_eq!(error.hint(), Some("did you mean `PSTREE`?"));
    }
}
