//! Explorers, check, memory and replace over a real dump that is damaged as the input says.

#![no_main]

#[path = "shared.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    shared::with_damaged(input, |checkpoint| {
        shared::properties::questions(checkpoint);
        shared::properties::replacements(checkpoint);
    });
});
