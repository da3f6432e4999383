//! Writes made-up images of every kind to a directory: those that the tests use, as far as
//! upstream's crit can read them, to hold its output against ours (tests/upstream/compare.py).
//!
//! Usage: `cargo run --example made-up-images -- DIR [SEEDS]`

// Shared with the tests, where unwrapping and cutting numbers is allowed.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../tests/it/support/random.rs"]
mod random;
#[path = "../tests/it/support/wire.rs"]
#[allow(dead_code)] // shared with the tests, which use all of it
mod wire;

use std::path::Path;

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: made-up-images DIR [SEEDS]");
        std::process::exit(2);
    };
    let seeds = args.next().and_then(|n| n.parse().ok()).unwrap_or(60);
    let facts = random::Facts::load();
    for kind in &facts.kinds {
        for seed in 0..seeds {
            let style = random::Style {
                upstream_reads: true,
            };
            let image = facts.image(kind, seed, style);
            let name = format!("{}-{seed}.img", kind.name.to_lowercase());
            if let Err(error) = std::fs::write(Path::new(&folder).join(name), image) {
                eprintln!("{folder}: {error}");
                std::process::exit(2);
            }
        }
    }
}
