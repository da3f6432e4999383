//! .proto text to descriptors, one file with its imports at a time.
//!
//! Each file gets a pool of its own: an image pays only for what it needs, and enum values of the
//! same name in files that never meet (`TUN` in CRIU 1.0 to 1.3, `NONE` in 1.7 to 2.6) don't collide.

use std::sync::Arc;

use prost_reflect::DescriptorPool;
use protox::file::{File, FileResolver, GoogleFileResolver};

use super::source::{Source, SourceFile};
use crate::error::{Error, ErrorKind, Result};

struct Resolver(Arc<dyn Source>);

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        // A checkout's google/protobuf/descriptor.proto may be a dangling link: always protox's own.
        if name.starts_with("google/protobuf/") {
            return GoogleFileResolver::new().open_file(name);
        }
        match self.0.file(name) {
            Ok(Some(SourceFile::Text(text))) => File::from_source(name, &text),
            Ok(Some(SourceFile::Compiled(bytes))) => {
                File::decode_file_descriptor_proto(bytes).map_err(protox::Error::new)
            }
            Ok(None) => Err(protox::Error::file_not_found(name)),
            Err(error) => Err(protox::Error::new(error)),
        }
    }
}

/// Compiles one file and what it imports.
pub(super) fn compile(source: &Arc<dyn Source>, file: &str) -> Result<DescriptorPool> {
    let mut compiler = protox::Compiler::with_file_resolver(Resolver(Arc::clone(source)));
    compiler.open_file(file).map_err(|error| {
        // The compiler's Debug form is the one with file, line and column; further lines quote.
        let text = format!("{error:?}");
        let what = text.lines().next().unwrap_or_default();
        let what = if what.contains(".proto") {
            what.to_owned()
        } else {
            format!("{file}: {what}")
        };
        Error::new(ErrorKind::Schema(what))
    })?;
    Ok(compiler.descriptor_pool())
}
