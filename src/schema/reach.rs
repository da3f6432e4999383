//! The part of a schema that a message reaches: what start-up pays for.
//!
//! `inventory.proto` imports `core.proto` for one message of ids, and `core.proto` the registers of
//! ten architectures. Of each file only the messages and enums are taken that something taken refers
//! to, and a file that declares none of them is not even parsed.
//!
//! Names are not resolved here, only compared: a message is taken when its name is a component of
//! any name that is referred to. That takes too much at worst; where it takes too little, the
//! descriptor pool can't be built, and the compiler proper has the word.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    UninterpretedOption,
};
use protox::file::{File, FileResolver as _, GoogleFileResolver};

use super::source::{Source, SourceFile};
use crate::limits::{PROTO_IMPORTS, PROTO_NAMES};

/// The files that were parsed, without names resolved, for all messages that are looked for; `None`
/// for one that is not there, came compiled or has a mistake.
#[derive(Default)]
pub(super) struct Parsed(Mutex<HashMap<String, Option<Arc<FileDescriptorProto>>>>);

impl Parsed {
    fn get_or_parse(
        &self,
        name: &str,
        parse: impl FnOnce() -> Option<File>,
    ) -> Option<Arc<FileDescriptorProto>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(name).cloned();
        // Two threads may parse one file at once: waiting would take as long.
        known.unwrap_or_else(|| {
            let file = parse().map(|file| {
                let mut proto = FileDescriptorProto::from(file);
                // Where in the text everything stands is only needed for what is wrong.
                proto.source_code_info = None;
                Arc::new(proto)
            });
            lock().entry(name.to_owned()).or_insert(file).clone()
        })
    }
}

/// Whether a file comes with the compiler: a checkout's own may be a dangling link.
pub(super) fn is_protobufs_own(name: &str) -> bool {
    name.starts_with("google/protobuf/")
}

/// The files that one message of `root` needs (all of the file's, when none is named), each behind
/// those that it imports, with nothing in them that it does not need.
///
/// `None` when anything is wrong or unusual.
pub(super) fn reachable(
    source: &dyn Source,
    parsed: &Parsed,
    root: &str,
    message: Option<&str>,
) -> Option<Vec<FileDescriptorProto>> {
    let mut reach = Reach {
        source,
        parsed,
        texts: HashMap::new(),
        files: BTreeMap::new(),
        todo: Vec::new(),
        left: PROTO_NAMES,
    };
    reach.open(root)?;
    match message {
        Some(message) => reach.refer(root, vec![message.to_owned()]),
        None => reach.refer_to_all(root)?,
    }
    while let Some((file, components)) = reach.todo.pop() {
        reach.follow(&file, components)?;
    }
    reach.in_order(root)
}

struct Reach<'a> {
    source: &'a dyn Source,
    parsed: &'a Parsed,
    /// What was looked at.
    texts: HashMap<String, Option<SourceFile<'a>>>,
    files: BTreeMap<String, Part>,
    /// Files with components of names in them that are still to be looked for.
    todo: Vec<(String, Vec<String>)>,
    /// How many more may be looked for.
    left: usize,
}

/// A file and what is taken of it.
struct Part {
    proto: Arc<FileDescriptorProto>,
    messages: BTreeSet<usize>,
    enums: BTreeSet<usize>,
    /// The components that were looked for, from here on.
    looked_for: BTreeSet<String>,
}

