//! The command: where it reads and writes, what it prints, how it ends.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::support::{crit, crit_in, fresh_dir, image, images};

const IMAGE: &str = "simple/pstree.img";

fn golden(ending: &str) -> String {
    String::from_utf8(image(&format!("{IMAGE}{ending}"))).unwrap()
}

#[test]
fn decode_reads_a_file_or_stdin_and_writes_a_file_or_stdout() {
    for option in ["-i", "--in", "--input"] {
        assert_eq!(
            crit(&["decode", option, IMAGE], b"").quiet().text(),
            golden(".json") + "\n"
        );
    }
    assert_eq!(
        crit(&["decode"], &image(IMAGE)).quiet().text(),
        golden(".json") + "\n"
    );
    assert_eq!(
        crit(&["decode", "-i", ""], &image(IMAGE)).quiet().text(),
        golden(".json") + "\n"
    );
    let pretty = crit(&["decode", "--pre", "-i", IMAGE], b"").quiet().text();
    assert_eq!(pretty, golden(".pretty.json") + "\n");
    let dir = fresh_dir();
    let out = dir.path().join("out.json");
    for option in ["-o", "--out", "--output"] {
        let run = crit(&["decode", option, out.to_str().unwrap()], &image(IMAGE)).quiet();
        assert_eq!(run.stdout, b"");
        // No newline at the end of a file: as upstream has it.
        assert_eq!(fs::read_to_string(&out).unwrap(), golden(".json"));
    }
}

#[test]
fn encode_reads_a_file_or_stdin_and_writes_a_file_or_stdout() {
    for form in [".json", ".pretty.json"] {
        let file = format!("{IMAGE}{form}");
        assert_eq!(
            crit(&["encode", "-i", &file], b"").quiet().stdout,
            image(IMAGE)
        );
        let json = golden(form);
        assert_eq!(
            crit(&["encode"], json.as_bytes()).quiet().stdout,
            image(IMAGE)
        );
        let dir = fresh_dir();
        let out = dir.path().join("out.img");
        crit(&["encode", "-o", out.to_str().unwrap()], json.as_bytes()).quiet();
        assert_eq!(fs::read(&out).unwrap(), image(IMAGE));
    }
}

#[test]
fn images_that_need_seeking_in_upstream_come_through_a_pipe() {
    for name in [
        "ipc-ns/ipcns-sem-9.img",
        "ipc-ns/ipcns-msg-9.img",
        "ghost/ghost-file-4.img",
    ] {
        let expected = String::from_utf8(image(&format!("{name}.json"))).unwrap();
        assert_eq!(
            crit(&["decode"], &image(name)).quiet().text(),
            expected + "\n"
        );
        let shown = crit(&["decode", "--nopl"], &image(name)).quiet().text();
        assert!(shown.len() < 3000, "{shown}");
    }
}

#[test]
fn show_is_pretty_and_leaves_payloads_out_when_asked() {
    let name = "app/pipes-data.img";
    let expected = |ending: &str| String::from_utf8(image(&format!("{name}{ending}"))).unwrap();
    assert_eq!(
        crit(&["show", name], b"").quiet().text(),
        expected(".pretty.json") + "\n"
    );
    let short = crit(&["show", "--nopl", name], b"").quiet().text();
    assert_eq!(short, expected(".nopl.json") + "\n");
}

#[test]
fn info_prints_upstreams_object_and_an_array_for_several() {
    let one = crit(&["info", IMAGE], b"").quiet().text();
    assert_eq!(one, "{\n    \"magic\": \"PSTREE\",\n    \"count\": 1\n}\n");
    let several = crit(&["info", IMAGE, "simple/pagemap-100.img"], b"")
        .quiet()
        .json();
    assert_eq!(
        several,
        serde_json::json!([
            {"file": IMAGE, "magic": "PSTREE", "count": 1},
            {"file": "simple/pagemap-100.img", "magic": "PAGEMAP", "count": 15},
        ])
    );
    // One bad file does not hide the others.
    let mixed = crit(&["info", "i386/pages-1.img", IMAGE, "nothing.img"], b"");
    assert_eq!(mixed.code, 2);
    assert_eq!(mixed.json().as_array().unwrap().len(), 1);
    assert_eq!(
        mixed
            .stderr
            .lines()
            .filter(|l| l.starts_with("crit: "))
            .count(),
        2
    );
}

