//! The JSON contract where upstream has none: what it loses, ours keeps.

use criu_images::{DecodeOptions, Dialect, EncodeOptions, ErrorKind};

use super::support::wire::{self, Message};
use super::support::{decoded, encoded, image, plain, pretty, refused};

/// The image comes back from its JSON, plain and pretty.
fn comes_back(image: &[u8]) {
    for json in [plain(image), pretty(image)] {
        let back =
            encoded(&json, &EncodeOptions::default()).unwrap_or_else(|e| panic!("{e}\n{json}"));
        assert!(back == image, "{json}");
    }
}

/// The first entry as the compact JSON prints it.
fn entry(image: &[u8]) -> String {
    let json = plain(image);
    let (_, entries) = json.split_once("\"entries\": [").unwrap();
    entries.strip_suffix("]}").unwrap().to_owned()
}

#[test]
fn unknown_fields_of_every_wire_type_are_kept_in_the_order_of_their_numbers() {
    let message = wire::pstree_entry()
        .varint(19, u64::MAX)
        .bytes(20, b"new")
        .fixed32(21, 7)
        .fixed64(22, 8)
        .key(23, 3)
        .varint(1, 5)
        .key(23, 4);
    let image = wire::single(wire::PSTREE, &message);
    assert_eq!(
        entry(&image),
        r#"{"pid": 7, "ppid": 0, "pgid": 7, "sid": 7, "@unknown": [{"number": 19, "wire": "varint", "value": 18446744073709551615}, {"number": 20, "wire": "bytes", "value": "bmV3\n"}, {"number": 21, "wire": "fixed32", "value": 7}, {"number": 22, "wire": "fixed64", "value": 8}, {"number": 23, "wire": "group", "value": [{"number": 1, "wire": "varint", "value": 5}]}]}"#
    );
    comes_back(&image);
}

#[test]
fn an_unknown_field_between_known_ones_comes_back_in_its_place() {
    // core_entry has no field 7; field 8 (ti_aarch64) follows it.
    let inner = Message::new().varint(1, 1);
    let mut message = Message::new().varint(1, 1).varint(7, 9).message(8, &inner);
    message = message.varint(99, 1);
    let image = wire::single(wire::CORE, &message);
    let json = plain(&image);
    let back = encoded(&json, &EncodeOptions::default().lenient(true)).unwrap();
    assert!(back == image, "{json}");
}

