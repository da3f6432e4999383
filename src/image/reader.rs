//! Reads an image one entry at a time.

use std::io::Read;
use std::sync::Arc;

use super::entry::Entry;
use super::head::Head;
use super::input::Input;
use super::payload::{self, Pending, QueuedBytes};
use super::start::{Start, raw_image, start};
use crate::descriptor::ImageKind;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{ENTRY, MESSAGE_DEPTH, WHOLE_ENTRY};
use crate::message::{self, Element, Record, Selection, Sift};
use crate::schema::{Layout, MessageType, Schema};

/// What there is of an entry that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryForm {
    /// The message, decoded.
    Decoded,
    /// Its bytes alone.
    Bytes,
}

/// Reads an image one entry at a time: memory is bounded by the largest entry, not by the file.
///
/// It is an iterator of entries. After an error it ends.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{ImageReader, Schema};
///
/// let file = std::fs::File::open("tests/images/simple/pagemap-100.img")?;
/// let mut pages = 0;
/// for entry in ImageReader::new(&Schema::bundled()?, file)?.skip(1) {
///     pages += entry?.get("nr_pages")?.as_u64().unwrap_or(0);
/// }
/// assert_eq!(pages, 59);
/// # Ok(())
/// # }
/// ```
pub struct ImageReader<R> {
    input: Input<R>,
    layout: Arc<Layout>,
    head: Head,
    name: Option<String>,
    /// Entries read so far.
    count: u64,
    pending: Pending,
    buffer: Vec<u8>,
    /// The largest message that is read, in bytes.
    largest: u64,
    /// The largest message that is decoded as a whole where it need not be, in bytes.
    whole: usize,
    /// What is decoded of the messages of a type, when it is not all.
    selection: Option<(MessageType, Arc<Selection>)>,
    done: bool,
}

impl<R: Read> ImageReader<R> {
    /// Reads the words in front of an image.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Empty`], [`ErrorKind::UnknownMagic`], [`ErrorKind::NotAnImage`],
    /// [`ErrorKind::RawImage`]; or the schema has no message for this kind.
    pub fn new(schema: &Schema, input: R) -> Result<Self> {
        Self::open(schema, input, None)
    }

    /// The same, for an image whose file name is known: errors name it, and raw images, which have
    /// no magic, are recognised by it.
    ///
    /// # Errors
    ///
    /// As [`ImageReader::new`].
    pub fn named(schema: &Schema, input: R, name: &str) -> Result<Self> {
        Self::open(schema, input, Some(name)).map_err(|error| error.in_file(name))
    }

    /// A reader of a file that is a single message, without magic and size, as the AMD GPU plugin of
    /// CRIU writes them.
    ///
    /// # Errors
    ///
    /// The schema has no such message.
    pub fn bare(schema: &Schema, input: R, message: &str) -> Result<Self> {
        let layout = schema.bare_layout(message)?;
        let head = Head::of(&layout.kind);
        Ok(Self::starting(Input::new(input), layout, head, None))
    }

    fn open(schema: &Schema, input: R, name: Option<&str>) -> Result<Self> {
        let mut input = Input::new(input);
        match start(schema, &mut input, name)? {
            Start::Messages(layout, head) => Ok(Self::starting(input, layout, head, name)),
            Start::PageRecords(kind) => Err(raw_image(&kind)),
        }
    }

    /// A reader for an input whose words in front have been read.
    pub(super) fn starting(
        input: Input<R>,
        layout: Arc<Layout>,
        head: Head,
        name: Option<&str>,
    ) -> Self {
        ImageReader {
            input,
            layout,
            head,
            name: name.map(str::to_owned),
            count: 0,
            pending: Pending::None,
            buffer: Vec::new(),
            largest: ENTRY,
            whole: WHOLE_ENTRY,
            selection: None,
            done: false,
        }
    }

    /// Decodes only these fields of the entries (after a head of another type), such as `id` or
    /// `reg.name`; of images with payloads, all fields, since some give a payload's size.
    pub(crate) fn select(&mut self, paths: &[&str]) {
        if self.layout.payload.is_some() {
            return;
        }
        let ty = self.layout.entry.clone();
        let selection = Selection::of(&ty, paths);
        self.selection = Some((ty, Arc::new(selection)));
    }

