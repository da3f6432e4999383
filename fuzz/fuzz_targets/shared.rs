//! What the tests have as well: the properties, and checkpoints damaged as bytes say.

#![allow(dead_code)] // each target uses a part

#[path = "../../tests/it/support/damage.rs"]
pub mod damage;
#[path = "../../tests/it/support/properties.rs"]
pub mod properties;

use std::cell::RefCell;
use std::path::PathBuf;

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/images")
        .join(name)
}

thread_local! {
    static DAMAGED: RefCell<Vec<damage::Damaged>> = const { RefCell::new(Vec::new()) };
}

/// A real dump, damaged as the input says; its first byte says which.
pub fn with_damaged(input: &[u8], test: impl Fn(&criu_images::Checkpoint)) {
    let Some((which, recipe)) = input.split_first() else {
        return;
    };
    DAMAGED.with_borrow_mut(|dumps| {
        if dumps.is_empty() {
            dumps.extend(damage::DUMPS.map(|name| damage::Damaged::copy_of(&fixture(name))));
        }
        let dump = &mut dumps[usize::from(*which) % damage::DUMPS.len()];
        dump.damage(recipe);
        if let Ok(checkpoint) = criu_images::Checkpoint::open(dump.path()) {
            test(&checkpoint);
        }
    });
}
