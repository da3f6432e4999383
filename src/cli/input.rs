//! Where input comes from: a file, or stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// What is read, and the name that errors give it.
pub(super) struct Input {
    pub(super) data: Box<dyn Read>,
    /// `None` for stdin.
    pub(super) name: Option<String>,
}

impl Input {
    /// The name for messages.
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("stdin")
    }
}

/// Opens the input: stdin when there is no path, or, as upstream has it, an empty one. `-` too.
pub(super) fn open(path: Option<&Path>) -> Result<Input> {
    let Some(path) = path.filter(|path| !is_standard(path)) else {
        return Ok(Input {
            data: Box::new(io::stdin().lock()),
            name: None,
        });
    };
    let name = path.display().to_string();
    let named = |error: io::Error| Error::from(error).in_file(name.clone());
    let file = File::open(path).map_err(named)?;
    if file.metadata().map_err(named)?.is_dir() {
        return Err(named(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok(Input {
        data: Box::new(file),
        name: Some(name),
    })
}

/// Whether a path stands for stdin or stdout.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("-")
}
