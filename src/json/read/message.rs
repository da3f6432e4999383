//! An object of JSON into a message, whatever that is built as.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::unknown::UnknownSeed;
use super::{Extras, FieldSeed, NoExtras, Reading};
use crate::bytes::too_deep;
use crate::error::{Error, ErrorKind};
use crate::message::Unknown;
use crate::schema::{MessageType, Shape, Types};

/// What a message is built as while its object is read.
pub(in crate::json) trait Builder: Sized {
    type Message;

    fn begin(reading: &mut Reading, shape: &Shape) -> Self;

    /// Reads the value of a field.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        seed: FieldSeed<'_>,
        map: &mut A,
    ) -> Result<(), A::Error>;

    /// The message, and whether it has every required field.
    fn finish(self, read: Read<'_>) -> Result<(Self::Message, bool), Error>;
}

/// What was read of a message.
pub(in crate::json) struct Read<'a> {
    pub(in crate::json) reading: &'a mut Reading,
    pub(in crate::json) types: &'a Types,
    pub(in crate::json) shape: &'a Shape,
    pub(in crate::json) seen: &'a Seen,
    /// What stands under `@unknown`.
    pub(in crate::json) unknown: Option<Vec<Unknown>>,
    /// How deep messages may nest, this one among them.
    pub(in crate::json) depth: usize,
}

/// Reads an object into a message.
pub(in crate::json) struct MessageSeed<'a, X, B> {
    reading: &'a mut Reading,
    types: &'a Types,
    shape: &'a Shape,
    extras: X,
    builder: PhantomData<B>,
}

impl<'a, X, B> MessageSeed<'a, X, B> {
    /// For an entry's message.
    pub(in crate::json) fn outer(reading: &'a mut Reading, ty: &'a MessageType, extras: X) -> Self {
        MessageSeed {
            reading,
            types: &ty.types,
            shape: ty.shape(),
            extras,
            builder: PhantomData,
        }
    }
}

impl<'a, B> MessageSeed<'a, NoExtras, B> {
    /// For a message inside another.
    pub(in crate::json) fn inner(reading: &'a mut Reading, types: &'a Types, index: usize) -> Self {
        MessageSeed {
            reading,
            types,
            shape: types.shape(index),
            extras: NoExtras,
            builder: PhantomData,
        }
    }
}

impl<'de, X: Extras, B: Builder> DeserializeSeed<'de> for MessageSeed<'_, X, B> {
    type Value = B::Message;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

/// The fields that were seen, by index.
#[derive(Default)]
pub(in crate::json) struct Seen {
    /// Bits of the first 128.
    pub(super) first: u128,
    others: Vec<usize>,
}

impl Seen {
    /// False when it was seen before.
    fn add(&mut self, index: usize) -> bool {
        if index < 128 {
            let new = self.first >> index & 1 == 0;
            self.first |= 1 << index;
            return new;
        }
        let new = !self.others.contains(&index);
        self.others.push(index);
        new
    }

    /// Whether every required field of the type was seen.
    pub(in crate::json) fn has_required(&self, shape: &Shape) -> bool {
        let mut fields = shape.fields.iter().enumerate();
        shape.required & !self.first == 0
            || fields.all(|(index, field)| !field.required || self.has(index))
    }

    pub(in crate::json) fn has(&self, index: usize) -> bool {
        if index < 128 {
            self.first >> index & 1 == 1
        } else {
            self.others.contains(&index)
        }
    }
}

impl<'de, X: Extras, B: Builder> Visitor<'de> for MessageSeed<'_, X, B> {
    type Value = B::Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.shape.desc.name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let MessageSeed {
            reading,
            types,
            shape,
            mut extras,
            ..
        } = self;
        let Some(depth) = reading.depth.checked_sub(1) else {
            return Err(reading.fail(too_deep()));
        };
        reading.depth = depth;
        let mut builder = B::begin(reading, shape);
        let mut seen = Seen::default();
        let mut extra_keys = Vec::new();
        let mut unknown = None;
        let mut expected = 0;
        while let Some(key) = map.next_key_seed(KeySeed { shape, expected })? {
            let key = match key {
                Key::Field(index) => {
                    let Some(field) = shape.fields.get(index) else {
                        continue;
                    };
                    if !seen.add(index) && !reading.lenient {
                        let name = field.name.to_string();
                        return Err(reading.fail(Error::new(ErrorKind::DuplicateKey(name))));
                    }
                    expected = index + 1;
                    reading.member(&field.name, &mut map, |reading, map| {
                        let seed = FieldSeed {
                            reading,
                            types,
                            field,
                        };
                        builder.field(seed, map)
                    })?;
                    continue;
                }
                Key::Other(key) => key,
            };
            // A strict reader knows all of these keys, so there are only a few.
            if !reading.lenient && extra_keys.contains(&key) {
                return Err(reading.fail(Error::new(ErrorKind::DuplicateKey(key))));
            }
            if key == "@unknown" {
                let bytes = reading.member(&key, &mut map, |reading, map| {
                    map.next_value_seed(UnknownSeed)?
                        .map_err(|what| reading.refuse(what))
                })?;
                unknown = Some(bytes);
            } else if !extras.read(reading, &key, &mut map)? {
                if !reading.lenient {
                    let error = Error::new(ErrorKind::UnknownField {
                        name: key.clone(),
                        message: shape.desc.name().to_owned(),
                    });
                    return Err(reading.fail(error.did_you_mean(&key, shape.names())));
                }
                map.next_value::<IgnoredAny>()?;
            }
            if !reading.lenient {
                extra_keys.push(key);
            }
        }
        let finished = builder.finish(Read {
            reading: &mut *reading,
            types,
            shape,
            seen: &seen,
            unknown,
            depth: depth + 1,
        });
        let (message, complete) = finished.map_err(|error| reading.fail(error))?;
        reading.depth = depth + 1;
        reading.complete &= complete;
        Ok(message)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Err(self
            .reading
            .refuse("null is no value; leave the field out".to_owned()))
    }
}

enum Key {
    Field(usize),
    Other(String),
}

struct KeySeed<'a> {
    shape: &'a Shape,
    /// The field that comes next when keys are in order, which they nearly always are.
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Key, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        let expected = self.shape.fields.get(self.expected);
        if expected.is_some_and(|field| *field.name == *key) {
            return Ok(Key::Field(self.expected));
        }
        Ok(match self.shape.index_named(key) {
            Some(index) => Key::Field(index),
            None => Key::Other(key.to_owned()),
        })
    }
}
