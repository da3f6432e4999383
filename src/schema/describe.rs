//! A schema as people and programs want to look at it: plain structs of what is in it.

use std::collections::BTreeMap;

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::Serialize;

use super::mapping::Origin;
use super::{Compiled, Schema};
use crate::descriptor::{Family, ImageKind, PayloadKind};
use crate::error::{Error, Result};

/// An image kind in a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindInfo {
    /// The name of the magic, without `_MAGIC`.
    pub name: String,
    /// The magic word, such as `0x50273030`; none for raw images.
    pub magic: Option<String>,
    /// The kind that this is another name for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
    /// `common`, `service`, `none` or `raw`: what stands before the magic.
    pub family: &'static str,
    /// The message of its entries, when one is known.
    pub message: Option<String>,
    /// Who says that it is this message.
    pub from: Option<Origin>,
    /// What follows each message, in words.
    pub payload: Option<String>,
    /// The names of its files, with CRIU's conversions.
    pub files: Vec<String>,
    /// One line about it.
    pub about: String,
    /// Why its message could not be found: a .proto file does not compile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A message type of a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageInfo {
    /// Its name, with its package where it has one.
    pub name: String,
    /// The .proto file that declares it.
    pub file: String,
    /// Its fields, by number.
    pub fields: Vec<FieldInfo>,
}

/// A field of a message type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FieldInfo {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// `uint32`, `string`, ..., or the name of a message or enum.
    #[serde(rename = "type")]
    pub ty: String,
    /// `required`, `optional` or `repeated`.
    pub label: &'static str,
    /// The default that the schema gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The `(criu)` options: how values are shown.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// An enum of a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EnumInfo {
    /// Its name, with the message or package that it stands in.
    pub name: String,
    /// The .proto file that declares it.
    pub file: String,
    /// Names and numbers, in the order of the schema.
    pub values: Vec<(String, i32)>,
}

/// All messages and enums of a schema, and the files that could not be compiled.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Contents {
    /// Messages by name.
    pub messages: BTreeMap<String, MessageInfo>,
    /// Enums by name.
    pub enums: BTreeMap<String, EnumInfo>,
    /// What is wrong with files, one error each.
    pub errors: Vec<Error>,
    /// Messages and enums that a second file declares as well: name and file.
    pub doubled: Vec<(String, String)>,
}

impl Schema {
    /// The image kinds of this schema, each with its message.
    #[must_use]
    pub fn kind_infos(&self) -> Vec<KindInfo> {
        let mut infos = Vec::new();
        for kind in self.kinds().iter() {
            let info = self.kind_info(kind);
            // A built-in row counts only when its message exists.
            let counts = kind.entry.is_none() || self.0.mapping.is_own(kind);
            if counts || info.message.is_some() {
                infos.push(info);
            }
        }
        infos
    }

    /// An image kind of this schema with its message.
    #[must_use]
    pub fn kind_info(&self, kind: &ImageKind) -> KindInfo {
        let records = kind.payload == Some(PayloadKind::PageRecords);
        let message = if kind.family == Family::Raw || records {
            Ok(None)
        } else {
            self.message_of(kind)
        };
        let (message, error) = match message {
            Ok(message) => (message, None),
            Err(error) => (None, Some(error.to_string())),
        };
        KindInfo {
            name: kind.name.clone(),
            magic: kind.magic.map(|magic| format!("0x{magic:08x}")),
            alias_of: kind.alias_of.clone(),
            family: kind.family.name(),
            from: message.as_ref().map(|(_, from)| *from),
            message: message.map(|(message, _)| message.name().to_owned()),
            payload: kind.payload.as_ref().map(PayloadKind::describe),
            files: kind.files.clone(),
            about: kind.about.clone(),
            error,
        }
    }

    /// A message type of this schema.
    ///
    /// # Errors
    ///
    /// As [`Schema::message`].
    pub fn message_info(&self, name: &str) -> Result<MessageInfo> {
        Ok(describe_message(&self.message(name)?.shape().schema))
    }

    /// Compiles every file, and tells all that is in them.
    ///
    /// # Errors
    ///
    /// The files can't be listed. What is wrong inside one of them is among [`Contents::errors`].
    pub fn contents(&self) -> Result<Contents> {
        let mut contents = Contents::default();
        for file in self.0.source.names()? {
            match self.compile(&file, None) {
                Ok(compiled) => contents.add(&compiled, &file),
                Err(error) => contents.errors.push(error),
            }
        }
        Ok(contents)
    }
}

impl Contents {
    fn add(&mut self, compiled: &Compiled, file: &str) {
        let Some(file) = compiled.schema.get_file_by_name(file) else {
            return;
        };
        for desc in file.enums() {
            self.add_enum(&desc);
        }
        for message in file.messages() {
            self.add_message(&message);
        }
    }

