//! Payloads: the raw bytes behind a message, whose length the message's fields give.
//!
//! One file for each kind, with its reading and writing side by side; which image has which kind,
//! and by which fields, stands in `descriptors/images.json`.

mod bytes;
mod messages;
mod queues;
mod words;

use std::io::Read;

use prost_reflect::DynamicMessage;

use super::input::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{boolean, integer};
use crate::schema::{FieldNumber, Layout, MessageType, PayloadLayout, SizedBytes};

use messages::Queue;
pub(crate) use messages::QueuedBytes;
pub use messages::QueuedMessage;

/// The raw data behind a message. Upstream's word for it, and the key in JSON, is `extra`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Payload {
    /// Bytes: what waits in a pipe or socket, a BPF map, a SysV segment, a file's content.
    Bytes(Vec<u8>),
    /// Named byte strings: the input and output queue of a TCP connection.
    Queues(Vec<(String, Vec<u8>)>),
    /// 16-bit numbers: the values of a semaphore set.
    Words(Vec<u16>),
    /// The messages of a SysV message queue.
    Messages(Vec<QueuedMessage>),
}

/// What follows the message that was just read (or is to be written), by its fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Pending {
    /// Nothing.
    #[default]
    None,
    /// This many bytes, then zeros up to a multiple of `pad`.
    Bytes { length: u64, pad: u32 },
    /// Everything up to the end of the image.
    Rest,
    /// Byte strings of these names and lengths.
    Queues(Vec<(String, u64)>),
    /// This many 16-bit words, then zeros up to a multiple of `pad` bytes.
    Words { count: u64, pad: u32 },
    /// This many messages with bytes behind each.
    Messages {
        count: u64,
        ty: MessageType,
        size: FieldNumber,
        pad: u32,
    },
}

/// A payload as it was read, and its raw bytes where writing it anew would give others.
pub(crate) type ReadPayload = (Option<Payload>, Option<Vec<u8>>);

/// What follows the entry at this index.
pub(crate) fn pending(layout: &Layout, index: u64, message: &DynamicMessage) -> Pending {
    match &layout.payload {
        None => Pending::None,
        Some(PayloadLayout::Bytes(sized)) => sized_bytes(sized, message),
        Some(PayloadLayout::Queues(queues)) => Pending::Queues(
            queues
                .iter()
                .map(|(name, size)| (name.clone(), integer(message, *size)))
                .collect(),
        ),
        Some(PayloadLayout::Words { count, pad }) => Pending::Words {
            count: integer(message, *count),
            pad: *pad,
        },
        Some(PayloadLayout::Messages {
            count,
            message: ty,
            size,
            pad,
        }) => Pending::Messages {
            count: integer(message, *count),
            ty: ty.clone(),
            size: *size,
            pad: *pad,
        },
        Some(PayloadLayout::Content(Some(chunks))) if index > 0 => {
            sized_bytes(&chunks.size, message)
        }
        Some(PayloadLayout::Content(Some(chunks))) if boolean(message, chunks.when) => {
            Pending::None
        }
        Some(PayloadLayout::Content(_)) => Pending::Rest,
    }
}

fn sized_bytes(sized: &SizedBytes, message: &DynamicMessage) -> Pending {
    if sized.absent_if.is_some_and(|field| boolean(message, field)) {
        return Pending::None;
    }
    let sizes = sized.size.iter().map(|field| integer(message, *field));
    Pending::Bytes {
        length: sizes.fold(0, u64::saturating_add),
        pad: sized.pad,
    }
}

/// How many bytes of padding follow `length` bytes.
fn padding(length: u64, pad: u32) -> u64 {
    match u64::from(pad) {
        0 => 0,
        pad => (pad - length % pad) % pad,
    }
}

/// Reads what follows a message, into memory.
pub(super) fn read<R: Read>(input: &mut Input<R>, pending: Pending) -> Result<ReadPayload> {
    match pending {
        Pending::None => Ok((None, None)),
        Pending::Bytes { length, pad } => bytes::read(input, length, pad),
        Pending::Rest => bytes::read_rest(input),
        Pending::Queues(queues) => queues::read(input, queues),
        Pending::Words { count, pad } => words::read(input, count, pad),
        Pending::Messages {
            count,
            ty,
            size,
            pad,
        } => messages::read(input, count, Queue { ty: &ty, size, pad }),
    }
}

