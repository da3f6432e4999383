//! Mapped files read below a root directory, for pages that a dump leaves to the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::behind::MappedFile;
use crate::checkpoint::RandomAccess;
use crate::error::{Error, Result, Warning};
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
    files: BTreeMap<Arc<Text>, Option<RandomAccess>>,
    warnings: Vec<Warning>,
}

impl Sysroot {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let name = root.display().to_string();
        // What is no directory is not opened, or a FIFO would be waited for.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|e| Error::from(std::io::Error::from(e)).in_file(&name))?;
        Ok(Sysroot {
            root: File::from(opened),
            name,
            state: Mutex::default(),
        })
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.lock().warnings.clone()
    }

    /// The content of a file; `None` when it is not there.
    pub(super) fn content(&self, file: &MappedFile) -> Option<RandomAccess> {
        self.file(file)
    }

    /// Reads from an offset on; behind the end of the file are zeros, as in a mapping's last page.
    pub(super) fn read(&self, file: &MappedFile, buffer: &mut [u8], offset: u64) -> Result<()> {
        let got = match self.file(file) {
            Some(opened) => opened
                .read_at(buffer, offset)
                .map_err(|error| Error::from(error).in_file(self.label(file)))?,
            None => 0,
        };
        buffer.get_mut(got..).unwrap_or_default().fill(0);
        Ok(())
    }

    fn file(&self, file: &MappedFile) -> Option<RandomAccess> {
        let mut state = self.lock();
        if let Some(known) = state.files.get(&file.name) {
            return known.clone();
        }
        let found = match self.open_inside(file) {
            Ok((opened, size)) => {
                if let Some(dumped) = file.size.filter(|dumped| *dumped != size) {
                    let what = format!(
                        "the file has {size} bytes, {dumped} when it was dumped: it may be another"
                    );
                    state.warnings.push(self.warning(file, what));
                }
                Some(RandomAccess::new(Arc::new(opened), 0, size))
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
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // Only looked at: opening a device can do things.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)?;
        // The files of these are made by the kernel, some without end: no program maps them.
        const MADE: [u64; 2] = [0x9fa0, 0x6265_6572];
        let kind = rustix::fs::fstatfs(&opened)?.f_type;
        if u64::try_from(kind).is_ok_and(|kind| MADE.contains(&kind)) {
            return Err(std::io::Error::other("a file that the kernel makes"));
        }
        let found = File::from(opened);
        let metadata = found.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let opened = File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?;
        Ok((opened, metadata.len()))
    }

    fn label(&self, file: &MappedFile) -> String {
        format!("{}{}", self.name.trim_end_matches('/'), file.name)
    }

    fn warning(&self, file: &MappedFile, message: String) -> Warning {
        Warning::of_file(self.label(file), message)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