    fn add_message(&mut self, message: &MessageDescriptor) {
        let info = describe_message(message);
        if self.messages.contains_key(&info.name) {
            self.doubled.push((info.name.clone(), info.file.clone()));
        }
        self.messages.entry(info.name.clone()).or_insert(info);
        message.child_enums().for_each(|desc| self.add_enum(&desc));
        message
            .child_messages()
            .for_each(|inner| self.add_message(&inner));
    }

    fn add_enum(&mut self, desc: &EnumDescriptor) {
        let info = EnumInfo {
            name: desc.full_name().to_owned(),
            file: desc.parent_file().name().to_owned(),
            values: desc
                .values()
                .map(|v| (v.name().to_owned(), v.number()))
                .collect(),
        };
        if self.enums.contains_key(&info.name) {
            self.doubled.push((info.name.clone(), info.file.clone()));
        }
        self.enums.entry(info.name.clone()).or_insert(info);
    }
}

fn describe_message(message: &MessageDescriptor) -> MessageInfo {
    let mut fields: Vec<FieldInfo> = message
        .fields()
        .map(|field| describe_field(&field))
        .collect();
    fields.sort_by_key(|field| field.number);
    MessageInfo {
        name: message.full_name().to_owned(),
        file: message.parent_file().name().to_owned(),
        fields,
    }
}

fn describe_field(field: &FieldDescriptor) -> FieldInfo {
    let proto = field.field_descriptor_proto();
    let mut options = BTreeMap::new();
    if proto.options.is_some() {
        let all = field.options();
        let criu = all
            .extensions()
            .find(|(extension, _)| extension.name() == "criu");
        let set = criu.and_then(|(_, value)| value.as_message().cloned());
        for (option, value) in set.iter().flat_map(|set| set.fields()) {
            let value = match value {
                Value::Bool(v) => v.to_string(),
                Value::String(v) => v.clone(),
                other => format!("{other:?}"),
            };
            options.insert(option.name().to_owned(), value);
        }
        if all.has_field_by_name("packed") {
            let packed = all.get_field_by_name("packed");
            let packed = packed.and_then(|packed| packed.as_bool()).unwrap_or(false);
            options.insert("packed".to_owned(), packed.to_string());
        }
    }
    FieldInfo {
        number: field.number(),
        name: field.name().to_owned(),
        ty: match field.kind() {
            Kind::Message(message) => message.full_name().to_owned(),
            Kind::Enum(desc) => desc.full_name().to_owned(),
            scalar => format!("{scalar:?}").to_lowercase(),
        },
        label: match field.cardinality() {
            Cardinality::Required => "required",
            Cardinality::Optional => "optional",
            Cardinality::Repeated => "repeated",
        },
        default: proto.default_value.clone(),
        options,
    }
}

impl FieldInfo {
    /// The field as a .proto file declares it, with the options of `(criu)` by their own names.
    #[must_use]
    pub fn declaration(&self) -> String {
        let mut text = format!("{} {} {} = {}", self.label, self.ty, self.name, self.number);
        let default = self
            .default
            .iter()
            .map(|default| format!("default = {default}"));
        let options = (!self.options.is_empty()).then(|| self.options_text());
        let brackets: Vec<String> = default.chain(options).collect();
        if !brackets.is_empty() {
            text.push_str(&format!(" [{}]", brackets.join(", ")));
        }
        text
    }

    /// The options in one line, `none` when there are none.
    pub(super) fn options_text(&self) -> String {
        let options = self.options.iter();
        let options: Vec<String> = options
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        if options.is_empty() {
            "none".to_owned()
        } else {
            options.join(", ")
        }
    }
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::Common => "common",
            Family::Service => "service",
            Family::None => "none",
            Family::Raw => "raw",
        }
    }
}

impl PayloadKind {
    /// What it is, in a few words with the fields that size it.
    pub(crate) fn describe(&self) -> String {
        match self {
            PayloadKind::Bytes {
                size, absent_if, ..
            } => {
                let unless = absent_if.as_ref().map(|field| format!(", none if {field}"));
                format!("{} bytes{}", size.join(" + "), unless.unwrap_or_default())
            }
            PayloadKind::Queues { queues } => {
                let sizes: Vec<_> = queues.iter().map(|q| q.size.as_str()).collect();
                format!("{} bytes", sizes.join(", then "))
            }
            PayloadKind::Words { count, .. } => format!("{count} 16-bit numbers"),
            PayloadKind::Messages {
                count,
                message,
                size,
                ..
            } => {
                format!("{count} times {message} and {size} bytes")
            }
            PayloadKind::Content {
                chunked_if, chunk, ..
            } => {
                format!("the content of a file, or, if {chunked_if}, {chunk}s")
            }
            PayloadKind::PageRecords => "pages, each with its address".to_owned(),
        }
    }
}
