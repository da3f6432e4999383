//! Random schemas with every type that a field can have, and random images of them: also with what
//! a protobuf parser must take that no CRIU writes (other wire types, long varints, any order).

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::wire::{self, Message};

const SCALARS: [&str; 15] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "float", "double", "string", "bytes",
];
const KEYS: [&str; 12] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "string",
];
const ENUM: [i32; 4] = [0, 1, -1, i32::MAX];
const MESSAGES: usize = 4;

/// A schema whose message of a pstree image is made up.
pub struct RandomSchema {
    /// The first is `pstree_entry`.
    messages: Vec<Vec<Field>>,
    proto3: bool,
    rng: StdRng,
}

struct Field {
    number: u64,
    shape: Shape,
}

enum Shape {
    One(Ty),
    Repeated(Ty),
    /// A group stands in its message by its place in `messages`.
    Group(usize),
    Map(&'static str, Ty),
}

#[derive(Clone, Copy)]
enum Ty {
    Scalar(&'static str),
    Enum,
    Message(usize),
}

impl RandomSchema {
    /// The same for the same seed.
    pub fn new(seed: u64) -> (Self, String) {
        let mut rng = StdRng::seed_from_u64(seed);
        let proto3 = rng.random_bool(0.3);
        let mut made = RandomSchema {
            messages: Vec::new(),
            proto3,
            rng,
        };
        let mut text = format!(
            "syntax = \"proto{}\";\nenum choice {{ NONE = 0; ONE = 1; LESS = -1; MOST = {}; }}\n",
            if proto3 { 3 } else { 2 },
            i32::MAX
        );
        for _ in 0..MESSAGES {
            let fields = made.fields();
            made.messages.push(fields);
        }
        for index in 0..MESSAGES {
            made.declare(index, &mut text);
        }
        (made, text)
    }

    fn fields(&mut self) -> Vec<Field> {
        let mut numbers = std::collections::BTreeSet::new();
        for _ in 0..self.rng.random_range(1..12) {
            numbers.insert(match self.rng.random_range(0..4) {
                0 => self.rng.random_range(20_000..(1 << 29)),
                _ => self.rng.random_range(1..40),
            });
        }
        let field = |number| {
            let ty = self.ty();
            let shape = match self.rng.random_range(0..10) {
                0..=4 => Shape::One(ty),
                5..=7 => Shape::Repeated(ty),
                8 if !self.proto3 => Shape::Group(self.rng.random_range(0..MESSAGES)),
                _ => Shape::Map(KEYS[self.rng.random_range(0..KEYS.len())], ty),
            };
            Field { number, shape }
        };
        numbers.into_iter().map(field).collect()
    }

    fn ty(&mut self) -> Ty {
        match self.rng.random_range(0..10) {
            0 => Ty::Enum,
            1 | 2 => Ty::Message(self.rng.random_range(0..MESSAGES)),
            _ => Ty::Scalar(SCALARS[self.rng.random_range(0..SCALARS.len())]),
        }
    }

    fn declare(&mut self, index: usize, text: &mut String) {
        writeln!(text, "message {} {{", message_name(index)).unwrap();
        let mut oneof = String::new();
        for (place, field) in self.messages[index].iter().enumerate() {
            let number = field.number;
            match &field.shape {
                Shape::One(ty) => {
                    let name = ty.name();
                    let label = match (self.proto3, self.rng.random_range(0..4)) {
                        (_, 0) => {
                            writeln!(oneof, "    {name} f{place} = {number};").unwrap();
                            continue;
                        }
                        (true, 1) => "",
                        // Required messages of each other would never end.
                        (false, 1) if matches!(ty, Ty::Scalar(_)) => "required",
                        _ => "optional",
                    };
                    writeln!(text, "  {label} {name} f{place} = {number};").unwrap();
                }
                Shape::Repeated(ty) => {
                    let packable = !matches!(ty, Ty::Scalar("string" | "bytes") | Ty::Message(_));
                    let option = match (packable, self.rng.random_range(0..3)) {
                        (true, 0) => " [packed = true]",
                        (true, 1) => " [packed = false]",
                        _ => "",
                    };
                    writeln!(
                        text,
                        "  repeated {} f{place} = {number}{option};",
                        ty.name()
                    )
                    .unwrap();
                }
                Shape::Group(inner) => {
                    writeln!(
                        text,
                        "  optional group G{place} = {number} {{ optional {} inner = 1; optional double d = 2; }}",
                        message_name(*inner)
                    )
                    .unwrap();
                }
                Shape::Map(key, ty) => {
                    writeln!(text, "  map<{key}, {}> f{place} = {number};", ty.name()).unwrap();
                }
            }
        }
        if !oneof.is_empty() {
            writeln!(text, "  oneof either {{\n{oneof}  }}").unwrap();
        }
        writeln!(text, "}}").unwrap();
    }

    /// The next image of up to three entries.
    pub fn image(&mut self) -> Vec<u8> {
        let mut image = wire::image(wire::PSTREE);
        for _ in 0..self.rng.random_range(1..4) {
            let message = self.message(0, 0);
            wire::entry(&mut image, &message, &[]);
        }
        image
    }

    fn message(&mut self, index: usize, depth: u32) -> Message {
        let mut message = Message::new();
        // In the order of numbers as a rule, as every writer does; else whatever comes.
        let in_order = self.rng.random_bool(0.7);
        let count = self.messages[index].len();
        for turn in 0..count {
            let place = if in_order {
                turn
            } else {
                self.rng.random_range(0..count)
            };
            if self.rng.random_bool(0.7) {
                message = self.field(message, index, place, depth);
            }
            if self.rng.random_bool(0.05) {
                message = self.stray(message);
            }
        }
        message
    }

