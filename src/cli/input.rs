//! Where input comes from: a file, or stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::options::From;
use super::progress::{Progress, is_silent};
use super::source;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Schema;

/// What is read, and the name that errors give it.
pub(super) struct Input {
    pub(super) data: Box<dyn Read>,
    /// `None` for stdin.
    pub(super) name: Option<String>,
    /// The size in bytes, where it is known.
    size: Option<u64>,
}

impl Input {
    /// The name for messages.
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("stdin")
    }

    /// Shows how much of it was read, when its size is known and the output does not go to the terminal.
    pub(super) fn with_progress(mut self, what: &'static str, output: Option<&Path>) -> Self {
        if let Some(size) = self.size.filter(|_| is_silent(output)) {
            self.data = Box::new(Watched {
                data: self.data,
                progress: Progress::new(what, size),
            });
        }
        self
    }
}

/// What is read, with how much of it was.
struct Watched {
    data: Box<dyn Read>,
    progress: Progress,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.data.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}

/// Opens the input: stdin when there is no path, or, as upstream has it, an empty one. `-` too.
pub(super) fn open(path: Option<&Path>) -> Result<Input> {
    let Some(path) = path.filter(|path| !is_standard(path)) else {
        return Ok(Input {
            data: Box::new(io::stdin().lock()),
            name: None,
            size: None,
        });
    };
    let name = path.display().to_string();
    let named = |error: io::Error| Error::from(error).in_file(name.clone());
    let file = File::open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if metadata.is_dir() {
        return Err(named(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok(Input {
        data: Box::new(file),
        name: Some(name),
        size: metadata.is_file().then_some(metadata.len()),
    })
}

/// Opens an image inside a checkpoint, when one is given, or else a file or stdin.
pub(super) fn open_in(
    from: &From,
    schema: &Schema,
    path: Option<&Path>,
    output: Option<&Path>,
) -> Result<Input> {
    let Some(checkpoint) = &from.from else {
        return open(path);
    };
    let checkpoint = source::checkpoint(schema, checkpoint)?;
    source::spare(&checkpoint, output)?;
    let image = path.filter(|path| !is_standard(path)).ok_or_else(|| {
        let what = "--from needs the name of an image inside".to_owned();
        Error::new(ErrorKind::Value(what)).with_hint("`crit ls` lists them")
    })?;
    let image = image.display().to_string();
    let inside = image.strip_prefix("./").unwrap_or(&image);
    // As `crit ls` names it, or as CRIU does.
    let content = match checkpoint.read_member(inside)? {
        None => checkpoint.read(inside)?,
        found => found,
    };
    let name = format!("{}:{inside}", checkpoint.name());
    let data = content.ok_or_else(|| {
        let what = "no such file in this checkpoint".to_owned();
        Error::new(ErrorKind::NotACheckpoint(what))
            .in_file(&name)
            .with_hint("`crit ls` lists what is there")
    })?;
    Ok(Input {
        data,
        name: Some(name),
        size: None,
    })
}

/// Whether a path stands for stdin or stdout.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("-")
}
