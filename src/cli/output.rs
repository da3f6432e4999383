//! Where output goes: stdout, or a file that is written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};

/// An output that becomes visible when it is complete.
pub(super) struct Output {
    to: Target,
    /// The name that errors give it.
    name: String,
}

enum Target {
    Stdout(io::StdoutLock<'static>),
    /// A device or FIFO: written to directly.
    Direct(File),
    /// A new or regular file: written beside its place, and moved there at the end.
    Beside {
        temporary: NamedTempFile,
        path: PathBuf,
    },
}

/// More links than this in a row are a loop.
const MAX_LINKS: usize = 40;

impl Output {
    /// Opens the output: stdout when there is no path, an empty one, or `-`.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| !super::input::is_standard(path)) else {
            return Ok(Output {
                to: Target::Stdout(io::stdout().lock()),
                name: "stdout".to_owned(),
            });
        };
        let name = path.display().to_string();
        let to = Target::open(path).map_err(|e| Error::from(e).in_file(name.clone()))?;
        Ok(Output { to, name })
    }

    /// Whether a newline is put at the end of text: on stdout only, as upstream has it.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self.to, Target::Stdout(_))
    }

    /// Makes what was written visible. Without this call a file stays as it was.
    pub(super) fn commit(mut self) -> Result<()> {
        self.flush()?;
        if let Target::Beside { temporary, path } = self.to {
            let named = |error: io::Error| Error::from(error).in_file(self.name.clone());
            temporary.as_file().sync_all().map_err(named)?;
            temporary.persist(&path).map_err(|e| named(e.error))?;
        }
        Ok(())
    }

    /// Says which output an error is about, when it arose in writing to it.
    pub(super) fn named(name: &str, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Io(_) if error.location().file.is_none() => error.in_file(name),
            _ => error,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        let path = resolve_links(path)?;
        let existing = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            Ok(metadata) if !metadata.is_file() => {
                return OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .map(Target::Direct);
            }
            Ok(metadata) => {
                // A file that may not be written is not replaced either.
                OpenOptions::new().write(true).open(&path)?;
                Some(metadata)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".crit-")
            // As a new file gets it: less what the umask takes away.
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        if let Some(existing) = existing {
            let file = temporary.as_file();
            let made = file.metadata()?;
            if (made.uid(), made.gid()) != (existing.uid(), existing.gid()) {
                fchown(file, Some(existing.uid()), Some(existing.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(existing.mode() & 0o7777))?;
        }
        Ok(Target::Beside { temporary, path })
    }
}

/// The path behind symbolic links, also when nothing is there yet.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(target);
            }
            _ => return Ok(path),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            Target::Stdout(stdout) => stdout.write(bytes),
            Target::Direct(file) => file.write(bytes),
            Target::Beside { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Target::Stdout(stdout) => stdout.flush(),
            Target::Direct(file) => file.flush(),
            Target::Beside { temporary, .. } => temporary.flush(),
        }
    }
}
