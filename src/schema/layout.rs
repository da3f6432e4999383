//! An image kind with its messages found in a schema: what a reader or writer of that kind needs.

use std::sync::Arc;

use super::Schema;
use super::mapping::Origin;
use super::types::{FieldKind, MessageType};
use crate::descriptor::{Family, ImageKind, PayloadKind};
use crate::error::{Error, ErrorKind, Result};

/// An image kind, its message types and its payload.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) kind: Arc<ImageKind>,
    pub(crate) entry: MessageType,
    pub(crate) head: Option<MessageType>,
    pub(crate) payload: Option<PayloadLayout>,
    /// The file is one message, without magic and sizes.
    pub(crate) bare: bool,
}

/// A payload whose fields are known to be in the messages.
#[derive(Debug)]
pub(crate) enum PayloadLayout {
    Bytes(SizedBytes),
    Queues(Vec<(String, FieldNumber)>),
    Words {
        count: FieldNumber,
        pad: u32,
    },
    Messages {
        count: FieldNumber,
        message: MessageType,
        size: FieldNumber,
        pad: u32,
    },
    /// The content of a file, in one piece or in chunks.
    Content(Option<Chunks>),
}

impl PayloadLayout {
    /// The fields of a message that say what follows it.
    pub(crate) fn fields(&self) -> Vec<FieldNumber> {
        match self {
            PayloadLayout::Bytes(sized) => sized.fields(),
            PayloadLayout::Queues(queues) => queues.iter().map(|(_, size)| *size).collect(),
            PayloadLayout::Words { count, .. } | PayloadLayout::Messages { count, .. } => {
                vec![*count]
            }
            PayloadLayout::Content(chunks) => chunks.iter().fold(Vec::new(), |mut all, chunks| {
                all.push(chunks.when);
                all.extend(chunks.size.fields());
                all
            }),
        }
    }
}

/// The chunks that a file's content may come in.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// The bool field of the first entry that says so.
    pub(crate) when: FieldNumber,
    /// The message of all further entries.
    pub(crate) message: MessageType,
    pub(crate) size: SizedBytes,
}

/// Bytes whose number the fields of the message give.
#[derive(Debug, Clone)]
pub(crate) struct SizedBytes {
    pub(crate) size: Vec<FieldNumber>,
    pub(crate) pad: u32,
    pub(crate) absent_if: Option<FieldNumber>,
}

impl SizedBytes {
    fn fields(&self) -> Vec<FieldNumber> {
        self.size.iter().copied().chain(self.absent_if).collect()
    }
}

/// A field of an entry, by number.
pub(crate) type FieldNumber = u32;