/// The payload that these bytes, and no fewer, stand for.
pub(crate) fn from_bytes(pending: &Pending, raw: &[u8]) -> Option<Payload> {
    let mut input = Input::new(raw);
    let (payload, _) = read(&mut input, pending.clone()).ok()?;
    payload.filter(|_| input.offset() == raw.len() as u64)
}

/// Steps over what follows a message. Returns its size in bytes, without padding.
pub(super) fn skip<R: Read>(input: &mut Input<R>, pending: Pending) -> Result<u64> {
    match pending {
        Pending::None => Ok(0),
        Pending::Bytes { length, pad } => skip_padded(input, length, pad),
        Pending::Rest => bytes::skip_rest(input),
        Pending::Queues(queues) => queues.iter().try_fold(0u64, |total, (_, length)| {
            input.skip(*length)?;
            Ok(total.saturating_add(*length))
        }),
        Pending::Words { count, pad } => skip_padded(input, count.saturating_mul(2), pad),
        Pending::Messages {
            count,
            ty,
            size,
            pad,
        } => messages::skip(input, count, Queue { ty: &ty, size, pad }),
    }
}

/// Hands over bytes that follow a message piece by piece: those of [`Pending::Bytes`] (without
/// their padding) and of [`Pending::Rest`].
pub(super) fn stream<R: Read>(
    input: &mut Input<R>,
    pending: &Pending,
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    bytes::stream(input, pending, each)
}

