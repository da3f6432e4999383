//! Message types as decode and encode need them: fields by number and by name, with everything
//! that the wire format and the JSON contract ask of each worked out once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, ReflectMessage as _,
};

use super::hints::Hints;
use crate::bytes::Wire;
use crate::descriptor::Names;
use crate::error::{Error, ErrorKind, Result};

/// A message type of a schema. Cheap to clone.
#[derive(Clone)]
pub struct MessageType {
    pub(crate) types: Arc<Types>,
    pub(crate) index: usize,
}

impl MessageType {
    /// The message's name, with its package where it has one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shape().desc.full_name()
    }

    /// The descriptor that dynamic messages of this type are made from.
    ///
    /// It differs from the schema: strings are bytes, maps are repeated messages, oneofs are plain
    /// fields, every field has presence. The wire format is the same.
    #[must_use]
    pub fn descriptor(&self) -> &MessageDescriptor {
        &self.shape().desc
    }

    pub(crate) fn shape(&self) -> &Shape {
        self.types.shape(self.index)
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.name())
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        self.descriptor() == other.descriptor()
    }
}

/// Message types that refer to each other by index.
pub(crate) struct Types {
    shapes: Vec<Shape>,
}

impl Types {
    /// All messages, in the order of their indexes.
    pub(crate) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The message type at an index.
    pub(crate) fn message(self: &Arc<Self>, index: usize) -> MessageType {
        MessageType {
            types: Arc::clone(self),
            index,
        }
    }

    /// The shape of the message type that this message is of.
    pub(crate) fn shape_of(&self, message: &DynamicMessage) -> Option<&Shape> {
        let desc = message.descriptor();
        self.shapes.iter().find(|shape| shape.desc == desc)
    }

    #[allow(clippy::indexing_slicing)] // an index is only made together with its shape
    pub(crate) fn shape(&self, index: usize) -> &Shape {
        &self.shapes[index]
    }
}

/// One message type.
pub(crate) struct Shape {
    /// The message as the schema has it.
    pub(crate) schema: MessageDescriptor,
    /// Its plain twin, which dynamic messages are made from.
    pub(crate) desc: MessageDescriptor,
    /// In ascending order of their numbers.
    pub(crate) fields: Vec<Field>,
    /// No field is a list or a message, and there are no more than 128.
    pub(crate) is_plain: bool,
    /// Which fields are required: bits of their places. All are, when one beyond the first 128 is.
    pub(crate) required: u128,
    /// Field numbers below [`DENSE`] to indices in `fields`, plus one; 0 is no field.
    dense: [u16; DENSE],
    by_name: HashMap<Box<str>, usize>,
}

/// Field numbers up to here are looked up without a search. CRIU's messages stay below it.
const DENSE: usize = 80;

/// One field of a message type.
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: Box<str>,
    /// `"name": `, ready to print.
    pub(crate) key: Box<str>,
    pub(crate) desc: FieldDescriptor,
    pub(crate) kind: FieldKind,
    pub(crate) repeated: bool,
    pub(crate) required: bool,
    /// Written packed when it is repeated. Both forms are read.
    pub(crate) packed: bool,
    pub(crate) hints: Hints,
}

impl Field {
    /// Whether its value can stand on the wire in this way: a list of numbers in two.
    pub(crate) fn takes(&self, wire: Wire) -> bool {
        let own = self.kind.wire();
        let packable = !matches!(own, Wire::Bytes | Wire::Group);
        wire == own || (self.repeated && wire == Wire::Bytes && packable)
    }
}

/// The schema's type of a field.
#[derive(Debug, Clone)]
pub(crate) enum FieldKind {
    Int32,
    Sint32,
    Sfixed32,
    Int64,
    Sint64,
    Sfixed64,
    Uint32,
    Fixed32,
    Uint64,
    Fixed64,
    Bool,
    Float,
    Double,
    String,
    Bytes,
    Enum(Arc<EnumType>),
    /// The index of its [`Shape`].
    Message(usize),
    /// The same, in the wire format that protobuf gave up.
    Group(usize),
}

impl FieldKind {
    /// How one value of this kind stands on the wire.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            FieldKind::Fixed32 | FieldKind::Sfixed32 | FieldKind::Float => Wire::Fixed32,
            FieldKind::Fixed64 | FieldKind::Sfixed64 | FieldKind::Double => Wire::Fixed64,
            FieldKind::String | FieldKind::Bytes | FieldKind::Message(_) => Wire::Bytes,
            FieldKind::Group(_) => Wire::Group,
            _ => Wire::Varint,
        }
    }

    /// The index of the message type, when it is one.
    pub(crate) fn message(&self) -> Option<usize> {
        match self {
            FieldKind::Message(index) | FieldKind::Group(index) => Some(*index),
            _ => None,
        }
    }
}

/// An enum's names and numbers.
#[derive(Debug)]
pub(crate) struct EnumType {
    pub(crate) name: String,
    values: Vec<(i32, String)>,
}

impl EnumType {
    fn of(desc: &EnumDescriptor) -> Self {
        EnumType {
            name: desc.full_name().to_owned(),
            values: desc
                .values()
                .map(|v| (v.number(), v.name().to_owned()))
                .collect(),
        }
    }

    /// The name of a number; of several, the first.
    pub(crate) fn name_of(&self, number: i32) -> Option<&str> {
        let found = self.values.iter().find(|(n, _)| *n == number);
        found.map(|(_, name)| name.as_str())
    }

    pub(crate) fn number_of(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|(_, n)| n == name).map(|(n, _)| *n)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(_, name)| name.as_str())
    }
}

