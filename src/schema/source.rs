//! Where .proto files come from.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;

use crate::error::Result;

/// A set of .proto files under the names that `import` uses.
pub(super) trait Source: fmt::Debug + Send + Sync {
    /// What it is, for messages to people.
    fn describe(&self) -> String;

    /// The names of all files.
    fn names(&self) -> Result<Vec<String>>;

    /// A file; `None` when there is none of this name.
    fn file(&self, name: &str) -> Result<Option<SourceFile<'_>>>;
}

/// A file of a [`Source`].
pub(super) enum SourceFile<'a> {
    /// .proto text.
    Text(Cow<'a, str>),
    /// A `FileDescriptorProto` that was compiled elsewhere, encoded.
    Compiled(&'a [u8]),
}

impl SourceFile<'_> {
    /// Whether the file may declare this message (its last name component).
    ///
    /// A search, not a parse: 76 files are looked through in the time that parsing one of them
    /// takes, and a .proto with a mistake hurts no one who doesn't need it. It may say yes wrongly
    /// (in a comment, or for a message inside another), but not no.
    pub(super) fn mentions(&self, message: &str) -> bool {
        match self {
            SourceFile::Text(text) => mentions(text, message),
            SourceFile::Compiled(bytes) => memmem::find(bytes, message.as_bytes()).is_some(),
        }
    }

    /// Whether this name stands anywhere in a text, be it in a comment.
    pub(super) fn has_word(&self, name: &str) -> bool {
        let part_of_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        match self {
            SourceFile::Text(text) => memmem::find_iter(text.as_bytes(), name).any(|at| {
                let text = text.as_bytes();
                let before = at.checked_sub(1).and_then(|i| text.get(i));
                let after = text.get(at + name.len());
                !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
            }),
            SourceFile::Compiled(_) => true,
        }
    }

    /// The messages that a text seems to declare, each at the beginning of a line.
    pub(super) fn declared(&self) -> Vec<&str> {
        let SourceFile::Text(text) = self else {
            return Vec::new();
        };
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("message "))
            .filter_map(|rest| rest.split([' ', '{', '\t']).next())
            .collect()
    }
}

/// The files in the order in which a message (its last name component) is looked for: those first
/// that are named like it, as CRIU's nearly all are.
pub(super) fn likely_first(mut names: Vec<String>, message: &str) -> Vec<String> {
    let stem = message.strip_suffix("_entry").unwrap_or(message);
    let likely = format!("{}.proto", stem.replace('_', "-"));
    names.sort_by_key(|name| !name.ends_with(&likely));
    names
}

/// Whether a .proto text has `message NAME`, with any white space between the two.
fn mentions(text: &str, message: &str) -> bool {
    memmem::find_iter(text.as_bytes(), message).any(|at| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + message.len()..).unwrap_or_default();
        let gap = before.trim_end();
        gap.len() < before.len()
            && gap.ends_with("message")
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_told_from_a_mention() {
        assert!(mentions("syntax = \"proto2\";\nmessage a_b {", "a_b"));
        assert!(mentions("  message\ta_b{}", "a_b"));
        assert!(mentions("message x {} message\n  a_b\n{}", "a_b"));
        assert!(!mentions("message a_bc {", "a_b"));
        assert!(!mentions("message x { optional a_b y = 1; }", "a_b"));
    }

    #[test]
    fn the_file_named_like_a_message_is_looked_at_first() {
        let names = ["core.proto", "images/reg-file.proto", "vma.proto"].map(str::to_owned);
        let sorted = likely_first(names.to_vec(), "reg_file_entry");
        assert_eq!(sorted, ["images/reg-file.proto", "core.proto", "vma.proto"]);
    }
}
