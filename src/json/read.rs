//! Messages out of JSON: straight from the text into the dynamic message, field by field.

use std::fmt;
use std::marker::PhantomData;

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::options::Dialect;
use super::scalar::{self, Json};
use super::unknown::UnknownSeed;
use crate::bytes::too_deep;
use crate::error::{Error, ErrorKind};
use crate::limits::MESSAGE_DEPTH;
use crate::message::{Unknown, decode_into};
use crate::schema::{Field, FieldKind, MessageType, Shape, Types};

/// What reading JSON needs to know everywhere, and where it stands.
pub(super) struct Reading {
    pub(super) dialect: Dialect,
    /// Take what upstream's crit takes.
    pub(super) lenient: bool,
    /// Whether every required field was there in all messages that were read.
    pub(super) complete: bool,
    /// A message that is done with, for the outermost one, and which fields it has: where a field was
    /// set its place is used again.
    pub(super) spare: Option<(DynamicMessage, u128)>,
    /// Which fields the outermost message has; `None` when it can't be used again.
    pub(super) seen: Option<u128>,
    /// How deep messages may still nest.
    depth: usize,
    /// The field that could not be read, from the inside out.
    path: Vec<Step>,
    /// The error, since serde's carries only text.
    error: Option<Error>,
}

/// A step of a field path.
pub(super) enum Step {
    Name(Box<str>),
    Index(usize),
}

impl Reading {
    pub(super) fn new(dialect: Dialect, lenient: bool) -> Self {
        Reading {
            dialect,
            lenient,
            complete: true,
            spare: None,
            seen: None,
            depth: MESSAGE_DEPTH,
            path: Vec::new(),
            error: None,
        }
    }

    /// The error with its place. `error` is what serde made of it, `place` the line and column
    /// where the text began that it counts from.
    pub(super) fn error(&mut self, error: serde_json::Error, place: (u64, u64)) -> Error {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let mut found = self.error.take().unwrap_or_else(|| {
            let text = error.to_string();
            let suffix = format!(" at line {line} column {column}");
            let text = text.strip_suffix(&suffix).unwrap_or(&text);
            Error::new(ErrorKind::Json(text.to_owned()))
        });
        for step in self.path.drain(..) {
            found = match step {
                Step::Name(name) => found.in_field(&name),
                Step::Index(index) => found.in_field(&format!("[{index}]")),
            };
        }
        match line {
            // The value did not come out of text.
            0 => found,
            1 => found.at_line(place.0, place.1 + column.saturating_sub(1)),
            _ => found.at_line(place.0 + line - 1, column),
        }
    }

    /// Forgets the outermost step of the field path.
    pub(super) fn forget_outermost(&mut self) {
        self.path.pop();
    }

    pub(super) fn fail<E: serde::de::Error>(&mut self, error: Error) -> E {
        self.error.get_or_insert(error);
        E::custom("refused")
    }

    pub(super) fn refuse<E: serde::de::Error>(&mut self, what: String) -> E {
        self.fail(Error::new(ErrorKind::Value(what)))
    }

    /// Notes, when reading failed, in which field or element that was.
    pub(super) fn inside<T, E>(
        &mut self,
        result: Result<T, E>,
        step: impl FnOnce() -> Step,
    ) -> Result<T, E> {
        if result.is_err() {
            self.path.push(step());
        }
        result
    }

    /// Reads a member's value under its name.
    pub(super) fn member<'de, A: MapAccess<'de>, T>(
        &mut self,
        name: &str,
        map: &mut A,
        read: impl FnOnce(&mut Self, &mut A) -> Result<T, A::Error>,
    ) -> Result<T, A::Error> {
        let result = read(self, map);
        self.inside(result, || Step::Name(name.into()))
    }
}

/// Members of an entry that are no fields of its message: the payload and the raw bytes.
pub(super) trait Extras {
    /// Reads the value of this key, if it is one of them.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error>;
}

impl<X: Extras> Extras for &mut X {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        (**self).read(reading, key, map)
    }
}

/// No such members: the messages inside an entry have none.
pub(super) struct NoExtras;

impl Extras for NoExtras {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        _: &mut Reading,
        _: &str,
        _: &mut A,
    ) -> Result<bool, A::Error> {
        Ok(false)
    }
}

