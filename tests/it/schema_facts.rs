//! The .proto files in schemas/ hold what CRIU 4.2's schema holds: tests/facts/criu-schema.json was
//! read out of upstream's compiled descriptors, and every message, field and option is compared.

use std::path::Path;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_file_message_field_and_option_is_that_of_criu_4_2() {
    let facts = std::fs::read(repository("tests/facts/criu-schema.json")).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let facts = facts["files"].as_array().unwrap();
    assert_eq!(facts.len(), 76);
    let names = facts.iter().map(|file| file["file"].as_str().unwrap());
    let schemas = repository("schemas");
    let mut count = (0, 0);
    for (name, expected) in names.zip(facts) {
        // One at a time: enum values of unrelated files may have the same names.
        let mut compiler = protox::Compiler::new([&schemas]).unwrap();
        let pool = compiler.open_file(name).unwrap().descriptor_pool();
        let file = file_facts(&pool, name);
        let (found, expected) = (sorted(&file), sorted(expected));
        let pairs = |file: &Value| file["messages"].as_array().unwrap().clone();
        for (found, expected) in pairs(&found).iter().zip(&pairs(&expected)) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(found, expected, "{name}");
        let messages = file["messages"].as_array().unwrap();
        count.0 += messages.len();
        count.1 += messages
            .iter()
            .map(|m| m["fields"].as_array().unwrap().len())
            .sum::<usize>();
    }
    assert_eq!(count, (173, 1161));
    assert_eq!(std::fs::read_dir(schemas).unwrap().count(), 76);
}

/// A file in the form of the facts.
fn file_facts(pool: &DescriptorPool, name: &str) -> Value {
    let file = pool.get_file_by_name(name).unwrap();
    let mut facts = json!({
        "file": name,
        "syntax": "proto2",
        "package": file.package_name(),
        "imports": file.file_descriptor_proto().dependency,
        "messages": file.messages().map(|m| message_facts(&m)).collect::<Vec<_>>(),
    });
    assert_eq!(file.syntax(), prost_reflect::Syntax::Proto2);
    let enums: Vec<Value> = file.enums().map(|e| enum_facts(&e)).collect();
    if !enums.is_empty() {
        facts["enums"] = enums.into();
    }
    let extensions: Vec<Value> = file
        .extensions()
        .map(|e| {
            let Kind::Message(ty) = e.kind() else {
                panic!("{}", e.name())
            };
            json!({"extends": e.containing_message().full_name(), "number": e.number(),
                "label": "optional", "type": ty.full_name(), "name": e.name()})
        })
        .collect();
    if !extensions.is_empty() {
        facts["extensions"] = extensions.into();
    }
    facts
}

fn message_facts(message: &MessageDescriptor) -> Value {
    let mut facts = json!({
        "name": message.name(),
        "fields": message.fields().map(|f| field_facts(&f)).collect::<Vec<_>>(),
    });
    let enums: Vec<Value> = message.child_enums().map(|e| enum_facts(&e)).collect();
    if !enums.is_empty() {
        facts["enums"] = enums.into();
    }
    assert_eq!(message.child_messages().len(), 0);
    assert_eq!(message.oneofs().len(), 0);
    facts
}

fn enum_facts(desc: &prost_reflect::EnumDescriptor) -> Value {
    let values = desc
        .values()
        .map(|v| (v.name().to_owned(), v.number().into()));
    json!({"name": desc.name(), "values": values.collect::<serde_json::Map<_, _>>()})
}

fn field_facts(field: &FieldDescriptor) -> Value {
    let proto = field.field_descriptor_proto();
    let ty = match field.kind() {
        Kind::Message(m) => m.full_name().to_owned(),
        Kind::Enum(e) => e.full_name().to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    let mut facts = json!({
        "number": field.number(),
        "label": match field.cardinality() {
            Cardinality::Required => "required",
            Cardinality::Optional => "optional",
            Cardinality::Repeated => "repeated",
        },
        "type": ty,
        "name": field.name(),
    });
    if let Some(default) = &proto.default_value {
        facts["default"] = default.as_str().into();
    }
    let options = field.options();
    let criu = options.extensions().find(|(e, _)| e.name() == "criu");
    if let Some((_, value)) = criu {
        let set = value.as_message().unwrap().fields().map(|(option, value)| {
            let value = match value {
                prost_reflect::Value::Bool(v) => Value::from(*v),
                prost_reflect::Value::String(v) => Value::from(v.as_str()),
                other => panic!("{other:?}"),
            };
            (option.name().to_owned(), value)
        });
        facts["options"] = Value::Object(set.collect());
    }
    assert!(!field.is_packed() && !field.is_group());
    facts
}

/// The same with messages and fields in an order of their own: where a message stands in its file
/// is not part of the schema.
fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    let key = |v: &Value| (v["number"].as_u64(), v["name"].as_str().map(str::to_owned));
    for list in ["messages", "enums"] {
        if let Some(items) = value.get_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_key(key);
        }
    }
    for message in value["messages"].as_array_mut().unwrap() {
        message["fields"].as_array_mut().unwrap().sort_by_key(key);
    }
    value
}
