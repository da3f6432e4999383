//! The messages of a SysV message queue: a size word, an `ipc_msg`, its data, padded to 8 bytes
//! (`criu/ipc_ns.c`).

use std::io::Read;

use prost_reflect::DynamicMessage;

use super::super::input::Input;
use super::{Fit, Payload, ReadPayload, all_zero, misfit, pad_zeros, padding};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{self, Decoded, integer, missing_fields};
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

/// Reads a size word and the message behind it; appends both to `raw`.
fn read_head<R: Read>(
    input: &mut Input<R>,
    ty: &MessageType,
    raw: &mut Vec<u8>,
) -> Result<Decoded> {
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
    message::decode(ty, bytes).map_err(|error| error.shifted(offset + 4))
}

pub(super) fn read<R: Read>(
    input: &mut Input<R>,
    count: u64,
    ty: &MessageType,
    size: FieldNumber,
    pad: u32,
) -> Result<ReadPayload> {
    let mut queued = Vec::new();
    let mut raw = Vec::new();
    let mut canonical = true;
    for _ in 0..count {
        let start = raw.len();
        let Decoded { message, complete } = read_head(input, ty, &mut raw)?;
        let mut encoded = Vec::new();
        message::encode(ty, &message, &mut encoded)?;
        // A message that lacks a field is written as it was read, but not made anew.
        canonical &= complete && raw.get(start + 4..) == Some(&encoded);
        let length = integer(&message, size);
        let data_at = raw.len();
        input.payload(&mut raw, length)?;
        let data = raw.get(data_at..).unwrap_or_default().to_vec();
        let zeros_at = raw.len();
        input.payload(&mut raw, padding(length, pad))?;
        canonical &= all_zero(raw.get(zeros_at..).unwrap_or_default());
        queued.push(QueuedMessage { message, data });
    }
    Ok((Some(Payload::Messages(queued)), (!canonical).then_some(raw)))
}

pub(super) fn skip<R: Read>(
    input: &mut Input<R>,
    count: u64,
    ty: &MessageType,
    size: FieldNumber,
    pad: u32,
) -> Result<u64> {
    let mut total = 0u64;
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.clear();
        let message = read_head(input, ty, &mut raw)?.message;
        let length = integer(&message, size);
        input.skip(length)?;
        input.skip(padding(length, pad))?;
        // Upstream counts the encoded message too, without the size word in front of it.
        let head = raw.len().saturating_sub(4) as u64;
        total = total.saturating_add(head).saturating_add(length);
    }
    Ok(total)
}

pub(super) fn write(
    queued: &[QueuedMessage],
    count: u64,
    (ty, size, pad): (&MessageType, FieldNumber, u32),
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
