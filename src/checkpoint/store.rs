//! Where a checkpoint's files are: what a directory and an archive have in common.

use std::io::Read;
use std::sync::Arc;

use super::member::{Member, MemberKind, RandomAccess};
use crate::error::{Result, Warning};
use crate::text::Text;

/// A directory or an archive. Names are those of [`Member::name`].
pub(super) trait Store: Send + Sync {
    /// Everything in it.
    fn members(&self) -> Result<Vec<Member>>;

    /// What stands in a folder, not what is below that: by whole names, each once, in no
    /// order.
    fn names(&self, folder: &str) -> Result<Vec<(Text, MemberKind)>>;

    /// The member of this name.
    fn find(&self, name: &str) -> Result<Option<Member>>;

    /// The content of a file, from its beginning; `None` when there is no file of this name.
    fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>>;

    /// The content of a file, in any order; `None` when there is no file of this name.
    fn random(&self, name: &str) -> Result<Option<RandomAccess>>;

    /// The directory that the link or directory `parent` in `base` leads to: its base, when it is in
    /// this store, or another store. `None` when there is no such link.
    fn parent(&self, base: &str) -> Result<Option<ParentLink>>;

    /// How errors name a file.
    fn label(&self, name: &str) -> String;

    /// What tells this directory from others, to notice a chain of parents that loops.
    fn identity(&self, base: &str) -> String;

    /// Device and inode number of a file, or of the archive that all are in.
    fn place(&self, name: &str) -> Option<(u64, u64)>;

    /// Whether it is an archive.
    fn is_archive(&self) -> bool {
        false
    }

    /// What was odd about it when it was opened.
    fn warnings(&self) -> &[Warning] {
        &[]
    }

    /// What could not be found in it, because it ends too early.
    fn losses(&self) -> &[Warning] {
        &[]
    }
}

/// Where a `parent` link leads.
pub(super) enum ParentLink {
    /// To a directory of the same archive.
    Inside(String),
    /// To another store.
    Elsewhere(Arc<dyn Store>),
    /// Nowhere: to this target.
    Dangling(String),
}
