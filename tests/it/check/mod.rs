//! `crit check`: no error in dumps that restore, and each planted fault is found by its image, entry and
//! field, with its severity.
//!
//! The faults are planted in copies of `tests/images`. What is expected of each follows from CRIU's
//! sources, which the rules name; `tests/restore/verdicts` asks CRIU itself.

mod errors;
mod tasks;
mod warnings;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::{self, copy_of, crit, crit_in, edit_image, fresh_dir, tar};

/// A fault.
type Plant = Box<dyn FnOnce(&Path)>;

fn edit(image: &'static str, change: impl FnOnce(&mut Vec<Value>) + 'static) -> Plant {
    Box::new(move |dir| edit_image(dir, image, change))
}

fn removed(image: &'static str) -> Plant {
    Box::new(move |dir| fs::remove_file(dir.join(image)).unwrap())
}

/// A duplicate of an entry follows it.
fn doubled(image: &'static str, entry: usize) -> Plant {
    edit(image, move |entries| {
        let again = entries[entry].clone();
        entries.insert(entry + 1, again);
    })
}

/// A field of an entry gets another value.
fn field(image: &'static str, pointer: &'static str, value: Value) -> Plant {
    edit(image, move |entries| {
        let mut all = Value::Array(std::mem::take(entries));
        *all.pointer_mut(pointer).expect(pointer) = value;
        let Value::Array(list) = all else {
            unreachable!()
        };
        *entries = list;
    })
}

fn bytes(image: &'static str, change: impl FnOnce(&mut Vec<u8>) + 'static) -> Plant {
    Box::new(move |dir| {
        let path = dir.join(image);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    })
}

fn findings(dir: &Path) -> (i32, Vec<Value>) {
    let run = crit_in(dir, &["check", ".", "--json", "--all"], b"");
    let all = run.json()[0]["findings"].as_array().unwrap().clone();
    (run.code, all)
}

/// The fault is found with its severity, where it is. Only errors make the exit code 1.
fn found(severity: &str, dump: &str, plant: Plant, at: (&str, Option<u64>, &str), reason: &str) {
    let dir = copy_of(dump);
    plant(dir.path());
    let (code, all) = findings(dir.path());
    if severity == "error" {
        assert_eq!(code, 1, "{all:#?}");
    }
    let (image, entry, field) = at;
    let is_it = |finding: &&Value| {
        finding["severity"] == severity
            && finding["image"] == image
            && finding.get("entry").and_then(Value::as_u64) == entry
            && finding.get("field").and_then(Value::as_str).unwrap_or("") == field
            && finding["reason"].as_str().unwrap().contains(reason)
    };
    assert!(all.iter().any(|finding| is_it(&finding)), "{all:#?}");
}

macro_rules! faults {
    ($severity:literal: $($name:ident: $dump:literal, $plant:expr => $image:literal, $entry:expr, $field:literal, $reason:literal;)*) => {
        $(#[test]
        fn $name() {
            found($severity, $dump, $plant, ($image, $entry, $field), $reason);
        })*
    };
}
use faults;

const FULL: &str = "full-ns";

#[test]
fn nothing_is_wrong_with_dumps_that_restore() {
    let dumps = [
        "app",
        "badname",
        "bpf",
        "cpuinfo",
        "events",
        FULL,
        "ghost",
        "ghost-fiemap",
        "i386",
        "ipc-ns",
        "memory",
        "pattern",
        "pattern-chain/1",
        "pattern-chain/2",
        "predump/1",
        "predump/2",
        "predump/3",
        "simple",
        "sockets",
        "tree",
        "userns",
        "v10-simple",
        "v12-ipc-ns",
        "v33-full",
    ];
    // Memory is kept out of most of the fixtures.
    let args = ["check", "--json", "--all", "--allow-missing-pages"];
    let run = crit(&[&args[..], &dumps[..]].concat(), b"");
    assert_eq!(run.code, 0, "{}", run.text());
    // The options that each restore needs are named, and nothing else.
    let needs = ["tcp-established", "file-locks", "deprecated", "cgroup-set"];
    for checked in run.json().as_array().unwrap() {
        for finding in checked["findings"].as_array().unwrap() {
            let rule = finding["rule"].as_str().unwrap();
            let is_expected = match finding["severity"].as_str().unwrap() {
                "warning" => needs.contains(&rule),
                severity => severity == "note" && rule == "missing-pages",
            };
            assert!(is_expected, "{}: {finding:#}", checked["checkpoint"]);
        }
    }
}

