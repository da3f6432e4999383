//! A schema as a `FileDescriptorSet`, the form that protoc and buf read.

use std::collections::BTreeSet;

use super::Schema;
use crate::bytes::{Wire, put_key, put_varint};
use crate::error::Result;

impl Schema {
    /// All files of the schema and what they import as an encoded `FileDescriptorSet`, each behind
    /// those that it imports, with all options.
    ///
    /// # Errors
    ///
    /// A file can't be compiled.
    pub fn to_descriptor_set(&self) -> Result<Vec<u8>> {
        let mut set = Vec::new();
        let mut done = BTreeSet::new();
        for name in self.0.source.names()? {
            let compiled = self.compile(&name)?;
            // A pool lists files behind those that they import.
            for file in compiled.schema.files() {
                if done.insert(file.name().to_owned()) {
                    let bytes = file.encode_to_vec();
                    put_key(&mut set, 1, Wire::Bytes);
                    put_varint(&mut set, bytes.len() as u64);
                    set.extend(bytes);
                }
            }
        }
        Ok(set)
    }
}
