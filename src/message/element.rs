//! Messages of one type, read one after the other into one dynamic message.

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::decode::Decoder;
use super::record::Record;
use super::selection::Selection;
use crate::bytes::Cursor;
use crate::error::Result;
use crate::limits::MESSAGE_DEPTH;
use crate::schema::MessageType;

/// One message that takes others of its type in turn: where a field was set before, its place is used
/// again.
pub(crate) struct Element {
    ty: MessageType,
    selection: Option<Selection>,
    message: DynamicMessage,
    /// Which of the first 128 fields are set.
    set: u128,
    /// There are unknown fields in it, or in a message inside it.
    has_unknown: bool,
    complete: bool,
    /// The number of a field that was not selected.
    skipped: Option<u32>,
}

impl Element {
    pub(crate) fn new(ty: MessageType, selection: Option<Selection>) -> Self {
        let shape = ty.shape();
        Element {
            message: DynamicMessage::new(shape.desc.clone()),
            ty,
            selection,
            set: 0,
            has_unknown: false,
            complete: false,
            skipped: None,
        }
    }

    /// Reads the next message, in which messages may nest as deep as `depth`.
    pub(crate) fn read(&mut self, bytes: &[u8], depth: usize) -> Result<Record<'_>> {
        // Unknown fields would be added to.
        if self.has_unknown {
            self.message.clear();
        }
        let mut decoder = Decoder::new(&self.ty.types, self.selection.as_ref());
        decoder.over = true;
        decoder.set = self.set;
        decoder.message(self.ty.shape(), &mut self.message, bytes, depth)?;
        self.set = decoder.seen;
        self.has_unknown = decoder.kept_unknown;
        self.complete = decoder.complete;
        self.skipped = decoder.skipped;
        Ok(self.record())
    }

    /// Reads the element of a list of messages whose key was just read, and hands it over. `index` is its
    /// place in the list.
    pub(crate) fn read_next(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &str,
        index: u64,
        each: &mut dyn FnMut(&Element) -> Result<()>,
    ) -> Result<()> {
        let inside = cursor.delimited()?;
        let base = (cursor.position() - inside.len()) as u64;
        let read = self.read(inside, MESSAGE_DEPTH - 1).map(drop);
        read.and_then(|()| each(self)).map_err(|error| {
            error.placed(|error| {
                let error = error.shifted(base).in_field(&format!("[{index}]"));
                error.in_field(list)
            })
        })
    }

    /// The fields of the message that was read last, by name.
    pub(crate) fn record(&self) -> Record<'_> {
        Record::new(&self.ty, &self.message).without(self.skipped)
    }

    /// The message that was read last.
    pub(crate) fn message(&self) -> &DynamicMessage {
        &self.message
    }

    /// Whether every required field was in it.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether it has fields that the schema lacks, at any depth.
    pub(crate) fn has_unknown(&self) -> bool {
        self.has_unknown
    }

    pub(crate) fn ty(&self) -> &MessageType {
        &self.ty
    }
}
