//! Where output goes: stdout, or a file that is written whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Serialize;

use super::beside::{Beside, copy_over};
use super::colour::{self, has_colour};
use crate::error::{Error, ErrorKind, Result};

/// An output that becomes visible when it is complete.
pub(super) struct Output {
    to: Target,
    /// The name that errors give it.
    name: String,
}

enum Target {
    Stdout(io::StdoutLock<'static>),
    /// A device, a FIFO or an open descriptor: written to directly.
    Direct(File),
    /// A new or regular file: written beside its place, and moved there at the end.
    Beside {
        temporary: Beside,
        path: PathBuf,
        /// The permissions of the file that is replaced.
        permissions: Option<Permissions>,
    },
    /// A file that may be written but not replaced: another user's, or in a directory that may not
    /// be written. What is written waits in a file without a name, and is copied at the end.
    Copied {
        waiting: File,
        file: File,
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
        // Opened by its path, a file behind stdout would be written from its beginning.
        if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
            .iter()
            .any(|own| path == Path::new(own))
        {
            let stdout = io::stdout().as_fd().try_clone_to_owned();
            let stdout = stdout.map_err(|e| Error::writing(e).in_file(name.clone()))?;
            return Ok(Output {
                to: Target::Direct(File::from(stdout)),
                name,
            });
        }
        let to = Target::open(path).map_err(|e| Error::writing(e).in_file(name.clone()))?;
        Ok(Output { to, name })
    }

    /// Opens a file whose name is of this program's making, in a directory that may be hostile: where a
    /// link or what is no file has the name, nothing is written.
    pub(super) fn open_own(path: &Path) -> Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            let error = io::Error::other("a link: nothing is written through it");
            return Err(Error::writing(error).in_file(path.display().to_string()));
        }
        Self::open_inside(path)
    }

    /// The same; where there is a file already, only with `force`.
    pub(super) fn open_new(path: &Path, force: bool) -> Result<Self> {
        if !force && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Err(exists(path.display().to_string()));
        }
        Self::open_own(path)
    }

    /// Opens the output for bytes that no terminal can show.
    pub(super) fn open_binary(path: Option<&Path>) -> Result<Self> {
        let output = Self::open(path)?;
        if output.is_stdout() && io::stdout().is_terminal() {
            let what = "binary output does not go to a terminal".to_owned();
            let error = Error::new(ErrorKind::Value(what));
            return Err(error.with_hint("-o FILE writes it to a file; a pipe takes it too"));
        }
        Ok(output)
    }

    /// Opens an image of a directory that may be hostile: through a link that leads out of it, or into
    /// what is no file, nothing is written.
    pub(super) fn open_inside(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let to = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => match target_inside(path) {
                Some((target, metadata)) => Target::in_place_of(target, &metadata),
                None => Err(io::Error::other(
                    "a link out of the directory: nothing is written through it",
                )),
            },
            Ok(metadata) if !metadata.is_file() => Err(io::Error::other("no regular file")),
            Ok(metadata) => Target::in_place_of(path.to_owned(), &metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Target::new_at(path.to_owned())
            }
            Err(error) => Err(error),
        };
        let to = to.map_err(|e| Error::writing(e).in_file(name.clone()))?;
        Ok(Output { to, name })
    }

    /// Whether a newline is put at the end of text: on stdout only, as upstream has it.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self.to, Target::Stdout(_))
    }

    /// The file behind it, to be written in any order; stdout has none.
    pub(super) fn file(&mut self) -> Option<&mut File> {
        match &mut self.to {
            Target::Stdout(_) => None,
            Target::Direct(file) | Target::Copied { waiting: file, .. } => Some(file),
            Target::Beside { temporary, .. } => Some(temporary.file_mut()),
        }
    }

    /// Makes what was written visible. Without this call a file stays as it was.
    pub(super) fn commit(mut self) -> Result<()> {
        let name = std::mem::take(&mut self.name);
        self.flush()
            .and_then(|()| self.to.commit())
            .map_err(|error| Error::writing(error).in_file(name))
    }

    /// An error of writing to this output.
    pub(super) fn error(&self, error: io::Error) -> Error {
        Error::writing(error).in_file(&self.name)
    }

    /// Names the input or this output in an error, whichever it is about.
    pub(super) fn locate(&self, error: Error, input: &str) -> Error {
        let name = if error.is_write() { &self.name } else { input };
        error.in_file(name)
    }
}