impl Layout {
    /// Finds the messages and fields that a row names.
    pub(super) fn resolve(schema: &Schema, kind: &Arc<ImageKind>) -> Result<Self> {
        let row = |what: String| {
            Error::new(ErrorKind::Descriptor(format!(
                "row `{}`: {what}",
                kind.name
            )))
        };
        let message = |name: &str| match schema.message(name) {
            Err(error) if matches!(error.kind(), ErrorKind::UnknownMessage(_)) => {
                Err(row(error.to_string()))
            }
            other => other,
        };
        let page_records = kind.payload == Some(PayloadKind::PageRecords);
        if kind.family == Family::Raw || page_records {
            return Err(Error::new(ErrorKind::RawImage {
                kind: kind.name.clone(),
                about: kind.about.clone(),
            }));
        }
        let Some((entry, origin)) = schema.message_of(kind)? else {
            return Err(schema.no_message(kind));
        };
        // A message that the caller chose has not the fields that the row speaks of.
        let kind = match origin {
            Origin::Forced if kind.entry.as_deref() != Some(entry.name()) => Arc::new(ImageKind {
                head: None,
                payload: None,
                ..(**kind).clone()
            }),
            _ => Arc::clone(kind),
        };
        let kind = &kind;
        let head = kind.head.as_deref().map(message).transpose()?;
        let field = |of: &MessageType, name: &str, wanted: &str| {
            let found = of.shape().field_named(name);
            match found {
                Some(field) if !field.repeated && type_name(&field.kind) == wanted => {
                    Ok(field.number)
                }
                _ => Err(row(format!("{} has no {wanted} field `{name}`", of.name()))),
            }
        };
        let sizes = |of: &MessageType, names: &[String]| {
            let numbers = names.iter().map(|name| field(of, name, "integer"));
            numbers.collect::<Result<Vec<_>>>()
        };
        let payload = match &kind.payload {
            None | Some(PayloadKind::PageRecords) => None,
            Some(PayloadKind::Bytes {
                size,
                pad,
                absent_if,
            }) => Some(PayloadLayout::Bytes(SizedBytes {
                size: sizes(&entry, size)?,
                pad: *pad,
                // Older schemas have no such field, and then the payload is always there.
                absent_if: absent_if
                    .as_deref()
                    .filter(|name| entry.shape().field_named(name).is_some())
                    .map(|name| field(&entry, name, "bool"))
                    .transpose()?,
            })),
            Some(PayloadKind::Queues { queues }) => Some(PayloadLayout::Queues(
                queues
                    .iter()
                    .map(|q| Ok((q.name.clone(), field(&entry, &q.size, "integer")?)))
                    .collect::<Result<_>>()?,
            )),
            Some(PayloadKind::Words { count, pad }) => Some(PayloadLayout::Words {
                count: field(&entry, count, "integer")?,
                pad: *pad,
            }),
            Some(PayloadKind::Messages {
                count,
                message: name,
                size,
                pad,
            }) => {
                let message = message(name)?;
                Some(PayloadLayout::Messages {
                    count: field(&entry, count, "integer")?,
                    size: field(&message, size, "integer")?,
                    message,
                    pad: *pad,
                })
            }
            Some(PayloadKind::Content {
                chunked_if,
                chunk,
                size,
            }) => {
                // Before CRIU 3.3 there were no chunks: the content is the rest of the image.
                let chunks = if entry.shape().field_named(chunked_if).is_some() {
                    let chunk = message(chunk)?;
                    Some(Chunks {
                        when: field(&entry, chunked_if, "bool")?,
                        size: SizedBytes {
                            size: sizes(&chunk, size)?,
                            pad: 0,
                            absent_if: None,
                        },
                        message: chunk,
                    })
                } else {
                    None
                };
                Some(PayloadLayout::Content(chunks))
            }
        };
        Ok(Layout {
            kind: Arc::clone(kind),
            entry,
            head,
            payload,
            bare: false,
        })
    }

    /// A file that is one message of this type. Its kind has the message's name.
    pub(super) fn bare(message: MessageType) -> Self {
        Layout {
            kind: Arc::new(ImageKind {
                family: Family::None,
                ..ImageKind::plain(message.name(), 0)
            }),
            entry: message,
            head: None,
            payload: None,
            bare: true,
        }
    }

    /// Every message type that images of this kind have.
    pub(super) fn messages(&self) -> impl Iterator<Item = &MessageType> {
        let more = match &self.payload {
            Some(PayloadLayout::Messages { message, .. }) => Some(message),
            Some(PayloadLayout::Content(Some(chunks))) => Some(&chunks.message),
            _ => None,
        };
        [&self.entry].into_iter().chain(&self.head).chain(more)
    }

    /// The type of the entry at this index.
    pub(crate) fn entry_type(&self, index: u64) -> &MessageType {
        match (&self.head, &self.payload) {
            (Some(head), _) if index == 0 => head,
            (_, Some(PayloadLayout::Content(Some(chunks)))) if index > 0 => &chunks.message,
            _ => &self.entry,
        }
    }
}

fn type_name(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "bool",
        FieldKind::Float
        | FieldKind::Double
        | FieldKind::String
        | FieldKind::Bytes
        | FieldKind::Enum(_)
        | FieldKind::Message(_)
        | FieldKind::Group(_) => "other",
        _ => "integer",
    }
}