#[test]
fn an_unknown_field_and_an_image_that_nobody_refers_to_are_notes() {
    let dir = copy_of("pattern");
    edit_image(dir.path(), "fs-9230.img", |entries| {
        entries[0]["@unknown"] = json!([{"number": 99, "wire": "varint", "value": 1}]);
    });
    let ghost = support::images().join("ghost/ghost-file-1.img");
    fs::copy(ghost, dir.path().join("ghost-file-a.img")).unwrap();
    let (code, all) = findings(dir.path());
    assert_eq!(code, 0);
    let has = |image: &str, reason: &str| {
        let mut all = all.iter();
        all.any(|f| f["image"] == image && f["severity"] == "note" && f["reason"] == reason)
    };
    assert!(
        has("fs-9230.img", "field 99 is unknown to the schema"),
        "{all:#?}"
    );
    assert!(
        has(
            "ghost-file-a.img",
            "no entry of remap-fpath.img refers to it"
        ),
        "{all:#?}"
    );
}

#[test]
fn the_text_names_image_entry_and_field_and_counts() {
    let dir = copy_of("simple");
    edit_image(dir.path(), "fs-100.img", |entries| {
        entries[0]["cwd_id"] = json!(900);
    });
    let run = crit_in(dir.path(), &["check", ".", "--allow-missing-pages"], b"");
    assert_eq!(run.code, 1);
    let text = run.text();
    assert!(
        text.contains("error: fs-100.img: entry 0, field cwd_id: no file has the id 900\n"),
        "{text}"
    );
    assert!(
        text.ends_with(".: 15 images, 1 error, 0 warnings, 1 note\n"),
        "{text}"
    );
}

#[test]
fn a_directory_without_images_is_no_checkpoint() {
    let dir = fresh_dir();
    let run = crit_in(dir.path(), &["check", "."], b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no image is in it"), "{}", run.stderr);
}

#[test]
fn an_ipv4_address_of_four_words_is_taken_as_criu_takes_it() {
    let dir = copy_of(FULL);
    edit_image(dir.path(), "files.img", |entries| {
        entries[44]["isk"]["src_addr"] = json!([16_777_343, 0, 0, 0]);
    });
    let (_, all) = findings(dir.path());
    assert!(
        all.iter().all(|f| f["rule"] != "socket-address"),
        "{all:#?}"
    );
}

#[test]
fn an_image_behind_a_link_is_one_and_a_backup_beside_it_is_none() {
    let dir = copy_of("pattern");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("elsewhere")).unwrap();
    fs::rename(path("files.img"), path("elsewhere/files")).unwrap();
    std::os::unix::fs::symlink("elsewhere/files", path("files.img")).unwrap();
    fs::write(path("core-9230.img.bak"), b"cut").unwrap();
    let (code, all) = findings(dir.path());
    assert_eq!((code, all.len()), (0, 0), "{all:#?}");
    let args = [
        "replace",
        ".",
        "--path",
        "/srv/demo=/data",
        "--comm",
        "pattern=new",
    ];
    crit_in(dir.path(), &args, b"");
    assert!(path("files.img").is_symlink());
    let run = crit_in(
        dir.path(),
        &["get", "files.img", "entries[0].reg.name"],
        b"",
    )
    .quiet();
    assert_eq!(run.text(), "/data/data/pattern\n");
    assert_eq!(fs::read(path("core-9230.img.bak")).unwrap(), b"cut");
}

