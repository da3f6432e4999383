//! Paths into images: `entries[0].tc.comm`, `entries[id=5].reg.name`, `entries[*].isk.src_addr`.

use crate::error::{Error, ErrorKind, Result};

/// A path into an image: which entries, and where in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    pub(super) entries: Select,
    pub(super) steps: Vec<Step>,
}

/// A field, and which elements of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) select: Option<Select>,
}

/// Which elements of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Select {
    /// The only one there is: what a path without `entries` means.
    Only,
    /// All.
    All,
    /// The one at this place, counted from 0.
    At(u64),
    /// Those whose field at this path has this value, in any form that JSON may have it.
    Where(Vec<Step>, String),
}

impl Path {
    /// Reads a path.
    ///
    /// `entries[...]` in front says which entries; without it, the image must have one. In brackets
    /// stands the place of an element from 0 on, `*` for all, or `FIELD=VALUE` for those with this value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Path`].
    pub fn parse(text: &str) -> Result<Self> {
        let mut steps = steps(text).ok_or_else(|| malformed(text))?;
        let entries = match steps.first() {
            Some(step) if step.name == "entries" => {
                let first = steps.remove(0);
                first.select.ok_or_else(|| {
                    let what = format!("`{text}`: which entries?");
                    let error = Error::new(ErrorKind::Path(what));
                    error.with_hint("entries[0], entries[*], entries[id=5]")
                })?
            }
            _ => Select::Only,
        };
        Ok(Path {
            text: text.to_owned(),
            entries,
            steps,
        })
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can lead to several values.
    #[must_use]
    pub fn is_plural(&self) -> bool {
        let plural = |select: &Select| matches!(select, Select::All | Select::Where(..));
        let steps = self.steps.iter().filter_map(|step| step.select.as_ref());
        plural(&self.entries) || steps.into_iter().any(plural)
    }
}

fn malformed(text: &str) -> Error {
    let what =
        format!("`{text}` is not a path such as `entries[0].tc.comm` or `entries[id=5].reg.name`");
    Error::new(ErrorKind::Path(what))
}

/// The steps between dots that stand outside of brackets.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.contains(|c: char| c == ']' || c == '=' || c.is_whitespace()) {
            return None;
        }
        let (select, after) = match after.strip_prefix('[') {
            Some(inside) => {
                let (inside, after) = inside.split_at(closing(inside)?);
                (Some(select(inside)?), after.strip_prefix(']')?)
            }
            None => (None, after),
        };
        steps.push(Step {
            name: name.to_owned(),
            select,
        });
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(steps),
            None => return None,
        }
    }
}

/// Where the bracket is that closes this text: values may have pairs of brackets in them.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn select(text: &str) -> Option<Select> {
    if text == "*" {
        return Some(Select::All);
    }
    if let Ok(place) = text.parse() {
        return Some(Select::At(place));
    }
    let (path, value) = text.split_once('=')?;
    Some(Select::Where(steps(path)?, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_which_entries_and_which_field() {
        let path = Path::parse("entries[reg.name=/a[1].b].isk.src_addr[0]").unwrap();
        let name = |name: &str, select| Step {
            name: name.to_owned(),
            select,
        };
        let field = vec![name("reg", None), name("name", None)];
        assert_eq!(path.entries, Select::Where(field, "/a[1].b".to_owned()));
        let steps = [name("isk", None), name("src_addr", Some(Select::At(0)))];
        assert_eq!(path.steps, steps);
        assert!(path.is_plural());
        let path = Path::parse("tc.comm").unwrap();
        assert_eq!(path.entries, Select::Only);
        assert!(!path.is_plural());
        assert!(Path::parse("entries[*]").unwrap().steps.is_empty());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[1]b",
            "entries",
            "entries.a",
            "a b",
            "a]",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
