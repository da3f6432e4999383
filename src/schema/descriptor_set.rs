//! A schema that was compiled elsewhere: a `FileDescriptorSet` of protoc, buf or `crit schema export`.

use std::collections::BTreeMap;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;

use super::source::{Source, SourceFile};
use crate::bytes::{Cursor, Wire};
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
            files.insert(parsed.name().to_owned(), file.to_vec());
        }
        if files.is_empty() {
            return Err(bad("it has no files".to_owned()));
        }
        Ok(DescriptorSet { files })
    }
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
