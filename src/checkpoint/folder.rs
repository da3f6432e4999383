//! A checkpoint in a directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::member::{Member, MemberKind, RandomAccess};
use super::store::{ParentLink, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{MEMBER_DEPTH, MEMBERS};
use crate::text::Text;

pub(super) struct Folder {
    /// The directory by the path that errors show.
    root: PathBuf,
    /// The same with links resolved, where it is a parent: the kernel does not follow the links of a
    /// long chain at once.
    resolved: PathBuf,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let named = |error: io::Error| Error::from(error).in_file(root.display().to_string());
        if !fs::metadata(root).map_err(named)?.is_dir() {
            return Err(named(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Folder {
            root: root.to_owned(),
            resolved: root.to_owned(),
        })
    }

    /// The path of a name; `None` when the name would lead out of the directory.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let name = Path::new(name);
        let inside = name
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        inside.then(|| self.resolved.join(name))
    }

    fn metadata(&self, name: &str) -> Result<Option<(PathBuf, fs::Metadata)>> {
        let Some(path) = self.path(name) else {
            return Ok(None);
        };
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some((path, metadata))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(Error::from(error).in_file(self.label(name))),
        }
    }

    fn file(&self, name: &str) -> Result<Option<(File, u64)>> {
        // A FIFO or a device among the images would be waited for, or never end.
        let Some((path, metadata)) = self.metadata(name)?.filter(|(_, m)| m.is_file()) else {
            return Ok(None);
        };
        let file = File::open(path).map_err(|e| Error::from(e).in_file(self.label(name)))?;
        Ok(Some((file, metadata.len())))
    }

    fn walk(
        &self,
        folder: &Path,
        prefix: &[u8],
        depth: usize,
        found: &mut Vec<Member>,
    ) -> Result<()> {
        let located = |error: io::Error| Error::from(error).in_file(folder.display().to_string());
        for entry in fs::read_dir(folder).map_err(located)? {
            let entry = entry.map_err(located)?;
            let mut name = prefix.to_vec();
            name.extend_from_slice(entry.file_name().as_bytes());
            let metadata = match entry.metadata() {
                // It went away since its name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(located)?,
            };
            let kind = kind_of(&entry.path(), metadata.file_type());
            if found.len() >= MEMBERS {
                let what = format!("more than {MEMBERS} files");
                return Err(Error::new(ErrorKind::Limit(what)).in_file(self.label("")));
            }
            let inner = (kind == MemberKind::Directory && depth < MEMBER_DEPTH).then(|| {
                let mut inner = name.clone();
                inner.push(b'/');
                inner
            });
            let size = if metadata.is_file() {
                metadata.len()
            } else {
                0
            };
            found.push(Member {
                name: name.into(),
                size,
                kind,
                modified: metadata.modified().ok(),
            });
            if let Some(inner) = inner {
                let at = found.len() - 1;
                match self.walk(&entry.path(), &inner, depth + 1, found) {
                    Err(error) if !matches!(error.kind(), ErrorKind::Limit(_)) => {
                        if let Some(member) = found.get_mut(at) {
                            member.kind = MemberKind::Unreadable(error.kind().to_string());
                        }
                    }
                    walked => walked?,
                }
            }
        }
        Ok(())
    }
}

fn kind_of(path: &Path, kind: fs::FileType) -> MemberKind {
    if kind.is_dir() {
        MemberKind::Directory
    } else if kind.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        MemberKind::Link(Text::from(target.as_os_str().as_bytes()))
    } else if kind.is_file() {
        MemberKind::File
    } else {
        MemberKind::Special
    }
}

/// Not there, or there is no way to it: its links lead nowhere, or back to themselves.
fn is_absence(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
        )
}

impl Store for Folder {
    fn members(&self) -> Result<Vec<Member>> {
        let mut found = Vec::new();
        self.walk(&self.resolved, b"", 0, &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn names(&self, folder: &str) -> Result<Vec<(Text, MemberKind)>> {
        let located = |error: io::Error| Error::from(error).in_file(self.label(folder));
        let mut found = Vec::new();
        for entry in fs::read_dir(self.resolved.join(folder)).map_err(located)? {
            let entry = entry.map_err(located)?;
            if found.len() >= MEMBERS {
                let what = format!("more than {MEMBERS} files");
                return Err(Error::new(ErrorKind::Limit(what)).in_file(self.label(folder)));
            }
            let mut name = folder.as_bytes().to_vec();
            name.extend_from_slice(entry.file_name().as_bytes());
            let kind = entry.file_type().map_err(located)?;
            found.push((name.into(), kind_of(&entry.path(), kind)));
        }
        Ok(found)
    }

    fn find(&self, name: &str) -> Result<Option<Member>> {
        Ok(self.metadata(name)?.map(|(_, metadata)| Member {
            name: name.into(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            kind: if metadata.is_file() {
                MemberKind::File
            } else if metadata.is_dir() {
                MemberKind::Directory
            } else {
                MemberKind::Special
            },
        }))
    }

    fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>> {
        Ok(self.file(name)?.map(|(file, _)| Box::new(file) as _))
    }

    fn random(&self, name: &str) -> Result<Option<RandomAccess>> {
        let file = self.file(name)?;
        Ok(file.map(|(file, length)| RandomAccess::new(Arc::new(file), 0, length)))
    }

    fn parent(&self, base: &str) -> Result<Option<ParentLink>> {
        let link = self.resolved.join(base).join("parent");
        let root = self.root.join(base).join("parent");
        match fs::metadata(&link) {
            Ok(metadata) if metadata.is_dir() => {
                let resolved = fs::canonicalize(&link).unwrap_or(link);
                let parent = Folder { root, resolved };
                Ok(Some(ParentLink::Elsewhere(Arc::new(parent))))
            }
            Ok(_) => Err(
                Error::new(ErrorKind::Io(io::Error::from(io::ErrorKind::NotADirectory)))
                    .in_file(root.display().to_string()),
            ),
            Err(_) => Ok(fs::read_link(&link)
                .ok()
                .map(|target| ParentLink::Dangling(target.display().to_string()))),
        }
    }

    fn label(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn place(&self, name: &str) -> Option<(u64, u64)> {
        let (_, metadata) = self.metadata(name).ok()??;
        Some((metadata.dev(), metadata.ino()))
    }

    fn identity(&self, base: &str) -> String {
        match fs::metadata(self.resolved.join(base)) {
            Ok(metadata) => format!("{}:{}", metadata.dev(), metadata.ino()),
            Err(_) => self.label(base),
        }
    }
}
