//! The table of image kinds: what CRIU 4.2 has, and a real image of each.

use std::collections::BTreeSet;

use criu_images::descriptor::PayloadKind;
use criu_images::{Family, ImageKinds};
use serde_json::Value;

use super::support::images;

fn facts() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/images.json");
    let facts: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    facts["images"].as_array().unwrap().clone()
}

#[test]
fn every_magic_of_criu_has_its_row_with_family_file_name_and_message() {
    let kinds = ImageKinds::bundled().unwrap();
    let facts = facts();
    // Files of plugins have no magic, and are no images of CRIU itself.
    let plugins: Vec<_> = kinds
        .iter()
        .filter(|kind| kind.name.starts_with("AMDGPU_"))
        .collect();
    assert_eq!(plugins.len(), 5);
    assert!(plugins.iter().all(|kind| kind.family == Family::Raw));
    assert_eq!(kinds.iter().count() - 5, facts.len());
    for fact in facts {
        let name = fact["magic"].as_str().unwrap();
        let kind = kinds
            .by_name(name)
            .unwrap_or_else(|| panic!("no row {name}"));
        let magic = kind.magic.map_or(0, u64::from);
        let value = fact["value"].as_str().unwrap().trim_start_matches("0x");
        assert_eq!(magic, u64::from_str_radix(value, 16).unwrap(), "{name}");
        let family = match fact["first_word"].as_str().unwrap() {
            "IMG_COMMON" => Family::Common,
            "IMG_SERVICE" => Family::Service,
            "raw" => Family::Raw,
            _ => Family::None,
        };
        assert_eq!(kind.family, family, "{name}");
        assert_eq!(
            kind.alias_of.as_deref(),
            fact["same_value_as"].as_str(),
            "{name}"
        );
        assert_eq!(kind.head.as_deref(), fact["head"].as_str(), "{name}");
        // The pages of the first CRIUs share a magic with pagemaps and hold no messages.
        if kind.payload != Some(PayloadKind::PageRecords) {
            assert_eq!(kind.entry.as_deref(), fact["entry"].as_str(), "{name}");
        }
        let file = fact["file_name"].as_str().unwrap().replace("%s", "dump");
        let file = ["%lu", "%ld", "%u", "%d", "%x"]
            .iter()
            .fold(file, |f, c| f.replace(c, "12"));
        assert!(kind.matches_file(&file), "{name}: {file}");
        assert!(!kind.about.is_empty(), "{name}");
    }
}

#[test]
fn every_field_that_is_named_like_an_owner_is_one_or_is_excused() {
    use criu_images::descriptor::{FieldMeanings, Meaning};
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/criu-schema.json");
    let facts: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let meanings = FieldMeanings::bundled().unwrap();
    let mut owners = 0;
    let mut missing = Vec::new();
    each_field(&facts, &mut |message, field, kind| {
        let is_named_like_one =
            field.ends_with("uid") || field.ends_with("gid") || field == "groups";
        if !is_named_like_one || !kind.contains("int") {
            return;
        }
        match meanings.of_field(message, field) {
            Some(Meaning::Uid | Meaning::Gid) => owners += 1,
            Some(Meaning::NoOwner) => {}
            _ => missing.push(format!("{message}.{field}")),
        }
    });
    assert_eq!(missing, [""; 0]);
    assert!(owners > 25, "{owners}");
}

/// The signal queues of old CRIUs: `signal-s` is of a process, whose threads share it, `signal-p` of one thread.
#[test]
fn the_signal_queues_of_a_process_and_of_a_thread_are_told_apart() {
    let kinds = ImageKinds::bundled().unwrap();
    let about = |file: &str| kinds.by_file_name(file).unwrap().about.clone();
    assert!(
        about("signal-s-7.img").contains("process"),
        "{}",
        about("signal-s-7.img")
    );
    assert!(
        about("signal-p-7.img").contains("thread alone"),
        "{}",
        about("signal-p-7.img")
    );
}

/// Hands over each field of the messages of CRIU's schema: message, name, type.
fn each_field(facts: &Value, each: &mut dyn FnMut(&str, &str, &str)) {
    let mut todo: Vec<&Value> = vec![facts];
    while let Some(value) = todo.pop() {
        if let (Some(name), Some(fields)) = (value["name"].as_str(), value["fields"].as_array()) {
            for field in fields {
                let text = |key: &str| field[key].as_str().unwrap_or_default();
                each(name, text("name"), text("type"));
            }
        }
        match value {
            Value::Array(list) => todo.extend(list),
            Value::Object(object) => todo.extend(object.values()),
            _ => {}
        }
    }
}

/// Kinds of which no real image could be had: the made-up ones of every kind stand in for them.
const WITHOUT_FIXTURE: &[&str] = &[
    "APPARMOR",    // needs a kernel with AppArmor namespaces
    "AUTOFS",      // needs an autofs mount
    "BINFMT_MISC", // needs a binfmt_misc mount
    "BPFMAP_FILE", // in files.img since CRIU 3.4
    "PIDFD",       // needs a pidfd of a task that is gone
    "PIDNS",       // needs an external pid namespace
];

#[test]
fn every_kind_has_a_real_image_or_a_reason_why_not() {
    let manifest = std::fs::read(images().join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    let seen: BTreeSet<&str> = manifest
        .iter()
        .filter_map(|row| row["magic"].as_str())
        .collect();
    let kinds = ImageKinds::bundled().unwrap();
    let main = kinds
        .iter()
        .filter(|k| k.family != Family::Raw && k.alias_of.is_none());
    let missing: Vec<&str> = main
        .map(|kind| kind.name.as_str())
        .filter(|name| !seen.contains(name) && !WITHOUT_FIXTURE.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}
