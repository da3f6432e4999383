//! Payloads out of JSON: the key `extra` of an entry, and the raw bytes that `--exact` adds.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::base64;
use super::integer::number;
use super::options::Dialect;
use super::read::{Extras, MessageSeed, Reading, Whole};
use super::split::Spooled;
use crate::error::{Error, ErrorKind, Result};
use crate::image::payload::Pending;
use crate::image::payload::from_bytes;
use crate::image::{Entry, Payload, QueuedMessage};
use crate::schema::{Layout, MessageType, PayloadLayout};

/// The members of an entry that are no fields: `extra`, `@raw`, `@payload`.
pub(super) struct EntryExtras<'a> {
    layout: &'a Layout,
    /// `extra` was too large for memory; `null` stands in its place.
    spooled: bool,
    payload: Option<Payload>,
    pub(super) raw: Option<Vec<u8>>,
    raw_payload: Option<Vec<u8>>,
}

impl<'a> EntryExtras<'a> {
    pub(super) fn new(layout: &'a Layout, spooled: bool) -> Self {
        EntryExtras {
            layout,
            spooled,
            payload: None,
            raw: None,
            raw_payload: None,
        }
    }

    /// Puts the payload into the entry. `spooled` is one that was too large for memory; it is given
    /// back unless it has raw bytes to be compared with.
    pub(super) fn finish(
        &mut self,
        entry: &mut Entry,
        pending: &Pending,
        spooled: Option<Spooled>,
    ) -> Result<Option<Spooled>> {
        entry.payload = self.payload.take();
        let Some(raw) = self.raw_payload.take() else {
            return Ok(spooled);
        };
        if let Some(mut spooled) = spooled {
            let mut data = Vec::new();
            spooled
                .data
                .read_to_end(&mut data)
                .map_err(Error::temporary)?;
            entry.payload = Some(Payload::Bytes(data));
        }
        // Taken when they stand for the payload beside them; an edited payload wins.
        let stands_for = from_bytes(pending, &raw);
        if stands_for.is_some() && stands_for == entry.payload {
            entry.raw_payload = Some(raw);
        }
        Ok(None)
    }
}

impl Extras for EntryExtras<'_> {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match (key, &self.layout.payload) {
            ("extra", Some(layout)) => {
                let spooled = self.spooled;
                self.payload = reading.member(key, map, |reading, map| {
                    map.next_value_seed(PayloadSeed {
                        reading,
                        layout,
                        spooled,
                    })
                })?;
            }
            ("extra", None) if reading.lenient => drop(map.next_value::<IgnoredAny>()?),
            ("extra", None) => {
                let kind = &self.layout.kind.name;
                let what = format!("a {kind} image has no payloads");
                return Err(reading.fail(Error::new(ErrorKind::Payload(what)).in_field("extra")));
            }
            ("@raw", _) | ("@payload", Some(_)) => {
                let bytes = reading.member(key, map, |reading, map| {
                    let text = map.next_value::<String>()?;
                    base64::decode(&text, false).map_err(|what| reading.refuse(what))
                })?;
                let slot = if key == "@raw" {
                    &mut self.raw
                } else {
                    &mut self.raw_payload
                };
                *slot = Some(bytes);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads the value of `extra`.
struct PayloadSeed<'a> {
    reading: &'a mut Reading,
    layout: &'a PayloadLayout,
    spooled: bool,
}

