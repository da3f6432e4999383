//! What differs between two images, and between two checkpoints.
//!
//! Entries are told apart by what identifies them (a pid, an id, an address), not by their places: an
//! entry more at the beginning is one difference, not as many as there are entries.

mod checkpoint;
mod image;
mod value;
mod views;

use serde::Serialize;
use serde_json::Value;

pub use checkpoint::{Compared, checkpoints};
pub use image::images;
pub use views::{Row, Status, View, ViewOptions, views};

/// A difference between two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The entry in the first image, from 0; `None` when only the second has it, or it is about all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_a: Option<u64>,
    /// The entry in the second image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_b: Option<u64>,
    /// What identifies the entry, such as `id=5`; empty when nothing but its place does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The path of the field that differs, as `crit get` takes it behind the entry; empty for a whole entry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The value in the first, as pretty JSON has it; null when it has none.
    pub before: Value,
    /// The value in the second.
    pub after: Value,
    /// The first value for people, if it has permissions: those as octal text.
    #[serde(skip)]
    pub before_shown: Option<Value>,
    /// The second, likewise.
    #[serde(skip)]
    pub after_shown: Option<Value>,
}
