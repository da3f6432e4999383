//! Schemas from elsewhere: a CRIU that does not exist (tests/next-criu), descriptor sets, and what
//! hostile directories do.

use std::fs;
use std::path::{Path, PathBuf};

use criu_images::{DecodeOptions, EncodeOptions, ErrorKind, ImageReader, Origin, Schema, diff};

use super::support::wire::{self, Message};
use super::support::{crit, crit_in, fresh_dir, image};

const QUANTUM: u32 = 0x4e45_5701;
const WIDGETS: u32 = 0x4e45_5702;
const RELIC: u32 = 0x4e45_5703;
const NOVELTY: u32 = 0x4e45_5704;
const VAULT: u32 = 0x4e45_5705;

fn next_criu() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/next-criu")
}

fn next() -> Schema {
    Schema::from_checkout(next_criu()).unwrap()
}

/// An image as JSON under a schema, which must come back byte for byte.
fn decoded(schema: &Schema, image: &[u8]) -> String {
    for pretty in [true, false] {
        let mut reader = ImageReader::new(schema, image).unwrap();
        let mut json = Vec::new();
        let options = DecodeOptions::default().pretty(pretty);
        criu_images::decode(&mut reader, &mut json, &options).unwrap();
        let mut back = Vec::new();
        criu_images::encode(
            schema,
            json.as_slice(),
            &mut back,
            &EncodeOptions::default(),
        )
        .unwrap();
        assert!(back == image, "{}", String::from_utf8_lossy(&json));
        if !pretty {
            return String::from_utf8(json).unwrap();
        }
    }
    unreachable!()
}

fn pstree() -> Vec<u8> {
    wire::single(
        wire::PSTREE,
        &wire::pstree_entry().bytes(19, b"/system.slice"),
    )
}

