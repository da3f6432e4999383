//! `decode -d` and `encode -d`: all images of a checkpoint at once.

use std::fs;

use super::support::{copy_of, crit_in, fresh_dir, images, tar};

const DUMPS: [&str; 6] = ["simple", "app", "sockets", "i386", "full-ns", "predump/3"];

#[test]
fn every_image_of_a_checkpoint_goes_to_json_and_back_at_once() {
    for dump in DUMPS {
        let dir = fresh_dir();
        let from = images().join(dump);
        let from = from.to_str().unwrap();
        let run = crit_in(dir.path(), &["decode", "-d", from, "-o", "json"], b"");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let back = crit_in(
            dir.path(),
            &["-q", "encode", "-d", "json", "-o", "back"],
            b"",
        )
        .quiet();
        let mut seen = 0;
        for entry in fs::read_dir(dir.path().join("json")).unwrap() {
            let json = entry.unwrap();
            let name = json.file_name().into_string().unwrap();
            let image = name.strip_suffix(".json").unwrap();
            let back = fs::read(dir.path().join("back").join(image)).unwrap();
            let original = images().join(dump).join(image);
            assert!(back == fs::read(&original).unwrap(), "{image}");
            // What upstream prints, where it reads the image.
            let golden = fs::read_to_string(images().join(dump).join(&name));
            if let Ok(golden) = golden {
                let json = fs::read_to_string(json.path()).unwrap();
                assert_eq!(json, golden.trim_end(), "{name}");
            }
            seen += 1;
        }
        assert!(seen > 5, "{dump}: {seen}");
        assert_eq!(back.text(), format!("encoded {seen} images into back\n"));
        assert!(
            run.text()
                .starts_with(&format!("decoded {seen} images into json\n"))
        );
    }
}

#[test]
fn raw_images_are_named_and_a_damaged_one_does_not_keep_the_others() {
    let dump = copy_of("i386");
    let core = dump.path().join("core-100.img");
    let bytes = fs::read(&core).unwrap();
    fs::write(&core, &bytes[..bytes.len() - 1]).unwrap();
    let run = crit_in(
        dump.path(),
        &["decode", "-d", ".", "-o", "json", "--pretty"],
        b"",
    );
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("core-100.img: entry 0"),
        "{}",
        run.stderr
    );
    assert!(
        run.text().contains("\nnot decoded: pages-1.img\n"),
        "{}",
        run.text()
    );
    assert!(!dump.path().join("json/core-100.img.json").exists());
    assert!(dump.path().join("json/pstree.img.json").exists());
}

#[test]
fn a_directory_needs_an_output_and_stands_alone() {
    let dir = fresh_dir();
    for args in [
        &["decode", "-d", "."][..],
        &["decode", "-d", ".", "-i", "x", "-o", "y"],
        &["encode", "-d", "."],
        &["encode", "-d", "nowhere", "-o", "y"],
    ] {
        assert_eq!(crit_in(dir.path(), args, b"").code, 2, "{args:?}");
    }
}

#[test]
fn a_folder_without_images_is_an_error_and_not_an_empty_answer() {
    let dir = fresh_dir();
    fs::create_dir(dir.path().join("empty")).unwrap();
    for args in [
        &["decode", "-d", "empty", "-o", "json"][..],
        &["encode", "-d", "empty", "-o", "back"],
        &["recode", "empty"],
        &["export", "empty"],
    ] {
        let run = crit_in(dir.path(), args, b"");
        assert_eq!(run.code, 2, "{args:?}");
        assert_eq!(run.stdout, b"");
    }
}

#[test]
fn images_at_the_root_of_an_archive_are_told_apart_by_their_names_as_elsewhere() {
    let dir = fresh_dir();
    let from = images().join("i386");
    let args = [
        "-cf",
        "a.tar",
        "--exclude=*.json",
        "--exclude=*.txt",
        "-C",
        from.to_str().unwrap(),
        ".",
    ];
    tar(dir.path(), &args);
    let run = crit_in(dir.path(), &["decode", "-d", "a.tar", "-o", "json"], b"").quiet();
    assert_eq!(
        run.text(),
        "decoded 12 images into json\nnot decoded: pages-1.img\n"
    );
    crit_in(dir.path(), &["recode", "a.tar"], b"").quiet();
    crit_in(dir.path(), &["export", "a.tar", "-o", "x"], b"").quiet();
}

#[test]
fn what_was_in_the_output_before_is_said_and_so_are_files_that_are_no_images_in_one_line() {
    let dump = copy_of("simple");
    for entry in fs::read_dir(dump.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".img") {
            fs::remove_file(path).unwrap();
        }
    }
    for name in ["a.txt", "b.txt", "c.txt"] {
        fs::write(dump.path().join(name), b"text").unwrap();
    }
    fs::create_dir(dump.path().join("json")).unwrap();
    fs::write(dump.path().join("json/core-9.img.json"), b"{}").unwrap();
    let run = crit_in(dump.path(), &["decode", "-d", ".", "-o", "json"], b"");
    assert_eq!(run.code, 0);
    assert_eq!(
        run.stderr,
        "crit: warning: json: core-9.img.json was in it before: \
         `crit encode -d` takes it for an image of this checkpoint\n"
    );
    assert!(
        run.text()
            .ends_with("\nnot decoded: 3 other files, such as a.txt\n"),
        "{}",
        run.text()
    );
}

#[test]
fn an_output_that_can_not_be_a_directory_is_said_to_be_none() {
    let dump = copy_of("simple");
    fs::write(dump.path().join("file"), b"").unwrap();
    for (output, what) in [
        ("file", "file: it is not a directory"),
        ("-", "-: a directory of files does not go to stdout"),
    ] {
        let run = crit_in(dump.path(), &["decode", "-d", ".", "-o", output], b"");
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(what), "{}", run.stderr);
    }
}

#[test]
fn images_made_without_their_pages_come_with_a_hint() {
    let dir = fresh_dir();
    let from = images().join("simple");
    crit_in(
        dir.path(),
        &["decode", "-d", from.to_str().unwrap(), "-o", "json"],
        b"",
    );
    let hint =
        "hint: raw images, such as pages-1.img, have no JSON: copy them from the checkpoint\n";
    let run = crit_in(dir.path(), &["encode", "-d", "json", "-o", "back"], b"");
    assert_eq!((run.code, run.stderr.as_str()), (0, hint));
    fs::write(dir.path().join("back/pages-1.img"), b"").unwrap();
    // What exists is only overwritten where that is said.
    let run = crit_in(dir.path(), &["encode", "-d", "json", "-o", "back"], b"");
    let refused = "crit: back/core-100.img (and 14 other files): exists already\nhint: --force overwrites it\n";
    assert_eq!((run.code, run.stderr.as_str()), (2, refused));
    let force = ["encode", "-d", "json", "-o", "back", "--force"];
    crit_in(dir.path(), &force, b"").quiet();
}

#[test]
fn other_json_of_the_same_images_is_not_encoded() {
    let dir = fresh_dir();
    // Beside each image is what upstream prints of it, plainly and prettily.
    let from = images().join("simple");
    let run = crit_in(
        dir.path(),
        &["-q", "encode", "-d", from.to_str().unwrap(), "-o", "back"],
        b"",
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    for entry in fs::read_dir(dir.path().join("back")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.ends_with(".img") || name.starts_with("stats-dump"),
            "{name}"
        );
    }
    let empty = fresh_dir();
    let run = crit_in(empty.path(), &["encode", "-d", ".", "-o", "x"], b"");
    assert_eq!(
        run.stderr,
        "crit: .: there is nothing that could be encoded\n"
    );
}
