//! Image kinds: one row of `descriptors/images.json` each.
//!
//! The magics are those of CRIU's `criu/include/magic.h`, the file names those of
//! `criu/image-desc.c`, the payloads as the dump code of each kind writes them.

use std::sync::Arc;

use once_cell::sync::OnceCell;
use serde::{Deserialize, Deserializer};

use super::pattern;
use crate::error::{Error, ErrorKind, Result};

/// What stands before an image's own magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Family {
    /// `IMG_COMMON`: what a dump consists of.
    Common,
    /// `IMG_SERVICE`: what CRIU writes for itself and its users (statistics, caches).
    Service,
    /// Nothing: `inventory.img`, and every image written before CRIU 1.6.
    None,
    /// The file has no magic at all, and no messages.
    Raw,
}

impl Family {
    /// The word in front of the image's own magic, when there is one.
    #[must_use]
    pub fn first_word(self) -> Option<u32> {
        match self {
            Family::Common => Some(0x5456_4319),
            Family::Service => Some(0x5510_5940),
            Family::None | Family::Raw => None,
        }
    }
}

/// A row of the table: how one kind of image looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImageKind {
    /// CRIU's name for the magic, without `_MAGIC`, such as `PSTREE`.
    pub name: String,
    /// The magic word; absent for raw images.
    #[serde(default, deserialize_with = "hex_word")]
    pub magic: Option<u32>,
    /// The kind that this is another name for: both share a magic, and `decode` prints that one.
    #[serde(default)]
    pub alias_of: Option<String>,
    /// What stands before the magic.
    pub family: Family,
    /// The names of its files, with CRIU's own `%u`, `%lu`, `%d`, `%ld`, `%x` and `%s`.
    pub files: Vec<String>,
    /// The message of every entry (after the head).
    #[serde(default)]
    pub entry: Option<String>,
    /// The message of the first entry, where it differs from the others.
    #[serde(default)]
    pub head: Option<String>,
    /// What follows each message as raw bytes.
    #[serde(default)]
    pub payload: Option<PayloadKind>,
    /// CRIU reads one entry of it, and no more.
    #[serde(default)]
    pub single: bool,
    /// One line for people.
    #[serde(default)]
    pub about: String,
    /// There is no row for this magic: that its images are plain entries is an assumption.
    #[serde(skip)]
    pub assumed: bool,
}

/// What follows a message as raw bytes, and which fields of the message say how much of it.
///
/// Upstream's word for it, and the key in JSON, is `extra`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PayloadKind {
    /// As many bytes as the fields in `size` add up to.
    Bytes {
        /// Fields that are added up, in bytes.
        size: Vec<String>,
        /// Zeros follow up to a multiple of this many bytes.
        #[serde(default)]
        pad: u32,
        /// A bool field: when it is true there is no payload, and no `extra` either.
        #[serde(default)]
        absent_if: Option<String>,
    },
    /// Several byte strings, one after the other.
    Queues {
        /// Each with its key in JSON and the field that gives its size.
        queues: Vec<Queue>,
    },
    /// 16-bit little-endian numbers.
    Words {
        /// The field that says how many.
        count: String,
        /// Zeros follow up to a multiple of this many bytes.
        pad: u32,
    },
    /// Messages with a size word in front of each, and bytes behind each.
    Messages {
        /// The field that says how many.
        count: String,
        /// The message.
        message: String,
        /// The field of that message that says how many bytes follow it.
        size: String,
        /// Zeros follow those bytes up to a multiple of this many.
        pad: u32,
    },
    /// The content of a file: everything up to the end of the image, or, when the field
    /// `chunked_if` is true, entries of another message with sized bytes behind each.
    Content {
        /// A bool field of the first entry.
        chunked_if: String,
        /// The message of all further entries.
        chunk: String,
        /// Fields of that message, added up: the bytes that follow it.
        size: Vec<String>,
    },
    /// No messages: a 64-bit address and 4096 bytes, again and again (CRIU 0.1 to 0.4).
    PageRecords,
}

/// One of the byte strings of [`PayloadKind::Queues`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Queue {
    /// The key in JSON.
    pub name: String,
    /// The field that gives its size in bytes.
    pub size: String,
}

