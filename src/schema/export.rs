//! A schema as a `FileDescriptorSet`, the form that protoc and buf read.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::FileDescriptor;

use super::Schema;
use super::compile::compile_whole;
use crate::bytes::{Wire, put_key, put_varint};
use crate::error::Result;

/// A schema as other tools read it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportedSet {
    /// The encoded `FileDescriptorSet`.
    pub bytes: Vec<u8>,
    /// Files that could not be part of it, and why: a name in them is defined in another file too,
    /// which other tools refuse (`TUN` in CRIU 1.0 to 1.3, `NONE` in 1.7 to 2.6).
    pub left_out: Vec<(String, String)>,
}

impl Schema {
    /// The files of the schema and what they import, each behind those that it imports, with all
    /// options. Files with image messages come first, where names are defined twice.
    ///
    /// # Errors
    ///
    /// A file can't be compiled.
    pub fn to_descriptor_set(&self) -> Result<ExportedSet> {
        let mut set = ExportedSet {
            bytes: Vec::new(),
            left_out: Vec::new(),
        };
        let mut done = BTreeSet::new();
        let mut symbols: BTreeMap<String, String> = BTreeMap::new();
        let mut names = self.0.source.names()?;
        // CRIU's requests are no image.
        names.sort_by_key(|name| name.ends_with("rpc.proto"));
        for name in names {
            let compiled = compile_whole(&self.0.source, &name)?;
            // A pool lists files behind those that they import.
            let new = compiled.files().filter(|file| !done.contains(file.name()));
            let new: Vec<FileDescriptor> = new.collect();
            let clash = new.iter().flat_map(symbols_of).find_map(|symbol| {
                let other = symbols.get(&symbol)?;
                Some(format!("{symbol} is defined in {other} too"))
            });
            if let Some(clash) = clash {
                set.left_out.push((name, clash));
                continue;
            }
            for file in new {
                for symbol in symbols_of(&file) {
                    symbols.insert(symbol, file.name().to_owned());
                }
                let bytes = file.encode_to_vec();
                put_key(&mut set.bytes, 1, Wire::Bytes);
                put_varint(&mut set.bytes, bytes.len() as u64);
                set.bytes.extend(bytes);
                done.insert(file.name().to_owned());
            }
        }
        Ok(set)
    }
}

/// The names that a file defines at its top level; an enum's values stand beside the enum.
fn symbols_of(file: &FileDescriptor) -> Vec<String> {
    let package = match file.package_name() {
        "" => String::new(),
        package => format!("{package}."),
    };
    let messages = file.messages().map(|m| m.full_name().to_owned());
    let enums = file.enums().flat_map(|desc| {
        let values: Vec<String> = desc
            .values()
            .map(|v| format!("{package}{}", v.name()))
            .collect();
        values.into_iter().chain([desc.full_name().to_owned()])
    });
    messages.chain(enums).collect()
}
