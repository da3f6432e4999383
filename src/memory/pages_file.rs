//! The file that pages are in: a pages image, or the image of a segment.

use crate::checkpoint::RandomAccess;
use crate::error::{Error, ErrorKind, Result};

/// The pages image of one dump of the chain.
#[derive(Debug)]
pub(super) struct PagesFile {
    /// How errors name it.
    pub(super) name: String,
    /// Its name beside the other images.
    pub(super) file: String,
    /// How errors name the pagemap.
    pub(super) pagemap: String,
    /// `None` when the image is missing.
    pub(super) content: Option<RandomAccess>,
    /// Why the parent can't be asked, or what it lacks.
    pub(super) parent: String,
}

impl PagesFile {
    /// The file that holds a segment.
    pub(super) fn of_segment(name: String, content: RandomAccess) -> Self {
        PagesFile {
            pagemap: name.clone(),
            file: name.rsplit('/').next().unwrap_or_default().to_owned(),
            name,
            content: Some(content),
            parent: String::new(),
        }
    }

    /// Whether the image is there and has all these bytes.
    pub(super) fn has(&self, offset: u64, length: u64) -> bool {
        let end = offset.saturating_add(length);
        self.content
            .as_ref()
            .is_some_and(|content| end <= content.len())
    }

    /// Reads what is at an offset, all of it.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64, entry: u64) -> Result<()> {
        let content = self.check(offset, buffer.len() as u64, entry)?;
        let got = content
            .read_at(buffer, offset)
            .map_err(|e| Error::from(e).in_file(&self.name))?;
        if got < buffer.len() {
            let what = "it became shorter while it was read".to_owned();
            return Err(Error::new(ErrorKind::Value(what)).in_file(&self.name));
        }
        Ok(())
    }

    /// The image, when it is there and has all these bytes.
    pub(super) fn check(&self, offset: u64, length: u64, entry: u64) -> Result<&RandomAccess> {
        let Some(content) = &self.content else {
            let what = format!("{} is missing, which holds its pages", self.name);
            return Err(self.wrong(what, entry));
        };
        let end = offset.saturating_add(length);
        if end > content.len() {
            let what = format!(
                "its pages reach to byte {end} of {}, which ends at byte {}",
                self.name,
                content.len(),
            );
            return Err(self.wrong(what, entry));
        }
        Ok(content)
    }

    fn wrong(&self, what: String, entry: u64) -> Error {
        let error = Error::new(ErrorKind::Value(what)).in_entry(entry);
        error.in_file(&self.pagemap)
    }
}
