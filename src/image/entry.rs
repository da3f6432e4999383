//! One entry of an image.

use std::collections::BTreeSet;

use prost_reflect::DynamicMessage;

use super::payload::Payload;
use crate::error::Result;
use crate::message::{self, Record, UnknownPath};
use crate::schema::MessageType;

/// One entry of an image: a message, and its payload where the kind has one.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) ty: MessageType,
    pub(crate) message: DynamicMessage,
    pub(crate) payload: Option<Payload>,
    /// The message as it was read; gone once it may have been changed.
    pub(crate) raw: Option<Vec<u8>>,
    /// The payload as it was read, where writing it anew would give other bytes.
    pub(crate) raw_payload: Option<Vec<u8>>,
    /// Where the entry began in the image it was read from, in bytes.
    pub(crate) offset: u64,
    pub(crate) complete: bool,
}

impl Entry {
    /// An entry of this type without any field.
    #[must_use]
    pub fn new(ty: &MessageType) -> Self {
        Entry {
            message: DynamicMessage::new(ty.descriptor().clone()),
            ty: ty.clone(),
            payload: None,
            raw: None,
            raw_payload: None,
            offset: 0,
            complete: false,
        }
    }

    /// The type of the message.
    #[must_use]
    pub fn message_type(&self) -> &MessageType {
        &self.ty
    }

    /// The message. Its strings are bytes, see [`MessageType::descriptor`].
    #[must_use]
    pub fn message(&self) -> &DynamicMessage {
        &self.message
    }

    /// Its fields by name.
    pub(crate) fn record(&self) -> Record<'_> {
        Record::new(&self.ty, &self.message)
    }

    /// The message, to be changed. The entry is then encoded anew when it is written.
    pub fn message_mut(&mut self) -> &mut DynamicMessage {
        self.touched();
        &mut self.message
    }

    /// Where the bytes of the message end in the image that it was read from: behind its length and
    /// itself. What follows is its payload or the next entry.
    pub(crate) fn end_of_message(&self) -> u64 {
        let length = self.raw.as_ref().map_or(0, |raw| raw.len() as u64);
        self.offset + 4 + length
    }

    /// Forgets what was read, since it may be changed now.
    pub(crate) fn touched(&mut self) {
        self.raw = None;
        self.raw_payload = None;
        self.complete = false;
    }

    /// The raw data behind the message.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        self.payload.as_ref()
    }

    /// Replaces the raw data behind the message. The fields of the message that give its size
    /// must be set to fit: writing the entry checks it.
    pub fn set_payload(&mut self, payload: Option<Payload>) {
        self.raw_payload = None;
        self.payload = payload;
    }

    /// Where the entry began in the image it was read from, in bytes; 0 for one that was made.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The paths of required fields that are missing, such as `tc.comm`: the first twenty.
    #[must_use]
    pub fn missing_fields(&self) -> Vec<String> {
        if self.complete {
            return Vec::new();
        }
        message::missing_fields(&self.ty, &self.message)
    }

    /// Returns the fields that the schema lacks, or has with another wire type.
    pub(crate) fn unknown_fields(&self) -> Result<BTreeSet<UnknownPath>> {
        message::unknown_paths(&self.ty, &self.message)
    }

    /// Returns true if the entry, as it was read, is what writing it anew would give: fields in the order
    /// of their numbers, lengths and numbers in the fewest bytes, zeros as padding. Entries that were not
    /// read, or were changed since, are.
    ///
    /// # Errors
    ///
    /// The bytes of the message can't be read.
    pub(crate) fn is_canonical(&self) -> Result<bool> {
        let message = match &self.raw {
            Some(raw) => message::canonical(&self.ty, raw)?.canonical,
            None => true,
        };
        Ok(message && self.raw_payload.is_none())
    }

    /// The bytes of the message, without its size in front.
    ///
    /// # Errors
    ///
    /// A value that is not of its field's type.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        match &self.raw {
            Some(raw) => {
                out.extend_from_slice(raw);
                Ok(())
            }
            None => message::encode(&self.ty, &self.message, out),
        }
    }
}