/// A file stands where one of this program's naming would be written.
pub(super) fn exists(what: String) -> Error {
    let error = Error::writing(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "exists already",
    ));
    error.in_file(what).with_hint("--force overwrites it")
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        let Some(path) = resolve_links(path)? else {
            return OpenOptions::new()
                .write(true)
                .open(path)
                .map(Target::Direct);
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(metadata) if !metadata.is_file() => OpenOptions::new()
                .write(true)
                .open(&path)
                .map(Target::Direct),
            Ok(existing) => Target::in_place_of(path, &existing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Target::new_at(path),
            Err(error) => Err(error),
        }
    }

    /// A regular file, which is replaced or, when it can't be, written into.
    fn in_place_of(path: PathBuf, existing: &fs::Metadata) -> io::Result<Self> {
        // A file that may not be written is not replaced either. Links were followed before.
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(flags).open(&path)?;
        match replacement(&path, existing) {
            Ok(temporary) => Ok(Target::Beside {
                temporary,
                path,
                permissions: Some(Permissions::from_mode(existing.mode() & 0o7777)),
            }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let waiting = tempfile::tempfile()?;
                Ok(Target::Copied { waiting, file })
            }
            Err(error) => Err(error),
        }
    }

    fn new_at(path: PathBuf) -> io::Result<Self> {
        Ok(Target::Beside {
            // As a new file gets it: less what the umask takes away.
            temporary: Beside::in_folder(folder_of(&path), 0o666)?,
            path,
            permissions: None,
        })
    }

    fn commit(self) -> io::Result<()> {
        match self {
            Target::Stdout(_) | Target::Direct(_) => Ok(()),
            Target::Beside {
                temporary,
                path,
                permissions,
            } => {
                if let Some(permissions) = permissions {
                    temporary.file().set_permissions(permissions)?;
                }
                temporary.file().sync_all()?;
                temporary.take_place(folder_of(&path), &path)?;
                // The new name is on the disk when its directory is.
                File::open(folder_of(&path)).and_then(|folder| folder.sync_all())
            }
            Target::Copied { waiting, file } => copy_over(waiting, file),
        }
    }
}

/// The regular file that a link leads to, when it is below the directory that the link is in.
fn target_inside(link: &Path) -> Option<(PathBuf, fs::Metadata)> {
    let folder = fs::canonicalize(folder_of(link)).ok()?;
    let target = fs::canonicalize(link).ok()?;
    let metadata = fs::symlink_metadata(&target).ok()?;
    (target.starts_with(folder) && metadata.is_file()).then_some((target, metadata))
}

/// A file that can take the place of this one: of the same owner, and closed to others until it does.
fn replacement(path: &Path, existing: &fs::Metadata) -> io::Result<Beside> {
    let temporary = Beside::in_folder(folder_of(path), 0o600)?;
    let made = temporary.file().metadata()?;
    if (made.uid(), made.gid()) != (existing.uid(), existing.gid()) {
        fchown(temporary.file(), Some(existing.uid()), Some(existing.gid()))?;
    }
    Ok(temporary)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The path behind symbolic links, also when nothing is there yet; `None` when the links lead to an
/// open descriptor of a process (`/dev/stdout`, `/dev/fd/63`), which has no path of its own.
fn resolve_links(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                if is_descriptor(&path) {
                    return Ok(None);
                }
                let target = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(target);
            }
            _ => return Ok(Some(path)),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Whether a link is one of `/proc/PID/fd`.
fn is_descriptor(link: &Path) -> bool {
    fs::canonicalize(folder_of(link))
        .is_ok_and(|folder| folder.starts_with("/proc") && folder.ends_with("fd"))
}

/// Prints text, or JSON when that was asked for.
pub(super) fn print(json: Option<&impl Serialize>, text: impl FnOnce() -> String) -> Result<()> {
    let mut output = Output::open(None)?;
    let mut bytes = match json {
        Some(value) => {
            let mut bytes = Vec::new();
            crate::render::json(&mut bytes, value, 0).map_err(|e| output.error(e))?;
            bytes
        }
        None => text().into_bytes(),
    };
    if bytes.last() != Some(&b'\n') && !bytes.is_empty() {
        bytes.push(b'\n');
    }
    output.write_all(&bytes).map_err(|e| output.error(e))?;
    output.commit()
}

/// The same of findings or differences, whose marks have colours on a terminal.
pub(super) fn print_marked(
    json: Option<&impl Serialize>,
    text: impl FnOnce() -> String,
) -> Result<()> {
    print(json, || {
        let text = text();
        match has_colour(io::stdout().is_terminal()) {
            true => colour::marks(&text),
            false => text,
        }
    })
}

/// Prints JSON and ends its line.
pub(super) fn print_json(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    crate::render::json(out, value, 0)
        .and_then(|()| out.write_all(b"\n"))
        .map_err(Error::writing)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            Target::Stdout(stdout) => stdout.write(bytes),
            Target::Direct(file) | Target::Copied { waiting: file, .. } => file.write(bytes),
            Target::Beside { temporary, .. } => temporary.file_mut().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Target::Stdout(stdout) => stdout.flush(),
            Target::Direct(file) | Target::Copied { waiting: file, .. } => file.flush(),
            Target::Beside { temporary, .. } => temporary.file_mut().flush(),
        }
    }
}
