//! `crit get` and `crit set`: values of an image by their paths.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::support::{copy_of, crit, crit_in, fresh_dir, image, images};

/// A folder with one image in it.
fn folder(path: &str) -> (tempfile::TempDir, String) {
    let dir = fresh_dir();
    let name = path.rsplit('/').next().unwrap().to_owned();
    fs::write(dir.path().join(&name), image(path)).unwrap();
    (dir, name)
}

#[test]
fn values_are_printed_by_their_paths() {
    let get = |args: &[&str]| crit(&[&["get"], args].concat(), b"").quiet().text();
    assert_eq!(get(&["simple/core-100.img", "tc.comm"]), "workload\n");
    assert_eq!(
        get(&["simple/core-100.img", "thread_info.gpregs.mode"]),
        "NATIVE\n"
    );
    let all = get(&["sockets/files.img", "entries[type=INETSK].isk.src_port"]);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines[0], "entries[26].isk.src_port = 36089");
    // Entries without the field are left out where many are asked.
    assert_eq!(get(&["sockets/files.img", "entries[*].isk.src_port"]), all);
    let json = crit(
        &[
            "get",
            "simple/fs-100.img",
            "umask",
            "entries[0].cwd_id",
            "--json",
        ],
        b"",
    );
    let expected = json!([{"path": "entries[0].umask", "value": 18},
                          {"path": "entries[0].cwd_id", "value": 14}]);
    assert_eq!(json.quiet().json(), expected);
}

#[test]
fn a_value_is_set_in_any_form_that_its_field_takes_and_nothing_else_changes() {
    let (dir, name) = folder("sockets/files.img");
    let set = |args: &[&str]| crit_in(dir.path(), &[&["set", &name], args].concat(), b"").quiet();
    let change = "entries[isk.src_port=36089].isk.src_addr=10.0.0.1";
    let text = set(&[change]).text();
    let line = "entries[26].isk.src_addr: [\"127.0.0.1\"] -> [\"10.0.0.1\"]\n";
    assert!(text.starts_with(line), "{text}");
    set(&[
        "entries[26].isk.state=LISTEN",
        "entries[26].isk.src_port=0x1f90",
    ]);
    set(&["entries[id=1].reg.name=/a \"b\"/\u{fc}"]);
    let mut expected = crit(&["decode", "-i", "sockets/files.img"], b"")
        .quiet()
        .json();
    for entry in expected["entries"].as_array_mut().unwrap() {
        if entry["isk"]["src_port"] == 36089 {
            entry["isk"]["src_addr"] = json!([0x0100_000a]);
        }
    }
    let entries = &mut expected["entries"];
    entries[26]["isk"]["state"] = json!(10);
    entries[26]["isk"]["src_port"] = json!(8080);
    entries[0]["reg"]["name"] = json!("/a \"b\"/\u{fc}");
    let decoded = crit_in(dir.path(), &["decode", "-i", &name], b"")
        .quiet()
        .json();
    assert_eq!(decoded, expected);
}

#[test]
fn lists_grow_and_shrink_and_fields_and_entries_go() {
    let (dir, name) = folder("simple/core-100.img");
    let groups = "thread_core.creds.groups";
    let set = |args: &[&str]| {
        crit_in(dir.path(), &[&["set", &name], args].concat(), b"")
            .quiet()
            .text()
    };
    let get = || {
        crit_in(dir.path(), &["get", &name, groups], b"")
            .quiet()
            .text()
    };
    set(&[&format!("{groups}=[5,6,7]")]);
    set(&[&format!("{groups}+=8"), &format!("{groups}-=6")]);
    assert_eq!(get(), "[5,7,8]\n");
    set(&[
        &format!("{groups}[1]=9"),
        "--delete",
        &format!("{groups}[0]"),
    ]);
    assert_eq!(get(), "[9,8]\n");
    let text = set(&["--delete", groups]);
    assert_eq!(text, "entries[0].thread_core.creds.groups: [9,8] -> gone\n");
    let (dir, name) = folder("sockets/files.img");
    let count = || {
        crit_in(dir.path(), &["info", &name], b"").quiet().json()["count"]
            .as_u64()
            .unwrap()
    };
    let before = count();
    crit_in(
        dir.path(),
        &["set", &name, "--delete", "entries[id=1]"],
        b"",
    )
    .quiet();
    assert_eq!(count(), before - 1);
}

