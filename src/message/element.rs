//! Messages of one type, read one after the other into one dynamic message.

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::decode::{Decoder, clear};
use super::record::Record;
use super::selection::Selection;
use crate::error::Result;
use crate::schema::MessageType;

/// One message that takes others of its type in turn: where a field was set before, its place is used
/// again.
pub(crate) struct Element {
    ty: MessageType,
    selection: Option<Selection>,
    message: DynamicMessage,
    /// Which fields are set; `None` when that can't be told.
    set: Option<u128>,
}

impl Element {
    pub(crate) fn new(ty: MessageType, selection: Option<Selection>) -> Self {
        let shape = ty.shape();
        // Lists and messages would be added to, and unknown fields as well.
        let overwritten = shape.fields.len() <= 128
            && selection.as_ref().is_some_and(|selection| {
                let mut fields = shape.fields.iter().enumerate();
                fields.all(|(index, field)| {
                    let simple = !field.repeated && field.kind.message().is_none();
                    simple || selection.wants(index).is_none()
                })
            });
        Element {
            message: DynamicMessage::new(shape.desc.clone()),
            ty,
            selection,
            set: overwritten.then_some(0),
        }
    }

    /// Reads the next message, in which messages may nest as deep as `depth`.
    pub(crate) fn read(&mut self, bytes: &[u8], depth: usize) -> Result<Record<'_>> {
        if self.set.is_none() {
            self.message.clear();
        }
        let shape = self.ty.shape();
        let mut decoder = Decoder::new(&self.ty.types, self.selection.as_ref());
        decoder.message(shape, &mut self.message, bytes, depth)?;
        if let Some(before) = &mut self.set {
            clear(shape, &mut self.message, *before & !decoder.seen);
            *before = decoder.seen;
        }
        let skipped = decoder.skipped;
        Ok(Record::new(&self.ty, &self.message).without(skipped))
    }

    /// The message that was read last.
    pub(crate) fn message(&self) -> &DynamicMessage {
        &self.message
    }

    pub(crate) fn ty(&self) -> &MessageType {
        &self.ty
    }
}
