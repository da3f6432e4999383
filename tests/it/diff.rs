//! `crit diff`: what differs between images and checkpoints, by what identifies the entries.

use std::fs;

use serde_json::{Value, json};

use super::support::{copy_of, crit, crit_in, edit_image, images};

fn lines(args: &[&str]) -> (i32, Vec<String>) {
    let run = crit(&[&["diff"], args].concat(), b"");
    (run.code, run.text().lines().map(str::to_owned).collect())
}

#[test]
fn nothing_differs_between_a_checkpoint_and_itself() {
    let (code, lines) = lines(&["full-ns", "full-ns"]);
    assert_eq!((code, lines.len()), (0, 0));
    let run = crit(
        &["diff", "full-ns/files.img", "full-ns/files.img", "--json"],
        b"",
    )
    .quiet();
    assert_eq!(run.json(), json!([]));
}

#[test]
fn an_entry_more_at_the_beginning_is_one_difference() {
    let dir = copy_of("full-ns");
    edit_image(dir.path(), "fdinfo-2.img", |entries| {
        entries.insert(0, json!({"id": 7, "flags": 0, "type": "REG", "fd": 900}));
        let gone = entries.remove(3);
        assert_eq!(gone["fd"], 2);
        entries[5]["flags"] = json!(1);
    });
    let other = dir.path().join("fdinfo-2.img");
    let (code, lines) = lines(&["full-ns/fdinfo-2.img", other.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert_eq!(
        lines,
        [
            r#"- entries[fd=2]: {"fd":2,"flags":0,"id":8,"type":"REG"}"#,
            "~ entries[fd=5].flags: 0 -> 1",
            r#"+ entries[fd=900]: {"fd":900,"flags":0,"id":7,"type":"REG"}"#,
        ]
    );
    let args = [
        "diff",
        "full-ns/fdinfo-2.img",
        other.to_str().unwrap(),
        "--json",
    ];
    let found = crit(&args, b"").json();
    assert_eq!(
        found[1],
        json!({"entry_a": 5, "entry_b": 5, "key": "fd=5", "field": "flags", "before": 0, "after": 1})
    );
}

#[test]
fn what_is_inside_messages_and_payloads_is_compared() {
    let dir = copy_of("full-ns");
    edit_image(dir.path(), "mm-1.img", |entries| {
        let areas = entries[0]["vmas"].as_array_mut().unwrap();
        areas[5]["prot"] = json!(1);
        areas.remove(8);
    });
    edit_image(dir.path(), "fifo-data.img", |entries| {
        entries[0]["extra"] = json!("bmV3\n");
        entries[0]["bytes"] = json!(3);
    });
    let compared = |image: &str| {
        let other = dir.path().join(image);
        lines(&[&format!("full-ns/{image}"), other.to_str().unwrap()]).1
    };
    let found = compared("mm-1.img");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(
        found[0],
        "~ entries[0].vmas[start=0x55bc7e1ad000].prot: PROT_READ | PROT_WRITE -> PROT_READ"
    );
    assert!(
        found[1].starts_with("- entries[0].vmas[start=0x7f50a62d5000]: {"),
        "{}",
        found[1]
    );
    assert_eq!(
        compared("fifo-data.img"),
        [
            "~ entries[pipe_id=893211].bytes: 50 -> 3",
            "~ entries[pipe_id=893211].extra: fifo data\\u{a}fifo data\\u{a}fifo data\\u{a}fifo data\\u{a}fifo data\\u{a} -> new",
        ]
    );
}

#[test]
fn files_of_one_checkpoint_alone_and_raw_ones_are_told_of() {
    let dir = copy_of("pattern");
    fs::remove_file(dir.path().join("fs-9230.img")).unwrap();
    fs::write(dir.path().join("extra.img"), b"nothing").unwrap();
    let pages = dir.path().join("pages-3.img");
    let mut bytes = fs::read(&pages).unwrap();
    bytes[0x1234] ^= 1;
    fs::write(&pages, bytes).unwrap();
    let (code, lines) = lines(&["pattern", dir.path().to_str().unwrap()]);
    assert_eq!(code, 1);
    assert_eq!(lines[0], "+ extra.img");
    assert_eq!(lines[1], "- fs-9230.img");
    assert!(
        lines[2].starts_with("~ pages-3.img: differs from byte 0x1234 on ("),
        "{}",
        lines[2]
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn images_of_two_kinds_and_malformed_ones_are_errors() {
    let run = crit(&["diff", "full-ns/pstree.img", "full-ns/files.img"], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("one is of the kind PSTREE, the other FILES"),
        "{}",
        run.stderr
    );
    assert_eq!(
        crit(&["diff", "full-ns/pstree.img", "no such"], b"").code,
        2
    );
    let dir = copy_of("simple");
    fs::write(
        dir.path().join("fs-100.img"),
        b"\x19\x43\x56\x54\x12\x39\x40\x51\xff",
    )
    .unwrap();
    let (code, lines) = lines(&["simple", dir.path().to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        lines.iter().any(|line| line.starts_with("! fs-100.img: ")),
        "{lines:#?}"
    );
}

#[test]
fn processes_files_and_sockets_are_compared_as_people_look_at_them() {
    let dir = copy_of("full-ns");
    let path = dir.path();
    let set = |image: &str, edit: &str| {
        crit_in(path, &["set", image, edit], b"").quiet();
    };
    set("core-6.img", "tc.comm=renamed");
    set("files.img", "entries[id=9].reg.name=/elsewhere");
    set("files.img", "entries[id=42].isk.src_port=8080");
    edit_image(path, "pstree.img", |entries| drop(entries.remove(7)));
    let other = path.to_str().unwrap();
    let (code, found) = lines(&["full-ns", other, "--ps", "--files", "--sockets"]);
    assert_eq!(code, 1);
    let has = |line: &str| {
        let is_there = found.iter().any(|found| found == line);
        assert!(is_there, "{line}: {found:#?}");
    };
    has("~ 6 renamed");
    has("    ~ comm: child-plain -> renamed");
    has("- 12 zombie-signal");
    has("~ 1 3 REG /elsewhere");
    has("    ~ path: /srv/demo/run/full-ns/regular.txt -> /elsewhere");
    has("    ~ src_port: 34355 -> 8080");
    assert!(!found.iter().any(|line| line.starts_with("  7")));
    let (_, all) = lines(&["full-ns", other, "--ps", "--show-unchanged"]);
    assert!(all.contains(&"  7 child-session".to_owned()), "{all:#?}");
    let run = crit(&["diff", "full-ns", other, "--ps", "--json"], b"");
    let views = run.json();
    assert_eq!(views[0]["name"], "processes");
    let statuses: Vec<&Value> = views[0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["status"])
        .collect();
    assert_eq!(statuses, ["modified", "removed"]);
    let (code, _) = lines(&["full-ns", "full-ns", "--ps", "--files", "--sockets"]);
    assert_eq!(code, 0);
}

#[test]
fn command_lines_are_compared() {
    let dir = copy_of("pattern");
    let memory = ["mem", ".", "--args", "--json"];
    let args = crit_in(dir.path(), &memory, b"").quiet().json()[0]["args"].clone();
    let first = args[0].as_str().unwrap();
    let mm = crit_in(dir.path(), &["get", "mm-9230.img", "mm_arg_start"], b"")
        .quiet()
        .text();
    let at = mm.trim_end().trim_start_matches("0x").to_owned();
    crit_in(
        dir.path(),
        &["mem", ".", "--write", &at, "--hex", "58"],
        b"",
    )
    .quiet();
    let (code, found) = lines(&["pattern", dir.path().to_str().unwrap(), "--ps-args"]);
    assert_eq!(code, 1);
    let changed = format!("X{}", &first[1..]);
    let rest = "\"one\",\"two words\"]";
    let line = format!("    ~ args: [\"{first}\",{rest} -> [\"{changed}\",{rest}");
    assert!(found.contains(&line), "{line}: {found:#?}");
    assert!(images().join("pattern").is_dir());
}
