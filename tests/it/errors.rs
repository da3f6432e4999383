//! What encode refuses, and how it says where.

use criu_images::{EncodeOptions, ErrorKind};

use super::support::{encoded, image, plain, refused};

fn pstree(members: &str) -> String {
    format!("{{\"magic\": \"PSTREE\", \"entries\": [\n {{{members}}}]}}")
}

const ENTRY: &str = r#""pid": 1, "ppid": 0, "pgid": 1, "sid": 1"#;

/// Refused strictly with this message and place; taken when lenient.
fn strict_only(json: &str, message: &str) {
    assert_eq!(refused(json).to_string(), message);
    encoded(json, &EncodeOptions::default().lenient(true)).unwrap();
}

#[test]
fn an_unknown_key_names_the_nearest_field() {
    let json = pstree(&format!("{ENTRY}, \"thread\": [1]"));
    strict_only(
        &json,
        "entry 0, line 2 column 52: unknown field `thread` in pstree_entry",
    );
    assert_eq!(refused(&json).hint(), Some("did you mean `threads`?"));
    strict_only(
        r#"{"magic": "PSTREE", "entires": [], "entries": []}"#,
        "line 1 column 31: unknown field `entires` in an image",
    );
}

#[test]
fn a_duplicate_key_is_refused() {
    strict_only(
        &pstree(&format!("{ENTRY}, \"pid\": 2")),
        "entry 0, line 2 column 49: `pid` stands twice",
    );
    let twice = r#"{"magic": "PSTREE", "magic": "PSTREE", "entries": []}"#;
    assert_eq!(
        refused(twice).to_string(),
        "line 1 column 29: `magic` stands twice"
    );
}