/// One line that says what is wrong, perhaps a hint, exit code 2, nothing on stdout.
fn fails(args: &[&str], input: &[u8], message: &str) {
    let run = crit(args, input);
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (2, b"".as_slice()),
        "{}",
        run.stderr
    );
    let mut lines = run.stderr.lines();
    assert_eq!(lines.next().unwrap(), message);
    assert!(
        lines.all(|line| line.starts_with("hint: ")),
        "{}",
        run.stderr
    );
}

#[test]
fn wrong_input_is_named_in_one_line() {
    fails(
        &["decode"],
        b"",
        "crit: stdin: the file is empty: an image has at least its magic",
    );
    fails(
        &["decode"],
        b"\x01\x02\x03\x04\x05\x06\x07\x08",
        "crit: stdin: unknown magic 0x04030201: not an image that this schema knows",
    );
    fails(
        &["decode"],
        b"{\"magic\": \"PSTREE\"}",
        "crit: stdin: this is JSON, not an image",
    );
    fails(
        &["decode", "-i", "i386/pages-1.img"],
        b"",
        "crit: i386/pages-1.img: a raw image (page contents, one after another, in the order of a \
         pagemap): it holds no messages",
    );
    fails(
        &["encode", "-i", IMAGE],
        b"",
        "crit: simple/pstree.img: this is an image (PSTREE), not the JSON of an image",
    );
    fails(
        &["decode", "-i", "nothing.img"],
        b"",
        "crit: nothing.img: No such file or directory (os error 2)",
    );
    fails(
        &["decode", "-i", "simple"],
        b"",
        "crit: simple: is a directory",
    );
    let cut = &image(IMAGE)[..20];
    fails(
        &["decode", "-o", "/dev/null"],
        cut,
        "crit: stdin: entry 0, offset 0x8: entry length 16 exceeds the 8 bytes left",
    );
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    fails(
        &["decode", "-i", IMAGE, "-o", "/dev/full"],
        b"",
        "crit: /dev/full: No space left on device (os error 28)",
    );
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(["decode", "-i", IMAGE])
        .current_dir(images())
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).starts_with("crit: stdout: No space left"));

    let mut child = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(["show", "tree/files.img"])
        .current_dir(images())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = child.wait_with_output().unwrap();
    assert_eq!(
        (run.status.code(), run.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

#[test]
fn a_failed_run_leaves_the_output_file_as_it_was_and_nothing_beside_it() {
    let dir = fresh_dir();
    let path = dir.path();
    fs::write(path.join("old.json"), "old").unwrap();
    let mut cut = image("simple/core-100.img");
    cut.truncate(1000);
    fs::write(path.join("cut.img"), cut).unwrap();
    for out in ["old.json", "new.json"] {
        let run = crit_in(path, &["decode", "-i", "cut.img", "-o", out], b"");
        assert_eq!(run.code, 2);
    }
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["cut.img", "old.json"]);
    assert_eq!(fs::read_to_string(path.join("old.json")).unwrap(), "old");
    let run = crit_in(
        path,
        &["decode", "-i", "cut.img", "-o", "no/such/folder"],
        b"",
    );
    assert_eq!(run.code, 2);
    let run = crit_in(path, &["decode", "-i", "cut.img", "-o", "."], b"");
    assert_eq!(run.code, 2);
}

#[test]
fn input_and_output_may_be_the_same_file() {
    let dir = fresh_dir();
    let file = dir.path().join("x");
    fs::write(&file, image(IMAGE)).unwrap();
    crit_in(dir.path(), &["decode", "-i", "x", "-o", "x"], b"").quiet();
    assert_eq!(fs::read_to_string(&file).unwrap(), golden(".json"));
    crit_in(dir.path(), &["encode", "-i", "x", "-o", "x"], b"").quiet();
    assert_eq!(fs::read(&file).unwrap(), image(IMAGE));
}

#[test]
fn an_output_keeps_its_mode_and_links_are_followed() {
    let dir = fresh_dir();
    let path = dir.path();
    fs::write(path.join("real"), "old").unwrap();
    fs::set_permissions(path.join("real"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", path.join("link")).unwrap();
    symlink("made", path.join("dangling")).unwrap();
    symlink("loop", path.join("loop")).unwrap();
    let decode = |out: &str| crit_in(path, &["decode", "-o", out], &image(IMAGE));
    decode("link").quiet();
    decode("dangling").quiet();
    assert_eq!(decode("loop").code, 2);
    for name in ["real", "made"] {
        assert_eq!(
            fs::read_to_string(path.join(name)).unwrap(),
            golden(".json")
        );
    }
    assert!(
        fs::symlink_metadata(path.join("link"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(path.join("real")).unwrap().mode() & 0o7777,
        0o640
    );
}

#[test]
fn a_device_or_a_fifo_is_written_to_and_not_replaced() {
    let run = crit(&["decode", "-i", IMAGE, "-o", "/dev/null"], b"").quiet();
    assert_eq!(run.stdout, b"");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let dir = fresh_dir();
    let fifo = dir.path().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| fs::read_to_string(&fifo).unwrap());
        crit_in(dir.path(), &["decode", "-o", "fifo"], &image(IMAGE)).quiet();
        assert_eq!(reader.join().unwrap(), golden(".json"));
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_is_odd_is_a_warning_on_stderr_once_for_each_field() {
    let run = crit(&["decode", "-i", "v33-full/stats-dump"], b"");
    assert_eq!(run.code, 0);
    assert_eq!(
        run.stderr,
        "crit: warning: v33-full/stats-dump: entry 0: required field `dump.pages_lazy` is missing\n\
         hint: `crit encode` writes such an image with --lenient\n"
    );
    let refused = crit(&["encode"], &run.stdout);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .stderr
            .contains("hint: --lenient encodes it without the field")
    );
    let lenient = crit(&["encode", "--lenient"], &run.stdout).quiet();
    assert_eq!(lenient.stdout, image("v33-full/stats-dump"));
}

#[test]
fn control_characters_from_an_image_never_reach_stderr_raw() {
    let json = "{\"magic\": \"PSTREE\", \"entries\": [{\"\\u001b[31m\": 1}]}";
    let run = crit(&["encode"], json.as_bytes());
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
    assert!(run.stderr.contains("\\u{1b}[31m"), "{}", run.stderr);
}

#[test]
fn usage_errors_and_the_version_are_as_upstream_has_them() {
    assert_eq!(crit(&[], b"").code, 2);
    assert!(crit(&[], b"").stderr.contains("too few arguments"));
    assert_eq!(crit(&["bogus"], b"").code, 2);
    assert_eq!(crit(&["info"], b"").code, 2);
    assert_eq!(crit(&["decode", "-o"], b"").code, 2);
    let version = crit(&["--version"], b"").quiet().text();
    assert_eq!(version, format!("{}\n", env!("CARGO_PKG_VERSION")));
    for command in ["decode", "encode", "show", "info"] {
        let help = crit(&[command, "--help"], b"").quiet().text();
        assert!(help.contains("Usage: crit"), "{help}");
    }
}

#[test]
fn open_descriptors_are_written_to_as_such() {
    let run = crit(&["decode", "-i", IMAGE, "-o", "/dev/stdout"], b"").quiet();
    assert_eq!(run.text(), golden(".json"));
    let run = crit(&["decode", "-i", IMAGE, "-o", "/proc/self/fd/1"], b"").quiet();
    assert_eq!(run.text(), golden(".json"));
}

#[test]
fn output_errors_name_the_output_and_input_errors_the_input() {
    let full = |args: &[&str]| {
        let run = crit(args, b"");
        assert_eq!(run.code, 2);
        run.stderr
    };
    let dir = fresh_dir();
    let ghost = dir.path().join("ghost-file-1.img");
    let mut bytes = image("ghost/ghost-file-1.img");
    bytes.resize(1 << 20, 0);
    fs::write(&ghost, bytes).unwrap();
    let stderr = full(&["decode", "-i", ghost.to_str().unwrap(), "-o", "/dev/full"]);
    assert!(
        stderr.starts_with("crit: /dev/full: No space left"),
        "{stderr}"
    );
    let stderr = full(&["encode", "-i", "."]);
    assert!(
        stderr.starts_with("crit: .: is a directory\nhint: "),
        "{stderr}"
    );
    for args in [["--version"], ["--help"]] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_crit"))
            .args(args)
            .stdout(full)
            .status();
        // Not 101: that would be a panic.
        assert_ne!(status.unwrap().code(), Some(101), "{args:?}");
    }
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(["decode", "-i", "nothing"])
        .stderr(full)
        .status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn page_records_of_the_first_crius_are_named_and_counted() {
    let mut records = 0x5608_4025u32.to_le_bytes().to_vec();
    for address in [0x40_0000u64, 0x40_1000, 0] {
        records.extend(address.to_le_bytes());
        records.extend([7; 4096]);
    }
    let dir = fresh_dir();
    fs::write(dir.path().join("pages-7.img"), &records).unwrap();
    let run = crit_in(dir.path(), &["info", "pages-7.img"], b"").quiet();
    assert_eq!(
        run.json(),
        serde_json::json!({"magic": "PAGES_OLD", "count": 3})
    );
    for (args, input) in [
        (&["decode", "-i", "pages-7.img"][..], &b""[..]),
        (&["decode"], &records),
    ] {
        let run = crit_in(dir.path(), args, input);
        assert_eq!(run.code, 2);
        assert!(
            run.stderr
                .contains("page contents with an address before each page"),
            "{}",
            run.stderr
        );
    }
    let stdin = crit_in(dir.path(), &["info", "-"], &records).quiet();
    assert_eq!(stdin.json()["count"], 3);
    // A file of two bytes is a raw image too when its name says so.
    fs::write(dir.path().join("pages-8.img"), "ab").unwrap();
    let run = crit_in(dir.path(), &["info", "pages-8.img"], b"");
    assert!(run.stderr.contains("a raw image"), "{}", run.stderr);
}

#[test]
fn mistakes_on_the_command_line_are_said_as_any_other_error() {
    let run = crit(&["decode", "--prety"], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("crit: unexpected argument '--prety' found\n"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    // The last of two counts, as in upstream.
    let run = crit(
        &[
            "decode", "--pretty", "--pretty", "-i", "nothing", "-i", IMAGE,
        ],
        b"",
    );
    assert_eq!(run.quiet().text(), golden(".pretty.json") + "\n");
}

#[test]
fn stdout_by_its_path_goes_on_where_stdout_stands() {
    let crit = env!("CARGO_BIN_EXE_crit");
    let dir = fresh_dir();
    let script = format!(
        "(echo head; {crit} decode -i {}/{IMAGE} -o /dev/stdout; echo tail) > out",
        images().display()
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir.path())
        .status();
    assert!(status.unwrap().success());
    let text = fs::read_to_string(dir.path().join("out")).unwrap();
    assert_eq!(text, format!("head\n{}tail\n", golden(".json")));
}

#[test]
fn a_run_that_is_killed_leaves_neither_output_nor_a_temporary_file() {
    let dir = fresh_dir();
    // Where the file system has no files without a name, a kill can't be made up for.
    let flags = i32::try_from(rustix::fs::OFlags::TMPFILE.bits()).unwrap();
    let mut options = fs::OpenOptions::new();
    let unnamed = std::os::unix::fs::OpenOptionsExt::custom_flags(options.write(true), flags);
    if unnamed.open(dir.path()).is_err() {
        eprintln!("skipped: the file system of temporary files has none without a name");
        return;
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(["encode", "-o", "out.img"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits for the rest of its input.
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"{\"magic\": \"PSTREE\", ").unwrap();
    let fds = format!("/proc/{}/fd", child.id());
    let writes_here = || {
        let fds = fs::read_dir(&fds).unwrap().flatten();
        fds.filter_map(|fd| fs::read_link(fd.path()).ok())
            .any(|path| path.starts_with(dir.path()))
    };
    while !writes_here() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
