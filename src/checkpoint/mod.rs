//! A whole checkpoint: a directory of images, or a container engine's archive, as one thing.
//!
//! `criu dump` writes a directory. Container engines put it, under `checkpoint/`, into a tar archive
//! with what they need to start the container again (`config.dump`, `spec.dump`, ...). Both are read
//! through the same names; nothing is looked at before it is asked for, except an archive's headers.

mod archive;
mod auxv;
mod container;
mod folder;
mod gaps;
mod images;
mod listing;
mod member;
mod stats;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use once_cell::sync::OnceCell;

pub use container::{Container, Engine, Network, Sizes, SpecMount};
pub use listing::Listed;
pub use member::{Member, MemberKind, RandomAccess};
pub use stats::{DumpStats, RestoreStats, Stats};

use crate::error::{Error, ErrorKind, Result, Warning};
use crate::image::{Entry, Image, ImageReader};
use crate::limits::PARENTS;
use crate::message::Sift;
use crate::schema::Schema;
use archive::Archive;
use auxv::AT_PAGESZ;
pub(crate) use auxv::auxv_pairs;
use folder::Folder;
use store::{ParentLink, Store};

/// The reader of an image in a checkpoint.
pub type MemberReader = ImageReader<Box<dyn Read + Send>>;

/// A checkpoint: a directory of images, or a container engine's archive of one.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::Checkpoint;
///
/// let dump = Checkpoint::open("tests/images/predump/3")?;
/// let stats = dump.stats()?.dump.unwrap();
/// assert_eq!(stats.pages_written, 18);
/// assert_eq!(stats.pages_skipped_parent, 58);
/// let before = dump.parent()?.unwrap();
/// assert!(before.image("pstree.img")?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Checkpoint {
    schema: Schema,
    store: Arc<dyn Store>,
    /// The name of the directory of images inside the store, with a `/` behind, or nothing.
    base: String,
    name: String,
    /// The checkpoints that have this one for a parent, to notice a loop.
    children: Vec<String>,
    parent: OnceCell<Option<Box<Checkpoint>>>,
    first: Mutex<HashMap<String, Option<Arc<Entry>>>>,
    whole: Mutex<HashMap<String, Option<Arc<Image>>>>,
    page_size: OnceCell<u64>,
}

