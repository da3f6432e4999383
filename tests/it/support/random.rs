//! Random images of every kind, made from the tables in tests/facts and not from the library's own.

use std::collections::HashMap;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::wire::Message;

/// The schema and the image kinds as facts.
pub struct Facts {
    messages: HashMap<String, Vec<Field>>,
    enums: HashMap<String, Vec<i64>>,
    pub kinds: Vec<Kind>,
}

struct Field {
    number: u64,
    name: String,
    label: String,
    ty: String,
    ip: bool,
}

/// An image kind that has messages.
pub struct Kind {
    pub name: String,
    magic: u32,
    first_word: Option<u32>,
    entry: String,
    head: Option<String>,
}

/// What may be in the images.
#[derive(Clone, Copy)]
pub struct Style {
    /// Only what upstream's crit can read as well: UTF-8, no unknown fields, known enum values.
    pub upstream_reads: bool,
}

fn facts(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/facts")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn word(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

impl Facts {
    pub fn load() -> Self {
        let schema = facts("criu-schema.json");
        let mut messages = HashMap::new();
        let mut enums = HashMap::new();
        let mut add_enums = |list: &Value, prefix: &str| {
            for e in list.as_array().into_iter().flatten() {
                let values = e["values"].as_object().unwrap().values();
                let values = values.map(|v| v.as_i64().unwrap()).collect::<Vec<_>>();
                enums.insert(format!("{prefix}{}", text(e, "name")), values.clone());
                enums.insert(text(e, "name"), values);
            }
        };
        for file in schema["files"].as_array().unwrap() {
            add_enums(&file["enums"], "");
            for message in file["messages"].as_array().unwrap() {
                add_enums(&message["enums"], &format!("{}.", text(message, "name")));
                let mut fields: Vec<Field> = message["fields"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|field| Field {
                        number: field["number"].as_u64().unwrap(),
                        name: text(field, "name"),
                        label: text(field, "label"),
                        ty: text(field, "type"),
                        ip: field["options"]["ipadd"] == true,
                    })
                    .collect();
                fields.sort_by_key(|f| f.number);
                messages.insert(text(message, "name"), fields);
            }
        }
        let kinds = facts("images.json")["images"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["raw"] != true && row["same_value_as"].is_null())
            .map(|row| Kind {
                name: text(row, "magic"),
                magic: word(&text(row, "value")),
                first_word: match text(row, "first_word").as_str() {
                    "IMG_COMMON" => Some(0x5456_4319),
                    "IMG_SERVICE" => Some(0x5510_5940),
                    _ => None,
                },
                entry: text(row, "entry"),
                head: row["head"].as_str().map(str::to_owned),
            })
            .collect();
        Facts {
            messages,
            enums,
            kinds,
        }
    }

    /// An image of this kind with up to four entries, the same for the same seed.
    pub fn image(&self, kind: &Kind, seed: u64, style: Style) -> Vec<u8> {
        let mut maker = Maker {
            facts: self,
            rng: StdRng::seed_from_u64(seed),
            style,
        };
        maker.image(kind)
    }
}

struct Maker<'a> {
    facts: &'a Facts,
    rng: StdRng,
    style: Style,
}

