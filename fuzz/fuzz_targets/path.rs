//! The path language: a first byte for the image, then a path, and `=` with a value.

#![no_main]

#[path = "shared.rs"]
mod shared;

use std::sync::LazyLock;

use criu_images::Schema;
use libfuzzer_sys::fuzz_target;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::bundled().expect("the schema"));
static IMAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let names = ["simple/core-100.img", "sockets/files.img", "simple/mm-100.img", "simple/pagemap-100.img"];
    names.map(|name| std::fs::read(shared::fixture(name)).expect("a fixture")).into()
});

fuzz_target!(|input: &[u8]| {
    if let Some((which, text)) = input.split_first()
        && let Ok(text) = std::str::from_utf8(text)
    {
        let image = &IMAGES[usize::from(*which) % IMAGES.len()];
        shared::properties::path(&SCHEMA, image, text);
    }
});
