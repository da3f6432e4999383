//! Changes of an image, entry by entry: what is not changed keeps its bytes.

mod change;
mod path;
mod plausible;
mod reach;

use std::io::{Read, Write};

pub use change::{Action, Changed};
pub use path::Path;
pub use plausible::Implausible;
pub(crate) use plausible::longest_path;
pub(crate) use reach::{meaning, reach};

use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, ImageReader, ImageWriter};
use crate::json::entry_value;
use crate::limits::WARNINGS;
use crate::schema::Schema;
use change::{Walker, matches};
use path::Select;
use plausible::Plausible;

/// A change of what a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edit {
    /// Where.
    pub path: Path,
    /// What.
    pub action: Action,
}

impl Edit {
    /// A change.
    ///
    /// # Errors
    ///
    /// An entry as a whole can only be deleted.
    pub fn new(path: Path, action: Action) -> Result<Self> {
        if path.steps.is_empty() && action != Action::Delete {
            let what = format!("`{}` is an entry: which field of it?", path.as_str());
            return Err(Error::new(ErrorKind::Path(what)));
        }
        Ok(Edit { path, action })
    }

    /// Reads `PATH=VALUE`, `PATH+=VALUE` or `PATH-=VALUE`.
    ///
    /// # Errors
    ///
    /// It is none of these, or the path is malformed.
    pub fn parse(text: &str) -> Result<Self> {
        let sign = assignment(text).ok_or_else(|| {
            let error = Error::new(ErrorKind::Path(format!("`{text}` sets nothing")));
            error.with_hint("PATH=VALUE, PATH+=VALUE or PATH-=VALUE")
        })?;
        let (path, value) = text.split_at(sign);
        let value = value.get(1..).unwrap_or_default().to_owned();
        let (path, action) = if let Some(path) = path.strip_suffix('+') {
            (path, Action::Append(value))
        } else if let Some(path) = path.strip_suffix('-') {
            (path, Action::Remove(value))
        } else {
            (path, Action::Set(value))
        };
        Edit::new(Path::parse(path)?, action)
    }
}

/// Where the `=` stands that is not in brackets.
fn assignment(text: &str) -> Option<usize> {
    let mut depth = 0u32;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '=' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })
}

/// Changes an image on its way from a reader to a writer, entry by entry.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Schema, edit::{Edit, apply}};
///
/// let image = std::fs::File::open("tests/images/simple/core-100.img")?;
/// let mut out = Vec::new();
/// let edits = [Edit::parse("tc.comm=renamed")?];
/// let changed = apply(&Schema::bundled()?, image, &mut out, &edits)?;
/// assert_eq!(changed[0].path, "entries[0].tc.comm");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The image is malformed, an edit leads nowhere or does not fit its field, or writing fails: what
/// was written then is not an image.
pub fn apply(
    schema: &Schema,
    input: impl Read,
    output: impl Write,
    edits: &[Edit],
) -> Result<Vec<Changed>> {
    let mut reader = ImageReader::new(schema, input)?;
    let mut writer = ImageWriter::new(schema, reader.kind(), reader.head(), output)?;
    let mut changed = Vec::new();
    let mut reached = vec![0u64; edits.len()];
    let mut index = 0;
    let layout = reader.layout().clone();
    let plausible = Plausible::of(&layout)?;
    while let Some(mut entry) = reader.read_entry()? {
        let mut gone = false;
        let mut before = None;
        for (edit, reached) in edits.iter().zip(&mut reached) {
            if gone || !selects(&edit.path, &entry, index)? {
                continue;
            }
            let way = format!("entries[{index}]");
            if edit.path.steps.is_empty() {
                gone = true;
                *reached += 1;
                changed.push(Changed::new(
                    way,
                    entry_value(&entry)?,
                    serde_json::Value::Null,
                ));
                continue;
            }
            let ty = entry.ty.clone();
            let mut message = entry.message.clone();
            let mut walker = Walker::new(&ty.types);
            walker
                .apply(
                    ty.shape(),
                    &mut message,
                    &edit.path.steps,
                    &edit.action,
                    &way,
                )
                .map_err(|error| error.in_entry(index))?;
            *reached += walker.reached;
            if !walker.changed.is_empty() {
                before.get_or_insert_with(|| entry.message.clone());
                *entry.message_mut() = message;
                changed.append(&mut walker.changed);
            }
        }
        if let Some(before) = before.filter(|_| !gone)
            && let Some(plausible) = plausible.iter().find(|plausible| plausible.is_for(&entry))
        {
            let known = plausible.implausible(&before);
            let mut now = plausible.implausible(&entry.message).into_iter();
            if let Some(wrong) = now.find(|wrong| !known.contains(wrong)) {
                let error = Error::new(ErrorKind::Value(wrong.reason));
                return Err(error.in_field(&wrong.field).in_entry(index));
            }
        }
        if !gone {
            writer.write_entry(&entry)?;
        }
        index += 1;
    }
    for (edit, reached) in edits.iter().zip(reached) {
        check_reached(&edit.path, reached, index)?;
    }
    writer.finish()?;
    Ok(changed)
}