fn hex_word<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(input)?;
    text.strip_prefix("0x")
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .map(Some)
        .ok_or_else(|| {
            serde::de::Error::custom(format!("magic `{text}` is not a 32-bit 0x number"))
        })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    images: Vec<serde_json::Value>,
}

impl ImageKind {
    /// Whether a file of this name is of this kind: `core-17.img` is of the kind `core-%u.img`.
    #[must_use]
    pub fn matches_file(&self, file_name: &str) -> bool {
        self.files.iter().any(|p| pattern::matches(p, file_name))
    }

    /// A kind of which only the magic is known: plain entries, as most images are.
    #[must_use]
    pub fn plain(name: &str, magic: u32) -> Self {
        ImageKind {
            name: name.to_owned(),
            magic: Some(magic),
            alias_of: None,
            family: Family::Common,
            files: Vec::new(),
            entry: None,
            head: None,
            payload: None,
            single: false,
            about: String::new(),
            assumed: true,
        }
    }

    fn parse(row: serde_json::Value) -> Result<Self> {
        let name = row.get("name").and_then(|n| n.as_str()).unwrap_or("?");
        let bad = |what: String| Error::new(ErrorKind::Descriptor(format!("row `{name}`: {what}")));
        let kind: ImageKind = ImageKind::deserialize(&row).map_err(|e| bad(e.to_string()))?;
        // Names are printed as they are.
        if !is_identifier(&kind.name) {
            return Err(bad("its name is no identifier".into()));
        }
        let raw = kind.family == Family::Raw;
        let records = kind.payload == Some(PayloadKind::PageRecords);
        if raw != kind.magic.is_none() {
            return Err(bad("a raw image has no magic, every other one has".into()));
        }
        if kind.entry.is_some() == (raw || records) {
            return Err(bad("it needs an entry message, unless it is raw".into()));
        }
        Ok(kind)
    }
}

/// Whether a name is one of letters, digits and underscores, as those of C and protobuf are.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    !name.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// All image kinds that are known.
#[derive(Debug, Clone)]
pub struct ImageKinds {
    rows: Vec<Arc<ImageKind>>,
}