impl<'a> Reach<'a> {
    fn text(&mut self, name: &str) -> Option<&SourceFile<'a>> {
        if !self.texts.contains_key(name) {
            let text = self.source.file(name).ok().flatten();
            self.texts.insert(name.to_owned(), text);
        }
        self.texts.get(name)?.as_ref()
    }

    fn parse(&mut self, name: &str) -> Option<Arc<FileDescriptorProto>> {
        let parsed = self.parsed;
        parsed.get_or_parse(name, || {
            if is_protobufs_own(name) {
                return GoogleFileResolver::new().open_file(name).ok();
            }
            match self.text(name)? {
                SourceFile::Text(text) => File::from_source(name, text).ok(),
                SourceFile::Compiled(_) => None,
            }
        })
    }

    fn open(&mut self, name: &str) -> Option<()> {
        if self.files.contains_key(name) {
            return Some(());
        }
        if self.files.len() >= PROTO_IMPORTS {
            return None;
        }
        let proto = self.parse(name)?;
        // Only `import public` makes names visible beyond the file that imports.
        if !proto.public_dependency.is_empty() {
            return None;
        }
        let mut references = References::default();
        for extension in &proto.extension {
            references.field(extension);
        }
        self.files.insert(
            name.to_owned(),
            Part {
                proto,
                messages: BTreeSet::new(),
                enums: BTreeSet::new(),
                looked_for: BTreeSet::new(),
            },
        );
        self.refer(name, references.0);
        Some(())
    }

    /// Notes names that a file refers to. One after the other, not one inside the other: messages may
    /// refer to each other in a chain of any length.
    fn refer(&mut self, name: &str, components: Vec<String>) {
        if !components.is_empty() {
            self.todo.push((name.to_owned(), components));
        }
    }

    /// Takes what these names of a file may refer to, here and in the files that it imports.
    fn follow(&mut self, name: &str, mut components: Vec<String>) -> Option<()> {
        let part = self.files.get_mut(name)?;
        components.retain(|component| part.looked_for.insert(component.clone()));
        self.left = self.left.checked_sub(components.len())?;
        if components.is_empty() {
            return Some(());
        }
        let proto = Arc::clone(&part.proto);
        self.take(name, &components)?;
        for import in &proto.dependency {
            if self.files.contains_key(import) || self.may_declare(import, &components) {
                self.open(import)?;
                self.take(import, &components)?;
            }
        }
        Some(())
    }

    fn may_declare(&mut self, file: &str, components: &[String]) -> bool {
        if is_protobufs_own(file) {
            return components.iter().any(|component| component == "google");
        }
        // That a file is missing is for the compiler to say.
        self.text(file)
            .is_none_or(|text| components.iter().any(|name| text.has_word(name)))
    }

    /// Takes the messages and enums of these names out of a file, and what they refer to.
    fn take(&mut self, name: &str, components: &[String]) -> Option<()> {
        let part = self.files.get_mut(name)?;
        let proto = Arc::clone(&part.proto);
        let named = |name: &Option<String>| {
            let name = name.as_deref().unwrap_or_default();
            components.iter().any(|component| component == name)
        };
        let mut references = References::default();
        for (index, desc) in proto.enum_type.iter().enumerate() {
            if named(&desc.name) && part.enums.insert(index) {
                references.enumeration(desc);
            }
        }
        for (index, message) in proto.message_type.iter().enumerate() {
            if named(&message.name) && part.messages.insert(index) {
                references.message(message);
            }
        }
        self.refer(name, references.0);
        Some(())
    }

    fn refer_to_all(&mut self, name: &str) -> Option<()> {
        let proto = Arc::clone(&self.files.get(name)?.proto);
        let messages = proto.message_type.iter().map(|message| &message.name);
        let enums = proto.enum_type.iter().map(|desc| &desc.name);
        self.refer(name, messages.chain(enums).flatten().cloned().collect());
        Some(())
    }

    fn in_order(mut self, root: &str) -> Option<Vec<FileDescriptorProto>> {
        let mut order = Vec::new();
        self.put(root, &mut order)?;
        Some(order)
    }

    /// Puts a file behind its imports; `None` for files that import each other in a circle.
    fn put(&mut self, name: &str, order: &mut Vec<FileDescriptorProto>) -> Option<()> {
        if order.iter().any(|file| file.name() == name) {
            return Some(());
        }
        let part = self.files.remove(name)?;
        let mut imports: Vec<String> = Vec::new();
        for import in &part.proto.dependency {
            let opened = self.files.contains_key(import);
            if opened {
                self.put(import, order)?;
            }
            if order.iter().any(|file| file.name() == import) {
                if imports.contains(import) {
                    return None;
                }
                imports.push(import.clone());
            } else if import == name {
                return None;
            }
        }
        order.push(part.pick(imports));
        Some(())
    }
}

impl Part {
    fn pick(&self, dependency: Vec<String>) -> FileDescriptorProto {
        let proto = &self.proto;
        FileDescriptorProto {
            name: proto.name.clone(),
            package: proto.package.clone(),
            dependency,
            message_type: pick(&proto.message_type, &self.messages),
            enum_type: pick(&proto.enum_type, &self.enums),
            extension: proto.extension.clone(),
            options: proto.options.clone(),
            syntax: proto.syntax.clone(),
            ..FileDescriptorProto::default()
        }
    }
}

fn pick<T: Clone>(all: &[T], indices: &BTreeSet<usize>) -> Vec<T> {
    indices
        .iter()
        .filter_map(|i| all.get(*i))
        .cloned()
        .collect()
}

/// The components of names that are referred to.
#[derive(Default)]
struct References(Vec<String>);

impl References {
    fn name(&mut self, name: &str) {
        for component in name.split('.').filter(|component| !component.is_empty()) {
            if !self.0.iter().any(|known| known == component) {
                self.0.push(component.to_owned());
            }
        }
    }

    fn message(&mut self, message: &DescriptorProto) {
        for field in message.field.iter().chain(&message.extension) {
            self.field(field);
        }
        for inner in &message.nested_type {
            self.message(inner);
        }
        for desc in &message.enum_type {
            self.enumeration(desc);
        }
        for oneof in &message.oneof_decl {
            self.options(oneof.options.as_ref().map(|o| &o.uninterpreted_option));
        }
        self.options(message.options.as_ref().map(|o| &o.uninterpreted_option));
    }

    fn field(&mut self, field: &FieldDescriptorProto) {
        self.name(field.type_name());
        self.name(field.extendee());
        self.options(field.options.as_ref().map(|o| &o.uninterpreted_option));
    }

    fn enumeration(&mut self, desc: &EnumDescriptorProto) {
        for value in &desc.value {
            self.options(value.options.as_ref().map(|o| &o.uninterpreted_option));
        }
        self.options(desc.options.as_ref().map(|o| &o.uninterpreted_option));
    }

    /// Custom options name an extension: a field that some file declares.
    fn options(&mut self, options: Option<&Vec<UninterpretedOption>>) {
        for option in options.into_iter().flatten() {
            for part in option.name.iter().filter(|part| part.is_extension) {
                self.name(&part.name_part);
            }
        }
    }
}