    /// Refuses messages of more than this many bytes, instead of more than [`ENTRY`]: a message is held
    /// in memory, and takes a multiple of its bytes there. Payloads do not count.
    pub fn limit_entries(&mut self, bytes: u64) {
        self.largest = bytes;
    }

    /// Decodes messages as a whole up to this many bytes, instead of up to [`WHOLE_ENTRY`].
    #[cfg(test)]
    pub(crate) fn decode_whole_up_to(&mut self, bytes: usize) {
        self.whole = bytes;
    }

    /// The largest message that is decoded as a whole where it need not be, in bytes.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// The kind of image.
    pub fn kind(&self) -> &Arc<ImageKind> {
        &self.layout.kind
    }

    /// The words in front of it.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The name that the image was opened under.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes back the memory of the entry that was read last, when it is done with.
    pub(crate) fn recycle(&mut self, entry: Entry) {
        if let Some(raw) = entry
            .raw
            .filter(|raw| raw.capacity() > self.buffer.capacity())
        {
            self.buffer = raw;
        }
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Reads the next entry with its payload; `None` at the end.
    ///
    /// # Errors
    ///
    /// A truncated or malformed entry: with its index and the byte offset.
    pub fn read_entry(&mut self) -> Result<Option<Entry>> {
        let Some(mut entry) = self.read_message()? else {
            return Ok(None);
        };
        let (payload, raw) = self.read_payload(entry.offset)?;
        entry.payload = payload;
        entry.raw_payload = raw;
        Ok(Some(entry))
    }

    /// Reads the message of the next entry; what follows it is [`ImageReader::pending`].
    pub(crate) fn read_message(&mut self) -> Result<Option<Entry>> {
        let offset = self.input.offset();
        let result = self.next_message();
        self.located(result, offset)
    }

    /// Adds to an error which file, entry and offset it is about, and ends the reading.
    pub(crate) fn located<T>(&mut self, result: Result<T>, offset: u64) -> Result<T> {
        result.map_err(|error| {
            self.done = true;
            error.placed(|error| {
                let error = error
                    .in_entry(self.count.saturating_sub(1))
                    .at_offset(offset);
                match &self.name {
                    Some(name) => error.in_file(name),
                    None => error,
                }
            })
        })
    }

    /// The same into a message that takes one after the other; where the entry stands, or `None` at the
    /// end. Its bytes are [`ImageReader::raw`]; a large one is not decoded, they are all there is of it.
    pub(crate) fn read_into(
        &mut self,
        element: &mut Option<Element>,
    ) -> Result<Option<(u64, EntryForm)>> {
        let start = self.input.offset();
        let more = self.next_bytes();
        let Some(offset) = self.located(more, start)? else {
            return Ok(None);
        };
        let layout = Arc::clone(&self.layout);
        let ty = layout.entry_type(self.count - 1);
        if self.buffer.len() > self.whole {
            if let Some(payload) = &layout.payload {
                let selection = Selection::of_numbers(ty, &payload.fields());
                let sizes = message::decode_selected(ty, &self.buffer, Some(&selection));
                let sizes = self.about_entry(sizes, offset)?;
                self.pending = payload::pending(&layout, self.count - 1, &sizes.message);
            }
            return Ok(Some((offset, EntryForm::Bytes)));
        }
        let element = match element {
            Some(element) if element.ty() == ty => element,
            other => other.insert(Element::new(ty.clone(), None)),
        };
        let read = element.read(&self.buffer, MESSAGE_DEPTH).map(drop);
        self.about_entry(read, offset)?;
        self.pending = payload::pending(&layout, self.count - 1, element.message());
        Ok(Some((offset, EntryForm::Decoded)))
    }

    /// The type of the entry that was read last.
    pub(crate) fn entry_type(&self) -> &MessageType {
        self.layout.entry_type(self.count.saturating_sub(1))
    }

    /// Names file, entry and offset in an error about the bytes of the entry that was just read.
    pub(crate) fn about_entry<T>(&mut self, result: Result<T>, offset: u64) -> Result<T> {
        let result = result.map_err(|error| error.shifted(offset + self.size_of_frame()));
        self.located(result, offset)
    }

    /// The bytes of the message that [`ImageReader::read_into`] read.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.buffer
    }

