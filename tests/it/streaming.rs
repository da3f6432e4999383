//! Memory is bounded by the largest entry, not by the file, and content is streamed.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::wire::{self, Message};
use super::support::{fresh_dir, limited};

/// Decodes `in.img` and encodes the output, through a pipe: the result is the same file.
fn through_a_pipe(dir: &Path, decode: &str) {
    let mut decode = limited(decode, dir, Stdio::null(), Stdio::piped());
    let json = decode.stdout.take().unwrap();
    let mut encode = limited("encode -o out.img", dir, json.into(), Stdio::null());
    assert!(decode.wait().unwrap().success());
    assert!(encode.wait().unwrap().success());
    let same = Command::new("cmp")
        .args(["in.img", "out.img"])
        .current_dir(dir)
        .status();
    assert!(same.unwrap().success());
}

fn ghost_file_entry() -> Message {
    let message = Message::new()
        .varint(1, 0)
        .varint(2, 0)
        .varint(3, 0o100_644);
    message.varint(4, 1).varint(5, 2)
}

#[test]
fn a_ghost_file_of_a_hundred_megabytes_goes_both_ways_in_little_memory() {
    let dir = fresh_dir();
    let mut file = BufWriter::new(File::create(dir.path().join("in.img")).unwrap());
    let mut head = wire::image(wire::GHOST_FILE);
    wire::entry(&mut head, &ghost_file_entry(), &[]);
    file.write_all(&head).unwrap();
    let block: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 255) as u8).collect();
    for _ in 0..100 {
        file.write_all(&block).unwrap();
    }
    file.flush().unwrap();
    through_a_pipe(dir.path(), "decode -i in.img");
    through_a_pipe(dir.path(), "decode --pretty -i in.img");
}

#[test]
fn a_chunk_of_a_ghost_file_is_streamed_as_well() {
    let dir = fresh_dir();
    let mut file = File::create(dir.path().join("in.img")).unwrap();
    let mut head = wire::image(wire::GHOST_FILE);
    wire::entry(&mut head, &ghost_file_entry().varint(8, 1), &[]);
    let length = 80u64 << 20;
    wire::entry(
        &mut head,
        &Message::new().varint(1, length).varint(2, 0),
        &[],
    );
    file.write_all(&head).unwrap();
    // A hole: read as zeros.
    file.set_len(head.len() as u64 + length).unwrap();
    file.seek(std::io::SeekFrom::End(0)).unwrap();
    let mut tail = Vec::new();
    wire::entry(
        &mut tail,
        &Message::new().varint(1, 3).varint(2, length),
        b"end",
    );
    file.write_all(&tail).unwrap();
    through_a_pipe(dir.path(), "decode -i in.img");
}

#[test]
fn a_pagemap_of_a_million_entries_goes_both_ways_in_little_memory() {
    let dir = fresh_dir();
    let mut bytes = wire::image(wire::PAGEMAP);
    wire::entry(&mut bytes, &Message::new().varint(1, 1), &[]);
    for page in 0..1_000_000u64 {
        let message = Message::new().varint(1, page << 13).varint(2, 1);
        wire::entry(&mut bytes, &message.varint(4, 4), &[]);
    }
    std::fs::write(dir.path().join("in.img"), bytes).unwrap();
    through_a_pipe(dir.path(), "decode -i in.img");
}

#[test]
fn entries_before_the_magic_don_t_have_to_fit_into_memory() {
    let dir = fresh_dir();
    let mut json = String::from("{\"entries\": [{\"pages_id\": 1}");
    for page in 0..1_000_000u64 {
        json.push_str(&format!(
            ", {{\"compat_nr_pages\": 1, \"vaddr\": {}}}",
            page << 13
        ));
    }
    json.push_str("], \"magic\": \"PAGEMAP\"}");
    std::fs::write(dir.path().join("in.json"), json).unwrap();
    let mut encode = limited(
        "encode -i in.json -o out.img",
        dir.path(),
        Stdio::null(),
        Stdio::null(),
    );
    assert!(encode.wait().unwrap().success());
    let info = super::support::crit_in(dir.path(), &["info", "out.img"], b"").quiet();
    assert_eq!(info.json()["count"], 1_000_000);
}

#[test]
fn entries_do_not_leak_into_each_other() {
    // Entries of many types, in an order in which each field is set, gone, and set again.
    for name in [
        "full-ns/files.img",
        "full-ns/mountpoints-14.img",
        "tree/pstree.img",
        "v12-ipc-ns/netdev-7.img",
    ] {
        let mut json: serde_json::Value =
            serde_json::from_str(&super::support::plain(&super::support::image(name))).unwrap();
        let entries = json["entries"].as_array_mut().unwrap();
        let mut mixed: Vec<serde_json::Value> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            mixed.push(entry.clone());
            mixed.push(entries[(place * 7 + 3) % entries.len()].clone());
        }
        mixed[1]["@unknown"] = serde_json::json!([{"number": 99, "wire": "varint", "value": 5}]);
        *entries = mixed;
        let options = criu_images::EncodeOptions::default();
        let image = super::support::encoded(&json.to_string(), &options).unwrap();
        let again: serde_json::Value =
            serde_json::from_str(&super::support::plain(&image)).unwrap();
        assert_eq!(again, json, "{name}");
    }
}