impl<'de> DeserializeSeed<'de> for PayloadSeed<'_> {
    type Value = Option<Payload>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PayloadSeed<'_> {
    type Value = Option<Payload>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.layout {
            PayloadLayout::Bytes(_) | PayloadLayout::Content(_) => "a base64 string",
            PayloadLayout::Queues(_) => "an object of base64 strings",
            PayloadLayout::Words { .. } => "an array of numbers",
            PayloadLayout::Messages { .. } => "an array of messages and base64 strings",
        })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let reading = self.reading;
        if text.starts_with("... <") && text.ends_with('>') {
            return Err(reading.fail(Error::new(ErrorKind::NoPayload(text.to_owned()))));
        }
        match self.layout {
            PayloadLayout::Bytes(_) | PayloadLayout::Content(_) => {
                let bytes = base64::decode(text, reading.lenient);
                bytes
                    .map(|bytes| Some(Payload::Bytes(bytes)))
                    .map_err(|what| reading.refuse(what))
            }
            PayloadLayout::Words { .. } if reading.dialect == Dialect::Go => {
                serde_json::from_str(text)
                    .map(|words| Some(Payload::Words(words)))
                    .map_err(|error| reading.refuse(error.to_string()))
            }
            _ => Err(reading.refuse("the payload of this kind is not a string".to_owned())),
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        // Upstream takes whatever is false for no payload.
        if self.spooled || self.reading.lenient {
            return Ok(None);
        }
        Err(self
            .reading
            .refuse("null is no payload; leave it out".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reading = self.reading;
        let PayloadLayout::Queues(known) = self.layout else {
            return Err(reading.refuse("the payload of this kind is not an object".to_owned()));
        };
        let mut queues: Vec<(String, Vec<u8>)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let is_known = known.iter().any(|(n, _)| *n == name);
            let is_new = !queues.iter().any(|(n, _)| *n == name);
            if !reading.lenient && !is_new {
                return Err(reading.fail(Error::new(ErrorKind::DuplicateKey(name))));
            }
            if !reading.lenient && !is_known {
                let names = known.iter().map(|(name, _)| name.as_str());
                let error = Error::new(ErrorKind::UnknownField {
                    name: name.clone(),
                    message: "the payload".to_owned(),
                });
                return Err(reading.fail(error.did_you_mean(&name, names)));
            }
            if !is_known {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            // Of two, upstream takes the last.
            queues.retain(|(n, _)| *n != name);
            let data = reading.member(&name, &mut map, |reading, map| {
                let text = map.next_value::<String>()?;
                base64::decode(&text, reading.lenient).map_err(|what| reading.refuse(what))
            })?;
            queues.push((name, data));
        }
        Ok(Some(Payload::Queues(queues)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let reading = self.reading;
        match self.layout {
            PayloadLayout::Words { .. } => {
                let mut words = Vec::new();
                while let Some(word) = seq.next_element::<serde_json::Value>()? {
                    let value = match &word {
                        serde_json::Value::String(text) => number(text),
                        other => other.as_i64().map(i128::from),
                    };
                    let value = value.and_then(|value| u16::try_from(value).ok());
                    words.push(value.ok_or_else(|| {
                        reading.refuse(format!("{word} is not a number of 16 bits"))
                    })?);
                }
                Ok(Some(Payload::Words(words)))
            }
            PayloadLayout::Messages { message, .. } => {
                let mut queued = Vec::new();
                while let Some(message) = seq.next_element_seed(QueuedSeed {
                    reading,
                    ty: message,
                })? {
                    let text = seq.next_element::<String>()?.ok_or_else(|| {
                        reading.refuse("the data of the last message is missing".to_owned())
                    })?;
                    let data = base64::decode(&text, reading.lenient)
                        .map_err(|what| reading.refuse(what))?;
                    queued.push(QueuedMessage { message, data });
                }
                Ok(Some(Payload::Messages(queued)))
            }
            _ => Err(reading.refuse("the payload of this kind is not an array".to_owned())),
        }
    }
}

struct QueuedSeed<'a> {
    reading: &'a mut Reading,
    ty: &'a MessageType,
}

impl<'de> DeserializeSeed<'de> for QueuedSeed<'_> {
    type Value = prost_reflect::DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        MessageSeed::<_, Whole>::inner(self.reading, &self.ty.types, self.ty.index)
            .deserialize(input)
    }
}
