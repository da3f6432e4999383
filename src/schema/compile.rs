//! .proto text to descriptors: a message with all that it needs, or a whole file.
//!
//! Each gets a pool of its own: an image pays only for what it needs, and enum values of the same
//! name in files that never meet (`TUN` in CRIU 1.0 to 1.3, `NONE` in 1.7 to 2.6) don't collide.

use std::sync::{Arc, Mutex, PoisonError};

use prost_reflect::DescriptorPool;
use protox::file::{File, FileResolver, GoogleFileResolver};

use super::reach::{Parsed, is_protobufs_own, reachable};
use super::source::{Source, SourceFile};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::PROTO_IMPORTS;

struct Resolver {
    source: Arc<dyn Source>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    opened: usize,
    /// The error of the source, which the compiler would only hand back as text.
    error: Option<Error>,
}

impl Resolver {
    fn file(&self, name: &str) -> Result<Option<File>, protox::Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.opened += 1;
        let file = if state.opened > PROTO_IMPORTS {
            let what = format!("it reaches more than {PROTO_IMPORTS} files by imports");
            Err(Error::new(ErrorKind::Limit(what)))
        } else {
            self.source.file(name)
        };
        match file {
            Ok(Some(SourceFile::Text(text))) => File::from_source(name, &text).map(Some),
            Ok(Some(SourceFile::Compiled(bytes))) => {
                let file = File::decode_file_descriptor_proto(bytes);
                file.map(Some).map_err(protox::Error::new)
            }
            Ok(None) => Ok(None),
            Err(error) => {
                let text = error.to_string();
                state.error.get_or_insert(error);
                Err(protox::Error::new(std::io::Error::other(text)))
            }
        }
    }
}

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if is_protobufs_own(name) {
            return GoogleFileResolver::new().open_file(name);
        }
        self.file(name)?
            .ok_or_else(|| protox::Error::file_not_found(name))
    }
}

/// Compiles what a message of a file needs (everything in the file, when none is named).
pub(super) fn compile(
    source: &Arc<dyn Source>,
    parsed: &Parsed,
    file: &str,
    message: Option<&str>,
) -> Result<DescriptorPool> {
    match compile_reachable(&**source, parsed, file, message) {
        Some(pool) => Ok(pool),
        // The compiler proper says what is wrong, and where.
        None => compile_whole(source, file),
    }
}

/// Adds the files to a pool together, which takes half the time that one by one does: for start-up.
/// `None` when anything is wrong.
fn compile_reachable(
    source: &dyn Source,
    parsed: &Parsed,
    file: &str,
    message: Option<&str>,
) -> Option<DescriptorPool> {
    let files = reachable(source, parsed, file, message)?;
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files).ok()?;
    Some(pool)
}

/// Compiles one file and what it imports, such that the files can be encoded again with their options.
pub(super) fn compile_whole(source: &Arc<dyn Source>, file: &str) -> Result<DescriptorPool> {
    let state = Arc::new(Mutex::new(State::default()));
    let mut compiler = protox::Compiler::with_file_resolver(Resolver {
        source: Arc::clone(source),
        state: Arc::clone(&state),
    });
    if let Err(error) = compiler.open_file(file) {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        return Err(state.error.take().map_or_else(
            || {
                // The compiler's Debug form is the one with file, line and column.
                let what = format!("{error:?}");
                let what = if what.contains(".proto") {
                    what
                } else {
                    format!("{file}: {what}")
                };
                Error::new(ErrorKind::Schema(what))
            },
            |error| error.in_file(file),
        ));
    }
    Ok(compiler.descriptor_pool())
}