/// Hands over the messages of a SysV message queue one by one: the bytes of each, and its data.
pub(super) fn each_queued<R: Read>(
    input: &mut Input<R>,
    pending: &Pending,
    each: &mut dyn FnMut(QueuedBytes<'_>) -> Result<()>,
) -> Result<()> {
    match queue_of(pending) {
        Some((count, queue)) => messages::each(input, count, queue, each),
        None => Ok(()),
    }
}

/// The same of bytes that were read.
pub(crate) fn each_queued_in(
    raw: &[u8],
    pending: &Pending,
    each: &mut dyn FnMut(QueuedBytes<'_>) -> Result<()>,
) -> Result<()> {
    each_queued(&mut Input::new(raw), pending, each)
}

/// The bytes of the messages of a SysV message queue, and whether writing them anew gives the same.
pub(super) fn queued_bytes<R: Read>(
    input: &mut Input<R>,
    pending: &Pending,
) -> Result<(Vec<u8>, bool)> {
    match queue_of(pending) {
        Some((count, queue)) => messages::bytes(input, count, queue),
        None => Ok((Vec::new(), true)),
    }
}

fn queue_of(pending: &Pending) -> Option<(u64, Queue<'_>)> {
    match pending {
        Pending::Messages {
            count,
            ty,
            size,
            pad,
        } => {
            let (size, pad) = (*size, *pad);
            Some((*count, Queue { ty, size, pad }))
        }
        _ => None,
    }
}

fn skip_padded<R: Read>(input: &mut Input<R>, length: u64, pad: u32) -> Result<u64> {
    input.skip(length)?;
    input.skip(padding(length, pad))?;
    Ok(length)
}

/// How strictly a payload must fit the fields that give its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It must fit.
    Strict,
    /// It is written as upstream's crit would.
    Lenient,
}

/// Appends a payload's bytes, or says why it does not fit its message.
pub(crate) fn write(
    pending: &Pending,
    payload: Option<&Payload>,
    fit: Fit,
    out: &mut Vec<u8>,
) -> Result<()> {
    match (pending, payload) {
        (Pending::None, None) => Ok(()),
        // Upstream prints an empty one for a segment whose data is in the pagemaps.
        (Pending::None, Some(Payload::Bytes(data))) if data.is_empty() => Ok(()),
        (Pending::None, Some(_)) if fit == Fit::Lenient => Ok(()),
        (Pending::Bytes { length, pad }, Some(Payload::Bytes(data))) => {
            bytes::write(data, *length, *pad, fit, out)
        }
        (Pending::Rest, Some(Payload::Bytes(data))) => {
            out.extend_from_slice(data);
            Ok(())
        }
        (Pending::Queues(expected), Some(Payload::Queues(queues))) => {
            queues::write(queues, expected, fit, out)
        }
        (Pending::Words { count, pad }, Some(Payload::Words(words))) => {
            words::write(words, *count, *pad, out)
        }
        (
            Pending::Messages {
                count,
                ty,
                size,
                pad,
            },
            Some(Payload::Messages(queued)),
        ) => {
            let (size, pad) = (*size, *pad);
            messages::write(queued, *count, Queue { ty, size, pad }, fit, out)
        }
        (pending, None) if fit == Fit::Lenient || is_empty(pending) => Ok(()),
        (pending, None) => Err(misfit(format!(
            "the payload is missing: the fields say {}",
            describe(pending)
        ))),
        (pending, Some(_)) => Err(wrong_kind(pending)),
    }
}

/// How much of a payload that is copied from elsewhere is written, and how many zeros behind it.
pub(super) struct Streamed {
    pub(super) length: u64,
    pub(super) zeros: u64,
}

/// How a payload of `length` bytes fits a message, or why it doesn't; `None` when it is left out.
pub(super) fn streamed(pending: &Pending, length: u64, fit: Fit) -> Result<Option<Streamed>> {
    let whole = Streamed { length, zeros: 0 };
    match pending {
        Pending::Rest => Ok(Some(whole)),
        Pending::Bytes {
            length: wanted,
            pad,
        } => {
            if *wanted != length && fit == Fit::Strict {
                return Err(wrong_length(length, *wanted));
            }
            // Upstream cuts the padded ones to their size, and writes the others as they are.
            Ok(Some(Streamed {
                length: if *pad > 0 {
                    length.min(*wanted)
                } else {
                    length
                },
                zeros: padding(*wanted, *pad),
            }))
        }
        Pending::None if fit == Fit::Lenient => Ok(None),
        other => Err(wrong_kind(other)),
    }
}

fn wrong_length(length: u64, wanted: u64) -> Error {
    misfit(format!(
        "the payload has {length} bytes, the fields say {wanted}"
    ))
}

fn wrong_kind(pending: &Pending) -> Error {
    misfit(format!(
        "the payload is of another kind: this entry has {}",
        describe(pending)
    ))
}

fn is_empty(pending: &Pending) -> bool {
    match pending {
        Pending::None => true,
        // An empty file has an empty payload; none at all is a JSON made with --nopl.
        Pending::Rest => false,
        Pending::Bytes { length, .. } => *length == 0,
        Pending::Queues(queues) => queues.iter().all(|(_, length)| *length == 0),
        Pending::Words { count, .. } | Pending::Messages { count, .. } => *count == 0,
    }
}

fn describe(pending: &Pending) -> String {
    match pending {
        Pending::None => "no payload".to_owned(),
        Pending::Bytes { length, .. } => format!("{length} bytes"),
        Pending::Rest => "the content of a file".to_owned(),
        Pending::Queues(queues) => queues
            .iter()
            .map(|(name, length)| format!("{length} bytes of {name}"))
            .collect::<Vec<_>>()
            .join(" and "),
        Pending::Words { count, .. } => format!("{count} numbers"),
        Pending::Messages { count, .. } => format!("{count} messages"),
    }
}

fn misfit(what: String) -> Error {
    Error::new(ErrorKind::Payload(what))
}

/// Appends the zeros that follow `length` bytes.
fn pad_zeros(out: &mut Vec<u8>, length: u64, pad: u32) {
    let zeros = usize::try_from(padding(length, pad)).unwrap_or(0);
    out.resize(out.len() + zeros, 0);
}

/// Whether these bytes of padding are as CRIU writes them.
fn all_zero(padding: &[u8]) -> bool {
    padding.iter().all(|byte| *byte == 0)
}
