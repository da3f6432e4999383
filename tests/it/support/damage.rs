//! Checkpoints damaged as bytes say, by a fuzzer or by chance: fields, entries and files changed such
//! that framing stays as it is, or does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Fixtures of different content that are damaged: whole dumps.
pub const DUMPS: [&str; 6] = ["simple", "full-ns", "sockets", "i386", "memory", "events"];

/// The images below a folder of fixtures that have messages, each content once.
pub fn fixtures(folder: &Path) -> Vec<Vec<u8>> {
    let mut folders = vec![folder.to_owned()];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".img") && !name.starts_with("pages-") {
                found.insert(std::fs::read(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 200, "{} images", found.len());
    found.into_iter().collect()
}

/// A copy of a fixture in a folder of its own, whose images can be damaged again and again.
pub struct Damaged {
    folder: tempfile::TempDir,
    images: Vec<(PathBuf, Vec<u8>)>,
    touched: Vec<usize>,
}

/// Bytes taken one by one; zeros behind the end.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below a limit, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), 0]);
        number as usize % limit.max(1)
    }
}

impl Damaged {
    /// A copy of the images in a folder.
    pub fn copy_of(fixture: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut images = Vec::new();
        let mut names: Vec<_> = std::fs::read_dir(fixture)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && path.extension().is_none_or(|ext| ext != "json"))
            .collect();
        names.sort();
        for path in names {
            let bytes = std::fs::read(&path).unwrap();
            let copy = folder.path().join(path.file_name().unwrap());
            std::fs::write(&copy, &bytes).unwrap();
            images.push((copy, bytes));
        }
        Damaged {
            folder,
            images,
            touched: Vec::new(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Mends what was damaged before, and damages up to six images.
    pub fn damage(&mut self, recipe: &[u8]) {
        for index in self.touched.drain(..) {
            let (path, bytes) = &self.images[index];
            std::fs::write(path, bytes).unwrap();
        }
        let mut recipe = Recipe(recipe);
        let mut left = 6;
        while !recipe.0.is_empty() && left > 0 {
            left -= 1;
            let index = recipe.below(self.images.len());
            let (path, _) = &self.images[index];
            let Ok(mut bytes) = std::fs::read(path) else {
                continue;
            };
            self.touched.push(index);
            match recipe.byte() % 12 {
                0 => {
                    std::fs::remove_file(path).unwrap();
                    continue;
                }
                1 => {
                    let other = recipe.below(self.images.len());
                    bytes.clone_from(&self.images[other].1);
                }
                _ => {
                    for _ in 0..=recipe.byte() % 4 {
                        change(&mut bytes, &mut recipe);
                    }
                }
            }
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Where the messages of an image are, as far as sizes lead to each other.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut frames = Vec::new();
    // One magic, or two.
    let common = bytes.starts_with(&0x5456_4319u32.to_le_bytes());
    let mut at = if common { 8 } else { 4 };
    while let Some(size) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let start = at + 4;
        let end = start.saturating_add(u32::from_le_bytes(*size) as usize);
        if end > bytes.len() {
            break;
        }
        frames.push(start..end);
        at = end;
    }
    frames
}

/// Puts other bytes in a message's place; its size is set to what it is then.
fn put(bytes: &mut Vec<u8>, frame: std::ops::Range<usize>, message: &[u8]) {
    let size = (message.len() as u32).to_le_bytes();
    bytes[frame.start - 4..frame.start].copy_from_slice(&size);
    bytes.splice(frame, message.iter().copied());
}

/// Damages an image in one of many ways.
pub fn change_image(bytes: &mut Vec<u8>, recipe: &[u8]) {
    change(bytes, &mut Recipe(recipe));
}

fn change(bytes: &mut Vec<u8>, recipe: &mut Recipe<'_>) {
    if bytes.is_empty() {
        return;
    }
    let how = recipe.byte() % 10;
    let frames = frames(bytes);
    if how < 4 || frames.is_empty() {
        let at = recipe.below(bytes.len());
        match how % 4 {
            0 => bytes[at] = recipe.byte(),
            1 => bytes[at] ^= 1 << (recipe.byte() % 8),
            2 => bytes.truncate(at),
            _ => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
        }
        return;
    }
    let which = recipe.below(frames.len());
    let frame = frames[which].clone();
    let mut message = bytes[frame.clone()].to_vec();
    let at = recipe.below(message.len() + 1);
    match how {
        4 => {
            // Once more.
            let again = bytes[frame.start - 4..frame.end].to_vec();
            bytes.splice(frame.end..frame.end, again);
            return;
        }
        5 => {
            bytes.drain(frame.start - 4..frame.end);
            return;
        }
        6 => {
            // The largest number there is, in the place of a byte.
            let end = (at + 1).min(message.len());
            message.splice(
                at..end,
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            );
        }
        7 => {
            let count = usize::from(recipe.byte() % 16);
            let piece: Vec<u8> = (0..count).map(|_| recipe.byte()).collect();
            message.splice(at..at, piece);
        }
        8 => message.truncate(at),
        // A field again, with another value: key and varint at the end.
        _ => message.extend([recipe.byte() & 0x78, recipe.byte() & 0x7f]),
    }
    put(bytes, frame, &message);
}
