//! A message that is built as a dynamic message, and the values of its fields.

use std::fmt;

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::message::Seen;
use super::{Builder, MessageSeed, NOT_ALONE, Read, Reading, ScalarVisitor, Step};
use crate::error::{Error, ErrorKind};
use crate::message::{Unknown, decode_into};
use crate::schema::{Field, FieldKind, Shape, Types};

/// Builds a dynamic message.
pub(in crate::json) struct Whole {
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
        // One that stood under `@unknown` is there as well.
        complete &= seen.has_required(shape)
            || shape
                .fields
                .iter()
                .all(|field| !field.required || message.has_field(&field.desc));
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
pub(in crate::json) fn not_unknown(
    shape: &Shape,
    seen: &Seen,
    field: &Unknown,
) -> Result<(), Error> {
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

/// Reads the value of a field.
pub(in crate::json) struct FieldSeed<'a> {
    pub(in crate::json) reading: &'a mut Reading,
    pub(in crate::json) types: &'a Types,
    pub(in crate::json) field: &'a Field,
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
        reading.end_of_words(addresses, list.len())?;
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