#[test]
fn a_value_of_the_wrong_type_or_out_of_range_is_refused_with_its_path() {
    for (members, message) in [
        (r#""pid": "x""#, "field pid: `x` is not an integer"),
        (
            r#""pid": 4294967296"#,
            "field pid: 4294967296 is out of range for uint32",
        ),
        (r#""pid": -1"#, "field pid: -1 is out of range for uint32"),
        (
            r#""pid": 1.5"#,
            "field pid: 1.5 has a fraction, an exponent or more than 64 bits: not an integer",
        ),
        (
            r#""pid": 1e3"#,
            "field pid: 1000 has a fraction, an exponent or more than 64 bits: not an integer",
        ),
        (
            r#""pid": null"#,
            "field pid: null is no value; leave the field out",
        ),
        (
            r#""pid": {}"#,
            "field pid: expected an integer, found an object",
        ),
        (
            r#""threads": [1, "y"]"#,
            "field threads[1]: `y` is not an integer",
        ),
    ] {
        let error = refused(&pstree(members));
        let text = error.to_string();
        let (_, rest) = text.split_once("entry 0, ").unwrap();
        let place = format!("offset 0x{:x}", 0);
        assert!(!rest.contains(&place));
        let (field, what) = message.split_once(": ").unwrap();
        assert!(
            rest.starts_with(&format!("{field}, line 2 column ")),
            "{text}"
        );
        assert!(text.ends_with(what), "{text}");
    }
    let rounded = refused(&pstree(r#""pid": 1e3"#));
    assert!(rounded.hint().unwrap().contains("jq before 1.7"));
}

#[test]
fn an_enum_or_flag_that_has_no_such_name_is_refused_with_the_nearest() {
    let fdinfo =
        r#"{"magic": "FDINFO", "entries": [{"id": 1, "flags": 0, "type": "REQ", "fd": 1}]}"#;
    let error = refused(fdinfo);
    assert!(
        error.to_string().ends_with("fd_types has no value `REQ`"),
        "{error}"
    );
    assert_eq!(error.hint(), Some("did you mean `REG`?"));
    let error = refused(&fdinfo.replace("REQ", "99x"));
    assert!(
        error.to_string().ends_with("fd_types has no value `99x`"),
        "{error}"
    );
    let memfd = r#"{"magic": "MEMFD_INODE", "entries": [{"seals": "F_SEAL_GROV"}]}"#;
    let error = refused(memfd);
    assert!(
        error
            .to_string()
            .ends_with("unknown flag `F_SEAL_GROV`: did you mean `F_SEAL_GROW`?"),
        "{error}"
    );
}

#[test]
fn bad_base64_is_refused_and_line_breaks_are_not_bad() {
    let pipe = |extra: &str| {
        format!(
            r#"{{"magic": "PIPES_DATA", "entries": [{{"pipe_id": 1, "bytes": 3, "extra": "{extra}"}}]}}"#
        )
    };
    for good in ["YWJj", "YWJj\\n", "YW\\nJj"] {
        encoded(&pipe(good), &EncodeOptions::default()).unwrap();
    }
    let error = refused(&pipe("YW*j"));
    assert_eq!(error.location().field, "extra");
    assert!(error.to_string().contains("bad base64"), "{error}");
}

#[test]
fn a_payload_that_contradicts_its_length_is_refused() {
    let pipe = |bytes: u32, extra: &str| {
        format!(
            r#"{{"magic": "PIPES_DATA", "entries": [{{"pipe_id": 1, "bytes": {bytes}{extra}}}]}}"#
        )
    };
    strict_only(
        &pipe(4, r#", "extra": "YWJj""#),
        "entry 0, line 1 column 37: the payload has 3 bytes, the fields say 4",
    );
    strict_only(
        &pipe(4, ""),
        "entry 0, line 1 column 37: the payload is missing: the fields say 4 bytes",
    );
    let error = refused(&pipe(4, r#", "extra": [1]"#));
    assert!(
        error
            .to_string()
            .ends_with("the payload of this kind is not an array"),
        "{error}"
    );
    let error = refused(&pstree(&format!("{ENTRY}, \"extra\": \"\"")));
    assert!(
        error
            .to_string()
            .ends_with("a PSTREE image has no payloads"),
        "{error}"
    );
}

#[test]
fn json_that_was_made_without_payloads_is_refused_as_such() {
    let options = criu_images::DecodeOptions::default().no_payload(true);
    for name in [
        "ipc-ns/ipcns-msg-9.img",
        "ipc-ns/ipcns-sem-9.img",
        "sockets/sk-queues.img",
    ] {
        let json = super::support::decoded(&image(name), &options).unwrap();
        let error = refused(&json);
        assert!(
            matches!(error.kind(), ErrorKind::NoPayload(_)),
            "{name}: {error}"
        );
    }
    // A ghost file shows no payload at all then; its content must not be taken for empty.
    let json = super::support::decoded(&image("ghost/ghost-file-1.img"), &options).unwrap();
    let error = refused(&json);
    assert!(
        error.to_string().contains("the payload is missing"),
        "{error}"
    );
}

#[test]
fn text_that_is_no_image_is_refused_with_what_it_is() {
    for (text, message) in [
        ("", "this is nothing, not the JSON of an image"),
        ("[1]", "this is a JSON array, not the JSON of an image"),
        ("hello", "this is something else, not the JSON of an image"),
        (
            "{",
            "line 1 column 2: the text ends in the middle of a value",
        ),
        (
            "{}",
            "line 1 column 3: `magic` is missing: it names the kind of image",
        ),
        (
            r#"{"magic": "PSTREE"}"#,
            "line 1 column 20: `entries` is missing: an array, which may be empty",
        ),
        (
            r#"{"magic": "PSTRE", "entries": []}"#,
            "line 1 column 11: unknown image kind `PSTRE`",
        ),
        (
            r#"{"magic": "PAGES", "entries": []}"#,
            "a raw image (page contents, one after another, in the order of a pagemap): it holds no messages",
        ),
        (
            r#"{"magic": "PSTREE", "entries": []} x"#,
            "line 1 column 36: something stands behind the image",
        ),
        (
            r#"{"magic": "PSTREE", "entries": [1]}"#,
            "entry 0, line 1 column 33: invalid type: integer `1`, expected an object (pstree_entry)",
        ),
    ] {
        assert_eq!(refused(text).to_string(), message, "{text}");
    }
    let mut image = Vec::new();
    let schema = criu_images::Schema::bundled().unwrap();
    let bytes = super::support::image("simple/pstree.img");
    let error = criu_images::encode(
        &schema,
        bytes.as_slice(),
        &mut image,
        &EncodeOptions::default(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "this is an image (PSTREE), not the JSON of an image"
    );
    assert!(image.is_empty());
}

#[test]
fn json_nested_too_deep_is_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let json = pstree(&format!("{ENTRY}, \"threads\": {deep}"));
    assert!(refused(&json).to_string().contains("nested deeper than"));
}

#[test]
fn messages_nested_too_deep_are_refused_and_a_hundred_levels_are_not() {
    use super::support::wire::{Message, single};
    let nested = |levels: usize| {
        let mut namespace = Message::new().bytes(1, b"n");
        for _ in 1..levels {
            namespace = Message::new().bytes(1, b"n").message(3, &namespace);
        }
        single(0x5942_3047, &Message::new().message(1, &namespace))
    };
    let image = nested(100);
    let back = encoded(&plain(&image), &EncodeOptions::default()).unwrap();
    assert!(back == image);
    for levels in [101, 10_000] {
        let error = super::support::decoded(&nested(levels), &Default::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooDeep(_)), "{error}");
    }
}

#[test]
fn entries_that_are_no_array_are_refused_wherever_they_stand() {
    for json in [
        r#"{"magic": "PSTREE", "entries": nonsense}"#,
        r#"{"magic": "PSTREE", "entries": null5}"#,
        r#"{"entries": [] xyz, "magic": "PSTREE"}"#,
        r#"{"entries": 5, "magic": "PSTREE"}"#,
    ] {
        refused(json);
    }
}

#[test]
fn raw_payload_bytes_can_t_get_round_the_checks() {
    let error = refused(&pstree(&format!("{ENTRY}, \"@payload\": \"QUJD\"")));
    assert!(
        matches!(error.kind(), ErrorKind::UnknownField { .. }),
        "{error}"
    );
    let pipe =
        r#"{"magic": "PIPES_DATA", "entries": [{"pipe_id": 1, "bytes": 10, "@payload": "QUJD"}]}"#;
    assert!(refused(pipe).to_string().contains("the payload is missing"));
}

#[test]
fn nothing_can_follow_the_content_of_a_ghost_file_without_chunks() {
    let json = r#"{"magic": "GHOST_FILE", "entries": [
        {"uid": 0, "gid": 0, "mode": 0, "extra": "QUJD"}, {"len": 3, "off": 0, "extra": "REVG"}]}"#;
    let error = refused(json);
    assert!(error.to_string().contains("nothing can follow"), "{error}");
}

#[test]
fn required_fields_are_missed_in_queued_messages_and_behind_unknown_ones() {
    let desc =
        r#""desc": {"key": 1, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 1}"#;
    let json = format!(
        r#"{{"magic": "IPCNS_MSG", "entries": [{{{desc}, "qbytes": 1, "qnum": 1, "extra": [{{}}, ""]}}]}}"#
    );
    let error = refused(&json);
    assert!(
        matches!(error.kind(), ErrorKind::MissingField(_)),
        "{error}"
    );
    let core = r#"{"magic": "CORE", "entries": [{"mtype": "X86_64",
        "@unknown": [{"number": 3, "wire": "bytes", "value": ""}]}]}"#;
    let error = refused(core);
    assert!(
        matches!(error.kind(), ErrorKind::MissingField(f) if f == "tc.task_state"),
        "{error}"
    );
}

#[test]
fn encode_nests_messages_no_deeper_than_decode() {
    let nested = |levels: usize| {
        let open = r#"{"name": "n", "namespaces": ["#.repeat(levels - 1);
        let close = "]}".repeat(levels - 1);
        format!(
            r#"{{"magic": "APPARMOR", "entries": [{{"namespaces": [{open}{{"name": "n"}}{close}]}}]}}"#
        )
    };
    let image = encoded(&nested(100), &EncodeOptions::default()).unwrap();
    plain(&image);
    let error = refused(&nested(101));
    assert!(matches!(error.kind(), ErrorKind::TooDeep(_)), "{error}");
}

#[test]
fn minus_zero_is_zero() {
    encoded(
        &pstree(&ENTRY.replace("\"ppid\": 0", "\"ppid\": -0")),
        &EncodeOptions::default(),
    )
    .unwrap();
}

#[test]
fn lenient_takes_base64_as_python_does() {
    let pipe = |bytes: u32, extra: &str| {
        let json = format!(
            r#"{{"magic": "PIPES_DATA", "entries": [{{"pipe_id": 1, "bytes": {bytes}, "extra": "{extra}"}}]}}"#
        );
        let image = encoded(&json, &EncodeOptions::default().lenient(true)).unwrap();
        image[image.len() - bytes as usize..].to_vec()
    };
    assert_eq!(pipe(2, "aGX="), b"he");
    assert_eq!(pipe(2, "aGk=aGk="), b"hi");
    assert_eq!(pipe(3, "a*G-Vs"), b"hel");
}

#[test]
fn many_unknown_keys_are_taken_in_linear_time_when_lenient() {
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|i| format!("\"k{i}\": 1")).collect();
        pstree(&format!("{ENTRY}, {}", keys.join(", ")))
    };
    // A search through all of them for each would take minutes.
    encoded(&keys(300_000), &EncodeOptions::default().lenient(true)).unwrap();
}

