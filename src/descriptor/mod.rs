//! Image kinds and name tables: data, not code.
//!
//! A new image kind is a row in `descriptors/images.json`; a new flag name is a line in
//! `descriptors/names.json`. Both are embedded and parsed once; a row is held against the schema
//! when its kind is first used, and all of them by [`crate::Schema::check`].

mod images;
mod meanings;
mod names;
mod pattern;

pub(crate) use images::is_identifier;
pub use images::{Family, ImageKind, ImageKinds, PayloadKind, Queue};
pub use meanings::{FieldMeanings, Meaning};
pub use names::{Dictionary, FlagTable, Names};
