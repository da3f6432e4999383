//! .proto text to descriptors, one file with its imports at a time.
//!
//! Each file gets a pool of its own: an image pays only for what it needs, and enum values of the
//! same name in files that never meet (`TUN` in CRIU 1.0 to 1.3, `NONE` in 1.7 to 2.6) don't collide.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;
use protox::file::{File, FileResolver, GoogleFileResolver};

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
    /// Whether a file came compiled: its options are lost unless it is added by itself.
    compiled: bool,
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
                state.compiled = true;
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
        // A checkout's google/protobuf/descriptor.proto may be a dangling link: always protox's own.
        if name.starts_with("google/protobuf/") {
            return GoogleFileResolver::new().open_file(name);
        }
        self.file(name)?
            .ok_or_else(|| protox::Error::file_not_found(name))
    }
}

/// Compiles one file and what it imports.
pub(super) fn compile(source: &Arc<dyn Source>, file: &str) -> Result<DescriptorPool> {
    match compile_at_once(source, file) {
        Some(pool) => Ok(pool),
        // The compiler proper says what is wrong, and where.
        None => compile_whole(source, file),
    }
}

/// Adds all files to a pool together, which takes half the time that one by one does: for start-up.
/// `None` when anything is wrong.
fn compile_at_once(source: &Arc<dyn Source>, file: &str) -> Option<DescriptorPool> {
    let state = Arc::new(Mutex::new(State::default()));
    let mut imports = Imports {
        resolver: Resolver {
            source: Arc::clone(source),
            state: Arc::clone(&state),
        },
        done: HashMap::new(),
        files: Vec::new(),
    };
    imports.add(file)?;
    if state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .compiled
    {
        return None;
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(imports.files).ok()?;
    Some(pool)
}

/// A file with all that it imports, each behind what it imports itself.
struct Imports {
    /// Bounds how many files there may be, and so how deep they may import each other.
    resolver: Resolver,
    /// Files that were opened, and whether all that they import was added.
    done: HashMap<String, bool>,
    files: Vec<FileDescriptorProto>,
}

impl Imports {
    fn add(&mut self, name: &str) -> Option<()> {
        match self.done.insert(name.to_owned(), false) {
            Some(true) => {
                self.done.insert(name.to_owned(), true);
                return Some(());
            }
            // A cycle.
            Some(false) => return None,
            None => {}
        }
        let file = self.resolver.open_file(name).ok()?;
        let mut proto = file.file_descriptor_proto().clone();
        let mut imported = HashSet::new();
        for import in &proto.dependency {
            if !imported.insert(import) {
                return None;
            }
            self.add(import)?;
        }
        // Where in the text everything stands is only needed for what is wrong.
        proto.source_code_info = None;
        self.files.push(proto);
        self.done.insert(name.to_owned(), true);
        Some(())
    }
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