#[test]
fn a_change_that_does_not_fit_leaves_the_image_as_it_was() {
    let (dir, name) = folder("simple/core-100.img");
    let before = fs::read(dir.path().join(&name)).unwrap();
    let refused = |change: &[&str], what: &str| {
        let run = crit_in(dir.path(), &[&["set", &name], change].concat(), b"");
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(what), "{}", run.stderr);
        assert!(fs::read(dir.path().join(&name)).unwrap() == before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    };
    refused(
        &["tc.com=x"],
        "task_core_entry has no field `com`\nhint: did you mean `comm`?",
    );
    refused(
        &["tc.comm=new", "tc.exit_code=abc"],
        "tc.exit_code: `abc` is not an integer",
    );
    refused(
        &["entries[1].tc.comm=x"],
        "the image has 1 entries, counted from 0",
    );
    refused(&["tc.comm"], "`tc.comm` sets nothing");
    refused(&["tc.comm.x=1"], "`comm` is no message");
    refused(
        &["--delete", "tc.comm"],
        "required field `tc.comm` is missing",
    );
    refused(&["tc.comm+=x"], "is no list");
    refused(
        &["thread_info.fpregs.st_space[99]=1"],
        "has no element 99: it has 32",
    );
    refused(&["entries[0]=x"], "which field of it?");
    let run = crit(&["set", "sockets/files.img", "id=5", "--dry-run"], b"");
    assert!(
        run.stderr.contains("entries[FIELD=VALUE].id"),
        "{}",
        run.stderr
    );
}

#[test]
fn mode_and_backup_are_kept_and_nothing_is_written_for_nothing() {
    let (dir, name) = folder("simple/fs-100.img");
    let path = dir.path().join(&name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let time = || fs::metadata(&path).unwrap().modified().unwrap();
    let before = time();
    let run = |args: &[&str]| {
        crit_in(dir.path(), &[&["set", &name], args].concat(), b"")
            .quiet()
            .text()
    };
    assert_eq!(run(&["umask=18"]), "");
    assert_eq!(
        run(&["umask=0x3f", "--dry-run"]),
        "would change: entries[0].umask: 0o22 -> 0o77\n"
    );
    assert_eq!(
        (time(), fs::read(&path).unwrap()),
        (before, image("simple/fs-100.img"))
    );
    run(&["umask=63", "--backup", "--json"]);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.clone()), 0o640);
    let backup = dir.path().join("fs-100.img.bak");
    assert_eq!(fs::read(&backup).unwrap(), image("simple/fs-100.img"));
    assert_eq!(mode(backup), 0o640);
}

#[test]
fn images_are_checked_to_come_back_byte_for_byte_from_their_json() {
    for dump in ["tree", "sockets", "pattern", "v10-simple", "badname"] {
        let run = crit(&["recode", dump, "--json"], b"").quiet();
        let rows = run.json();
        let images = fs::read_dir(images().join(dump))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let images = images.filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_image = name.ends_with(".img") || name.starts_with("stats-");
            is_image && !name.starts_with("pages-") && !name.ends_with(".json")
        });
        assert_eq!(rows.as_array().unwrap().len(), images.count(), "{dump}");
        assert!(
            rows.as_array()
                .unwrap()
                .iter()
                .all(|row| row["differs_at"].is_null())
        );
    }
    // An integer in more bytes than it needs is one that no CRIU writes.
    let dir = fresh_dir();
    let mut wide = image("simple/fs-100.img");
    assert_eq!(wide[8..], [6, 0, 0, 0, 8, 14, 16, 15, 24, 18]);
    wide.splice(8..14, [7, 0, 0, 0, 8, 0x8e, 0]);
    fs::write(dir.path().join("fs-100.img"), &wide).unwrap();
    fs::write(
        dir.path().join("pstree.img"),
        &image("simple/pstree.img")[..20],
    )
    .unwrap();
    let run = crit_in(dir.path(), &["recode", "fs-100.img"], b"");
    assert_eq!(run.code, 1);
    let expected = "fs-100.img: differs from byte 8 on by its plain JSON\n\
                    fs-100.img: differs from byte 8 on by its pretty JSON\n\
                    0 of 1 images come back byte for byte, 18 B\n";
    assert_eq!(run.text(), expected);
    let run = crit_in(dir.path(), &["recode", "."], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.text()
            .contains("pstree.img: entry 0, offset 0x8: entry length 16 exceeds")
    );
}

