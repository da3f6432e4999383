//! `--backup`: an image as it was before it is changed.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::output::Output;
use crate::error::{Error, ErrorKind, Result};

#[derive(Debug, ClapArgs)]
pub(super) struct Backup {
    /// Keep what is changed as it was under this ending
    #[arg(long = "backup", value_name = "ENDING", num_args = 0..=1, default_missing_value = ".bak", require_equals = true)]
    ending: Option<String>,
}

impl Backup {
    /// Copies an image to its name with the ending, when that is wanted.
    pub(super) fn keep(&self, image: &Path) -> Result<()> {
        let Some(ending) = &self.ending else {
            return Ok(());
        };
        if ending.is_empty() || ending.contains('/') {
            let what = format!("`{ending}` is no ending of a file's name");
            return Err(Error::new(ErrorKind::Value(what)));
        }
        let mut name = image.as_os_str().to_owned();
        name.push(ending);
        let name = PathBuf::from(name);
        let from = |error: std::io::Error| Error::from(error).in_file(image.display().to_string());
        let mut source = File::open(image).map_err(from)?;
        let permissions = source.metadata().map_err(from)?.permissions();
        let mut output = Output::open_own(&name)?;
        let copied = std::io::copy(&mut source, &mut output);
        copied.map_err(|error| output.error(error))?;
        if let Some(file) = output.file() {
            let result = file.set_permissions(permissions);
            result.map_err(|error| output.error(error))?;
        }
        output.commit()
    }
}
