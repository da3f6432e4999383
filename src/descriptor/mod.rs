//! Image kinds and name tables: data, not code.
//!
//! A new image kind is a row in `descriptors/images.json`; a new flag name is a line in
//! `descriptors/names.json`. Both are embedded, parsed once, and more rows can be laid over them.

mod images;
mod names;
mod pattern;

pub use images::{Family, ImageKind, ImageKinds, PayloadKind, Queue};
pub use names::{Dictionary, FlagTable, Names};
