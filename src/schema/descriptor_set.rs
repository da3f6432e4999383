//! A schema that was compiled elsewhere: a `FileDescriptorSet` of protoc, buf or `crit schema export`.

use std::collections::BTreeMap;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use super::source::{Source, SourceFile};
use crate::bytes::{Cursor, Wire};
use crate::descriptor::is_identifier;
use crate::error::{Error, ErrorKind, Result};

/// The files of a descriptor set, each as its own bytes: parsed into prost's types, they would lose
/// the `(criu)` options.
#[derive(Debug)]
pub(super) struct DescriptorSet {
    files: BTreeMap<String, Vec<u8>>,
}

impl DescriptorSet {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |what: String| {
            Error::new(ErrorKind::Schema(format!("not a FileDescriptorSet: {what}")))
                .with_hint("`protoc -o FILE --include_imports`, `buf build -o FILE` and `crit schema export` make one")
        };
        let mut files = BTreeMap::new();
        let mut cursor = Cursor::new(bytes);
        while !cursor.is_empty() {
            let (number, wire) = cursor.key().map_err(|e| bad(e.to_string()))?;
            if (number, wire) != (1, Wire::Bytes) {
                return Err(bad(format!(
                    "field {number} at offset 0x{:x}",
                    cursor.position()
                )));
            }
            let file = cursor.delimited().map_err(|e| bad(e.to_string()))?;
            let parsed = FileDescriptorProto::decode(file).map_err(|e| bad(e.to_string()))?;
            if let Some(name) = odd_name(&parsed) {
                return Err(bad(format!("the name `{name}` is none")));
            }
            files.insert(parsed.name().to_owned(), file.to_vec());
        }
        if files.is_empty() {
            return Err(bad("it has no files".to_owned()));
        }
        Ok(DescriptorSet { files })
    }
}

/// The first name that protoc would not have written. Names are printed as they are, so that none may
/// have control characters or quotes in it.
fn odd_name(file: &FileDescriptorProto) -> Option<&str> {
    let printable = |name: &&str| name.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    let mut names = vec![file.name()];
    let path = names.iter().copied().find(|name| !printable(name));
    if path.is_some() {
        return path;
    }
    names = file
        .package()
        .split('.')
        .filter(|part| !part.is_empty())
        .collect();
    let mut enums: Vec<&EnumDescriptorProto> = file.enum_type.iter().collect();
    let mut messages: Vec<&DescriptorProto> = file.message_type.iter().collect();
    names.extend(file.extension.iter().map(|field| field.name()));
    while let Some(message) = messages.pop() {
        names.push(message.name());
        names.extend(message.field.iter().map(|field| field.name()));
        names.extend(message.extension.iter().map(|field| field.name()));
        names.extend(message.oneof_decl.iter().map(|oneof| oneof.name()));
        enums.extend(&message.enum_type);
        messages.extend(&message.nested_type);
    }
    for ty in enums {
        names.push(ty.name());
        names.extend(ty.value.iter().map(|value| value.name()));
    }
    names.into_iter().find(|name| !is_identifier(name))
}

impl Source for DescriptorSet {
    fn describe(&self) -> String {
        format!("a descriptor set of {} files", self.files.len())
    }

    fn names(&self) -> Result<Vec<String>> {
        let own = self
            .files
            .keys()
            .filter(|name| !name.starts_with("google/protobuf/"));
        Ok(own.cloned().collect())
    }

    fn file(&self, name: &str) -> Result<Option<SourceFile<'_>>> {
        Ok(self
            .files
            .get(name)
            .map(|bytes| SourceFile::Compiled(bytes)))
    }
}
