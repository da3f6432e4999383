//! The images of a checkpoint, read: entry by entry, as a whole, or only what is asked for of them.

use std::sync::Arc;

use super::{Checkpoint, MemberReader, lock};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, Image, ImageReader};
use crate::limits::{EXPLORED_ENTRIES, EXPLORED_ENTRY, SIFTED_ENTRY, WHOLE_IMAGE};
use crate::message::{Record, Sift};

impl Checkpoint {
    /// Reads an image entry by entry; `None` when there is none of this name.
    ///
    /// # Errors
    ///
    /// It can't be read, or is none.
    pub fn image_reader(&self, name: &str) -> Result<Option<MemberReader>> {
        self.reader_of(&format!("{}{name}", self.base))
    }

    /// Reads an image that was there a moment ago.
    #[cfg(feature = "cli")]
    pub(crate) fn image_reader_again(&self, name: &str) -> Result<MemberReader> {
        ImageReader::named(&self.schema, self.read_again(name)?, &self.label(name))
    }

    fn reader_of(&self, name: &str) -> Result<Option<MemberReader>> {
        let Some(content) = self.store.open(name)? else {
            return Ok(None);
        };
        ImageReader::named(&self.schema, content, &self.store.label(name)).map(Some)
    }

    /// A whole image, which is then kept; `None` when there is none of this name.
    ///
    /// # Errors
    ///
    /// It can't be read, or is larger than [`crate::limits::WHOLE_IMAGE`]:
    /// [`Checkpoint::image_reader`] reads images of any size.
    pub fn image(&self, name: &str) -> Result<Option<Arc<Image>>> {
        if let Some(known) = lock(&self.whole).get(name) {
            return Ok(known.clone());
        }
        let size = self.size(name)?.unwrap_or(0);
        if size > WHOLE_IMAGE {
            let what = format!(
                "the image has {size} bytes, more than the {WHOLE_IMAGE} that are kept as a whole"
            );
            return Err(Error::new(ErrorKind::Limit(what)).in_file(self.label(name)));
        }
        let image = match self.read(name)? {
            Some(content) => {
                let label = self.label(name);
                let image = Image::read(&self.schema, content);
                Some(Arc::new(image.map_err(|error| error.in_file(label))?))
            }
            None => None,
        };
        Ok(lock(&self.whole)
            .entry(name.to_owned())
            .or_insert(image)
            .clone())
    }

    /// The first entry of an image, which is the only one of most; it is kept.
    pub(crate) fn first_entry(&self, name: &str) -> Result<Option<Arc<Entry>>> {
        self.first_of(&format!("{}{name}", self.base))
    }

    /// The same, for an image that may also stand above the folder of images.
    pub(super) fn first_entry_beside(&self, name: &str) -> Result<Option<Arc<Entry>>> {
        match self.first_entry(name)? {
            None if !self.base.is_empty() => self.first_of(name),
            found => Ok(found),
        }
    }

    fn first_of(&self, name: &str) -> Result<Option<Arc<Entry>>> {
        if let Some(known) = lock(&self.first).get(name) {
            return Ok(known.clone());
        }
        let entry = match self.reader_of(name)? {
            Some(mut reader) => {
                reader.limit_entries(EXPLORED_ENTRY);
                let entry = reader.read_entry()?;
                // An image may have no entry; for who wants the first one, that is a gap as well.
                entry.map(Arc::new)
            }
            None => None,
        };
        Ok(lock(&self.first)
            .entry(name.to_owned())
            .or_insert(entry)
            .clone())
    }

    /// The first entry with only these fields, which is not kept; all of them when it is kept already.
    pub(crate) fn first_entry_of(&self, name: &str, fields: &[&str]) -> Result<Option<Arc<Entry>>> {
        if let Some(known) = lock(&self.first).get(&format!("{}{name}", self.base)) {
            return Ok(known.clone());
        }
        let Some(mut reader) = self.image_reader(name)? else {
            return Ok(None);
        };
        reader.limit_entries(EXPLORED_ENTRY);
        reader.select(fields);
        Ok(reader.read_message()?.map(Arc::new))
    }

    /// The first entry of an image without the elements of its long list, which are handed over one
    /// by one; `None` when there is no such image, or it has no entry.
    pub(crate) fn sift_first(&self, name: &str, sift: Sift<'_>) -> Result<Option<Entry>> {
        match self.image_reader(name)? {
            Some(mut reader) => {
                reader.limit_entries(SIFTED_ENTRY);
                reader.sift_message(sift)
            }
            None => Ok(None),
        }
    }

    /// Hands over the entries of an image, with the fields that are wanted (all, when none is named);
    /// false when there is no such image.
    pub(crate) fn each_entry(
        &self,
        name: &str,
        fields: &[&str],
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<bool> {
        self.each_entry_up_to(EXPLORED_ENTRY, name, fields, each)
    }

    /// The same, where an entry may have no more than so many bytes.
    pub(crate) fn each_entry_up_to(
        &self,
        most: u64,
        name: &str,
        fields: &[&str],
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<bool> {
        let Some(mut reader) = self.image_reader(name)? else {
            return Ok(false);
        };
        reader.limit_entries(most);
        let mut left = EXPLORED_ENTRIES;
        reader.each_record(fields, &mut |record| {
            left = left.checked_sub(1).ok_or_else(|| {
                let what = format!("more than {EXPLORED_ENTRIES} entries");
                Error::new(ErrorKind::Limit(what)).in_file(self.label(name))
            })?;
            each(record)
        })?;
        Ok(true)
    }
}
