//! Mapped files read below a root directory, for pages that a dump leaves to the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::behind::MappedFile;
use crate::error::{Error, ErrorKind, Location, Result, Warning};
use crate::text::Text;

/// A root directory.
#[derive(Debug)]
pub(super) struct Sysroot {
    root: File,
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<Arc<Text>, Option<Arc<File>>>,
    warnings: Vec<Warning>,
}

impl Sysroot {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let name = root.display().to_string();
        let opened = File::open(root).map_err(|e| Error::from(e).in_file(&name))?;
        let is_dir = opened.metadata().is_ok_and(|m| m.is_dir());
        if !is_dir {
            let what = "not a directory".to_owned();
            return Err(Error::new(ErrorKind::Value(what)).in_file(name));
        }
        Ok(Sysroot {
            root: opened,
            name,
            state: Mutex::default(),
        })
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.lock().warnings.clone()
    }

    /// Whether the file is there.
    pub(super) fn has(&self, file: &MappedFile) -> bool {
        self.file(file).is_some()
    }

    /// Reads from an offset on; behind the end of the file are zeros, as in a mapping's last page.
    pub(super) fn read(&self, file: &MappedFile, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut rest = buffer;
        let mut at = offset;
        if let Some(opened) = self.file(file) {
            while !rest.is_empty() {
                match opened.read_at(rest, at) {
                    Ok(0) => break,
                    Ok(n) => {
                        rest = rest.get_mut(n..).unwrap_or_default();
                        at += n as u64;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::from(error).in_file(self.label(file))),
                }
            }
        }
        rest.fill(0);
        Ok(())
    }

    fn file(&self, file: &MappedFile) -> Option<Arc<File>> {
        let mut state = self.lock();
        if let Some(known) = state.files.get(&file.name) {
            return known.clone();
        }
        let opened = self.open_inside(file);
        let found = match opened {
            Ok((opened, size)) => {
                if let Some(dumped) = file.size.filter(|dumped| *dumped != size) {
                    let what = format!(
                        "the file has {size} bytes, {dumped} when it was dumped: it may be another"
                    );
                    state.warnings.push(self.warning(file, what));
                }
                Some(Arc::new(opened))
            }
            Err(error) => {
                let what = format!("its pages are left out: {error}");
                state.warnings.push(self.warning(file, what));
                None
            }
        };
        state.files.insert(Arc::clone(&file.name), found.clone());
        found
    }

    /// Opens a regular file; nothing outside the root is reached, whatever the name or links say.
    fn open_inside(&self, file: &MappedFile) -> std::io::Result<(File, u64)> {
        let path = Path::new(std::ffi::OsStr::from_bytes(file.name.as_bytes()));
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let opened = rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)?;
        let opened = File::from(opened);
        let metadata = opened.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        Ok((opened, metadata.len()))
    }

    fn label(&self, file: &MappedFile) -> String {
        format!("{}{}", self.name.trim_end_matches('/'), file.name)
    }

    fn warning(&self, file: &MappedFile, message: String) -> Warning {
        Warning {
            at: Location {
                file: Some(self.label(file)),
                ..Location::default()
            },
            message,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