#[test]
fn new_and_renamed_fields_have_names_with_the_checkout_and_are_kept_without_it() {
    let json = decoded(&next(), &pstree());
    assert_eq!(
        json,
        r#"{"magic": "PSTREE", "entries": [{"pid": 7, "ppid": 0, "pgid": 7, "session": 7, "cgroup_path": "/system.slice"}]}"#
    );
    let json = decoded(&Schema::bundled().unwrap(), &pstree());
    assert!(
        json.contains(r#""sid": 7, "@unknown": [{"number": 19, "wire": "bytes""#),
        "{json}"
    );
}

#[test]
fn json_with_an_unknown_field_is_encoded_by_the_schema_that_knows_it() {
    let json = decoded(&Schema::bundled().unwrap(), &pstree()).replace("\"sid\"", "\"session\"");
    let mut back = Vec::new();
    criu_images::encode(
        &next(),
        json.as_bytes(),
        &mut back,
        &EncodeOptions::default(),
    )
    .unwrap();
    assert!(back == pstree());
}

#[test]
fn a_new_enum_value_has_its_name_with_the_checkout_and_its_number_without_it() {
    let message = Message::new()
        .varint(1, 1)
        .varint(2, 255)
        .varint(3, 77)
        .varint(4, 3);
    let fdinfo = wire::single(0x5621_3732, &message);
    assert!(decoded(&next(), &fdinfo).contains(r#""type": "GADGET""#));
    assert!(decoded(&Schema::bundled().unwrap(), &fdinfo).contains(r#""type": 77"#));
}

#[test]
fn new_magics_are_read_by_the_c_sources_and_the_python_table() {
    let state = Message::new().bytes(1, b"up").varint(2, 255);
    let quantum = wire::single(QUANTUM, &Message::new().varint(1, 5).message(2, &state));
    assert_eq!(
        decoded(&next(), &quantum),
        r#"{"magic": "QUANTUM", "entries": [{"id": 5, "states": [{"name": "up", "phase": 255}]}]}"#
    );
    let widget = wire::single(WIDGETS, &Message::new().varint(1, 9));
    assert!(
        decoded(&next(), &widget).starts_with(r#"{"magic": "WIDGETS", "entries": [{"size": 9}"#)
    );
    let relic = wire::single(RELIC, &Message::new().varint(1, 900));
    assert!(decoded(&next(), &relic).contains(r#"{"age": 900}"#));

    let from = |name: &str| {
        let schema = next();
        let kind = schema.kind(name).unwrap();
        schema.message_of(&kind).unwrap().unwrap().1
    };
    assert_eq!(from("QUANTUM"), Origin::CSources);
    assert_eq!(from("WIDGETS"), Origin::CSources);
    assert_eq!(from("RELIC"), Origin::Pycriu);
}

#[test]
fn an_image_kind_without_a_row_is_taken_for_plain_entries_with_a_warning() {
    let dir = fresh_dir();
    let relic = wire::single(RELIC, &Message::new().varint(1, 900));
    fs::write(dir.path().join("relic.img"), relic).unwrap();
    let next = next_criu();
    let run = crit_in(
        dir.path(),
        &[
            "decode",
            "--schema-dir",
            next.to_str().unwrap(),
            "-i",
            "relic.img",
        ],
        b"",
    );
    assert_eq!(run.code, 0);
    assert_eq!(
        run.stderr,
        "crit: warning: relic.img: nothing is known of RELIC but its message relic_item: taken for plain entries\n"
    );
}

#[test]
fn a_magic_without_a_message_names_candidates_and_takes_a_forced_one() {
    let novelty = wire::single(NOVELTY, &Message::new().varint(1, 4));
    let error = ImageReader::new(&next(), novelty.as_slice()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoMessage(_)), "{error}");
    assert!(
        error.hint().unwrap().contains("--message NAME"),
        "{error:?}"
    );
    let forced = next().with_message("widget_entry").unwrap();
    assert_eq!(
        decoded(&forced, &novelty),
        r#"{"magic": "NOVELTY", "entries": [{"size": 4}]}"#
    );
    // A magic that no table knows at all is named by its value.
    let unknown = wire::single(0x0bad_cafe, &Message::new().varint(1, 4));
    assert_eq!(
        decoded(&forced, &unknown),
        r#"{"magic": "0x0badcafe", "entries": [{"size": 4}]}"#
    );
    assert!(matches!(
        next().with_message("nothing").unwrap_err().kind(),
        ErrorKind::UnknownMessage(_)
    ));
}

#[test]
fn a_payload_is_described_by_a_row_that_is_laid_over() {
    let rows = fs::read_to_string(next_criu().join("rows.json")).unwrap();
    let schema = next().with_rows(&rows).unwrap();
    let mut vault = wire::image(VAULT);
    let entry = Message::new().varint(1, 1).varint(2, 3);
    wire::entry(&mut vault, &entry, b"abc\0\0\0\0\0");
    wire::entry(&mut vault, &Message::new().varint(1, 0).varint(2, 0), b"");
    let json = decoded(&schema, &vault);
    assert!(json.contains(r#""length": 3, "extra": "YWJj\n""#), "{json}");
    let wrong = rows.replace("\"length\"", "\"lenght\"");
    let error = next().with_rows(&wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "descriptor table: row `VAULT`: vault_entry has no integer field `lenght`"
    );
}

#[test]
fn a_row_may_replace_a_built_in_one() {
    let rows = r#"{"images": [{"name": "TREE", "magic": "0x50273030", "family": "common",
        "files": ["tree.img"], "entry": "fs_entry", "about": "a test"}]}"#;
    let schema = Schema::bundled().unwrap().with_rows(rows).unwrap();
    let image = wire::single(wire::PSTREE, &Message::new().varint(1, 1).varint(2, 2));
    assert!(decoded(&schema, &image).starts_with(r#"{"magic": "TREE", "entries": [{"cwd_id": 1"#));
    // The old name still leads to the same images.
    let json = r#"{"magic": "PSTREE", "entries": [{"cwd_id": 1, "root_id": 2}]}"#;
    let mut back = Vec::new();
    criu_images::encode(
        &schema,
        json.as_bytes(),
        &mut back,
        &EncodeOptions::default(),
    )
    .unwrap();
    assert!(back == image);
}

#[test]
fn a_bare_message_of_a_plugin_goes_both_ways() {
    let dir = fresh_dir();
    let state = Message::new().varint(1, 3).bytes(2, b"blob").bytes(2, b"");
    fs::write(dir.path().join("gadget.img"), &state.0).unwrap();
    let next = next_criu();
    let run = |args: &[&str]| {
        let args = [&["--schema-dir", next.to_str().unwrap()], args].concat();
        crit_in(dir.path(), &args, b"")
    };
    let json = run(&[
        "decode",
        "--bare",
        "--message",
        "gadget_state",
        "-i",
        "gadget.img",
        "-o",
        "j",
    ]);
    json.quiet();
    assert_eq!(
        fs::read_to_string(dir.path().join("j")).unwrap(),
        r#"{"@bare": "gadget_state", "entries": [{"version": 3, "blobs": ["YmxvYg==\n", ""]}]}"#
    );
    run(&["encode", "-i", "j", "-o", "back"]).quiet();
    assert_eq!(fs::read(dir.path().join("back")).unwrap(), state.0);
    let without = run(&["decode", "--bare", "-i", "gadget.img"]);
    assert_eq!(without.code, 2);
    assert!(without.stderr.contains("--message"), "{}", without.stderr);
}

#[test]
fn a_file_with_a_mistake_hurts_only_images_that_need_it() {
    let schema = next();
    assert!(schema.message("pstree_entry").is_ok());
    let error = schema.message("broken_entry").unwrap_err();
    assert_eq!(
        error.to_string(),
        "schema: broken.proto:3:24: expected an integer, but found ';'"
    );
    let run = crit(&["schema", "check", "../next-criu"], b"");
    assert_eq!(run.code, 1);
    assert!(
        run.text().contains("error: schema: broken.proto:3:24"),
        "{}",
        run.text()
    );
    for note in [
        "note: no message is known for the magic NOVELTY",
        "note: built-in rows that don't apply here: INVENTORY, ",
        "note: quantum.proto: message vault_entry has no magic",
    ] {
        assert!(run.text().contains(note), "{}", run.text());
    }
}

#[test]
fn the_environment_names_the_schema_as_the_option_does() {
    let dir = fresh_dir();
    fs::write(dir.path().join("pstree.img"), pstree()).unwrap();
    let run = |env: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_crit"))
            .args(["decode", "-i", "pstree.img"])
            .env("CRIT_SCHEMA_DIR", env)
            .current_dir(dir.path())
            .output()
            .unwrap()
    };
    let with = run(next_criu().to_str().unwrap());
    assert!(String::from_utf8_lossy(&with.stdout).contains("cgroup_path"));
    let without = run("");
    assert!(String::from_utf8_lossy(&without.stdout).contains("@unknown"));
    assert!(String::from_utf8_lossy(&without.stderr).contains("hint: --schema-dir"));
}

#[test]
fn a_descriptor_set_reads_what_the_files_read_that_it_was_made_from() {
    let bundled = Schema::bundled().unwrap();
    let set = bundled.to_descriptor_set().unwrap();
    assert!(set.left_out.is_empty());
    let schema = Schema::from_descriptor_set(&set.bytes).unwrap();
    assert_eq!(diff(&bundled, &schema).unwrap(), []);
    for name in [
        "simple/core-100.img",
        "full-ns/files.img",
        "ghost/ghost-file-4.img",
    ] {
        let expected = String::from_utf8(image(&format!("{name}.pretty.json"))).unwrap();
        let bytes = image(name);
        let mut reader = ImageReader::new(&schema, bytes.as_slice()).unwrap();
        let mut json = Vec::new();
        let options = DecodeOptions::default().pretty(true);
        criu_images::decode(&mut reader, &mut json, &options).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
    for bad in [&b""[..], b"\x12\x00", b"\x0a\xff", b"not a set at all"] {
        let error = Schema::from_descriptor_set(bad).unwrap_err();
        assert!(
            error.to_string().contains("not a FileDescriptorSet"),
            "{error}"
        );
    }
}

#[test]
fn the_differences_of_two_schemas_are_told() {
    let run = crit(&["schema", "diff", "built-in", "../next-criu"], b"");
    assert_eq!(run.code, 1);
    let text = run.text();
    for line in [
        "magic QUANTUM added: quantum_entry",
        "magic CORE removed: core_entry",
        "message widget_entry added",
        "message core_entry removed",
        "field pstree_entry.cgroup_path added: optional string cgroup_path = 19",
        "field pstree_entry.session renamed: sid -> session",
        "field fdinfo_entry.flags options: none -> hex = true",
        "value fd_types.GADGET added: 77",
        "file new broken: schema: broken.proto:3:24: expected an integer, but found ';'",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let same = crit(&["schema", "diff", "built-in", "built-in"], b"").quiet();
    assert_eq!(same.text(), "");
    let json = crit(
        &["schema", "diff", "--json", "built-in", "../next-criu"],
        b"",
    )
    .json();
    let renamed = json
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["change"] == "renamed")
        .unwrap();
    assert_eq!(renamed["old"], "sid");
}

#[test]
fn schema_list_show_and_check_tell_what_is_there() {
    let list = crit(&["schema", "list", "--json"], b"").quiet().json();
    let row = |name: &str| {
        let rows = list.as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("PSTREE")["message"], "pstree_entry");
    assert_eq!(row("PSTREE")["magic"], "0x50273030");
    assert_eq!(row("PAGES")["message"], serde_json::Value::Null);
    assert_eq!(
        row("IPCNS_MSG")["payload"],
        "qnum times ipc_msg and msize bytes"
    );
    for name in ["VMAS", "0x54123737", "vma_entry"] {
        let text = crit(&["schema", "show", name], b"").quiet().text();
        assert!(
            text.contains("  required uint32 prot = 5 [flags = mmap.prot]\n"),
            "{text}"
        );
    }
    let nested = crit(&["schema", "show", "--nested", "MM"], b"")
        .quiet()
        .text();
    assert!(nested.contains("message vma_entry (vma.proto)"), "{nested}");
    let desc = crit(&["schema", "show", "core_entry.march"], b"")
        .quiet()
        .text();
    assert!(desc.contains("  X86_64 = 1\n"), "{desc}");
    let wrong = crit(&["schema", "show", "pstre_entry"], b"");
    assert_eq!(
        (
            wrong.code,
            wrong.stderr.contains("did you mean `pstree_entry`?")
        ),
        (2, true)
    );
    let check = crit(&["schema", "check"], b"").quiet().text();
    assert!(
        check.ends_with("the built-in schema (CRIU 4.2): 0 errors, 2 notes\n"),
        "{check}"
    );
}

/// A directory with one .proto file of this text.
fn folder(text: &str) -> tempfile::TempDir {
    let dir = fresh_dir();
    fs::write(dir.path().join("pstree.proto"), text).unwrap();
    dir
}

/// What reading a pstree image under this directory's schema says.
fn refused(dir: &Path) -> String {
    let open = Schema::open(dir).and_then(|s| ImageReader::new(&s, pstree().as_slice()).map(drop));
    open.unwrap_err().to_string()
}

#[test]
fn hostile_schema_directories_are_refused_in_one_line() {
    let proto = |body: &str| {
        format!(
            "syntax = \"proto2\";\n{body}\nmessage pstree_entry {{ optional uint32 pid = 1; }}\n"
        )
    };
    let says = |dir: &Path, what: &str| {
        let error = refused(dir);
        assert!(error.contains(what) && !error.contains('\n'), "{error}");
    };
    let empty = fresh_dir();
    says(empty.path(), "no .proto file in this directory");
    says(&empty.path().join("nothing"), "No such file or directory");
    says(
        folder(&proto("import \"missing.proto\";")).path(),
        "import 'missing.proto' not found",
    );
    let cycle = "import \"b.proto\"; message pstree_entry { optional B b = 1; }";
    let cycle = folder(cycle);
    let back = "import \"pstree.proto\"; message B { optional pstree_entry p = 1; }";
    fs::write(cycle.path().join("b.proto"), back).unwrap();
    says(cycle.path(), "import cycle");
    says(
        folder(&proto("import \"../../../etc/passwd\";")).path(),
        "pstree.proto:2:8",
    );
    let deep = format!(
        "message D {{ optional uint32 x = 1 [(o) = {}",
        "{a:".repeat(50_000)
    );
    says(
        folder(&proto(&deep)).path(),
        "nested deeper than 100 levels",
    );
    says(
        folder(&proto(&"message A { ".repeat(50_000))).path(),
        "nested deeper than 100 levels",
    );
    let large = folder("");
    fs::File::create(large.path().join("pstree.proto"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    says(large.path(), "a file of more than 2 MiB");
    says(
        folder("message pstree_entry { nonsense").path(),
        "pstree.proto: expected",
    );
}

#[test]
fn a_message_inside_itself_and_links_in_circles_are_no_trouble() {
    let dir =
        folder("message pstree_entry { optional uint32 pid = 1; repeated pstree_entry kids = 6; }");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("a", dir.path().join("a")).unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    let child = Message::new().varint(1, 8);
    let image = wire::single(
        wire::PSTREE,
        &Message::new().varint(1, 7).message(6, &child),
    );
    assert!(decoded(&schema, &image).contains(r#""kids": [{"pid": 8}]"#));
}

#[test]
fn a_magic_header_of_nonsense_leaves_the_built_in_rows() {
    let dir = fresh_dir();
    fs::create_dir_all(dir.path().join("images")).unwrap();
    fs::create_dir_all(dir.path().join("criu/include")).unwrap();
    let nonsense =
        "#define\n#define X\n#define A_MAGIC B_MAGIC\n#define _MAGIC 7\n# \0\n/*".repeat(1000);
    fs::write(dir.path().join("criu/include/magic.h"), nonsense).unwrap();
    fs::write(
        dir.path().join("images/pstree.proto"),
        "message pstree_entry { optional uint32 pid = 1; }",
    )
    .unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    let image = wire::single(wire::PSTREE, &Message::new().varint(1, 7));
    assert!(decoded(&schema, &image).contains(r#"{"pid": 7}"#));
}

#[test]
fn messages_in_packages_and_renamed_files_are_found_by_their_last_name() {
    let dir = fresh_dir();
    let text = "syntax = \"proto3\"; package some.fork; message pstree_entry { uint32 pid = 1; repeated uint32 threads = 5;\n\
        map<string, uint32> limits = 6; oneof x { string a = 7; string b = 8; } }";
    fs::write(dir.path().join("criu-tree.proto"), text).unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    let pair = |key: &[u8], value| Message::new().bytes(1, key).varint(2, value);
    let message = Message::new().varint(1, 0).bytes(5, &[1, 2]);
    let message = message
        .message(6, &pair(b"z", 1))
        .message(6, &pair(b"a\xff", 0))
        .message(6, &pair(b"z", 2));
    let message = message.bytes(7, b"both").bytes(8, b"set");
    let image = wire::single(wire::PSTREE, &message);
    let json = decoded(&schema, &image);
    assert_eq!(
        json,
        r#"{"magic": "PSTREE", "entries": [{"pid": 0, "threads": [1, 2], "limits": [{"key": "z", "value": 1}, {"key": {"@bytes": "Yf8=\n"}, "value": 0}, {"key": "z", "value": 2}], "a": "both", "b": "set"}]}"#
    );
}

#[test]
fn fields_of_every_type_come_back_under_any_schema() {
    let dir = fresh_dir();
    let text = "message pstree_entry { optional double d = 1; repeated float f = 2; optional fixed64 x = 3; \n\
        optional sfixed32 s = 4; repeated sint64 z = 5 [packed = true]; repeated group G = 6 { optional bool b = 1; } }";
    fs::write(dir.path().join("x.proto"), text).unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    let message = Message::new()
        .fixed64(1, f64::MIN_POSITIVE.to_bits())
        .fixed32(2, 0.1f32.to_bits())
        .fixed32(2, f32::INFINITY.to_bits())
        .fixed64(3, u64::MAX)
        .fixed32(4, u32::MAX)
        .bytes(5, &[1, 2])
        .key(6, 3)
        .varint(1, 1)
        .key(6, 4)
        .key(6, 3)
        .key(6, 4);
    let json = decoded(&schema, &wire::single(wire::PSTREE, &message));
    assert_eq!(
        json,
        r#"{"magic": "PSTREE", "entries": [{"d": 2.2250738585072014e-308, "f": [0.1, "Infinity"], "x": 18446744073709551615, "s": -1, "z": [-1, 1], "g": [{"b": true}, {}]}]}"#
    );
}

#[test]
fn a_file_that_can_t_be_read_hurts_only_images_that_need_it() {
    let dir = folder("message pstree_entry { optional uint32 pid = 1; }");
    fs::rename(dir.path().join("pstree.proto"), dir.path().join("zz.proto")).unwrap();
    fs::write(dir.path().join("a.proto"), "message a_entry {".repeat(1000)).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("b.proto")).unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    let image = wire::single(wire::PSTREE, &Message::new().varint(1, 7));
    assert!(decoded(&schema, &image).contains(r#"{"pid": 7}"#));
    let findings = schema.examine().unwrap();
    let errors: Vec<_> = findings
        .iter()
        .filter(|f| f.error)
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].ends_with("a.proto: line 1 column 1: schema: nested deeper than 100 levels"));
    assert_eq!(errors[1], "b.proto: schema: not a regular file");
}

#[test]
fn chains_of_imports_and_names_without_end_are_refused_in_little_time() {
    let dir = fresh_dir();
    for i in 0..400 {
        let next = i + 1;
        let text =
            format!("import \"c{next}.proto\"; message m{i} {{ optional m{next} next = 1; }}");
        fs::write(dir.path().join(format!("c{i}.proto")), text).unwrap();
    }
    let last = "message pstree_entry { } message m400 { }";
    fs::write(dir.path().join("c400.proto"), last).unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    assert!(schema.message("pstree_entry").is_ok());
    let error = schema.message("m0").unwrap_err();
    assert_eq!(
        error.to_string(),
        "c0.proto: it reaches more than 128 files by imports"
    );
    let parts = format!(
        "package {}a; message pstree_entry {{ }}",
        "a.".repeat(50_000)
    );
    let named = folder(&parts);
    assert!(refused(named.path()).contains("a name of more than 64 parts"));
}

#[test]
fn a_chain_of_messages_of_any_length_is_compiled() {
    for length in [100, 2_000, 30_000] {
        let mut text =
            String::from("message pstree_entry { optional uint32 pid = 1; optional m0 m = 99; }\n");
        for i in 0..length {
            text.push_str(&format!(
                "message m{i} {{ optional m{} next = 1; }}\n",
                i + 1
            ));
        }
        text.push_str(&format!(
            "message m{length} {{ optional uint32 last = 1; }}\n"
        ));
        let dir = folder(&text);
        let schema = Schema::open(dir.path()).unwrap();
        assert!(schema.message("pstree_entry").is_ok(), "{length}");
        assert!(schema.message(&format!("m{length}")).is_ok(), "{length}");
    }
}

#[test]
fn an_import_that_a_message_does_not_need_is_not_looked_into() {
    let dir = folder(
        "import \"broken.proto\"; import \"used.proto\";
         message pstree_entry { optional uint32 pid = 1; optional seen seen = 2; }
         message other_entry { optional lost lost = 1; }",
    );
    fs::write(dir.path().join("broken.proto"), "message lost { nonsense").unwrap();
    fs::write(
        dir.path().join("used.proto"),
        "message seen { optional inner.deep deep = 1; message inner { message deep { } } }
         message beside { }",
    )
    .unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    assert!(schema.message("pstree_entry").is_ok());
    let error = schema.message("other_entry").unwrap_err();
    assert!(error.to_string().contains("reached end of file"), "{error}");
}

#[test]
fn two_files_that_define_one_name_are_told_of_and_not_exported_together() {
    let dir = folder("enum kinds { TUN = 1; } message pstree_entry { optional kinds kind = 1; }");
    fs::write(
        dir.path().join("z.proto"),
        "enum links { TUN = 2; } message fs_entry { }",
    )
    .unwrap();
    let schema = Schema::open(dir.path()).unwrap();
    // Each is read by itself, so the two don't meet.
    schema.message("pstree_entry").unwrap();
    schema.message("fs_entry").unwrap();
    let set = schema.to_descriptor_set().unwrap();
    let expected = (
        "z.proto".to_owned(),
        "TUN is defined in pstree.proto too".to_owned(),
    );
    assert_eq!(set.left_out, [expected]);
    assert!(
        Schema::from_descriptor_set(&set.bytes)
            .unwrap()
            .message("pstree_entry")
            .is_ok()
    );
}

#[test]
fn a_forced_message_stays_when_rows_are_laid_over_the_schema() {
    let rows = fs::read_to_string(next_criu().join("rows.json")).unwrap();
    let novelty = wire::single(NOVELTY, &Message::new().varint(1, 4));
    let forced = next().with_message("widget_entry").unwrap();
    let forced = forced.with_rows(&rows).unwrap();
    assert!(decoded(&forced, &novelty).contains(r#"{"size": 4}"#));
}

#[test]
fn names_that_no_compiler_writes_are_refused_in_descriptor_sets_and_rows() {
    let dir = fresh_dir();
    crit_in(dir.path(), &["schema", "export", "-o", "set"], b"").quiet();
    let set = fs::read(dir.path().join("set")).unwrap();
    for (name, other) in [
        (&b"cwd_id"[..], &b"c\x1b[31m"[..]),
        (b"fs.proto", b"f\x07.proto"),
        (b"fs_entry", b"fs\xc2\x9b\"ry!"),
    ] {
        let other = &other[..name.len().min(other.len())];
        let mut changed = set.clone();
        let at = changed
            .windows(name.len())
            .position(|window| window == name)
            .unwrap();
        changed[at..at + other.len()].copy_from_slice(other);
        assert!(Schema::from_descriptor_set(&changed).is_err(), "{other:?}");
    }
    let row = r#"{"images": [{"name": "A\u001bB", "magic": "0x1", "family": "common", "files": [], "entry": "fs_entry"}]}"#;
    let error = Schema::bundled().unwrap().with_rows(row).unwrap_err();
    assert!(
        error.to_string().contains("its name is no identifier"),
        "{error}"
    );
}