impl Maker<'_> {
    fn image(&mut self, kind: &Kind) -> Vec<u8> {
        let mut image = Vec::new();
        image.extend(kind.first_word.iter().flat_map(|word| word.to_le_bytes()));
        image.extend(kind.magic.to_le_bytes());
        // Upstream can't read a ghost file without an entry, nor a TCP stream with two of them.
        let least = u32::from(kind.name == "GHOST_FILE");
        let entries = self.rng.random_range(least..=4);
        let entries = if kind.name == "TCP_STREAM" {
            1
        } else {
            entries
        };
        if kind.name == "GHOST_FILE" {
            self.ghost_file(&mut image, entries);
            return image;
        }
        for index in 0..entries {
            let name = match &kind.head {
                Some(head) if index == 0 => head,
                _ => &kind.entry,
            };
            let (message, payload) = self.entry(&kind.name, name);
            super::wire::entry(&mut image, &message, &payload);
        }
        image
    }

    fn ghost_file(&mut self, image: &mut Vec<u8>, chunks: u32) {
        let chunked = self.rng.random_bool(0.5);
        let head = self.message("ghost_file_entry", &[("chunks", u64::from(chunked))], 0);
        if !chunked {
            let content = self.data(300);
            super::wire::entry(image, &head, &content);
            return;
        }
        super::wire::entry(image, &head, &[]);
        for _ in 1..chunks {
            let data = self.data(300);
            let fixed = [("len", data.len() as u64)];
            let chunk = self.message("ghost_chunk_entry", &fixed, 0);
            super::wire::entry(image, &chunk, &data);
        }
    }

    /// A message of this image kind, and the payload that its fields promise.
    fn entry(&mut self, kind: &str, message: &str) -> (Message, Vec<u8>) {
        let mut data = self.data(200);
        let length = data.len() as u64;
        let padded = |mut data: Vec<u8>, unit: usize| {
            data.resize(data.len().next_multiple_of(unit), 0);
            data
        };
        let (fixed, payload): (Vec<(&str, u64)>, Vec<u8>) = match kind {
            "PIPES_DATA" | "FIFO_DATA" => (vec![("bytes", length)], data),
            "SK_QUEUES" => (vec![("length", length)], data),
            "BPFMAP_DATA" => {
                let keys = self.rng.random_range(0..=length);
                (
                    vec![("keys_bytes", keys), ("values_bytes", length - keys)],
                    data,
                )
            }
            "TCP_STREAM" => {
                let inq = self.rng.random_range(0..=length);
                (vec![("inq_len", inq), ("outq_len", length - inq)], data)
            }
            "IPCNS_SEM" => {
                data.truncate(data.len() / 2 * 2);
                (vec![("nsems", data.len() as u64 / 2)], padded(data, 8))
            }
            // Upstream takes the next entry for the data of a segment in the pagemaps.
            "IPCNS_SHM" if !self.style.upstream_reads && self.rng.random_bool(0.3) => {
                (vec![("in_pagemaps", 1), ("size", 4096)], Vec::new())
            }
            "IPCNS_SHM" => (vec![("in_pagemaps", 0), ("size", length)], padded(data, 4)),
            "IPCNS_MSG" => {
                let count = self.rng.random_range(0..4u64);
                let mut payload = Vec::new();
                for _ in 0..count {
                    let data = self.data(50);
                    let fixed = [("msize", data.len() as u64)];
                    let message = self.message("ipc_msg", &fixed, 0);
                    super::wire::entry(&mut payload, &message, &padded(data, 8));
                }
                (vec![("qnum", count)], payload)
            }
            _ => (Vec::new(), Vec::new()),
        };
        (self.message(message, &fixed, 0), payload)
    }

    fn data(&mut self, most: usize) -> Vec<u8> {
        let length = self.rng.random_range(0..=most);
        (0..length).map(|_| self.rng.random()).collect()
    }

    /// A message with every required field, about half of the others, and these values.
    fn message(&mut self, name: &str, fixed: &[(&str, u64)], depth: u32) -> Message {
        let facts = self.facts;
        let fields = facts
            .messages
            .get(name)
            .unwrap_or_else(|| panic!("no message {name}"));
        let mut message = Message::new();
        for field in fields {
            let value = fixed.iter().find(|(name, _)| *name == field.name);
            let count = match field.label.as_str() {
                _ if value.is_some() => 1,
                "required" => 1,
                "repeated" if field.ip => *[1, 4, 4].get(self.rng.random_range(0..3)).unwrap(),
                "repeated" if depth > 2 => 0,
                "repeated" => self.rng.random_range(0..4),
                _ if depth > 3 => 0,
                _ => self.rng.random_range(0..2),
            };
            for _ in 0..count {
                message = match value {
                    Some((_, value)) => message.varint(field.number, *value),
                    None => self.field(message, field, depth),
                };
            }
        }
        if !self.style.upstream_reads && self.rng.random_bool(0.3) {
            let number = 1000 + self.rng.random_range(0..5u64);
            message = message
                .varint(number, self.rng.random())
                .bytes(number + 5, &self.data(9));
            message = message.fixed64(number + 9, self.rng.random());
            message = message
                .key(number + 20, 3)
                .fixed32(1, self.rng.random())
                .key(number + 20, 4);
        }
        message
    }

    fn field(&mut self, message: Message, field: &Field, depth: u32) -> Message {
        let number = field.number;
        match field.ty.as_str() {
            "uint32" => message.varint(number, self.integer() & 0xffff_ffff),
            "uint64" => message.varint(number, self.integer()),
            "int32" => message.varint(number, (self.integer() as i32) as i64 as u64),
            "int64" => message.varint(number, self.integer()),
            "sint32" => message.varint(number, self.integer() & 0xffff_ffff),
            "sint64" => message.varint(number, self.integer()),
            "fixed32" => message.fixed32(number, self.integer() as u32),
            "fixed64" => message.fixed64(number, self.integer()),
            "bool" => message.varint(number, self.rng.random_range(0..2)),
            "bytes" => {
                let data = if self.rng.random_bool(0.5) {
                    self.data(200)
                } else {
                    self.text().into()
                };
                message.bytes(number, &data)
            }
            "string" if !self.style.upstream_reads && self.rng.random_bool(0.2) => {
                message.bytes(number, &self.data(20))
            }
            "string" => message.bytes(number, self.text().as_bytes()),
            ty => match self.facts.enums.get(ty) {
                Some(_) if !self.style.upstream_reads && self.rng.random_bool(0.2) => {
                    message.varint(number, self.rng.random_range(500..600))
                }
                Some(values) => {
                    let value = values[self.rng.random_range(0..values.len())];
                    message.varint(number, value as u64)
                }
                None => message.message(number, &self.message(ty, &[], depth + 1)),
            },
        }
    }

    /// Small and extreme numbers as often as any.
    fn integer(&mut self) -> u64 {
        match self.rng.random_range(0..6) {
            0 => 0,
            1 => self.rng.random_range(1..20),
            2 => u64::MAX - self.rng.random_range(0..3),
            3 => 1 << self.rng.random_range(0..64),
            4 => u64::from(self.rng.random::<u32>()),
            _ => self.rng.random(),
        }
    }

    /// Text with everything that JSON and quoted-printable treat in a way of their own.
    fn text(&mut self) -> String {
        const CHARS: &[char] = &[
            'a',
            'Z',
            '7',
            ' ',
            '/',
            '.',
            '=',
            '"',
            '\\',
            '\n',
            '\r',
            '\t',
            '\0',
            '\x1b',
            '\x7f',
            'é',
            '€',
            '\u{2028}',
            '\u{10348}',
            '<',
            '&',
            '~',
            '\u{8}',
            '\u{c}',
        ];
        let length = self.rng.random_range(0..100);
        (0..length)
            .map(|_| CHARS[self.rng.random_range(0..CHARS.len())])
            .collect()
    }
}