impl ImageKinds {
    /// The kinds of CRIU 4.2, which are built in.
    ///
    /// # Errors
    ///
    /// None with the table as it is; a mistake in it is named with its row.
    pub fn bundled() -> Result<&'static ImageKinds> {
        static KINDS: OnceCell<ImageKinds> = OnceCell::new();
        KINDS.get_or_try_init(|| ImageKinds::parse(include_str!("../../descriptors/images.json")))
    }

    /// Reads a table of the form of `descriptors/images.json`.
    ///
    /// # Errors
    ///
    /// The table is not JSON, or a row is wrong: it is named.
    pub fn parse(text: &str) -> Result<Self> {
        let mut kinds = ImageKinds { rows: Vec::new() };
        for kind in ImageKinds::rows(text)? {
            kinds.add(kind)?;
        }
        Ok(kinds)
    }

    /// The rows of a table, each checked by itself.
    pub(crate) fn rows(text: &str) -> Result<Vec<ImageKind>> {
        let table: Table = serde_json::from_str(text)
            .map_err(|e| Error::new(ErrorKind::Descriptor(e.to_string())))?;
        table.images.into_iter().map(ImageKind::parse).collect()
    }

    /// Adds a row that must not contradict the others.
    fn add(&mut self, kind: ImageKind) -> Result<()> {
        let bad = |what: String| {
            Err(Error::new(ErrorKind::Descriptor(format!(
                "row `{}`: {what}",
                kind.name
            ))))
        };
        if self.by_name(&kind.name).is_some() {
            return bad("the name stands twice".into());
        }
        let same = kind.magic.and_then(|magic| self.by_magic(magic));
        match (&kind.alias_of, same) {
            (None, Some(other)) => bad(format!(
                "the magic is that of `{}`: say so with alias_of",
                other.name
            )),
            (Some(alias), other) if other.map(|o| &o.name) != Some(alias) => bad(format!(
                "alias_of `{alias}`, but that row is not above with the same magic"
            )),
            _ => {
                self.rows.push(Arc::new(kind));
                Ok(())
            }
        }
    }

    /// Lays a row over those that are there: the one of its magic, and the one of its name, go.
    /// What was an alias of a row that goes becomes one of this row.
    pub(crate) fn lay_over(&mut self, kind: Arc<ImageKind>) {
        let replaced = |row: &ImageKind| {
            row.name == kind.name
                || (kind.magic.is_some() && row.alias_of.is_none() && row.magic == kind.magic)
        };
        let gone: Vec<String> = self
            .rows
            .iter()
            .filter(|row| replaced(row))
            .map(|row| row.name.clone())
            .collect();
        let place = self.rows.iter().position(|row| replaced(row));
        self.rows.retain(|row| !replaced(row));
        for row in &mut self.rows {
            if row
                .alias_of
                .as_ref()
                .is_some_and(|alias| gone.contains(alias))
            {
                let row = Arc::make_mut(row);
                row.alias_of = Some(kind.name.clone());
            }
        }
        // The old name still leads here, for JSON that was made by it.
        for name in gone.iter().filter(|name| **name != kind.name) {
            self.rows.push(Arc::new(ImageKind {
                name: name.clone(),
                alias_of: Some(kind.name.clone()),
                files: Vec::new(),
                ..(*kind).clone()
            }));
        }
        // In the place of the one that went; aliases may stand before it now, which is no harm.
        let place = place.unwrap_or(self.rows.len()).min(self.rows.len());
        self.rows.insert(place, kind);
    }

    /// All rows, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ImageKind>> {
        self.rows.iter()
    }

    /// The kind of this name, such as `PSTREE`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<ImageKind>> {
        self.rows.iter().find(|kind| kind.name == name)
    }

    /// The kind with this magic word; of several, the one that others are aliases of.
    #[must_use]
    pub fn by_magic(&self, magic: u32) -> Option<&Arc<ImageKind>> {
        self.rows
            .iter()
            .find(|kind| kind.magic == Some(magic) && kind.alias_of.is_none())
    }

    /// The kind whose file name pattern fits, such as `core-%u.img` for `core-17.img`.
    #[must_use]
    pub fn by_file_name(&self, file_name: &str) -> Option<&Arc<ImageKind>> {
        self.rows.iter().find(|kind| kind.matches_file(file_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(row: &str) -> String {
        ImageKinds::parse(&format!("{{\"images\": [{row}]}}"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_bundled_table_parses_and_finds_kinds_by_name_magic_and_file() {
        let kinds = ImageKinds::bundled().unwrap();
        let pagemap = kinds.by_magic(0x5608_4025).unwrap();
        assert_eq!(pagemap.name, "PAGEMAP");
        let file = |name: &str| kinds.by_file_name(name).map(|k| k.name.as_str());
        assert_eq!(file("core-17.img"), Some("CORE"));
        assert_eq!(file("pagemap-shmem-12.img"), Some("SHMEM_PAGEMAP"));
        assert_eq!(file("tcp-stream-1aF.img"), Some("TCP_STREAM"));
        assert_eq!(file("stats-dump"), Some("STATS"));
        assert_eq!(file("pages-1.img"), Some("PAGES"));
        assert_eq!(file("core-x.img"), None);
    }

    #[test]
    fn a_bad_row_is_named_in_the_error() {
        let row =
            r#"{"name": "NEW", "magic": "12", "family": "common", "files": [], "entry": "x"}"#;
        assert_eq!(
            parse(row),
            "descriptor table: row `NEW`: magic `12` is not a 32-bit 0x number"
        );
        let row = r#"{"name": "NEW", "magic": "0x1", "family": "common", "files": []}"#;
        assert!(parse(row).contains("row `NEW`: it needs an entry message"));
        let row = r#"{"name": "NEW", "magic": "0x1", "family": "common", "files": [], "entry": "x",
            "payload": {"kind": "bites"}}"#;
        assert!(parse(row).contains("row `NEW`: unknown variant `bites`"));
    }

    #[test]
    fn two_rows_with_one_magic_must_say_which_is_the_alias() {
        let row = r#"{"name": "A", "magic": "0x1", "family": "common", "files": [], "entry": "x"},
            {"name": "B", "magic": "0x1", "family": "common", "files": [], "entry": "x"}"#;
        assert!(parse(row).contains("row `B`: the magic is that of `A`"));
    }
}
