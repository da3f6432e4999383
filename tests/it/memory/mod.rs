//! `crit mem` and `Memory`: what is in the memory of a real dump, in a chain of pre-dumps, and in damaged ones.
//!
//! The dumps are of `tests/images/pattern/pattern.c`; what it has where stands in `FACTS.md` beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use criu_images::memory::{Pattern, Selection};
use criu_images::{Checkpoint, Image, Schema};
use serde_json::{Value, json};

use super::support::{Run, copy_of, crit, crit_in, edit_image, fresh_dir, image, images};

mod bounds;
mod damage;
mod read;
mod search;

const PID: u32 = 9230;
const PAGE: u64 = 4096;

/// A page as the program filled it: each word is its address under a mask.
fn filled(base: u64) -> Vec<u8> {
    (0..PAGE / 8)
        .flat_map(|i| ((base + 8 * i) ^ 0x5a5a_5a5a_5a5a_5a5a).to_le_bytes())
        .collect()
}

/// The address of each page that the program filled and that is in the dump, and the base of its words.
fn pages() -> Vec<(u64, u64)> {
    let own = [
        0x1de7_1000,
        0x1de7_2000,
        0x1de7_3000,
        0x1_0000_0000,
        0x1_0000_1000,
        0x1_0000_3000,
        0x1_0000_4000,
        0x1_0000_6000,
        0x2_0000_0000,
        0x2_0000_1000,
        0x2_0000_2000,
        0x2_0000_3000,
        0x3_0000_0000,
        0x3_0000_2000,
        0x8_0000_0000,
    ];
    let mut pages: Vec<(u64, u64)> = own.iter().map(|address| (*address, *address)).collect();
    pages.extend([
        (0x4_0000_0000, 0x10_0000_0000),
        (0x4_0000_2000, 0x10_0000_2000),
        (0x5_0000_0000, 0x20_0000_0000),
        (0x5_0000_1000, 0x20_0000_1000),
        (0x6_0000_0000, 0x30_0000_0000),
        (0x6_0000_1000, 0x30_0000_1000),
        (0x7_0000_1000, 0x50_0000_1000),
    ]);
    pages
}

/// Where the markers are, and their names.
const MARKERS: [(u64, &str); 8] = [
    (0x1de7_1ffa, "MARKER-heap"),
    (0x1_0000_3100, "MARKER-private"),
    (0x2_0000_1ff8, "MARKER-neighbour"),
    (0x4_0000_2200, "MARKER-shanon"),
    (0x5_0000_0ff9, "MARKER-memfd"),
    (0x6_0000_1300, "MARKER-sysv"),
    (0x7_0000_1500, "MARKER-cow"),
    (0x8_0000_0600, "MARKER-none"),
];

/// Parts of markers that begin on one side of a gap and end on the other.
const TORN: [(u64, &str); 4] = [
    (0x1_0000_4ffb, "MARKE"),
    (0x1_0000_6000, "R-hole"),
    (0x3_0000_0ffb, "MARKE"),
    (0x3_0000_2000, "R-gap"),
];

/// The bytes of a page with the markers that lie over it.
fn expected(address: u64, base: u64) -> Vec<u8> {
    let mut page = filled(base);
    for (at, text) in MARKERS.iter().chain(&TORN) {
        for (byte, place) in text.bytes().zip(*at..) {
            if (address..address + PAGE).contains(&place) {
                page[usize::try_from(place - address).unwrap()] = byte;
            }
        }
    }
    page
}

/// A copy of the dump that may be damaged.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(dump: &str) -> Self {
        Copy(copy_of(dump))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Changes an image through its JSON.
    fn edit(self, name: &str, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        edit_image(self.0.path(), name, change);
        self
    }

    fn mem(&self, args: &[&str]) -> Run {
        let mut all = vec!["mem", "."];
        all.extend(args);
        crit_in(self.0.path(), &all, b"")
    }
}

fn pattern(change: impl FnOnce(&mut Vec<Value>)) -> Copy {
    Copy::of("pattern").edit("pagemap-9230.img", change)
}

fn hits(run: &Run) -> BTreeSet<(u64, String)> {
    let found = run.json();
    let hits = found.as_array().unwrap().iter();
    hits.map(|hit| {
        let text = hit["match"].as_str().unwrap().to_owned();
        (hit["address"].as_u64().unwrap(), text)
    })
    .collect()
}

/// What is said when memory is searched, and the exit code.
fn complaint(copy: &Copy) -> (i32, String) {
    let run = copy.mem(&["-s", "no such text"]);
    (run.code, run.stderr)
}
