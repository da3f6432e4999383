//! A large message out of JSON straight to its bytes, field by field.
//!
//! They are what [`super::super::read::Whole`] gives when it is encoded. Fields come in any order, so each
//! has its bytes until all are there.

use std::fmt;

use prost_reflect::{DynamicMessage, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::read::{
    Builder, FieldSeed, MessageSeed, NOT_ALONE, Read, Reading, ScalarVisitor, Step, not_unknown,
};
use crate::bytes::{Wire, put_key, put_varint};
use crate::error::Error;
use crate::limits::MESSAGE_DEPTH;
use crate::message::{Places, begin_delimited, decode_into, encode_as, end_delimited, put_scalar};
use crate::schema::{Field, MessageType, Shape, Types};

/// Builds the bytes of a message.
pub(in crate::json) struct Bytes {
    /// Each with the number of its field; those that the schema lacks behind the others.
    parts: Vec<(u32, Vec<u8>)>,
}

impl Builder for Bytes {
    type Message = Vec<u8>;

    fn begin(_: &mut Reading, _: &Shape) -> Self {
        Bytes { parts: Vec::new() }
    }

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        seed: FieldSeed<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let number = seed.field.number;
        let mut part = Vec::new();
        map.next_value_seed(FieldBytes {
            seed,
            out: &mut part,
        })?;
        // A key that stands there twice is refused, or the last one counts.
        self.parts.retain(|(before, _)| *before != number);
        self.parts.push((number, part));
        Ok(())
    }

    fn finish(mut self, read: Read<'_>) -> Result<(Vec<u8>, bool), Error> {
        let Read {
            types,
            shape,
            seen,
            unknown,
            depth,
            ..
        } = read;
        let mut complete = seen.has_required(shape);
        let mut unknown = unknown.unwrap_or_default();
        let mut known_after_all = false;
        for field in &unknown {
            not_unknown(shape, seen, field)?;
            known_after_all |= shape.taking(field.number, field.wire).is_some();
        }
        self.parts.sort_by_key(|(number, _)| *number);
        unknown.sort_by_key(|field| field.number);
        let mut unknown = unknown.into_iter().peekable();
        let mut bytes = Vec::new();
        for (number, part) in self.parts {
            while let Some(field) = unknown.next_if(|field| field.number < number) {
                field.put(&mut bytes);
            }
            if bytes.is_empty() {
                bytes = part;
            } else {
                bytes.extend_from_slice(&part);
            }
        }
        unknown.for_each(|field| field.put(&mut bytes));
        // What the schema knows becomes the field that it is.
        if known_after_all {
            let mut message = DynamicMessage::new(shape.desc.clone());
            complete = decode_into(types, shape, &mut message, &bytes, depth)?;
            bytes.clear();
            encode_as(types, shape, &message, &mut bytes)?;
        }
        Ok((bytes, complete))
    }
}

/// Reads the value of a field to the bytes that it has in its message, with its keys.
struct FieldBytes<'a, 'o> {
    seed: FieldSeed<'a>,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldBytes<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        if self.seed.field.repeated {
            input.deserialize_any(self)
        } else {
            let FieldBytes { seed, out } = self;
            ElementBytes {
                seed,
                out,
                count: &mut 0,
                addresses: &mut 0,
            }
            .deserialize(input)
        }
    }
}

impl<'de> Visitor<'de> for FieldBytes<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let FieldBytes { seed, out } = self;
        let FieldSeed {
            reading,
            types,
            field,
        } = seed;
        let packed = field.packed.then(|| {
            put_key(out, field.number, Wire::Bytes);
            begin_delimited(out)
        });
        let (mut count, mut addresses) = (0, 0);
        for index in 0.. {
            let element = seq.next_element_seed(ElementBytes {
                seed: FieldSeed {
                    reading,
                    types,
                    field,
                },
                out,
                count: &mut count,
                addresses: &mut addresses,
            });
            if reading.inside(element, || Step::Index(index))?.is_none() {
                break;
            }
        }
        reading.end_of_words(addresses, count)?;
        match packed {
            // An empty list is not there.
            Some(_) if count == 0 => out.clear(),
            Some(start) => end_delimited(out, start),
            None => {}
        }
        Ok(())
    }
}

/// Reads one value of a field.
struct ElementBytes<'a, 'o> {
    seed: FieldSeed<'a>,
    out: &'o mut Vec<u8>,
    /// How many values were read, and how many IP addresses among them.
    count: &'o mut usize,
    addresses: &'o mut usize,
}

