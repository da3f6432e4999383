//! Which message stands for which image kind, and who says so.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::descriptor::{ImageKind, ImageKinds};

/// Who says which message an image kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Origin {
    /// The checkout's `protobuf-desc.h` and `protobuf-desc.c`.
    CSources,
    /// The checkout's Python table, `images.py`.
    Pycriu,
    /// The built-in row.
    BuiltIn,
    /// A row that was laid over the built-in ones.
    Row,
    /// The caller, by [`crate::Schema::with_message`].
    Forced,
}

impl Origin {
    /// A word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Origin::CSources => "C sources",
            Origin::Pycriu => "pycriu",
            Origin::BuiltIn => "built-in",
            Origin::Row => "row",
            Origin::Forced => "forced",
        }
    }
}

/// Messages that an image kind may have, in the order in which they are tried: the first that the
/// schema has is taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    candidates: HashMap<String, Vec<(String, Origin)>>,
    /// Kinds that the schema's source defines by itself. The others are built-in rows, which count
    /// only as far as their message exists.
    own: HashSet<String>,
}

impl Mapping {
    /// What the rows themselves say.
    pub(super) fn of_rows(kinds: &ImageKinds) -> Self {
        let rows = kinds.iter().filter_map(|kind| {
            let entry = kind.entry.clone()?;
            Some((kind.name.clone(), vec![(entry, Origin::BuiltIn)]))
        });
        Mapping {
            candidates: rows.collect(),
            own: HashSet::new(),
        }
    }

    pub(super) fn set(&mut self, kind: &str, candidates: Vec<(String, Origin)>) {
        self.candidates.insert(kind.to_owned(), candidates);
        self.own.insert(kind.to_owned());
    }

    /// Whether the schema's source defines this kind, or the one that it is another name for.
    pub(super) fn is_own(&self, kind: &ImageKind) -> bool {
        self.own.contains(main_name(kind))
    }

    pub(super) fn candidates(&self, kind: &ImageKind) -> &[(String, Origin)] {
        let found = self.candidates.get(main_name(kind));
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

/// The name under which the message of a kind is kept.
fn main_name(kind: &ImageKind) -> &str {
    kind.alias_of.as_ref().unwrap_or(&kind.name)
}