#[test]
fn a_field_whose_wire_type_contradicts_the_schema_is_kept_as_unknown() {
    // pid is a varint in the schema, and a 32-bit value and bytes here.
    let message = wire::pstree_entry().fixed32(6, 1);
    let message = Message::new().fixed32(1, 3).bytes(1, b"x").raw(&message.0);
    let image = wire::single(wire::PSTREE, &message);
    let text = entry(&image);
    assert!(text.contains(r#""pid": 7"#), "{text}");
    assert!(
        text.contains(r#"{"number": 1, "wire": "fixed32", "value": 3}"#),
        "{text}"
    );
    assert!(
        text.contains(r#"{"number": 1, "wire": "bytes", "value": "eA==\n"}"#),
        "{text}"
    );
    // Its order among the fields is not canonical, so it takes --exact to keep that too.
    let json = decoded(&image, &DecodeOptions::default().exact(true)).unwrap();
    assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
}

#[test]
fn the_field_number_that_the_library_uses_inside_is_unknown_like_any_other() {
    let message = wire::pstree_entry().varint(0x1fff_ffff, 5);
    let image = wire::single(wire::PSTREE, &message);
    let text = entry(&image);
    assert!(
        text.contains(r#"{"number": 536870911, "wire": "varint", "value": 5}"#),
        "{text}"
    );
    comes_back(&image);
}

#[test]
fn an_unknown_field_that_the_schema_knows_by_now_becomes_that_field() {
    let json = r#"{"magic": "PSTREE", "entries": [{"pid": 1, "ppid": 0, "pgid": 1,
        "@unknown": [{"number": 4, "wire": "varint", "value": 9}]}]}"#;
    let image = encoded(json, &EncodeOptions::default()).unwrap();
    assert_eq!(
        entry(&image),
        r#"{"pid": 1, "ppid": 0, "pgid": 1, "sid": 9}"#
    );
}

#[test]
fn an_enum_value_without_a_name_is_its_number() {
    let fdinfo = Message::new()
        .varint(1, 1)
        .varint(2, 0)
        .varint(3, 77)
        .varint(4, 5);
    let image = wire::single(0x5621_3732, &fdinfo);
    assert!(entry(&image).contains(r#""type": 77"#), "{}", entry(&image));
    comes_back(&image);
}

#[test]
fn a_string_that_is_not_utf_8_is_kept_as_bytes() {
    let names = image("badname/files.img");
    assert!(
        plain(&names).contains(r#"{"@bytes": "L3Nydi9kZW1vL3J1bi9iYWRuYW1lL2JhZP/+LW5hbWU=\n"}"#)
    );
    comes_back(&names);
    let image = wire::single(
        wire::UTSNS,
        &Message::new().bytes(1, b"h\xff").bytes(2, b"d"),
    );
    assert_eq!(
        entry(&image),
        r#"{"nodename": {"@bytes": "aP8=\n"}, "domainname": "d"}"#
    );
}

#[test]
fn v1_images_say_so_and_keep_their_head() {
    let image = image("v10-simple/pstree.img");
    assert!(plain(&image).starts_with(r#"{"magic": "PSTREE", "@head": "v1", "entries": ["#));
    comes_back(&image);
    let inventory = super::support::image("v10-simple/inventory.img");
    assert!(!plain(&inventory).contains("@head"));
}

#[test]
fn a_family_that_is_not_the_kinds_own_is_kept_too() {
    let mut image = wire::single(wire::PSTREE, &wire::pstree_entry());
    image[..4].copy_from_slice(&0x5510_5940u32.to_le_bytes());
    assert!(plain(&image).contains(r#""@head": "service""#));
    comes_back(&image);
}

#[test]
fn a_missing_required_field_is_printed_around_with_a_warning_and_refused_by_encode() {
    let image = wire::single(wire::PSTREE, &Message::new().varint(1, 7));
    assert_eq!(entry(&image), r#"{"pid": 7}"#);
    let error = refused(&plain(&image));
    assert!(
        matches!(error.kind(), ErrorKind::MissingField(f) if f == "ppid"),
        "{error}"
    );
    let lenient = EncodeOptions::default().lenient(true);
    assert!(encoded(&plain(&image), &lenient).unwrap() == image);
}

#[test]
fn a_segment_in_the_pagemaps_has_no_extra_and_the_next_entry_stays_an_entry() {
    let image = image("ipc-ns/ipcns-shm-9.img");
    let json: serde_json::Value = serde_json::from_str(&plain(&image)).unwrap();
    let entries = json["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|e| e.get("extra").is_none() && e["in_pagemaps"] == true)
    );
    comes_back(&image);
}

#[test]
fn bpf_maps_count_their_keys_and_values_without_payload() {
    let options = DecodeOptions::default().no_payload(true);
    let json = decoded(&image("bpf/bpfmap-data.img"), &options).unwrap();
    assert_eq!(json.matches("\"extra\": \"... <").count(), 2, "{json}");
    comes_back(&image("bpf/bpfmap-data.img"));
}

#[test]
fn an_image_without_entries_is_an_image_also_of_a_ghost_file() {
    for magic in [
        wire::PSTREE,
        wire::GHOST_FILE,
        wire::PAGEMAP,
        wire::IPCNS_SEM,
    ] {
        let image = wire::image(magic);
        assert!(plain(&image).ends_with("\"entries\": []}"));
        comes_back(&image);
    }
}

#[test]
fn packed_and_repeated_forms_are_both_read() {
    let packed = wire::pstree_entry().bytes(5, &[1, 2, 0x80, 1]);
    let image = wire::single(wire::PSTREE, &packed);
    assert!(entry(&image).contains("\"threads\": [1, 2, 128]"));
    let json = decoded(&image, &DecodeOptions::default().exact(true)).unwrap();
    assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
}

#[test]
fn exact_brings_back_what_is_not_canonical_and_adds_nothing_to_what_is() {
    let exact = DecodeOptions::default().exact(true);
    for message in [
        wire::pstree_entry().varint(1, 8), // a field twice
        Message::new()
            .varint(4, 7)
            .varint(3, 7)
            .varint(2, 0)
            .varint(1, 7), // out of order
        Message::new()
            .raw(&[8, 0x87, 0x80, 0])
            .raw(&wire::pstree_entry().0[2..]), // a long varint
    ] {
        let image = wire::single(wire::PSTREE, &message);
        let json = decoded(&image, &exact).unwrap();
        assert!(json.contains("@raw"), "{json}");
        assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
        // Edited fields win over the bytes.
        let edited = json.replace("\"sid\": 7", "\"sid\": 9");
        let edited = encoded(&edited, &EncodeOptions::default()).unwrap();
        assert!(entry(&edited).contains("\"sid\": 9"));
    }
    let canonical = image("simple/pstree.img");
    assert_eq!(decoded(&canonical, &exact).unwrap(), plain(&canonical));
}

#[test]
fn exact_brings_back_padding_that_is_not_zero() {
    let mut image = wire::image(wire::IPCNS_SEM);
    let desc = Message::new()
        .varint(1, 1)
        .varint(2, 1)
        .varint(3, 1)
        .varint(4, 1);
    let desc = desc.varint(5, 1).varint(6, 1).varint(7, 1);
    let set = Message::new().message(1, &desc).varint(2, 1);
    wire::entry(&mut image, &set, &[5, 0, 9, 9, 9, 9, 9, 9]);
    let json = decoded(&image, &DecodeOptions::default().exact(true)).unwrap();
    assert!(json.contains("\"extra\": [5]"), "{json}");
    assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
}

#[test]
fn big_integers_can_be_quoted_and_are_read_either_way() {
    let message = Message::new()
        .varint(1, u64::MAX)
        .varint(2, 0)
        .varint(4, 4)
        .varint(5, 1 << 53);
    let mut image = wire::image(wire::PAGEMAP);
    wire::entry(&mut image, &Message::new().varint(1, 1), &[]);
    wire::entry(&mut image, &message, &[]);
    let json = decoded(&image, &DecodeOptions::default().quote_big_ints(true)).unwrap();
    assert!(
        json.contains("\"vaddr\": \"18446744073709551615\""),
        "{json}"
    );
    assert!(
        json.contains("\"nr_pages\": \"9007199254740992\""),
        "{json}"
    );
    assert!(json.contains("\"flags\": 4"), "{json}");
    assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
    comes_back(&image);
}

#[test]
fn the_go_crits_json_is_read_as_its_own_dialect() {
    // What go-criu's crit prints: 64-bit integers as strings, base64 without line breaks.
    let go = r#"{"magic":"PAGEMAP","entries":[{"pages_id":1},{"vaddr":"4194304","compat_nr_pages":0,"flags":4,"nr_pages":"1"}]}"#;
    let image = encoded(go, &EncodeOptions::default()).unwrap();
    assert!(plain(&image).contains("\"vaddr\": 4194304"));
    assert_eq!(
        encoded(
            r#"{"magic":"FDINFO","entries":null}"#,
            &EncodeOptions::default()
        )
        .unwrap()
        .len(),
        8
    );

    let sem = r#"{"magic":"IPCNS_SEM","entries":[{"desc":{"key":1,"uid":0,"gid":0,"cuid":0,"cgid":0,"mode":0,"id":1},"nsems":2,"extra":"[3,32767]"}]}"#;
    let options = EncodeOptions::default().dialect(Dialect::Go);
    assert!(plain(&encoded(sem, &options).unwrap()).contains("\"extra\": [3, 32767]"));

    // The names of unix sockets can't be told apart, so it takes the option.
    let ours = plain(&super::names::socket(b"\0x"));
    assert!(ours.contains("\"name\": \"=00x\""), "{ours}");
    let go = ours.replace("\"name\": \"=00x\"", "\"name\": \"AHg=\"");
    assert!(encoded(&go, &options).unwrap() == super::names::socket(b"\0x"));
}

#[test]
fn entries_may_stand_before_the_magic() {
    let image = image("simple/core-100.img");
    let json = plain(&image);
    let (magic, entries) = json[1..json.len() - 1]
        .split_once(", \"entries\": ")
        .unwrap();
    let turned = format!("{{\n\"entries\": {entries},\n {magic}}}");
    assert!(encoded(&turned, &EncodeOptions::default()).unwrap() == image);
}

#[test]
fn exact_brings_back_strays_in_the_order_that_they_had() {
    let message = Message::new()
        .bytes(3, b"x")
        .bytes(1, b"y")
        .varint(2, 1)
        .varint(4, 1);
    let image = wire::single(wire::PSTREE, &message);
    let json = decoded(&image, &DecodeOptions::default().exact(true)).unwrap();
    let back = encoded(&json, &EncodeOptions::default().lenient(true)).unwrap();
    assert!(back == image, "{json}");
}

#[test]
fn exact_brings_back_the_padding_of_a_payload_too_large_for_memory() {
    let desc = (1..=7).fold(Message::new(), |m, n| m.varint(n, 0));
    let size = 900_001;
    let segment = Message::new().message(1, &desc).varint(2, size as u64);
    let mut payload = vec![7; size];
    payload.extend([0xff; 3]);
    let mut image = wire::image(0x4628_3044);
    wire::entry(&mut image, &segment, &payload);
    let json = decoded(&image, &DecodeOptions::default().exact(true)).unwrap();
    assert!(encoded(&json, &EncodeOptions::default()).unwrap() == image);
}

#[test]
fn a_large_payload_is_read_by_the_same_rules_as_a_small_one() {
    for size in [3_000, 3_000_000] {
        // 0xff in base64 is made of slashes, which JSON may escape, and of characters beyond.
        let ghost = |extra: &str| {
            format!(
                r#"{{"magic": "GHOST_FILE", "entries": [{{"uid": 0, "gid": 0, "mode": 0, "extra": "{extra}"}}]}}"#
            )
        };
        let plain = encoded(&ghost(&"////".repeat(size / 3)), &EncodeOptions::default()).unwrap();
        for escaped in ["\\/\\/\\/\\/", "\\u002f/\\u002F/", "////\\n\\r\\t"] {
            let image = encoded(&ghost(&escaped.repeat(size / 3)), &EncodeOptions::default());
            assert!(image.unwrap() == plain, "{escaped}");
        }
        for bad in ["////\n", "////\\u20ac", "///*"] {
            refused(&ghost(&bad.repeat(size / 3)));
        }
    }
}

#[test]
fn an_edited_entry_is_written_anew_with_its_payload() {
    let desc = (1..=7).fold(Message::new(), |m, n| m.varint(n, 0));
    let mut bytes = wire::image(0x4628_3044);
    wire::entry(
        &mut bytes,
        &Message::new().message(1, &desc).varint(2, 2),
        b"ab\xff\xff",
    );
    let schema = criu_images::Schema::bundled().unwrap();
    let mut image = criu_images::Image::read(&schema, bytes.as_slice()).unwrap();
    image.entries[0].set("size", 1).unwrap();
    // The payload has two bytes: the fields must fit it.
    assert!(image.write(std::io::sink()).is_err());
    image.entries[0].set_payload(Some(criu_images::Payload::Bytes(b"a".to_vec())));
    let mut written = Vec::new();
    image.write(&mut written).unwrap();
    assert!(written.ends_with(b"a\0\0\0"));
}

#[test]
fn a_refused_edit_leaves_the_entry_as_it_was() {
    let schema = criu_images::Schema::bundled().unwrap();
    let bytes = image("tree/core-100.img");
    let mut core = criu_images::Image::read(&schema, bytes.as_slice()).unwrap();
    let entry = &mut core.entries[0];
    for (path, value) in [
        ("ti_arm.nothing", "1"),
        ("ti_arm.clear_tid_addr", "x"),
        ("tc.comm[1]", "x"),
    ] {
        entry.set(path, value).unwrap_err();
    }
    assert!(entry.get("ti_arm").unwrap().is_null());
    let error = entry.set("tc.sigactions[1].flags", "x").unwrap_err();
    assert_eq!(error.location().field, "tc.sigactions[1].flags");
    entry.set("tc.comm", "renamed").unwrap();
    assert_eq!(entry.get("tc.comm").unwrap(), "renamed");
    assert_eq!(entry.get("tc.sigactions[1].flags").unwrap(), 0);
}

#[test]
fn an_error_inside_a_list_names_the_element_that_it_is_in() {
    // cgroup: a set, a controller, and a set that is cut short.
    let set = Message::new().varint(1, 1);
    let message = Message::new().message(1, &set).message(2, &Message::new());
    let message = message.bytes(1, &[0x08]);
    let image = wire::single(0x5938_3330, &message);
    let error = decoded(&image, &DecodeOptions::default()).unwrap_err();
    assert_eq!(error.location().field, "sets[1].id");
}

#[test]
fn the_types_of_the_library_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<criu_images::Schema>();
    shared::<criu_images::Image>();
    shared::<criu_images::Entry>();
    shared::<criu_images::Error>();
    shared::<criu_images::ImageReader<std::fs::File>>();
    shared::<criu_images::ImageWriter<std::fs::File>>();
}

#[test]
fn threads_that_meet_at_the_first_use_of_a_schema_can_write_each_others_entries() {
    use criu_images::{Image, ImageKinds, Schema};
    assert!(ImageKinds::bundled().is_ok());
    let bytes = image("simple/pstree.img");
    let schema = Schema::bundled().unwrap();
    let barrier = std::sync::Barrier::new(8);
    let images: Vec<Image> = std::thread::scope(|scope| {
        let read = || {
            barrier.wait();
            Image::read(&schema, bytes.as_slice()).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut all = Image::new(&schema, "PSTREE").unwrap();
    all.entries = images.into_iter().flat_map(|image| image.entries).collect();
    all.write(std::io::sink()).unwrap();
}