    /// What follows the message that was just read.
    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Steps over what follows the message; its size in bytes, without padding.
    pub(crate) fn skip_payload(&mut self, offset: u64) -> Result<u64> {
        let pending = std::mem::take(&mut self.pending);
        let result = payload::skip(&mut self.input, pending);
        self.located(result, offset)
    }

    /// Reads what follows the message, and its raw bytes where writing it anew would give others.
    pub(crate) fn read_payload(&mut self, offset: u64) -> Result<payload::ReadPayload> {
        let pending = std::mem::take(&mut self.pending);
        let result = payload::read(&mut self.input, pending);
        self.located(result, offset)
    }

    /// Hands over bytes that follow the message piece by piece, see [`payload::stream`].
    pub(crate) fn stream_payload(
        &mut self,
        offset: u64,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let result = payload::stream(&mut self.input, &pending, each);
        self.located(result, offset)
    }

    /// Hands over the messages of a SysV message queue, and the data behind each; see
    /// [`payload::each_queued`].
    pub(crate) fn each_queued(
        &mut self,
        offset: u64,
        each: &mut dyn FnMut(QueuedBytes<'_>) -> Result<()>,
    ) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let result = payload::each_queued(&mut self.input, &pending, each);
        self.located(result, offset)
    }

    /// The bytes of the messages of a SysV message queue, and whether writing them anew gives these.
    pub(crate) fn queued_bytes(&mut self, offset: u64) -> Result<(Vec<u8>, bool)> {
        let result = payload::queued_bytes(&mut self.input, &self.pending);
        self.located(result, offset)
    }

