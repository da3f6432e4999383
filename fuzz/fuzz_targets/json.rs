//! The JSON encoder's input: any text.

#![no_main]

#[path = "shared.rs"]
mod shared;

use std::sync::LazyLock;

use criu_images::Schema;
use libfuzzer_sys::fuzz_target;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::bundled().expect("the schema"));

fuzz_target!(|text: &[u8]| shared::properties::json(&SCHEMA, text));