/// What a message is built as while its object is read.
pub(super) trait Builder: Sized {
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
pub(super) struct Read<'a> {
    pub(super) reading: &'a mut Reading,
    pub(super) types: &'a Types,
    pub(super) shape: &'a Shape,
    pub(super) seen: &'a Seen,
    /// What stands under `@unknown`.
    pub(super) unknown: Option<Vec<Unknown>>,
    /// How deep messages may nest, this one among them.
    pub(super) depth: usize,
}

/// Reads an object into a message.
pub(super) struct MessageSeed<'a, X, B> {
    reading: &'a mut Reading,
    types: &'a Types,
    shape: &'a Shape,
    extras: X,
    builder: PhantomData<B>,
}

impl<'a, X, B> MessageSeed<'a, X, B> {
    /// For an entry's message.
    pub(super) fn outer(reading: &'a mut Reading, ty: &'a MessageType, extras: X) -> Self {
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
    pub(super) fn inner(reading: &'a mut Reading, types: &'a Types, index: usize) -> Self {
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
pub(super) struct Seen {
    first: u128,
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

    pub(super) fn has(&self, index: usize) -> bool {
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

/// Builds a dynamic message.
pub(super) struct Whole {
    message: DynamicMessage,
    /// Which of the first 128 fields it has of a message that is done with.
    before: u128,
}

impl Builder for Whole {
    type Message = DynamicMessage;

    fn begin(reading: &mut Reading, shape: &Shape) -> Self {
        let spare = reading.spare.take();
        let (message, before) = spare
            .filter(|(message, _)| message.descriptor() == shape.desc)
            .unwrap_or_else(|| (DynamicMessage::new(shape.desc.clone()), 0));
        Whole { message, before }
    }

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        seed: FieldSeed<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let field = seed.field;
        let value = map.next_value_seed(seed)?;
        // The value is of the field's kind: nothing needs to be checked.
        *self.message.get_field_mut(&field.desc) = value;
        Ok(())
    }

    fn finish(self, read: Read<'_>) -> Result<(DynamicMessage, bool), Error> {
        let Read {
            reading,
            types,
            shape,
            seen,
            unknown,
            depth,
        } = read;
        let Whole {
            mut message,
            before,
        } = self;
        let mut gone = before & !seen.first;
        while gone != 0 {
            if let Some(field) = shape.fields.get(gone.trailing_zeros() as usize) {
                message.clear_field(&field.desc);
            }
            gone &= gone - 1;
        }
        reading.seen = (shape.is_plain && unknown.is_none()).then_some(seen.first);
        let mut complete = true;
        if let Some(fields) = unknown {
            complete = keep_unknown(types, shape, &mut message, seen, &fields, depth)
                .map_err(|error| error.in_field("@unknown"))?;
        }
        complete &= shape.required & !seen.first == 0
            || shape.fields.iter().enumerate().all(|(index, field)| {
                !field.required || seen.has(index) || message.has_field(&field.desc)
            });
        Ok((message, complete))
    }
}

/// Puts unknown fields into a message as if they stood behind it: one that this schema does know
/// becomes the field that it is, unless that one has a value of its own.
fn keep_unknown(
    types: &Types,
    shape: &Shape,
    message: &mut DynamicMessage,
    seen: &Seen,
    fields: &[Unknown],
    depth: usize,
) -> Result<bool, Error> {
    let mut bytes = Vec::new();
    for field in fields {
        not_unknown(shape, seen, field)?;
        field.put(&mut bytes);
    }
    decode_into(types, shape, message, &bytes, depth)
}

/// Refuses what is called unknown but stands there as the field that it is.
pub(super) fn not_unknown(shape: &Shape, seen: &Seen, field: &Unknown) -> Result<(), Error> {
    let index = shape
        .index_of(field.number)
        .filter(|index| seen.has(*index));
    if let Some(known) = index.and_then(|index| shape.fields.get(index))
        && known.kind.wire() == field.wire
        && !known.repeated
    {
        let what = format!(
            "field {} is no unknown field: `{}` is it",
            field.number, known.name
        );
        return Err(Error::new(ErrorKind::Value(what)));
    }
    Ok(())
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

/// Reads the value of a field.
pub(super) struct FieldSeed<'a> {
    pub(super) reading: &'a mut Reading,
    pub(super) types: &'a Types,
    pub(super) field: &'a Field,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        if self.field.repeated {
            return input.deserialize_any(ListVisitor(self));
        }
        match &self.field.kind {
            FieldKind::Message(index) | FieldKind::Group(index) => {
                let seed = MessageSeed::<_, Whole>::inner(self.reading, self.types, *index);
                seed.deserialize(input).map(Value::Message)
            }
            _ => input.deserialize_any(ScalarVisitor {
                reading: self.reading,
                field: self.field,
            }),
        }
    }
}

/// Reads the elements of a repeated field.
struct ListVisitor<'a>(FieldSeed<'a>);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let FieldSeed {
            reading,
            types,
            field,
        } = self.0;
        let mut list = Vec::new();
        let mut addresses = 0;
        for index in 0.. {
            let element = seq.next_element_seed(ElementSeed {
                reading,
                types,
                field,
                list: &mut list,
                addresses: &mut addresses,
            });
            if reading.inside(element, || Step::Index(index))?.is_none() {
                break;
            }
        }
        if addresses > 0 && !matches!(list.len(), 1 | 4) {
            return Err(reading.refuse(NOT_ALONE.to_owned()));
        }
        Ok(Value::List(list))
    }
}

