//! A file that takes another's place when it is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FallocateFlags, OFlags, fallocate, linkat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Names of temporary files begin so.
const PREFIX: &str = ".crit-";

/// A file in the directory of the place that it will take.
pub(super) enum Beside {
    /// Without a name until it takes its place: whatever ends the program leaves nothing behind.
    Unnamed(File),
    /// Where the file system knows no files without a name.
    Named(NamedTempFile),
}

impl Beside {
    /// Makes one with these permissions, less what the umask takes away.
    pub(super) fn in_folder(folder: &Path, mode: u32) -> io::Result<Self> {
        if let Some(file) = unnamed(folder, mode) {
            return Ok(Beside::Unnamed(file));
        }
        tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)
            .map(Beside::Named)
            // Not with the name of the temporary file, which means nothing to anyone.
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::new(error.kind(), "no such directory"),
                kind => io::Error::from(kind),
            })
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Beside::Unnamed(file) => file,
            Beside::Named(named) => named.as_file(),
        }
    }

    pub(super) fn file_mut(&mut self) -> &mut File {
        match self {
            Beside::Unnamed(file) => file,
            Beside::Named(named) => named.as_file_mut(),
        }
    }

    /// Takes the place, at once and as a whole.
    pub(super) fn take_place(self, folder: &Path, path: &Path) -> io::Result<()> {
        let (file, moved) = match self {
            Beside::Named(named) => (
                named.as_file().try_clone()?,
                named.into_temp_path().persist(path),
            ),
            Beside::Unnamed(file) => {
                // A name that is taken is not given: where there is a file, it gets another first, and is
                // moved.
                let own = own_path(&file);
                if linkat(CWD, &own, CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok() {
                    return Ok(());
                }
                let name = |at: &Path| {
                    let own = own_path(&file);
                    linkat(CWD, &own, CWD, at, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
                };
                let linked = tempfile::Builder::new()
                    .prefix(PREFIX)
                    .make_in(folder, name)?;
                (file, linked.into_temp_path().persist(path))
            }
        };
        match moved {
            Ok(()) => Ok(()),
            // A mount point, as files in containers often are: it can only be written into.
            Err(refused) if refused.error.kind() == io::ErrorKind::ResourceBusy => {
                copy_over(file, OpenOptions::new().write(true).open(path)?)
            }
            Err(refused) => Err(refused.error),
        }
    }
}

/// Copies a file to one that can't be replaced. When there is no room for it, that stays as it was.
pub(super) fn copy_over(mut from: File, mut to: File) -> io::Result<()> {
    let length = from.seek(SeekFrom::End(0))?;
    from.seek(SeekFrom::Start(0))?;
    if length > 0 {
        match fallocate(&to, FallocateFlags::KEEP_SIZE, 0, length) {
            // Not every file system can promise it.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    io::copy(&mut from, &mut to)?;
    to.set_len(length)?;
    to.sync_all()
}

/// `None` where there are no such files, or they could not be given a name.
fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(mode)
        .custom_flags(flags);
    let file = options.open(folder).ok()?;
    fs::metadata(own_path(&file)).is_ok().then_some(file)
}

/// What the file is called as long as it is open.
fn own_path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