impl<'de> DeserializeSeed<'de> for ElementBytes<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let ElementBytes {
            seed,
            out,
            count,
            addresses,
        } = self;
        let FieldSeed {
            reading,
            types,
            field,
        } = seed;
        if let Some(index) = field.kind.message() {
            let seed = MessageSeed::<_, Bytes>::inner(reading, types, index);
            let bytes = seed.deserialize(input)?;
            put_key(out, field.number, field.kind.wire());
            if field.kind.wire() == Wire::Group {
                out.extend_from_slice(&bytes);
                put_key(out, field.number, Wire::GroupEnd);
            } else {
                put_varint(out, bytes.len() as u64);
                out.extend_from_slice(&bytes);
            }
            *count += 1;
            return Ok(());
        }
        let value = input.deserialize_any(ScalarVisitor {
            reading: &mut *reading,
            field,
        })?;
        if matches!(value, Value::List(_)) && *count > 0 {
            return Err(reading.refuse(NOT_ALONE.to_owned()));
        }
        let mut put = |value: &Value| {
            if !field.packed || !field.repeated {
                put_key(out, field.number, field.kind.wire());
            }
            *count += 1;
            put_scalar(&field.kind, value, out)
        };
        let put = match &value {
            // An IP address stands for all of its words.
            Value::List(words) => {
                *addresses += 1;
                words.iter().try_for_each(put)
            }
            value => put(value),
        };
        put.map_err(|error| reading.fail(error))
    }
}

/// The first required field that a message lacks whose bytes are as [`Bytes`] builds them: its path.
pub(in crate::json) fn first_missing(
    ty: &MessageType,
    bytes: &[u8],
) -> Result<Option<String>, Error> {
    look(&ty.types, ty.index, bytes, MESSAGE_DEPTH)
}

fn look(types: &Types, index: usize, bytes: &[u8], depth: usize) -> Result<Option<String>, Error> {
    let shape = types.shape(index);
    let places = Places::find(shape, bytes, depth)?;
    for (index, field) in shape.fields.iter().enumerate() {
        if places.count(index) == 0 {
            if field.required {
                return Ok(Some(field.name.to_string()));
            }
            continue;
        }
        let Some(inner) = field.kind.message() else {
            continue;
        };
        let mut found = None;
        let mut count = 0;
        places.each(index, &mut |cursor, _| {
            let (inside, _) = places.inside(field, cursor)?;
            if found.is_none() {
                let missing = look(types, inner, inside, depth.saturating_sub(1))?;
                found = missing.map(|missing| step(field, count) + &missing);
            }
            count += 1;
            Ok(())
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn step(field: &Field, index: u64) -> String {
    match field.repeated {
        true => format!("{}[{index}].", field.name),
        false => format!("{}.", field.name),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::encode::encode_whole_up_to;
    use super::super::super::{DecodeOptions, EncodeOptions, decode};
    use super::super::print::tests::{fixtures, random};
    use crate::image::ImageReader;
    use crate::schema::Schema;

    /// The image, or what is wrong with the text.
    fn encoded(
        schema: &Schema,
        text: &[u8],
        lenient: bool,
        whole: usize,
    ) -> Result<Vec<u8>, String> {
        let mut image = Vec::new();
        let options = EncodeOptions::default().lenient(lenient);
        match encode_whole_up_to(whole, schema, text, &mut image, &options) {
            Ok(_) => Ok(image),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_message_is_encoded_the_same_whether_it_is_large_or_not() {
        let bundled = Schema::bundled().unwrap();
        let next = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/next-criu");
        // What one schema knows is unknown to the other.
        let other = Schema::open(next).unwrap();
        let mut random = random();
        let (mut same, mut failed) = (0, 0);
        for image in fixtures() {
            for round in 0..40 {
                let mut image = image.clone();
                if round % 4 > 0 {
                    let at = 8 + random(image.len() - 8);
                    image[at] = random(256).to_le_bytes()[0];
                }
                let from = if round % 5 == 4 { &other } else { &bundled };
                let Ok(mut reader) = ImageReader::new(from, &*image) else {
                    continue;
                };
                let options = DecodeOptions::default()
                    .pretty(round % 2 == 1)
                    .exact(round % 3 == 1);
                let mut text = Vec::new();
                if decode(&mut reader, &mut text, &options).is_err() {
                    continue;
                }
                if round % 4 == 2 {
                    let at = random(text.len());
                    text[at] = b"0129ax\"[{,}]"[random(12)];
                }
                let lenient = round % 7 == 3;
                let whole = encoded(&bundled, &text, lenient, usize::MAX);
                let parts = encoded(&bundled, &text, lenient, 0);
                let shown = String::from_utf8_lossy(&text);
                assert_eq!(whole, parts, "{shown}");
                same += usize::from(whole.is_ok());
                failed += usize::from(whole.is_err());
            }
        }
        assert!(same > 5_000 && failed > 1_000, "{same} and {failed}");
    }
}