impl Checkpoint {
    /// Opens a directory or an archive, with the built-in schema.
    ///
    /// A directory is one that `criu dump` wrote, or one with `checkpoint/` in it, as an unpacked
    /// archive has. An archive is a tar file, plain or packed by gzip or zstd.
    ///
    /// # Errors
    ///
    /// It can't be read, or is neither; an archive is malformed from its first header on.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(&Schema::bundled()?, path)
    }

    /// The same, with another schema.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`].
    pub fn open_with(schema: &Schema, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|e| Error::from(e).in_file(&name))?;
        let store: Arc<dyn Store> = if metadata.is_dir() {
            Arc::new(Folder::open(path)?)
        } else if metadata.is_file() {
            Arc::new(Archive::open(path)?)
        } else {
            let what = "neither a directory nor a regular file".to_owned();
            return Err(Error::new(ErrorKind::NotACheckpoint(what)).in_file(name));
        };
        let base = base(&*store)?;
        Ok(Self::at(schema, store, base, name, Vec::new()))
    }

    fn at(
        schema: &Schema,
        store: Arc<dyn Store>,
        base: String,
        name: String,
        children: Vec<String>,
    ) -> Self {
        Checkpoint {
            schema: schema.clone(),
            store,
            base,
            name,
            children,
            parent: OnceCell::new(),
            first: Mutex::default(),
            whole: Mutex::default(),
            page_size: OnceCell::new(),
        }
    }

    /// The path that it was opened by; of a parent, that path with the way to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema that its images are read with.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Where the images are inside the directory or archive, such as `checkpoint/`; empty when they
    /// are at its top.
    #[must_use]
    pub fn images_folder(&self) -> &str {
        &self.base
    }

    /// What was odd about the archive: a name that leads out of it, a member that stands twice, ...
    /// What is missing of it is among its [`Checkpoint::losses`].
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        self.store.warnings()
    }

    /// Everything in the directory or archive, by name; directories after what stands above them. Of a
    /// directory below that can't be looked into, only itself is there, as [`MemberKind::Unreadable`].
    ///
    /// # Errors
    ///
    /// The directory can't be read, or has more than [`crate::limits::MEMBERS`] files.
    pub fn members(&self) -> Result<Vec<Member>> {
        self.store.members()
    }

    /// The files beside each other in the folder of images, by name, without the folder's.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn image_names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (name, kind) in self.store.names(&self.base)? {
            let Some(name) = name.as_str().and_then(|name| name.strip_prefix(&self.base)) else {
                continue;
            };
            if self.is_readable(name, &kind) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether a member of the folder of images is a file, or leads to one.
    fn is_readable(&self, name: &str, kind: &MemberKind) -> bool {
        match kind {
            MemberKind::File => true,
            // What CRIU opens through a link is an image as well. Where it can't be known, who reads it is
            // told why.
            MemberKind::Link(_) => self.size(name).map_or(true, |size| size.is_some()),
            _ => false,
        }
    }

    /// The files among the images whose names are those of images: not what editors and people put
    /// beside them (`core-1.img.bak`), nor logs.
    pub(crate) fn images(&self) -> Result<Vec<String>> {
        let mut names = self.image_names()?;
        names.retain(|name| self.is_image_name(name));
        Ok(names)
    }

    /// Whether it is in an archive.
    pub(crate) fn is_archive(&self) -> bool {
        self.store.is_archive()
    }

    /// How errors name an image.
    pub(crate) fn label(&self, name: &str) -> String {
        self.store.label(&format!("{}{name}", self.base))
    }

    /// The size of a file among the images, in bytes; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        let found = self.store.find(&format!("{}{name}", self.base))?;
        Ok(found.filter(Member::is_file).map(|member| member.size))
    }

    /// When a file among the images was last changed, as [`Member::modified`] has it.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn modified(&self, name: &str) -> Result<Option<SystemTime>> {
        let found = self.store.find(&format!("{}{name}", self.base))?;
        Ok(found.and_then(|member| member.modified))
    }

    /// The bytes of a file among the images; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub fn read(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.store.open(&format!("{}{name}", self.base))
    }

    /// The bytes of a file among the images that was there a moment ago.
    pub(crate) fn read_again(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        self.read(name)?.ok_or_else(|| {
            let what = "it is gone".to_owned();
            Error::new(ErrorKind::NotACheckpoint(what)).in_file(self.label(name))
        })
    }

    /// The bytes of any file, by its whole name inside the directory or archive.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub fn read_member(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.store.open(name)
    }

    /// The bytes of a file among the images, in any order. In a packed archive it is unpacked to a
    /// temporary file without a name for that.
    ///
    /// # Errors
    ///
    /// The file can't be read, or not unpacked.
    pub fn random_access(&self, name: &str) -> Result<Option<RandomAccess>> {
        self.store.random(&format!("{}{name}", self.base))
    }

    /// The pre-dump that this dump refers to for pages that did not change since; `None` when it
    /// refers to none.
    ///
    /// # Errors
    ///
    /// The link `parent` leads nowhere, or back to where it came from.
    pub fn parent(&self) -> Result<Option<&Checkpoint>> {
        let parent = self.parent.get_or_try_init(|| self.find_parent())?;
        Ok(parent.as_deref())
    }

    fn find_parent(&self) -> Result<Option<Box<Checkpoint>>> {
        let Some(link) = self.store.parent(&self.base)? else {
            return Ok(None);
        };
        let label = self.label("parent");
        let (store, base): (Arc<dyn Store>, String) = match link {
            ParentLink::Inside(base) => (Arc::clone(&self.store), base),
            ParentLink::Elsewhere(store) => (store, String::new()),
            ParentLink::Dangling(target) => {
                let what = format!("the parent `{target}` is not there");
                let error = Error::new(ErrorKind::NotACheckpoint(what)).in_file(label);
                return Err(
                    error.with_hint("pages that did not change since a pre-dump are only in it")
                );
            }
        };
        let mut children = self.children.clone();
        children.push(self.store.identity(&self.base));
        if children.contains(&store.identity(&base)) || children.len() >= PARENTS {
            let what = "the chain of parents leads back to itself, or is too long".to_owned();
            return Err(Error::new(ErrorKind::NotACheckpoint(what)).in_file(label));
        }
        Ok(Some(Box::new(Self::at(
            &self.schema,
            store,
            base,
            label,
            children,
        ))))
    }

    /// The size of a page of the machine that was dumped, in bytes: what the tasks were told
    /// (`AT_PAGESZ` of the auxiliary vector in an mm image); 4096 when nothing says.
    pub fn page_size(&self) -> u64 {
        *self
            .page_size
            .get_or_init(|| self.find_page_size().unwrap_or(4096))
    }

    fn find_page_size(&self) -> Option<u64> {
        let names = self.image_names().ok()?;
        let mm = names
            .iter()
            .filter(|name| name.starts_with("mm-") && name.ends_with(".img"));
        for name in mm.take(8) {
            let nothing = Sift {
                list: "vmas",
                fields: &[],
                beside: &["mm_saved_auxv"],
                each: &mut |_| Ok(()),
            };
            let Ok(Some(entry)) = self.sift_first(name, nothing) else {
                continue;
            };
            let mut vector = auxv_pairs(&entry.record().numbers("mm_saved_auxv")).into_iter();
            let size = vector
                .find(|(key, _)| *key == AT_PAGESZ)
                .map(|(_, size)| size);
            if let Some(size) = size.filter(|s| s.is_power_of_two() && (4096..=65536).contains(s)) {
                return Some(size);
            }
        }
        None
    }

    /// A small text file of the engine's, by its whole name.
    fn small_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(content) = self.store.open(name)? else {
            return Ok(None);
        };
        let located = |error: io::Error| Error::from(error).in_file(self.store.label(name));
        let mut bytes = Vec::new();
        content
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(located)?;
        if bytes.len() as u64 > limit {
            let what = format!("longer than {limit} bytes");
            return Err(Error::new(ErrorKind::Limit(what)).in_file(self.store.label(name)));
        }
        Ok(Some(bytes))
    }
}

/// Where the images are: at the top, or in `checkpoint/`.
fn base(store: &dyn Store) -> Result<String> {
    let is_directory = |name: &str| -> Result<bool> {
        let found = store.find(name)?;
        Ok(found.is_some_and(|member| member.kind == MemberKind::Directory))
    };
    for name in ["inventory.img", "pstree.img"] {
        if store.find(name)?.is_some() {
            return Ok(String::new());
        }
    }
    // Podman's archive of a pre-dump has no other folder of images.
    for folder in ["checkpoint", "pre-checkpoint"] {
        if is_directory(folder)? {
            return Ok(format!("{folder}/"));
        }
    }
    Ok(String::new())
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("name", &self.name)
            .field("images", &self.base)
            .finish_non_exhaustive()
    }
}

/// A poisoned cache is still a cache: what is in it was complete when it was put there.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
