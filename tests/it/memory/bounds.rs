//! What is not made of input that asks for too much.

use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;

/// Where the dump has nothing but the vsyscall page behind.
const FREE: u64 = 0x8000_0000_0000;

/// The dump with an area of memory more, at [`FREE`].
fn with_area(length: u64, change: impl FnOnce(&mut Value)) -> Copy {
    Copy::of("pattern").edit("mm-9230.img", |entries| {
        let area = json!({"start": FREE, "end": FREE + length, "pgoff": 0, "shmid": 0,
            "prot": 3, "flags": 34, "status": 513, "fd": -1});
        let areas = entries[0]["vmas"].as_array_mut().unwrap();
        areas.insert(areas.len() - 1, area);
        change(&mut entries[0]);
    })
}

/// Arguments of zeros that the task never wrote.
fn arguments_of_zeros(length: u64) -> Copy {
    with_area(32 << 20, |mm| {
        mm["mm_arg_start"] = json!(FREE);
        mm["mm_arg_end"] = json!(FREE + length);
    })
}

#[test]
fn a_command_line_longer_than_linux_takes_is_refused_by_its_image() {
    let long = arguments_of_zeros((6 << 20) + 1);
    let run = long.mem(&["--args"]);
    assert_eq!(run.code, 2);
    let said = "crit: ./mm-9230.img: a command line or environment of 6291457 bytes";
    assert!(run.stderr.starts_with(said), "{}", run.stderr);
    // A megabyte of zeros is a million strings.
    let run = arguments_of_zeros(1 << 20).mem(&["--args"]);
    assert_eq!(run.code, 2);
    let said = "crit: ./mm-9230.img: a command line or environment of 1048576 strings";
    assert!(run.stderr.starts_with(said), "{}", run.stderr);
    let copy = arguments_of_zeros(4096);
    let all = copy.mem(&["--args", "--json"]).quiet().json();
    assert_eq!(all[0]["args"].as_array().unwrap().len(), 4096);
}

#[test]
fn the_command_lines_of_all_tasks_are_bounded_together() {
    // Each takes 4.5 MiB as Linux counts, and there are 20.
    let copy = arguments_of_zeros(512 << 10);
    let tasks = 20u64;
    let dir = copy.0.path();
    edit_image(dir, "pstree.img", |entries| {
        let mut first = entries[0].clone();
        entries.clear();
        for pid in 1..=tasks {
            first["pid"] = json!(pid);
            first["ppid"] = json!(pid - 1);
            first["threads"] = json!([pid]);
            entries.push(first.clone());
        }
    });
    for pid in 1..=tasks {
        for kind in ["mm", "core", "pagemap"] {
            let from = copy.path(&format!("{kind}-9230.img"));
            fs::copy(from, copy.path(&format!("{kind}-{pid}.img"))).unwrap();
        }
    }
    let run = crit_in(dir, &["x", ".", "ps", "--args", "--json"], b"");
    let said = "./mm-15.img: the command lines of all tasks have more than 64 MiB: those from task 15 on are left out";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let mut process = &run.json()[0];
    let mut with_args = 0;
    while let Some(child) = process["children"].get(0) {
        with_args += usize::from(process["args"].is_array());
        process = child;
    }
    assert_eq!(with_args, 14);
}

#[test]
fn entries_of_a_pagemap_without_an_address_are_refused() {
    let copy = Copy::of("pattern");
    let path = copy.path("pagemap-9230.img");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 4]);
    fs::write(&path, bytes).unwrap();
    let (code, said) = complaint(&copy);
    assert_eq!(code, 2);
    assert!(
        said.contains("pagemap-9230.img: entry 16: it lacks its address or its number of pages"),
        "{said}"
    );
}

#[test]
fn an_auxiliary_vector_and_a_list_of_threads_without_end_are_refused() {
    let copy = Copy::of("pattern").edit("mm-9230.img", |entries| {
        entries[0]["mm_saved_auxv"] = json!(vec![7; 100_000]);
    });
    let (code, said) = complaint(&copy);
    assert_eq!(code, 2);
    let expected =
        "mm-9230.img: entry 0, offset 0x8: the fields beside `vmas` have more than 65536 bytes";
    assert!(said.contains(expected), "{said}");
    let copy = Copy::of("pattern").edit("pstree.img", |entries| {
        entries[0]["threads"] = json!(vec![7; 300_000]);
    });
    let run = crit_in(copy.0.path(), &["x", ".", "ps"], b"");
    let expected = "pstree.img: more than 262144 tasks and threads";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
}

#[test]
fn pages_behind_the_end_of_a_mapped_file_are_not_made_up() {
    let root = fresh_dir();
    let folder = root.path().join("srv/demo/data");
    fs::create_dir_all(&folder).unwrap();
    // The last page is not whole: what is behind its end is zeros, as in memory.
    fs::write(folder.join("pattern.dat"), "x".repeat(10)).unwrap();
    let checkpoint = Checkpoint::open(images().join("pattern")).unwrap();
    let memory = checkpoint.memory(PID).unwrap();
    let memory = memory.with_sysroot(root.path()).unwrap();
    let read = memory.read(0x7_0000_0000..0x7_0000_1000).unwrap();
    assert!(read.starts_with(b"xxxxxxxxxx\0"));
    let error = memory.read(0x7_0000_2000..0x7_0000_2010).unwrap_err();
    let said = "no byte of task 9230 at 0x700002000: the page is behind the end of the mapped file";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_fifo_as_a_sysroot_is_refused_and_not_waited_for() {
    let dir = fresh_dir();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let args = ["mem", "pattern", "-s", "x", "--sysroot"];
    let run = crit(&[&args[..], &[fifo.to_str().unwrap()]].concat(), b"");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("Not a directory"), "{}", run.stderr);
}

