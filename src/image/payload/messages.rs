//! The messages of a SysV message queue: a size word, an `ipc_msg`, its data, padded to 8 bytes
//! (`criu/ipc_ns.c`).

use std::io::Read;
use std::ops::Range;

use prost_reflect::DynamicMessage;

use super::super::input::Input;
use super::{Fit, Payload, ReadPayload, all_zero, misfit, pad_zeros, padding};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{self, Selection, integer, missing_fields};
use crate::schema::{FieldNumber, MessageType};

/// One message of a SysV message queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueuedMessage {
    /// Its type and size (`ipc_msg`).
    pub message: DynamicMessage,
    /// Its text.
    pub data: Vec<u8>,
}

impl QueuedMessage {
    /// A queued message. The size field of `message` must be the length of `data`.
    #[must_use]
    pub fn new(message: DynamicMessage, data: Vec<u8>) -> Self {
        QueuedMessage { message, data }
    }
}

/// The bytes of a queued message and of its text.
#[derive(Clone, Copy)]
pub(crate) struct QueuedBytes<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// What each message of a queue is made of.
#[derive(Clone, Copy)]
pub(super) struct Queue<'a> {
    pub(super) ty: &'a MessageType,
    /// The field that gives the number of bytes behind a message.
    pub(super) size: FieldNumber,
    pub(super) pad: u32,
}

/// Where the parts of a queued message stand in the bytes that were read.
struct Parts {
    message: Range<usize>,
    data: Range<usize>,
    padding: Range<usize>,
}

impl Queue<'_> {
    /// Reads a size word and the message behind it; appends both to `raw`. The number of bytes behind it,
    /// and where it stands in `raw`.
    fn read_head<R: Read>(
        self,
        input: &mut Input<R>,
        raw: &mut Vec<u8>,
    ) -> Result<(u64, Range<usize>)> {
        let offset = input.offset();
        let length = input.word("the size of a queued message")?.ok_or_else(|| {
            Error::new(ErrorKind::Truncated {
                what: "the size of a queued message",
                wanted: 4,
                left: 0,
            })
            .at_offset(offset)
        })?;
        raw.extend(length.to_le_bytes());
        let start = raw.len();
        input.payload(raw, u64::from(length))?;
        let bytes = raw.get(start..).unwrap_or_default();
        let selection = Selection::of_numbers(self.ty, &[self.size]);
        let sizes = message::decode_selected(self.ty, bytes, Some(&selection))
            .map_err(|error| error.shifted(offset + 4))?;
        Ok((integer(&sizes.message, self.size), start..raw.len()))
    }

    /// Appends the next message with all that belongs to it to `raw`.
    fn read_next<R: Read>(self, input: &mut Input<R>, raw: &mut Vec<u8>) -> Result<Parts> {
        let (length, message) = self.read_head(input, raw)?;
        input.payload(raw, length)?;
        let end = raw.len();
        input.payload(raw, padding(length, self.pad))?;
        Ok(Parts {
            data: message.end..end,
            message,
            padding: end..raw.len(),
        })
    }
}

/// Whether writing anew what was read gives the same bytes.
fn is_canonical(queue: Queue<'_>, raw: &[u8], parts: &Parts) -> Result<bool> {
    let message = raw.get(parts.message.clone()).unwrap_or_default();
    let message = message::canonical(queue.ty, message)?;
    let padding = raw.get(parts.padding.clone()).unwrap_or_default();
    // A message that lacks a field is written as it was read, but not made anew.
    Ok(message.canonical && message.complete && all_zero(padding))
}

pub(super) fn read<R: Read>(
    input: &mut Input<R>,
    count: u64,
    queue: Queue<'_>,
) -> Result<ReadPayload> {
    let mut queued = Vec::new();
    let mut raw = Vec::new();
    let mut canonical = true;
    for _ in 0..count {
        let offset = input.offset() + 4;
        let parts = queue.read_next(input, &mut raw)?;
        let bytes = raw.get(parts.message.clone()).unwrap_or_default();
        let decoded = message::decode(queue.ty, bytes).map_err(|error| error.shifted(offset))?;
        canonical &= is_canonical(queue, &raw, &parts)?;
        queued.push(QueuedMessage {
            message: decoded.message,
            data: raw.get(parts.data).unwrap_or_default().to_vec(),
        });
    }
    Ok((Some(Payload::Messages(queued)), (!canonical).then_some(raw)))
}

/// Hands over the bytes of each message, and its data, without keeping them.
pub(super) fn each<R: Read>(
    input: &mut Input<R>,
    count: u64,
    queue: Queue<'_>,
    each: &mut dyn FnMut(QueuedBytes<'_>) -> Result<()>,
) -> Result<()> {
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.clear();
        let offset = input.offset() + 4;
        let parts = queue.read_next(input, &mut raw)?;
        let message = raw.get(parts.message).unwrap_or_default();
        let data = raw.get(parts.data).unwrap_or_default();
        each(QueuedBytes { message, data })
            .map_err(|error| error.placed(|error| error.shifted(offset)))?;
    }
    Ok(())
}

/// The bytes of all messages, and whether writing them anew gives the same.
pub(super) fn bytes<R: Read>(
    input: &mut Input<R>,
    count: u64,
    queue: Queue<'_>,
) -> Result<(Vec<u8>, bool)> {
    let mut raw = Vec::new();
    let mut canonical = true;
    for _ in 0..count {
        let parts = queue.read_next(input, &mut raw)?;
        canonical &= is_canonical(queue, &raw, &parts)?;
    }
    Ok((raw, canonical))
}

pub(super) fn skip<R: Read>(input: &mut Input<R>, count: u64, queue: Queue<'_>) -> Result<u64> {
    let mut total = 0u64;
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.clear();
        let (length, message) = queue.read_head(input, &mut raw)?;
        input.skip(length)?;
        input.skip(padding(length, queue.pad))?;
        // Upstream counts the encoded message too, without the size word in front of it.
        total = total
            .saturating_add(message.len() as u64)
            .saturating_add(length);
    }
    Ok(total)
}

pub(super) fn write(
    queued: &[QueuedMessage],
    count: u64,
    Queue { ty, size, pad }: Queue<'_>,
    fit: Fit,
    out: &mut Vec<u8>,
) -> Result<()> {
    if queued.len() as u64 != count && fit == Fit::Strict {
        return Err(misfit(format!(
            "the payload has {} messages, the fields say {count}",
            queued.len()
        )));
    }
    for (index, QueuedMessage { message, data }) in queued.iter().enumerate() {
        let length = integer(message, size);
        if fit == Fit::Strict {
            if data.len() as u64 != length {
                return Err(misfit(format!(
                    "queued message {index} has {} bytes, its fields say {length}",
                    data.len()
                )));
            }
            if let Some(field) = missing_fields(ty, message).into_iter().next() {
                let error = Error::new(ErrorKind::MissingField(field));
                return Err(error.in_field(&format!("extra[{}]", 2 * index)));
            }
        }
        let cut = usize::try_from(length).unwrap_or(usize::MAX);
        let data = data.get(..cut).unwrap_or(data);
        let mut encoded = Vec::new();
        message::encode(ty, message, &mut encoded)?;
        let encoded_length = u32::try_from(encoded.len())
            .map_err(|_| misfit("a queued message of more than 4 GiB".to_owned()))?;
        out.extend(encoded_length.to_le_bytes());
        out.extend(encoded);
        out.extend_from_slice(data);
        pad_zeros(out, length, pad);
    }
    Ok(())
}