#[test]
fn a_parent_that_is_in_another_archive_is_a_warning() {
    let dir = copy_of("pattern");
    edit_image(dir.path(), "pagemap-9230.img", |entries| {
        entries[4]["flags"] = json!("PE_PARENT");
    });
    std::os::unix::fs::symlink("../pre-checkpoint", dir.path().join("parent")).unwrap();
    let (code, _) = findings(dir.path());
    assert_eq!(code, 1);
    tar(
        dir.path(),
        &["-cf", "dump.tar", "--exclude", "dump.tar", "."],
    );
    let run = crit_in(dir.path(), &["check", "dump.tar", "--json", "--all"], b"");
    let all = run.json()[0]["findings"].clone();
    let about = |finding: &Value| {
        finding["reason"]
            .as_str()
            .unwrap()
            .contains("`../pre-checkpoint` is not there")
    };
    let finding = all
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| about(finding));
    assert_eq!(finding.unwrap()["severity"], "warning", "{all:#}");
}

#[test]
fn alike_findings_are_one_line_that_counts_them_and_names_the_first_images() {
    let dir = copy_of("tree");
    let run = crit_in(dir.path(), &["check", "."], b"");
    assert_eq!(run.code, 1, "{}", run.text());
    let lines: Vec<&str> = run.text().leak().lines().collect();
    // Memory is kept out of this fixture.
    let missing: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains("missing: pagemap-"))
        .collect();
    assert_eq!(missing.len(), 1, "{lines:#?}");
    assert!(
        missing[0].starts_with("error: pages-1.img: missing: pagemap-100.img has "),
        "{lines:#?}"
    );
    assert!(missing[0].contains(" alike, also in pages-"), "{lines:#?}");
    let run = crit_in(dir.path(), &["check", ".", "--all"], b"");
    let each = run
        .text()
        .lines()
        .filter(|line| line.contains("missing: pagemap-"))
        .count();
    let counted = format!("({each} alike, ");
    assert!(each > 1 && missing[0].contains(&counted), "{lines:#?}");
    // In JSON, the first of a group has the count and the images.
    let run = crit_in(dir.path(), &["check", ".", "--json"], b"");
    let group = run.json()[0]["findings"][0].clone();
    assert_eq!(group["rule"], "missing-pages");
    assert_eq!(group["count"], each as u64);
    assert_eq!(group["images"][0], "pages-1.img");
}

#[test]
fn errors_come_before_warnings_and_warnings_before_notes() {
    let dir = copy_of(FULL);
    edit_image(dir.path(), "fs-7.img", |entries| {
        entries[0]["@unknown"] = json!([{"number": 99, "wire": "varint", "value": 1}]);
    });
    let (_, all) = findings(dir.path());
    let severities: Vec<&str> = all
        .iter()
        .map(|f| f["severity"].as_str().unwrap())
        .collect();
    let mut sorted = severities.clone();
    sorted.sort_by_key(|severity| {
        ["error", "warning", "note"]
            .iter()
            .position(|s| s == severity)
    });
    assert_eq!(severities, sorted);
    sorted.dedup();
    assert_eq!(sorted, ["error", "warning", "note"]);
}

#[test]
fn missing_pages_are_a_note_where_they_are_allowed_and_warnings_fail_where_it_is_strict() {
    let dir = copy_of("sockets");
    assert_eq!(crit_in(dir.path(), &["check", "."], b"").code, 1);
    let allowed = ["check", ".", "--allow-missing-pages"];
    let run = crit_in(dir.path(), &allowed, b"");
    assert_eq!(run.code, 0);
    assert!(
        run.text().contains("note: pages-1.img: missing: "),
        "{}",
        run.text()
    );
    assert!(
        run.text()
            .contains("needs --tcp-established or --tcp-close"),
        "{}",
        run.text()
    );
    let strict = [&allowed[..], &["--strict"]].concat();
    assert_eq!(crit_in(dir.path(), &strict, b"").code, 1);
    let dir = copy_of("pattern");
    assert_eq!(
        crit_in(dir.path(), &["check", ".", "--strict"], b"").code,
        0
    );
}