impl Shape {
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Option<&Field> {
        self.index_of(number).and_then(|i| self.fields.get(i))
    }

    #[inline]
    pub(crate) fn index_of(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(0) => None,
            Some(&index) => Some(usize::from(index) - 1),
            None => self.fields.binary_search_by_key(&number, |f| f.number).ok(),
        }
    }

    /// The field of this number, with its index, when its value can stand on the wire in this way; what has
    /// none is unknown.
    #[inline]
    pub(crate) fn taking(&self, number: u32, wire: Wire) -> Option<(usize, &Field)> {
        let index = self.index_of(number)?;
        let field = self.fields.get(index)?;
        field.takes(wire).then_some((index, field))
    }

    pub(crate) fn index_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn field_named(&self, name: &str) -> Option<&Field> {
        self.index_named(name).and_then(|i| self.fields.get(i))
    }

    /// The field of this name; another name is an error that knows the nearest one.
    pub(crate) fn known_field(&self, name: &str) -> Result<&Field> {
        self.field_named(name).ok_or_else(|| {
            let what = format!("{} has no field `{name}`", self.desc.name());
            Error::new(ErrorKind::Path(what)).did_you_mean(name, self.names())
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| &*f.name)
    }
}

/// Builds the type of a message and of all that it reaches.
///
/// `schema` is the message as the schema has it, `plain` the pool of its plain twins.
pub(super) fn message_type(
    schema: &MessageDescriptor,
    plain: &DescriptorPool,
    names: &Names,
) -> Result<MessageType> {
    let mut builder = Builder {
        plain,
        names,
        indices: HashMap::new(),
        enums: HashMap::new(),
        todo: Vec::new(),
    };
    builder.index(schema);
    let mut shapes = Vec::new();
    while let Some(message) = builder.todo.get(shapes.len()).cloned() {
        shapes.push(builder.shape(&message)?);
    }
    Ok(MessageType {
        types: Arc::new(Types { shapes }),
        index: 0,
    })
}

struct Builder<'a> {
    plain: &'a DescriptorPool,
    names: &'a Names,
    indices: HashMap<String, usize>,
    enums: HashMap<String, Arc<EnumType>>,
    todo: Vec<MessageDescriptor>,
}

impl Builder<'_> {
    fn index(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(index) = self.indices.get(message.full_name()) {
            return *index;
        }
        let index = self.todo.len();
        self.todo.push(message.clone());
        self.indices.insert(message.full_name().to_owned(), index);
        index
    }

    fn shape(&mut self, message: &MessageDescriptor) -> Result<Shape> {
        let missing = || {
            let name = message.full_name().to_owned();
            Error::new(ErrorKind::UnknownMessage(name))
        };
        let desc = self
            .plain
            .get_message_by_name(message.full_name())
            .ok_or_else(missing)?;
        let mut fields = Vec::new();
        for field in message.fields() {
            let plain = desc.get_field(field.number()).ok_or_else(missing)?;
            fields.push(self.field(&field, plain));
        }
        fields.sort_by_key(|f| f.number);
        let mut dense = [0; DENSE];
        let mut by_name = HashMap::new();
        for (index, field) in fields.iter().enumerate() {
            if let Some(slot) = dense.get_mut(field.number as usize) {
                *slot = u16::try_from(index + 1).unwrap_or_default();
            }
            by_name.insert(field.name.clone(), index);
        }
        let is_simple = |field: &Field| !field.repeated && field.kind.message().is_none();
        let required = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.required);
        let required = required.fold(0, |all, (place, _)| {
            all | u32::try_from(place)
                .ok()
                .and_then(|place| 1u128.checked_shl(place))
                .unwrap_or(u128::MAX)
        });
        Ok(Shape {
            required,
            is_plain: fields.len() <= 128 && fields.iter().all(is_simple),
            schema: message.clone(),
            desc,
            fields,
            dense,
            by_name,
        })
    }

    fn field(&mut self, schema: &FieldDescriptor, plain: FieldDescriptor) -> Field {
        let kind = match schema.kind() {
            Kind::Int32 => FieldKind::Int32,
            Kind::Sint32 => FieldKind::Sint32,
            Kind::Sfixed32 => FieldKind::Sfixed32,
            Kind::Int64 => FieldKind::Int64,
            Kind::Sint64 => FieldKind::Sint64,
            Kind::Sfixed64 => FieldKind::Sfixed64,
            Kind::Uint32 => FieldKind::Uint32,
            Kind::Fixed32 => FieldKind::Fixed32,
            Kind::Uint64 => FieldKind::Uint64,
            Kind::Fixed64 => FieldKind::Fixed64,
            Kind::Bool => FieldKind::Bool,
            Kind::Float => FieldKind::Float,
            Kind::Double => FieldKind::Double,
            Kind::String => FieldKind::String,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Enum(desc) => FieldKind::Enum(
                self.enums
                    .entry(desc.full_name().to_owned())
                    .or_insert_with(|| Arc::new(EnumType::of(&desc)))
                    .clone(),
            ),
            Kind::Message(message) if schema.is_group() => FieldKind::Group(self.index(&message)),
            Kind::Message(message) => FieldKind::Message(self.index(&message)),
        };
        Field {
            number: schema.number(),
            name: schema.name().into(),
            key: format!("\"{}\": ", schema.name()).into(),
            kind,
            repeated: schema.cardinality() == Cardinality::Repeated,
            required: schema.cardinality() == Cardinality::Required,
            packed: plain.is_packed(),
            hints: Hints::of(schema, self.names),
            desc: plain,
        }
    }
}
