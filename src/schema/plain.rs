//! The schema as dynamic messages need it, so that nothing of an image is lost in them.
//!
//! prost-reflect follows protobuf's rules; an image must come back byte for byte even where it does
//! not. So the descriptors that dynamic messages are made from differ from the schema in five ways,
//! none of which changes the wire format:
//!
//! - `string` is `bytes`: Linux's paths and task names may hold bytes that are not UTF-8.
//! - a map is the repeated message that it is on the wire: its order and doubled keys stay.
//! - a oneof is only its fields: two of them set on the wire both stay.
//! - proto3 fields have presence: an explicit 0 stays. What was packed by default says so.
//! - defaults and custom options are gone: they are read from the schema itself.

use std::collections::{BTreeSet, VecDeque};

use prost_reflect::prost_types::field_descriptor_proto::Type;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, FieldOptions, FileDescriptorProto,
};
use prost_reflect::{
    DescriptorPool, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, Syntax,
};

use crate::error::{Error, ErrorKind, Result};

/// The plain twin of the schema that `roots` were compiled in, as far as they reach.
pub(super) fn plain_pool(roots: &FileDescriptor) -> Result<DescriptorPool> {
    let needed = reachable_files(roots);
    let mut done = Vec::new();
    let mut files = Vec::new();
    // The pool lists files after those that they import.
    for file in roots.parent_pool().files() {
        if needed.contains(file.name()) {
            files.push(plain_file(&file, done.clone()));
            done.push(file.name().to_owned());
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files)
        .map_err(|error| Error::new(ErrorKind::Schema(format!("{}: {error}", roots.name()))))?;
    Ok(pool)
}

/// The files whose messages and enums the messages of `root` reach. Files that only declare
/// options (opts.proto and descriptor.proto behind it) are not among them.
fn reachable_files(root: &FileDescriptor) -> BTreeSet<String> {
    let mut files = BTreeSet::from([root.name().to_owned()]);
    let mut queue: VecDeque<MessageDescriptor> = root.messages().collect();
    let mut seen: BTreeSet<String> = queue.iter().map(|m| m.full_name().to_owned()).collect();
    while let Some(message) = queue.pop_front() {
        files.insert(message.parent_file().name().to_owned());
        queue.extend(
            message
                .child_messages()
                .filter(|m| seen.insert(m.full_name().to_owned())),
        );
        for field in message.fields() {
            match field.kind() {
                Kind::Message(m) if seen.insert(m.full_name().to_owned()) => {
                    // A file is taken whole, so everything beside the message counts too.
                    if files.insert(m.parent_file().name().to_owned()) {
                        let beside = m.parent_file().messages().collect::<Vec<_>>();
                        queue.extend(
                            beside
                                .into_iter()
                                .filter(|b| seen.insert(b.full_name().to_owned())),
                        );
                    }
                    queue.push_back(m);
                }
                Kind::Enum(e) => {
                    let file = e.parent_file();
                    if files.insert(file.name().to_owned()) {
                        queue.extend(
                            file.messages()
                                .filter(|m| seen.insert(m.full_name().to_owned())),
                        );
                    }
                }
                _ => {}
            }
        }
    }
    files
}

fn plain_file(file: &FileDescriptor, dependency: Vec<String>) -> FileDescriptorProto {
    let original = file.file_descriptor_proto();
    FileDescriptorProto {
        name: original.name.clone(),
        package: original.package.clone(),
        dependency,
        message_type: file.messages().map(|m| plain_message(&m)).collect(),
        enum_type: original.enum_type.iter().map(plain_enum).collect(),
        ..FileDescriptorProto::default()
    }
}

fn plain_message(message: &MessageDescriptor) -> DescriptorProto {
    let original = message.descriptor_proto();
    DescriptorProto {
        name: original.name.clone(),
        field: message
            .fields()
            .map(|field| {
                let mut proto = field.field_descriptor_proto().clone();
                if proto.r#type() == Type::String {
                    proto.set_type(Type::Bytes);
                }
                proto.options = is_packed(&field).then(|| FieldOptions {
                    packed: Some(true),
                    ..FieldOptions::default()
                });
                proto.default_value = None;
                proto.oneof_index = None;
                proto.proto3_optional = None;
                proto
            })
            .collect(),
        nested_type: message
            .child_messages()
            .map(|m| plain_message(&m))
            .collect(),
        enum_type: original.enum_type.iter().map(plain_enum).collect(),
        ..DescriptorProto::default()
    }
}

/// Whether a repeated field is written packed.
///
/// prost-reflect 0.16's own answer is wrong for text: it looks before options are interpreted, so
/// `[packed = true]` is missed, and any other option makes a proto3 field unpacked.
fn is_packed(field: &FieldDescriptor) -> bool {
    let packable =
        field.is_list() && !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_));
    let by_syntax = field.parent_file().syntax() == Syntax::Proto3;
    let options = field.field_descriptor_proto().options.as_ref();
    let explicit = options.and_then(|_| {
        let options = field.options();
        let set = options.has_field_by_name("packed");
        let packed = options.get_field_by_name("packed")?.as_bool()?;
        set.then_some(packed)
    });
    packable && explicit.unwrap_or(by_syntax)
}

fn plain_enum(original: &EnumDescriptorProto) -> EnumDescriptorProto {
    let allow_alias = original.options.as_ref().and_then(|o| o.allow_alias);
    EnumDescriptorProto {
        name: original.name.clone(),
        value: original
            .value
            .iter()
            .cloned()
            .map(|mut value| {
                value.options = None;
                value
            })
            .collect(),
        options: allow_alias.map(|allow_alias| EnumOptions {
            allow_alias: Some(allow_alias),
            ..EnumOptions::default()
        }),
        ..EnumDescriptorProto::default()
    }
}