struct ElementSeed<'a> {
    reading: &'a mut Reading,
    types: &'a Types,
    field: &'a Field,
    list: &'a mut Vec<Value>,
    /// How many IP addresses are in the list, each of which is 1 or 4 words.
    addresses: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        match &self.field.kind {
            FieldKind::Message(index) | FieldKind::Group(index) => {
                let seed = MessageSeed::<_, Whole>::inner(self.reading, self.types, *index);
                self.list.push(Value::Message(seed.deserialize(input)?));
            }
            _ => {
                let value = input.deserialize_any(ScalarVisitor {
                    reading: self.reading,
                    field: self.field,
                })?;
                match value {
                    // An IP address stands for all of its words.
                    Value::List(words) => {
                        *self.addresses += 1;
                        if !self.list.is_empty() {
                            return Err(self.reading.refuse(NOT_ALONE.to_owned()));
                        }
                        self.list.extend(words);
                    }
                    value => self.list.push(value),
                }
            }
        }
        Ok(())
    }
}

/// Why a list with an IP address in it is refused.
pub(super) const NOT_ALONE: &str = "an IP address stands alone in its list";

/// Reads anything that is neither a message nor a list of the schema.
pub(super) struct ScalarVisitor<'a> {
    pub(super) reading: &'a mut Reading,
    pub(super) field: &'a Field,
}

impl ScalarVisitor<'_> {
    fn value<E: serde::de::Error>(self, json: &Json<'_>) -> Result<Value, E> {
        let reading = self.reading;
        scalar::read(json, self.field, reading.dialect, reading.lenient).map_err(|refused| {
            let error = Error::new(ErrorKind::Value(refused.what));
            reading.fail(match refused.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        })
    }
}

impl<'de> Visitor<'de> for ScalarVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(scalar::expected(&self.field.kind))
    }

    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<Value, E> {
        self.value(&Json::Bool(v))
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Value, E> {
        self.value(&Json::Integer(i128::from(v)))
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Value, E> {
        self.value(&Json::Integer(i128::from(v)))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        self.value(&Json::Float(v))
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Value, E> {
        self.value(&Json::Text(v))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Err(self
            .reading
            .refuse("null is no value; leave the field out".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match map.next_key::<String>()? {
            Some(key) if key == "@bytes" => {
                let value = map.next_value_seed(BytesSeed(self))?;
                if map.next_key::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("`@bytes` stands alone in its object"));
                }
                Ok(value)
            }
            _ => {
                let expected = scalar::expected(&self.field.kind);
                Err(self
                    .reading
                    .refuse(format!("expected {expected}, found an object")))
            }
        }
    }
}

/// Reads the base64 text of `@bytes`, without a copy of the text.
struct BytesSeed<'a>(ScalarVisitor<'a>);

impl<'de> DeserializeSeed<'de> for BytesSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for BytesSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.value(&Json::Bytes(text))
    }
}