/// Runs `crit edit` on an image with this shell script for an editor; `$1` is the text.
fn edited(dir: &std::path::Path, script: &str, args: &[&str]) -> (i32, String) {
    let editor = dir.join("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crit"))
        .args([&["edit"], args].concat())
        .current_dir(dir)
        .env("EDITOR", &editor)
        .env_remove("VISUAL")
        .env("TMPDIR", dir)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

#[test]
fn an_image_is_edited_as_pretty_json_and_reopened_on_a_mistake() {
    let (dir, name) = folder("simple/fs-100.img");
    let dir = dir.path();
    let path = dir.join(&name);
    let umask = || crit_in(dir, &["get", &name, "umask"], b"").quiet().text();
    assert_eq!(
        edited(dir, "true", &[&name]),
        (0, "crit: nothing was changed\n".to_owned())
    );
    let change = r#"sed -i 's/"umask": 18/"umask": "0x3f"/' "$1""#;
    assert_eq!(
        edited(dir, change, &[&name, "--backup"]),
        (0, String::new())
    );
    assert_eq!(umask(), "63\n");
    assert_eq!(
        fs::read(dir.join("fs-100.img.bak")).unwrap(),
        image("simple/fs-100.img")
    );
    // The second time, what is wrong stands on top, with the line that it has there.
    let twice = r#"if grep -q '^# ' "$1"; then cp "$1" second; sed -i 's/umsk/umask/; s/63/7/' "$1"
        else sed -i 's/umask/umsk/' "$1"; fi"#;
    assert_eq!(edited(dir, twice, &[&name]), (0, String::new()));
    assert_eq!(umask(), "7\n");
    let second = fs::read_to_string(dir.join("second")).unwrap();
    let lines: Vec<&str> = second.lines().collect();
    assert!(
        lines[0].contains("unknown field `umsk` in fs_entry"),
        "{second}"
    );
    assert_eq!(lines[1], "# hint: did you mean `umask`?");
    let place: usize = lines[0]
        .split("line ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(lines[place - 1].contains("umsk"), "{second}");
    // Given up: nothing is written, and what was typed is kept.
    let before = fs::read(&path).unwrap();
    let bad = r#"grep -q '^# ' "$1" || sed -i 's/umask/umsk/' "$1""#;
    let (code, said) = edited(dir, bad, &[&name]);
    assert_eq!(code, 2);
    let kept = said
        .lines()
        .next()
        .unwrap()
        .strip_prefix("crit: what was typed is in ")
        .unwrap();
    assert!(fs::read_to_string(kept).unwrap().contains("umsk"));
    let (code, said) = edited(dir, "false", &[&name]);
    assert_eq!(code, 2);
    assert!(said.contains("failed: nothing was changed"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn an_octal_number_is_taken_by_its_prefix_and_a_leading_zero_is_refused() {
    let dir = copy_of("simple");
    let set = |change: &str| crit_in(dir.path(), &["set", "fs-100.img", change], b"");
    let umask = || {
        crit_in(dir.path(), &["get", "fs-100.img", "umask"], b"")
            .quiet()
            .text()
    };
    for (text, octal) in [
        ("umask=022", "0o22"),
        ("umask=0022", "0o22"),
        ("umask=-022", "0o22"),
    ] {
        let run = set(text);
        assert_eq!(run.code, 2, "{text}");
        assert!(
            run.stderr.contains("has a leading zero: "),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains(&format!("{octal} is the octal number")),
            "{}",
            run.stderr
        );
    }
    assert_eq!(umask(), "18\n");
    assert_eq!(
        set("umask=0o27").quiet().text(),
        "entries[0].umask: 0o22 -> 0o27\n"
    );
    assert_eq!(umask(), "23\n");
    assert_eq!(
        set("umask=0b10").quiet().text(),
        "entries[0].umask: 0o27 -> 0o2\n"
    );
    // In the JSON of a change they are numbers, as everywhere in JSON.
    let run = crit_in(
        dir.path(),
        &["set", "fs-100.img", "umask=18", "--json"],
        b"",
    )
    .quiet();
    assert_eq!(run.json()[0]["after"], 18);
    // A selection reads its value the same way.
    let run = crit_in(
        dir.path(),
        &["get", "files.img", "entries[reg.mode=0100644].id"],
        b"",
    );
    assert_eq!(run.code, 2);
    // `encode` takes it only where it takes all that Python takes.
    let json = br#"{"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2, "umask": "0o22"}]}"#;
    let run = crit_in(dir.path(), &["encode", "-o", "x.img"], json);
    assert_eq!(run.code, 2);
    crit_in(dir.path(), &["encode", "--lenient", "-o", "x.img"], json).quiet();
    let run = crit_in(dir.path(), &["get", "x.img", "umask"], b"").quiet();
    assert_eq!(run.text(), "18\n");
}

#[test]
fn permissions_are_octal_in_differences() {
    let dir = copy_of("simple");
    crit_in(dir.path(), &["set", "fs-100.img", "umask=0o77"], b"").quiet();
    let original = images().join("simple");
    let original = original.to_str().unwrap();
    let both = [format!("{original}/fs-100.img"), "fs-100.img".to_owned()];
    let run = crit_in(dir.path(), &["diff", &both[0], &both[1]], b"");
    assert_eq!(run.text(), "~ entries[0].umask: 0o22 -> 0o77\n");
    let run = crit_in(dir.path(), &["diff", &both[0], &both[1], "--json"], b"");
    assert_eq!(run.json()[0]["before"], 18);
}

#[test]
fn values_that_can_not_be_right_are_refused() {
    let dir = copy_of("full-ns");
    let refused = [
        (
            "core-1.img",
            "tc.comm=sixteen bytes ab",
            "it has 16 bytes: a command name has at most 15",
        ),
        (
            "fs-1.img",
            "umask=0o1000",
            "512 (0o1000) is not a umask: the largest is 0o777",
        ),
        (
            "files.img",
            "entries[id=7].reg.mode=100755",
            "100755 (0o304623) is not a mode",
        ),
        (
            "files.img",
            "entries[id=7].reg.mode=0o755",
            "0o755 is a mode without a type of file: 0o100755 is that of a regular file",
        ),
        (
            "ipcns-shm-11.img",
            "entries[0].desc.mode=0o100666",
            "are not permissions",
        ),
        (
            "files.img",
            "entries[id=45].isk.src_port=70000",
            "70000 is not a port: the largest is 65535",
        ),
        (
            "files.img",
            "entries[id=49].isk.src_addr=10.0.0.1",
            "an IPv4 address in a socket of the family INET6",
        ),
        (
            "files.img",
            "entries[id=45].isk.src_addr=fd00::1",
            "an IPv6 address in a socket of the family INET",
        ),
    ];
    for (image, change, why) in refused {
        let before = fs::read(dir.path().join(image)).unwrap();
        let run = crit_in(dir.path(), &["set", image, change], b"");
        assert_eq!(run.code, 2, "{change}: {}", run.text());
        assert!(run.stderr.contains(why), "{change}: {}", run.stderr);
        assert_eq!(fs::read(dir.path().join(image)).unwrap(), before);
    }
    // Two values that fit each other may change together.
    let both = [
        "set",
        "files.img",
        "entries[id=49].isk.src_addr=10.0.0.1",
        "entries[id=49].isk.family=INET",
        "entries[id=49].isk.dst_addr=0.0.0.0",
    ];
    crit_in(dir.path(), &both, b"").quiet();
}
