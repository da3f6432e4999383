//! An image reader's input: any bytes.

#![no_main]

#[path = "shared.rs"]
mod shared;

use std::sync::LazyLock;

use criu_images::Schema;
use libfuzzer_sys::fuzz_target;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::bundled().expect("the schema"));

fuzz_target!(|bytes: &[u8]| shared::properties::image(&SCHEMA, bytes));