/// Returns the values of an image that cannot be right for their fields, each with the index of its entry.
///
/// # Errors
///
/// The image is malformed.
pub fn implausible(schema: &Schema, input: impl Read) -> Result<Vec<(u64, Implausible)>> {
    let mut reader = ImageReader::new(schema, input)?;
    let mut found = Vec::new();
    let mut index = 0;
    let layout = reader.layout().clone();
    let plausible = Plausible::of(&layout)?;
    while let Some(entry) = reader.read_entry()? {
        if let Some(plausible) = plausible.iter().find(|plausible| plausible.is_for(&entry)) {
            let wrong = plausible.implausible(&entry.message).into_iter();
            found.extend(wrong.take(WARNINGS).map(|wrong| (index, wrong)));
        }
        if found.len() >= WARNINGS {
            break;
        }
        index += 1;
    }
    Ok(found)
}

/// The values that a path leads to, as pretty JSON has them, each with its path.
///
/// # Errors
///
/// The image is malformed, or the path leads nowhere.
pub fn values(
    schema: &Schema,
    input: impl Read,
    path: &Path,
) -> Result<Vec<(String, serde_json::Value)>> {
    let mut reader = ImageReader::new(schema, input)?;
    let mut found = Vec::new();
    let mut index = 0;
    let mut reached = 0;
    while let Some(entry) = reader.read_entry()? {
        if selects(path, &entry, index)? {
            reached += 1;
            let way = format!("entries[{index}]");
            if path.steps.is_empty() {
                found.push((way, entry_value(&entry)?));
            } else {
                let walker = Walker::new(&entry.ty.types);
                let shape = entry.ty.shape();
                walker
                    .values(shape, &entry.message, &path.steps, &way, &mut found)
                    .map_err(|error| error.in_entry(index))?;
            }
        }
        index += 1;
    }
    check_reached(path, reached, index)?;
    Ok(found)
}

/// Whether a path is about this entry.
fn selects(path: &Path, entry: &Entry, index: u64) -> Result<bool> {
    match &path.entries {
        Select::All => Ok(true),
        Select::Only => Ok(index == 0),
        Select::At(place) => Ok(*place == index),
        Select::Where(steps, text) => {
            let ty = &entry.ty;
            // The head of a pagemap has other fields than the entries.
            let missing = steps
                .first()
                .is_some_and(|step| ty.shape().field_named(&step.name).is_none());
            if missing && index == 0 {
                return Ok(false);
            }
            matches(&ty.types, ty.shape(), &entry.message, steps, text)
        }
    }
}

/// A path that leads nowhere is a mistake.
fn check_reached(path: &Path, reached: u64, entries: u64) -> Result<()> {
    let text = path.as_str();
    if path.entries == Select::Only && entries > 1 {
        let what = format!("`{text}`: the image has {entries} entries");
        let error = Error::new(ErrorKind::Path(what));
        return Err(error.with_hint(format!("entries[0].{text}, or entries[FIELD=VALUE].{text}")));
    }
    if reached == 0 {
        let what = match path.entries {
            Select::At(place) if place >= entries => {
                format!("`{text}`: the image has {entries} entries, counted from 0")
            }
            _ => format!("`{text}` leads nowhere in this image"),
        };
        return Err(Error::new(ErrorKind::Path(what)));
    }
    Ok(())
}