#[test]
fn an_unknown_field_can_t_hide_the_field_that_it_is() {
    let json = pstree(&format!(
        r#"{ENTRY}, "@unknown": [{{"number": 1, "wire": "varint", "value": 5}}]"#
    ));
    let error = refused(&json);
    assert!(
        error
            .to_string()
            .contains("field 1 is no unknown field: `pid` is it"),
        "{error}"
    );
}

#[test]
fn an_ip_address_stands_alone() {
    let socket = |addresses: &str| {
        format!(r#"{{"magic": "INETSK", "entries": [{{"src_addr": [{addresses}]}}]}}"#)
    };
    let lenient = EncodeOptions::default().lenient(true);
    for good in [
        r#""127.0.0.1""#,
        r#""::1""#,
        "16777343",
        r#"1, 2, "0x3", 4"#,
    ] {
        encoded(&socket(good), &lenient).unwrap();
    }
    for bad in [
        r#""127.0.0.1", 5"#,
        r#"5, "127.0.0.1""#,
        r#""127.0.0.1", "::1""#,
        r#""1.2.3""#,
    ] {
        refused(&socket(bad));
    }
}

#[test]
fn semaphores_and_unknown_fields_take_numbers_in_strings_too() {
    let desc =
        r#""desc": {"key": 1, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 1}"#;
    let json = format!(
        r#"{{"magic": "IPCNS_SEM", "entries": [{{{desc}, "nsems": 2, "extra": ["1", "0x2"],
            "@unknown": [{{"number": "99", "wire": "fixed32", "value": "0xff"}}]}}]}}"#
    );
    let image = encoded(&json, &EncodeOptions::default()).unwrap();
    let text = plain(&image);
    assert!(text.contains(r#""extra": [1, 2]"#), "{text}");
    assert!(
        text.contains(r#"{"number": 99, "wire": "fixed32", "value": 255}"#),
        "{text}"
    );
    assert!(
        refused(&json.replace("0x2\"", "65536\""))
            .to_string()
            .contains("not a number of 16 bits")
    );
}

#[test]
fn what_upstream_prints_for_a_segment_in_the_pagemaps_is_taken() {
    let json = r#"{"magic": "IPCNS_SHM", "entries": [{"desc": {"key": 0, "uid": 1, "gid": 1, "cuid": 1,
        "cgid": 1, "mode": 1, "id": 1}, "size": 3, "in_pagemaps": true, "extra": ""}]}"#;
    encoded(json, &EncodeOptions::default()).unwrap();
    refused(&json.replace("\"extra\": \"\"", "\"extra\": \"YWJj\""));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let json = format!("\u{feff}{}", pstree(ENTRY));
    encoded(&json, &EncodeOptions::default()).unwrap();
}
