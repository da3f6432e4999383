//! What of a checkpoint is not read is said, and the exit code says that the answer is about a part.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::{copy_of, crit, crit_in, fresh_dir, images, tar};

/// A packed archive of a fixture without its last so many bytes.
fn cut_archive(dir: &Path, dump: &str, missing: usize) {
    let images = images();
    let args = ["-czf", "a.tgz", "--exclude=*.json", "--exclude=*.txt", "-C"];
    let from = [
        images.to_str().unwrap(),
        "--transform",
        "s,^[^/]*,checkpoint,",
        "--sort=name",
        dump,
    ];
    tar(dir, &[&args[..], &from].concat());
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
                .contains(r"core-\xff.img is not read: its name is not UTF-8"),
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
    let lines = crit(&["check", "predump"], b"");
    assert_eq!(lines.text().matches(" images, ").count(), 3);
    assert!(
        crit(&["recode", "predump"], b"")
            .quiet()
            .text()
            .contains(" images come back")
    );
    let lines = crit(&["export", "predump", "--magic", "INVENTORY"], b"").quiet();
    assert_eq!(lines.text().lines().count(), 3);
    for command in [
        &["x", "predump", "ps"][..],
        &["stats", "predump"],
        &["report", "predump"],
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
    crit_in(dump.path(), &["export", ".", "-o", "lines"], b"").quiet();
    crit_in(dump.path(), &["recode", "."], b"").quiet();
    for (name, target, why) in [
        (
            "core-7.img",
            "core-7.img",
            "a link to core-7.img, where no file is",
        ),
        (
            "core-8.img",
            "nowhere",
            "a link to nowhere, where no file is",
        ),
    ] {
        symlink(target, dump.path().join(name)).unwrap();
        let run = crit_in(dump.path(), &["-q", "recode", "."], b"");
        assert_eq!(run.code, 2);
        assert!(
            run.stderr.contains(&format!("{name} is not read: {why}")),
            "{}",
            run.stderr
        );
        assert!(run.text().contains("15 of 15 images"), "{}", run.text());
    }
    fs::create_dir(dump.path().join("core-9.img")).unwrap();
    let run = crit_in(dump.path(), &["check", ".", "--all"], b"");
    assert_eq!(run.code, 1);
    assert!(
        run.text()
            .contains("error: core-9.img is not read: a directory"),
        "{}",
        run.text()
    );
}

#[test]
fn what_is_beside_the_images_and_can_not_be_looked_into_does_not_keep_them_from_being_read() {
    // As in an OCI bundle: more files than anyone walks through, and no way into some.
    let bundle = fresh_dir();
    let dump = copy_of("simple");
    fs::rename(dump.path(), bundle.path().join("checkpoint")).unwrap();
    fs::create_dir_all(bundle.path().join("rootfs/var/lib")).unwrap();
    fs::write(bundle.path().join("rootfs/disk.img"), b"a disk").unwrap();
    for args in [
        &["x", ".", "ps"][..],
        &["recode", "."],
        &["stats", "."],
        &["export", ".", "-o", "x"],
    ] {
        crit_in(bundle.path(), args, b"").quiet();
    }
    fs::create_dir(dump.path()).unwrap();
}

#[test]
fn a_command_that_reads_does_not_write_over_what_it_reads() {
    let dump = copy_of("simple");
    let dir = fresh_dir();
    tar(
        dir.path(),
        &["-cf", "a.tar", "-C", dump.path().to_str().unwrap(), "."],
    );
    let archive = fs::read(dir.path().join("a.tar")).unwrap();
    let image = fs::read(dump.path().join("files.img")).unwrap();
    for (place, args) in [
        (dir.path(), &["export", "a.tar", "-o", "a.tar"][..]),
        (dir.path(), &["report", "a.tar", "-o", "a.tar"]),
        (
            dir.path(),
            &[
                "decode",
                "--from",
                "a.tar",
                "-i",
                "core-100.img",
                "-o",
                "./a.tar",
            ],
        ),
        (dump.path(), &["export", ".", "-o", "files.img"]),
        (dump.path(), &["report", ".", "-o", "files.img"]),
        (
            dump.path(),
            &["mem", ".", "--read", "400000+8", "-o", "files.img"],
        ),
    ] {
        let run = crit_in(place, args, b"");
        assert_eq!(run.code, 2, "{args:?}");
        assert!(
            run.stderr.contains("would take the place of what is read"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(fs::read(dir.path().join("a.tar")).unwrap(), archive);
    assert_eq!(fs::read(dump.path().join("files.img")).unwrap(), image);
}

#[test]
fn an_output_that_is_an_image_of_a_pre_dump_or_behind_a_link_is_refused_too() {
    let dir = fresh_dir();
    let dump = copy_of("simple");
    let before = dir.path().join("before");
    fs::rename(dump.path(), &before).unwrap();
    fs::create_dir(dump.path()).unwrap();
    let top = copy_of("simple");
    symlink(&before, top.path().join("parent")).unwrap();
    // An image that lies elsewhere.
    fs::rename(top.path().join("fs-100.img"), dir.path().join("fs")).unwrap();
    symlink(dir.path().join("fs"), top.path().join("fs-100.img")).unwrap();
    for victim in [before.join("files.img"), dir.path().join("fs")] {
        let bytes = fs::read(&victim).unwrap();
        let run = crit_in(
            top.path(),
            &["export", ".", "-o", victim.to_str().unwrap()],
            b"",
        );
        assert_eq!(run.code, 2);
        assert!(
            run.stderr.contains("would take the place of what is read"),
            "{}",
            run.stderr
        );
        assert_eq!(fs::read(&victim).unwrap(), bytes);
    }
    // A page of the same name as before is no image.
    for _ in 0..2 {
        assert_eq!(
            crit_in(top.path(), &["report", ".", "-o", "page.html"], b"").code,
            0
        );
    }
    // `ls` shows what a link leads to.
    let list = crit_in(top.path(), &["ls", "."], b"").text();
    let line = list
        .lines()
        .find(|line| line.contains("fs-100.img"))
        .unwrap();
    assert!(
        line.contains(" FS ") && line.contains(", a link to "),
        "{line}"
    );
}

#[test]
fn recode_says_why_it_takes_a_file_for_no_image_and_waits_for_no_fifo() {
    let dir = fresh_dir();
    fs::write(dir.path().join("x.tar.xz"), b"\xfd7zXZ\0and more").unwrap();
    fs::write(dir.path().join("empty.tar"), b"").unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg("fifo")
        .current_dir(dir.path())
        .status();
    assert!(made.unwrap().success());
    fs::write(
        dir.path().join("image"),
        super::support::image("simple/pstree.img"),
    )
    .unwrap();
    for (name, why) in [
        ("x.tar.xz", "packed by xz"),
        ("empty.tar", "empty"),
        ("fifo", "neither a directory"),
    ] {
        let run = crit_in(dir.path(), &["-q", "recode", name, "image"], b"");
        assert_eq!(run.code, 2, "{name}");
        assert!(run.stderr.contains(why), "{}", run.stderr);
        assert!(run.text().contains("1 of 1 images"));
    }
}

#[test]
fn what_is_named_by_crit_is_written_through_no_link_to_another_image() {
    let dump = copy_of("simple");
    let image = fs::read(dump.path().join("files.img")).unwrap();
    symlink("files.img", dump.path().join("fs-100.img.bak")).unwrap();
    symlink("files.img", dump.path().join("pstree.img.json")).unwrap_or_else(|_| {
        fs::remove_file(dump.path().join("pstree.img.json")).unwrap();
        symlink("files.img", dump.path().join("pstree.img.json")).unwrap();
    });
    for args in [
        &["set", "fs-100.img", "umask=1", "--backup=.bak"][..],
        &["decode", "-d", ".", "-o", ".", "--force"],
    ] {
        let run = crit_in(dump.path(), args, b"");
        assert_eq!(run.code, 2);
        assert!(
            run.stderr.contains("a link: nothing is written through it"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(fs::read(dump.path().join("files.img")).unwrap(), image);
}

#[test]
fn one_that_can_not_be_looked_at_does_not_keep_others_from_being() {
    for command in ["check", "ls", "export", "recode"] {
        let run = crit(&[command, "nowhere", "i386", "events"], b"");
        assert_eq!(run.code, 2, "{command}");
        // What can be had is there: of recode, how many images came back.
        let of_others = if command == "recode" {
            "30 of 30"
        } else {
            "events"
        };
        assert!(run.text().contains(of_others), "{command}: {}", run.text());
        assert!(
            (run.stderr.clone() + &run.text()).contains("nowhere"),
            "{command}"
        );
    }
}

#[test]
fn checkpoints_are_found_in_folders_of_folders_and_what_can_not_be_one_is_said() {
    let dir = fresh_dir();
    for place in ["a/one", "b/c/two"] {
        let dump = copy_of("simple");
        let place = dir.path().join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::rename(dump.path(), &place).unwrap();
        fs::create_dir(dump.path()).unwrap();
    }
    // It has images, if not those that all have; and an archive that is not read.
    fs::remove_file(dir.path().join("a/one/inventory.img")).unwrap();
    fs::remove_file(dir.path().join("a/one/pstree.img")).unwrap();
    fs::write(dir.path().join("b/x.tar.xz"), b"\xfd7zXZ\0").unwrap();
    let run = crit_in(dir.path(), &["export", ".", "--magic", "FS"], b"");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("b/x.tar.xz: ") && run.stderr.contains("xz"),
        "{}",
        run.stderr
    );
    for place in ["./a/one", "./b/c/two"] {
        assert!(
            run.text().contains(&format!("\"checkpoint\": \"{place}\"")),
            "{}",
            run.text()
        );
    }
}

#[test]
fn an_image_that_is_text_is_no_image_that_comes_back() {
    let dump = copy_of("simple");
    fs::write(dump.path().join("core-100.img"), "hello\n").unwrap();
    let run = crit_in(dump.path(), &["recode", "."], b"");
    assert_eq!(run.code, 2);
    assert!(run.text().contains("core-100.img"), "{}", run.text());
}
