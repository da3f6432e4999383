//! Bytes as the archive of a checkpoint, and as what is packed in one.
//!
//! The first byte says how the rest becomes an archive: checksums and packing are made here, since no
//! mutation would get past them.

#![no_main]

use std::io::Write as _;

use criu_images::Checkpoint;
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;

#[path = "shared.rs"]
mod shared;

fuzz_target!(|data: &[u8]| {
    let [form, rest @ ..] = data else { return };
    // Larger ones are only slower.
    let rest = rest.get(..256 << 10).unwrap_or(rest);
    let bytes = match form % 6 {
        0 => rest.to_vec(),
        1 => with_checksums(rest),
        2 => gzip(&with_checksums(rest)),
        3 => zstd(&with_checksums(rest), 1 << 10),
        4 => zstd(&with_checksums(rest), 100 << 10),
        // Two members of gzip, one after the other.
        _ => {
            let tar = with_checksums(rest);
            let (a, b) = tar.split_at(tar.len() / 2);
            [gzip(a), gzip(b)].concat()
        }
    };
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&bytes).expect("written");
    if let Ok(checkpoint) = Checkpoint::open(file.path()) {
        look(&checkpoint);
        shared::properties::questions(&checkpoint);
    }
});

fn look(checkpoint: &Checkpoint) {
    // What is wrong with the archive is told of when it is opened, and may be seen again below.
    let losses = checkpoint.losses().expect("an archive was read");
    let is_whole = checkpoint.warnings().is_empty() && losses.is_empty();
    let members = checkpoint
        .members()
        .expect("an archive lists what is in it");
    for member in members.iter().take(64) {
        let Some(name) = member.name.as_str() else {
            continue;
        };
        if let Ok(Some(mut content)) = checkpoint.read_member(name) {
            let read = std::io::copy(&mut content, &mut std::io::sink());
            // Of two members with one name the last counts, and that is a warning.
            if let Ok(read) = read
                && member.is_file()
                && is_whole
            {
                assert_eq!(
                    read, member.size,
                    "{name} has another size than it is said to have"
                );
            }
        }
    }
    if let Ok(names) = checkpoint.image_names() {
        for name in names.iter().take(64) {
            let size = checkpoint.size(name).expect("an archive was read");
            // A name that stands twice may be a file first and then something else.
            let Some(size) = size else {
                assert!(!is_whole, "{name} is listed and not there");
                continue;
            };
            let random = checkpoint.random_access(name);
            if let Ok(Some(random)) = random {
                assert!(
                    random.len() == size || !is_whole,
                    "{name} is shorter than it is said to be"
                );
                let mut end = [0; 64];
                let _ = random.read_at(&mut end, size.saturating_sub(40));
                let _ = random.read_at(&mut end, u64::MAX - 3);
            }
            let _ = checkpoint.image(name);
        }
    }
    let _ = checkpoint.list();
    let _ = checkpoint.container();
    let _ = checkpoint.parent();
}

/// The same with right checksums in its headers, as far as they follow each other.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0usize;
    while let Some(header) = tar.get_mut(at..at.saturating_add(512)) {
        if header.iter().all(|byte| *byte == 0) {
            at += 512;
            continue;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = header[124..136].iter().filter(|byte| byte.is_ascii_digit());
        let size = digits.fold(0u64, |size, digit| (size << 3) | u64::from(digit & 7));
        let blocks = size.div_ceil(512).min(1 << 20) as usize;
        at = at.saturating_add(512 + blocks * 512);
    }
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// A zstd frame of raw blocks.
fn zstd(bytes: &[u8], block: usize) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd];
    // A window of 128 KiB, no size, no checksum.
    out.extend([0, 7 << 3]);
    let blocks = bytes.chunks(block);
    let count = blocks.len();
    for (place, bytes) in blocks.enumerate() {
        let last = u32::from(place + 1 == count);
        let header = last | (bytes.len() as u32) << 3;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(bytes);
    }
    out
}