    fn field(&mut self, message: Message, index: usize, place: usize, depth: u32) -> Message {
        let field = &self.messages[index][place];
        let number = field.number;
        match field.shape {
            _ if self.rng.random_bool(0.03) => self.wrong(message, number),
            Shape::One(Ty::Message(_))
            | Shape::Repeated(Ty::Message(_))
            | Shape::Group(_)
            | Shape::Map(..)
                if depth > 2 =>
            {
                message
            }
            Shape::One(ty) => self.value(message, number, ty, depth),
            Shape::Repeated(ty) => {
                let count = self.rng.random_range(0..4);
                let packable = !matches!(ty, Ty::Scalar("string" | "bytes") | Ty::Message(_));
                if packable && self.rng.random_bool(0.5) {
                    let mut values = Vec::new();
                    for _ in 0..count {
                        // A value behind a key of one byte, without the key.
                        let keyed = self.value(Message::new(), 1, ty, depth);
                        values.extend_from_slice(&keyed.0[1..]);
                    }
                    return message.bytes(number, &values);
                }
                (0..count).fold(message, |message, _| self.value(message, number, ty, depth))
            }
            Shape::Group(inner) => {
                let inner = self.message(inner, depth + 1);
                let d = self.double();
                let message = message.key(number, 3).message(1, &inner);
                message.fixed64(2, d).key(number, 4)
            }
            Shape::Map(key, ty) => {
                let count = self.rng.random_range(0..3);
                (0..count).fold(message, |message, _| {
                    let mut pair = Message::new();
                    if self.rng.random_bool(0.9) {
                        pair = self.value(pair, 1, Ty::Scalar(key), depth);
                    }
                    if self.rng.random_bool(0.9) {
                        pair = self.value(pair, 2, ty, depth + 1);
                    }
                    message.message(number, &pair)
                })
            }
        }
    }

    fn value(&mut self, message: Message, number: u64, ty: Ty, depth: u32) -> Message {
        let integer = self.integer();
        match ty {
            Ty::Message(index) => {
                let inner = self.message(index, depth + 1);
                message.message(number, &inner)
            }
            Ty::Enum if self.rng.random_bool(0.2) => {
                message.varint(number, i64::from(integer as i32) as u64)
            }
            Ty::Enum => {
                let value = ENUM[self.rng.random_range(0..ENUM.len())];
                message.varint(number, i64::from(value) as u64)
            }
            Ty::Scalar(name) => match name {
                "fixed32" | "sfixed32" => message.fixed32(number, integer as u32),
                "fixed64" | "sfixed64" => message.fixed64(number, integer),
                "float" => {
                    let bits = self.float();
                    message.fixed32(number, bits)
                }
                "double" => {
                    let bits = self.double();
                    message.fixed64(number, bits)
                }
                "string" | "bytes" => {
                    let data = self.data();
                    message.bytes(number, &data)
                }
                // Longer than it need be.
                _ if self.rng.random_bool(0.02) => message.key(number, 0).raw(&[0x85, 0x80, 0]),
                "bool" if self.rng.random_bool(0.9) => message.varint(number, integer & 1),
                "uint32" | "sint32" if self.rng.random_bool(0.95) => {
                    message.varint(number, integer & 0xffff_ffff)
                }
                "int32" if self.rng.random_bool(0.95) => {
                    message.varint(number, i64::from(integer as i32) as u64)
                }
                _ => message.varint(number, integer),
            },
        }
    }

    /// A field that the schema has under another wire type, perhaps.
    fn wrong(&mut self, message: Message, number: u64) -> Message {
        let integer = self.integer();
        match self.rng.random_range(0..5) {
            0 => message.varint(number, integer),
            1 => message.fixed32(number, integer as u32),
            2 => message.fixed64(number, integer),
            3 => message.key(number, 3).varint(1, integer).key(number, 4),
            _ => {
                let data = self.data();
                message.bytes(number, &data)
            }
        }
    }

    fn stray(&mut self, message: Message) -> Message {
        let number = self.rng.random_range(1..100);
        self.wrong(message, number)
    }

    fn integer(&mut self) -> u64 {
        match self.rng.random_range(0..5) {
            0 => 0,
            1 => u64::MAX - self.rng.random_range(0..3),
            2 => 1 << self.rng.random_range(0..64),
            _ => self.rng.random(),
        }
    }

    /// The bits of a float; NaNs of every kind, infinities and zeros of both signs among them.
    fn float(&mut self) -> u32 {
        match self.rng.random_range(0..4) {
            0 => 0x7f80_0000 | self.rng.random::<u32>() & 0x807f_ffff,
            1 => {
                [0, 1 << 31, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 1][self.rng.random_range(0..6)]
            }
            _ => self.rng.random(),
        }
    }

    fn double(&mut self) -> u64 {
        match self.rng.random_range(0..4) {
            0 => 0x7ff0 << 48 | self.rng.random::<u64>() & 0x800f_ffff_ffff_ffff,
            1 => [0, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 1]
                [self.rng.random_range(0..6)],
            _ => self.rng.random(),
        }
    }

    fn data(&mut self) -> Vec<u8> {
        let ascii = self.rng.random_bool(0.5);
        let length = self.rng.random_range(0..12);
        (0..length)
            .map(|_| {
                if ascii {
                    self.rng.random_range(9..127)
                } else {
                    self.rng.random()
                }
            })
            .collect()
    }
}

fn message_name(index: usize) -> String {
    match index {
        0 => "pstree_entry".to_owned(),
        _ => format!("m{index}"),
    }
}

impl Ty {
    fn name(self) -> String {
        match self {
            Ty::Scalar(name) => name.to_owned(),
            Ty::Enum => "choice".to_owned(),
            Ty::Message(index) => message_name(index),
        }
    }
}
