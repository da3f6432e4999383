//! An archive of a checkpoint: any bytes.

#![no_main]

#[path = "shared.rs"]
mod shared;

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    shared::properties::archive(file.path());
});
