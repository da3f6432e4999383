//! A CRIU checkout of any version: where its schema lies, and which of its magics stands for which
//! message.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{Folders, read_text};
use super::handlers::{self, Descriptions};
use super::magics::{self, Magic};
use super::mapping::{Mapping, Origin};
use crate::descriptor::{ImageKind, ImageKinds};
use crate::error::{Error, ErrorKind, Result};

/// Where the .proto files of the images have been: since 2.0, and before.
const PROTO_FOLDERS: [&str; 2] = ["images", "protobuf"];

/// Where the magics have been: since 2.0, since 0.5, and before.
const MAGIC_HEADERS: [&str; 3] = ["criu/include/magic.h", "include/magic.h", "include/image.h"];

/// Header and source of the list of messages: since 2.0, since 0.6, and before.
const DESCRIPTIONS: [(&str, &str); 3] = [
    ("criu/include/protobuf-desc.h", "criu/protobuf-desc.c"),
    ("include/protobuf-desc.h", "protobuf-desc.c"),
    ("include/protobuf.h", "protobuf.c"),
];

/// Where upstream's Python table has been.
const PYCRIU: [&str; 4] = [
    "lib/pycriu/images/images.py",
    "lib/py/images/images.py",
    "pycriu/images/images.py",
    "lib/pycriu/images.py",
];

/// What a checkout says.
pub(super) struct Checkout {
    pub(super) source: Folders,
    pub(super) kinds: ImageKinds,
    pub(super) mapping: Mapping,
}

/// Whether a directory looks like a CRIU checkout.
pub(super) fn is_checkout(root: &Path) -> bool {
    MAGIC_HEADERS
        .iter()
        .any(|header| root.join(header).is_file())
}

impl Checkout {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let fail = |what: &str| {
            Error::new(ErrorKind::Schema(what.to_owned()))
                .in_file(root.display().to_string())
                .with_hint("a CRIU checkout has images/*.proto (before 2.0: protobuf/) and criu/include/magic.h")
        };
        let folder = PROTO_FOLDERS
            .iter()
            .map(|folder| root.join(folder))
            .find(|folder| folder.is_dir())
            .ok_or_else(|| fail("no images/ or protobuf/ in this directory"))?;
        let mut roots = vec![folder];
        roots.extend(plugins(root));
        let header = first_text(root, &MAGIC_HEADERS)?;
        let magics = magics::parse(&header.ok_or_else(|| fail("no magic.h in this directory"))?);
        let mut descriptions = Descriptions::default();
        for (header, c) in DESCRIPTIONS {
            if let Some(header) = read_text(&root.join(header))? {
                let c = read_text(&root.join(c))?.unwrap_or_default();
                descriptions = Descriptions::parse(&header, &c);
                break;
            }
        }
        let pycriu = first_text(root, &PYCRIU)?;
        let pycriu = pycriu
            .map(|source| handlers::pycriu(&source))
            .unwrap_or_default();
        let (kinds, mapping) = kinds(&magics, &descriptions, &pycriu)?;
        let description = format!("the CRIU checkout {}", root.display());
        Ok(Checkout {
            source: Folders::new(description, roots),
            kinds,
            mapping,
        })
    }
}

/// Directories of plugins with .proto files of their own, such as `plugins/amdgpu`.
fn plugins(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root.join("plugins")) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|ty| ty.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

fn first_text(root: &Path, paths: &[&str]) -> Result<Option<String>> {
    for path in paths {
        if let Some(text) = read_text(&root.join(path))? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The image kinds of a checkout: its own magics, with what the built-in rows know about each, and
/// the built-in rows that it does not define.
fn kinds(
    magics: &[Magic],
    descriptions: &Descriptions,
    pycriu: &HashMap<String, String>,
) -> Result<(ImageKinds, Mapping)> {
    let bundled = ImageKinds::bundled()?;
    let mut kinds = bundled.clone();
    let mut mapping = Mapping::of_rows(bundled);
    for magic in magics.iter().filter(|magic| magic.alias_of.is_none()) {
        let row = bundled.by_magic(magic.value);
        let names = magics
            .iter()
            .filter(|m| m.value == magic.value)
            .map(|m| m.name.as_str());
        let names: Vec<&str> = names.collect();
        // The name that this CRIU's own crit prints, or else the one that all others know.
        let name = match row {
            Some(row) if !pycriu.contains_key(&magic.name) => row.name.clone(),
            _ => magic.name.clone(),
        };
        let mut candidates = Vec::new();
        let mut add = |message: Option<String>, from| {
            candidates.extend(message.map(|message| (message, from)));
        };
        for name in &names {
            add(descriptions.message(name), Origin::CSources);
        }
        for name in &names {
            add(pycriu.get(*name).cloned(), Origin::Pycriu);
        }
        add(row.and_then(|row| row.entry.clone()), Origin::BuiltIn);
        let kind = match row {
            Some(row) => ImageKind {
                name: name.clone(),
                ..(**row).clone()
            },
            None => ImageKind::plain(&name, magic.value),
        };
        kinds.lay_over(Arc::new(kind));
        mapping.set(&name, candidates);
    }
    Ok((kinds, mapping))
}