    /// Hands over the messages of a queue whose bytes were the last that were read.
    pub(crate) fn each_queued_of(
        &mut self,
        raw: &[u8],
        offset: u64,
        each: &mut dyn FnMut(QueuedBytes<'_>) -> Result<()>,
    ) -> Result<()> {
        let begin = self.input.offset().saturating_sub(raw.len() as u64);
        let result = payload::each_queued_in(raw, &self.pending, each);
        // What was read is not skipped again.
        self.pending = Pending::None;
        self.located(result.map_err(|error| error.shifted(begin)), offset)
    }

    /// Reads this next, of what follows the message: a part of it, or nothing when all was read.
    pub(crate) fn expect(&mut self, pending: Pending) {
        self.pending = pending;
    }

    /// The same, but the elements of one list are handed over one by one, not kept.
    pub(crate) fn sift_message(&mut self, sift: Sift<'_>) -> Result<Option<Entry>> {
        let offset = self.input.offset();
        let result = self.next_with(|ty, bytes| message::decode_sifting(ty, bytes, sift));
        let entry = self.located(result, offset)?;
        Ok(entry.map(|mut entry| {
            self.buffer = entry.raw.take().unwrap_or_default();
            entry
        }))
    }

    /// Hands over what is left of the image, entry by entry, of each only the fields at these paths
    /// (all, when none is named). What follows a message is stepped over.
    pub(crate) fn each_record(
        &mut self,
        paths: &[&str],
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let layout = Arc::clone(&self.layout);
        // Of images with payloads all fields are decoded, since some give a payload's size.
        let selecting = !paths.is_empty() && layout.payload.is_none();
        let mut element: Option<Element> = None;
        loop {
            let start = self.input.offset();
            let more = self.next_bytes();
            let Some(offset) = self.located(more, start)? else {
                return Ok(());
            };
            let ty = layout.entry_type(self.count - 1);
            let element = match &mut element {
                Some(element) if element.ty() == ty => element,
                other => {
                    let selection = selecting.then(|| Selection::of(ty, paths));
                    other.insert(Element::new(ty.clone(), selection))
                }
            };
            let record = element
                .read(&self.buffer, MESSAGE_DEPTH)
                .map_err(|error| error.shifted(offset + self.size_of_frame()));
            self.located(record, offset).and_then(&mut *each)?;
            self.pending = payload::pending(&layout, self.count - 1, element.message());
        }
    }

    /// How many bytes stand before the message of an entry.
    fn size_of_frame(&self) -> u64 {
        if self.layout.bare { 0 } else { 4 }
    }

    fn next_message(&mut self) -> Result<Option<Entry>> {
        match &self.selection {
            None => self.next_with(message::decode),
            Some((selected, selection)) => {
                let (selected, selection) = (selected.clone(), Arc::clone(selection));
                self.next_with(|ty, bytes| {
                    let selection = Some(&*selection).filter(|_| *ty == selected);
                    message::decode_selected(ty, bytes, selection)
                })
            }
        }
    }

    /// Reads the next entry's bytes into the buffer; where it stands, or `None` at the end.
    fn next_bytes(&mut self) -> Result<Option<u64>> {
        if self.done {
            return Ok(None);
        }
        payload::skip(&mut self.input, std::mem::take(&mut self.pending))?;
        let offset = self.input.offset();
        self.count += 1;
        self.done = self.next_frame()?.is_none();
        Ok((!self.done).then_some(offset))
    }

    fn next_with(
        &mut self,
        decode: impl FnOnce(&MessageType, &[u8]) -> Result<message::Decoded>,
    ) -> Result<Option<Entry>> {
        let Some(offset) = self.next_bytes()? else {
            return Ok(None);
        };
        let ty = self.layout.entry_type(self.count - 1).clone();
        let decoded = decode(&ty, &self.buffer)
            .map_err(|error| error.shifted(offset + self.size_of_frame()))?;
        self.pending = payload::pending(&self.layout, self.count - 1, &decoded.message);
        Ok(Some(Entry {
            ty,
            message: decoded.message,
            payload: None,
            raw: Some(std::mem::take(&mut self.buffer)),
            raw_payload: None,
            offset,
            complete: decoded.complete,
        }))
    }

    /// Reads the next entry's bytes into the buffer; `None` at the end.
    fn next_frame(&mut self) -> Result<Option<()>> {
        if self.layout.bare {
            self.buffer.clear();
            let most = self.largest.saturating_add(1);
            let _: Result<(), u64> = self.input.append(&mut self.buffer, most)?;
            if self.buffer.len() as u64 > self.largest {
                return Err(self.too_large("the message"));
            }
            return Ok((self.count == 1).then_some(()));
        }
        let offset = self.input.offset();
        let Some(size) = self.input.word("the size of an entry")? else {
            return Ok(None);
        };
        let length = u64::from(size);
        if length > self.largest {
            // A length that is wrong is said to be so, rather than too large.
            self.step_over(length, offset)?;
            let what = format!("entry length {length}");
            return Err(self.too_large(&what).at_offset(offset));
        }
        self.buffer.clear();
        let read = self.input.append(&mut self.buffer, length)?;
        read.map(Some)
            .map_err(|left| Error::new(ErrorKind::EntryTooLong { length, left }).at_offset(offset))
    }

    fn too_large(&self, what: &str) -> Error {
        let what = format!(
            "{what} exceeds the {} bytes that are read here",
            self.largest
        );
        let error = Error::new(ErrorKind::Limit(what));
        // Whoever set another limit knows of it.
        if self.largest == ENTRY {
            error.with_hint("`crit decode --max-entry BYTES` reads larger messages")
        } else {
            error
        }
    }

    /// Counts the entries that are left, without looking into messages that nothing depends on.
    pub(super) fn count_entries(mut self) -> Result<u64> {
        while !self.done {
            if self.layout.payload.is_some() {
                self.read_message()?;
                continue;
            }
            let offset = self.input.offset();
            let result = self.skip_frame();
            self.done = self.located(result, offset)?.is_none();
        }
        Ok(self.count.saturating_sub(1))
    }

    fn skip_frame(&mut self) -> Result<Option<()>> {
        self.count += 1;
        let offset = self.input.offset();
        let Some(size) = self.input.word("the size of an entry")? else {
            return Ok(None);
        };
        self.step_over(u64::from(size), offset).map(Some)
    }

    /// Steps over a message of which only the size was read, at `offset`.
    fn step_over(&mut self, length: u64, offset: u64) -> Result<()> {
        self.input
            .skip(length)
            .map_err(|error| match *error.kind() {
                ErrorKind::Truncated { left, .. } => {
                    Error::new(ErrorKind::EntryTooLong { length, left }).at_offset(offset)
                }
                _ => error,
            })
    }
}

impl<R: Read> Iterator for ImageReader<R> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_entry().transpose()
    }
}

impl<R> std::fmt::Debug for ImageReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageReader")
            .field("kind", &self.layout.kind.name)
            .field("head", &self.head)
            .field("entries_read", &self.count)
            .finish_non_exhaustive()
    }
}