#[test]
fn pages_are_found_through_a_chain_of_more_directories_than_the_kernel_follows_links() {
    let dir = fresh_dir();
    let place = |index: u32| dir.path().join(index.to_string());
    let copy = Copy::of("pattern");
    fs::rename(copy.0.path(), place(0)).unwrap();
    fs::create_dir(copy.0.path()).unwrap();
    let name = "pagemap-9230.img";
    for index in 1..60u32 {
        fs::create_dir(place(index)).unwrap();
        symlink(format!("../{}", index - 1), place(index).join("parent")).unwrap();
        fs::copy(place(index - 1).join(name), place(index).join(name)).unwrap();
        if index == 1 {
            edit_image(&place(1), name, |entries| {
                for entry in entries.iter_mut().skip(1) {
                    entry["flags"] = json!("PE_PARENT");
                }
            });
        }
    }
    for name in ["mm-9230.img", "core-9230.img", "pstree.img", "files.img"] {
        fs::copy(place(0).join(name), place(59).join(name)).unwrap();
    }
    let memory = Checkpoint::open(place(59)).unwrap().memory(PID).unwrap();
    let read = memory.read(0x1_0000_3100..0x1_0000_310e).unwrap();
    assert_eq!(read, b"MARKER-private");
}

/// A dump with an area of so many bytes more, all of them in its pages image, which is sparse.
fn with_sparse_pages(length: u64, data: &[(u64, &[u8])]) -> Copy {
    let copy = with_area(length, |_| {});
    edit_image(copy.0.path(), "pagemap-9230.img", |entries| {
        entries.push(json!({"vaddr": FREE, "compat_nr_pages": 0,
            "nr_pages": length / PAGE, "flags": "PE_PRESENT"}));
    });
    let pages = fs::OpenOptions::new()
        .write(true)
        .open(copy.path("pages-3.img"))
        .unwrap();
    let before = pages.metadata().unwrap().len();
    pages.set_len(before + length).unwrap();
    for (at, bytes) in data {
        std::os::unix::fs::FileExt::write_all_at(&pages, bytes, before + at).unwrap();
    }
    copy
}

#[test]
fn holes_of_a_sparse_pages_image_are_holes_of_the_core_and_skipped_by_a_search() {
    let length = 8u64 << 30;
    let marker = length - 3 * PAGE + 5;
    let copy = with_sparse_pages(length, &[(marker, b"MARKER-late")]);
    let run = copy.mem(&["-s", "MARKER-late", "--json"]);
    let expected = BTreeSet::from([(FREE + marker, "MARKER-late".to_owned())]);
    assert_eq!(hits(&run.quiet()), expected);
    crit_in(copy.0.path(), &["coredump", "."], b"").quiet();
    let core = fs::metadata(copy.path("core.9230")).unwrap();
    assert!(core.len() > length);
    assert!(core.blocks() * 512 < 64 << 20, "{} blocks", core.blocks());
}

#[test]
fn a_sparse_pages_image_gives_the_hits_that_the_same_bytes_give() {
    let length = 1u64 << 20;
    let data: [(u64, &[u8]); 3] = [(0x2000, b"\x01"), (0x80_000, b"AB"), (0xff_fff, b"Z")];
    let sparse = with_sparse_pages(length, &data);
    let dense = with_sparse_pages(length, &data);
    let path = dense.path("pages-3.img");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let areas = ["--region", "anon", "--json"];
    for pattern in [
        r"^\x00",
        r"^\x00+\x01",
        r"B\x00*$",
        r"\x00Z$",
        r"\x00{4096}",
        "AB",
        r"\x01\x00{9}",
        r"\A\x00+A",
    ] {
        let found = |copy: &Copy| {
            let run = copy.mem(&[&["-r", pattern], &areas[..]].concat());
            let hits = run.json();
            let hits: Vec<Value> = hits.as_array().unwrap().clone();
            hits.iter()
                .filter(|hit| hit["address"].as_u64().unwrap() >= FREE)
                .map(|hit| (hit["address"].clone(), hit["match"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&sparse), found(&dense), "{pattern}");
    }
    // What is contiguous begins and ends at the edges of the area, not where zeros are stepped over.
    let count = |pattern: &str| {
        let run = sparse.mem(&[&["-r", pattern], &areas[..]].concat());
        hits(&run).into_iter().filter(|(at, _)| *at >= FREE).count()
    };
    assert_eq!(count(r"^\x00+\x01"), 1);
    assert_eq!(count(r"\A\x00+A"), 0);
    assert_eq!(count(r"\x00Z$"), 1);
    assert_eq!(count(r"B\x00{5}$"), 0);
}
