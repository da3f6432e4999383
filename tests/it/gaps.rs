//! What of a checkpoint is not read is said, and the exit code says that the answer is about a part.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::{copy_of, crit, crit_in, fresh_dir, images};

/// A packed archive of a fixture without its last so many bytes.
fn cut_archive(dir: &Path, dump: &str, missing: usize) {
    let tar = std::process::Command::new("tar")
        .args(["-czf", "a.tgz", "--exclude=*.json", "--exclude=*.txt", "-C"])
        .arg(images())
        .args(["--transform", "s,^[^/]*,checkpoint,", "--sort=name", dump])
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(tar.success());
    let packed = fs::read(dir.join("a.tgz")).unwrap();
    fs::write(dir.join("a.tgz"), &packed[..packed.len() - missing]).unwrap();
}

#[test]
fn all_before_the_end_of_a_cut_archive_is_told_and_the_exit_code_says_that_it_is_not_all() {
    let dir = fresh_dir();
    cut_archive(dir.path(), "app", 3000);
    for args in [
        &["-q", "export", "--jsonl", "a.tgz"][..],
        &["-q", "decode", "-d", "a.tgz", "-o", "json"],
        &["-q", "ls", "a.tgz"],
        &["-q", "recode", "a.tgz"],
        &["-q", "x", "a.tgz", "ps"],
        &["-q", "diff", "a.tgz", "a.tgz"],
        &["-q", "report", "a.tgz", "-o", "page.html"],
    ] {
        let run = crit_in(dir.path(), args, b"");
        assert_eq!(run.code, 2, "{args:?}");
        assert!(
            run.stderr.contains("a.tgz: the archive breaks off after"),
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
    assert!(dir.path().join("json/core-100.img.json").exists());
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(page.contains("the archive breaks off after"));
    let check = crit_in(dir.path(), &["check", "a.tgz"], b"");
    assert_eq!(check.code, 1);
    assert!(
        check.text().contains("error: the archive breaks off after"),
        "{}",
        check.text()
    );
}

#[test]
fn an_image_whose_name_is_not_utf8_is_named_wherever_images_are_read() {
    let dump = copy_of("simple");
    let odd = dump
        .path()
        .join(std::ffi::OsStr::from_bytes(b"core-\xff.img"));
    fs::copy(dump.path().join("core-100.img"), odd).unwrap();
    for args in [
        &["export", "."][..],
        &["recode", "."],
        &["decode", "-d", ".", "-o", "json"],
        &["ls", "."],
        &["x", ".", "ps"],
    ] {
        let run = crit_in(dump.path(), args, b"");
        assert_eq!(run.code, 2, "{args:?}");
        assert!(
            run.stderr
                .contains(r"the image core-\xff.img is not read: its name is not UTF-8"),
            "{}",
            run.stderr
        );
        assert!(!run.stdout.is_empty());
    }
    assert_eq!(crit_in(dump.path(), &["check", "."], b"").code, 1);
    // What is replaced in a part is not replaced.
    let before = fs::read(dump.path().join("fs-100.img")).unwrap();
    let run = crit_in(dump.path(), &["replace", ".", "--path", "/=/srv"], b"");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("not UTF-8"), "{}", run.stderr);
    assert_eq!(fs::read(dump.path().join("fs-100.img")).unwrap(), before);
}

#[test]
fn images_of_other_checkpoints_below_are_said_not_to_be_looked_at_but_pre_dumps_are_not() {
    let dump = copy_of("simple");
    fs::create_dir(dump.path().join("old")).unwrap();
    fs::copy(
        dump.path().join("pstree.img"),
        dump.path().join("old/pstree.img"),
    )
    .unwrap();
    fs::write(dump.path().join("old/disk.img"), b"a disk").unwrap();
    let run = crit_in(dump.path(), &["recode", "."], b"");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "crit: warning: .: images in ./old are not looked at\n")
    );
    symlink("old", dump.path().join("parent")).unwrap();
    crit_in(dump.path(), &["recode", "."], b"").quiet();
}

#[test]
fn a_folder_of_checkpoints_is_exported_and_listed_and_elsewhere_the_hint_names_them() {
    let run = crit(&["ls", "predump"], b"").quiet();
    for dump in ["predump/1", "predump/2", "predump/3"] {
        assert!(
            run.text().contains(&format!("  {dump}\n")),
            "{}",
            run.text()
        );
    }
    let lines = crit(&["export", "predump", "--magic", "INVENTORY"], b"").quiet();
    assert_eq!(lines.text().lines().count(), 3);
    for command in [
        &["x", "predump", "ps"][..],
        &["stats", "predump"],
        &["check", "predump"],
        &["recode", "predump"],
        &["mem", "predump"],
    ] {
        let run = crit(command, b"");
        assert_eq!(run.code, 2);
        assert_eq!(
            run.stderr,
            "crit: predump: no image is in it\n\
             hint: images are in predump/1, predump/2, predump/3: give one of them\n"
        );
    }
}

#[test]
fn links_that_lead_to_themselves_do_not_keep_the_images_from_being_read() {
    let dump = copy_of("simple");
    symlink("loop", dump.path().join("loop")).unwrap();
    symlink("core-7.img", dump.path().join("core-7.img")).unwrap();
    crit_in(dump.path(), &["export", ".", "-o", "lines"], b"").quiet();
    crit_in(dump.path(), &["recode", "."], b"").quiet();
}
