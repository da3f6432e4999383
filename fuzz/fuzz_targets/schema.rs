//! Sources of a schema: the first byte says of which kind, the rest is its text.

#![no_main]

#[path = "shared.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some((which, text)) = input.split_first() {
        let folder = tempfile::tempdir().expect("a folder");
        shared::properties::schema_sources(*which, text, folder.path());
    }
});
