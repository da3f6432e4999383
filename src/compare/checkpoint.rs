//! Two checkpoints, image by image.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};

use serde::Serialize;

use super::{Difference, images};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageReader;

/// A file that two checkpoints don't have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compared {
    /// Only the first has it.
    Removed {
        /// Its name beside the other images.
        file: String,
    },
    /// Only the second has it.
    Added {
        /// Its name beside the other images.
        file: String,
    },
    /// Entries differ.
    Entries {
        /// Its name beside the other images.
        file: String,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// Bytes of a file without messages differ.
    Bytes {
        /// Its name beside the other images.
        file: String,
        /// The first byte that differs.
        at: u64,
        /// The length of the first, in bytes.
        before: u64,
        /// The length of the second, in bytes.
        after: u64,
    },
    /// One of them can't be read.
    Unreadable {
        /// Its name beside the other images.
        file: String,
        /// Why.
        error: String,
    },
}

/// Compares all images of two checkpoints, one after the other.
///
/// # Errors
///
/// A directory can't be listed, or `each` failed. An image that can't be read is told of.
pub fn checkpoints(
    a: &Checkpoint,
    b: &Checkpoint,
    each: &mut dyn FnMut(Compared) -> Result<()>,
) -> Result<()> {
    let names = |checkpoint: &Checkpoint| -> Result<BTreeSet<String>> {
        Ok(checkpoint.image_names()?.into_iter().collect())
    };
    let (names_a, names_b) = (names(a)?, names(b)?);
    for file in names_a.union(&names_b) {
        let file = file.clone();
        let compared = match (names_a.contains(&file), names_b.contains(&file)) {
            (true, false) => Some(Compared::Removed { file }),
            (false, true) => Some(Compared::Added { file }),
            _ => match file_of_both(a, b, &file) {
                Ok(compared) => compared,
                Err(error) => Some(Compared::Unreadable {
                    file,
                    error: error.to_string(),
                }),
            },
        };
        compared.map_or(Ok(()), &mut *each)?;
    }
    Ok(())
}

fn file_of_both(a: &Checkpoint, b: &Checkpoint, name: &str) -> Result<Option<Compared>> {
    let file = name.to_owned();
    // Most are the same, byte by byte.
    let Some((at, before, after)) = bytes(a, b, name)? else {
        return Ok(None);
    };
    let raw = Compared::Bytes {
        file: file.clone(),
        at,
        before,
        after,
    };
    match (reader(a, name)?, reader(b, name)?) {
        (Some(mut a), Some(mut b)) => {
            let differences = images(&mut a, &mut b)?;
            // The same messages in other bytes.
            Ok(Some(if differences.is_empty() {
                raw
            } else {
                Compared::Entries { file, differences }
            }))
        }
        _ => Ok(Some(raw)),
    }
}

/// The reader of an image; `None` for what has no messages.
fn reader(
    checkpoint: &Checkpoint,
    name: &str,
) -> Result<Option<ImageReader<Box<dyn Read + Send>>>> {
    match checkpoint.image_reader(name) {
        Ok(reader) => Ok(reader),
        Err(error) => match error.kind() {
            ErrorKind::RawImage { .. } => Ok(None),
            ErrorKind::NotAnImage { .. } | ErrorKind::UnknownMagic(_) | ErrorKind::Empty => {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// The first byte that differs, and both lengths; `None` when all are the same.
fn bytes(a: &Checkpoint, b: &Checkpoint, name: &str) -> Result<Option<(u64, u64, u64)>> {
    let open = |checkpoint: &Checkpoint| -> Result<BufReader<Box<dyn Read + Send>>> {
        let content = checkpoint.read_again(name)?;
        Ok(BufReader::with_capacity(64 << 10, content))
    };
    let length = |checkpoint: &Checkpoint| Ok::<u64, Error>(checkpoint.size(name)?.unwrap_or(0));
    let (before, after) = (length(a)?, length(b)?);
    let (mut a_bytes, mut b_bytes) = (open(a)?, open(b)?);
    let at = first_difference(&mut a_bytes, &mut b_bytes)
        .map_err(|error| Error::from(error).in_file(a.label(name)))?;
    Ok(at.map(|at| (at, before, after)))
}

fn first_difference(
    a: &mut impl std::io::BufRead,
    b: &mut impl std::io::BufRead,
) -> std::io::Result<Option<u64>> {
    let mut at = 0u64;
    loop {
        let (from_a, from_b) = (a.fill_buf()?, b.fill_buf()?);
        let length = from_a.len().min(from_b.len());
        if length == 0 {
            return Ok((from_a.len() != from_b.len()).then_some(at));
        }
        let pairs = from_a.iter().zip(from_b);
        if let Some(place) = pairs.take(length).position(|(a, b)| a != b) {
            return Ok(Some(at + place as u64));
        }
        a.consume(length);
        b.consume(length);
        at += length as u64;
    }
}
