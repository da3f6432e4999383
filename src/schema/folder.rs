//! .proto files in directories.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use once_cell::sync::OnceCell;

use super::source::{Source, SourceFile};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{PROTO_DEPTH, PROTO_FILE, PROTO_FILES, PROTO_NAME_PARTS, PROTO_NESTING};

/// The .proto files below some directories, under their paths from there. Of two files with one
/// name the one in the earlier directory counts.
#[derive(Debug)]
pub(super) struct Folders {
    description: String,
    roots: Vec<PathBuf>,
    names: OnceCell<Vec<String>>,
}

impl Folders {
    /// `description` is what messages to people call it.
    pub(super) fn new(description: String, roots: Vec<PathBuf>) -> Self {
        Folders {
            description,
            roots,
            names: OnceCell::new(),
        }
    }
}

impl Source for Folders {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn names(&self) -> Result<Vec<String>> {
        let names = self.names.get_or_try_init(|| {
            let mut names = BTreeSet::new();
            for root in &self.roots {
                list(root, "", PROTO_DEPTH, &mut names)
                    .map_err(|error| error.in_file(root.display().to_string()))?;
            }
            Ok::<_, Error>(names.into_iter().collect())
        });
        names.cloned()
    }

    fn file(&self, name: &str) -> Result<Option<SourceFile<'_>>> {
        // The name comes out of an import: it must not lead out of the directory.
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Ok(None);
        }
        for root in &self.roots {
            let path = root.join(name);
            let path = if path.exists() {
                path
            } else {
                self.beside(root, name)?.unwrap_or(path)
            };
            if let Some(text) = read_text(&path)? {
                not_nested_too_deep(&text)
                    .map_err(|error| error.in_file(path.display().to_string()))?;
                return Ok(Some(SourceFile::Text(Cow::Owned(text))));
            }
        }
        // Listed, but nothing that can be read: a link that leads nowhere, a FIFO, a device.
        if self.names()?.iter().any(|known| known == name) {
            let what = "not a regular file".to_owned();
            return Err(Error::new(ErrorKind::Schema(what)).in_file(name));
        }
        Ok(None)
    }
}

impl Folders {
    /// The only file of this name in any directory below `root`: some projects' imports mean a file
    /// beside the one that imports it.
    fn beside(&self, root: &Path, name: &str) -> Result<Option<PathBuf>> {
        let names = self.names()?;
        let end = format!("/{name}");
        let mut found = names.iter().filter(|known| known.ends_with(&end));
        Ok(match (found.next(), found.next()) {
            (Some(only), None) => Some(root.join(only)),
            _ => None,
        })
    }
}

/// The text of a regular file of a sane size; `None` when there is none.
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    let Some(mut bytes) = read_bytes(path, PROTO_FILE)? else {
        return Ok(None);
    };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        // Comments with names in other encodings are no reason to give up.
        Err(error) => Ok(Some(String::from_utf8_lossy(error.as_bytes()).into_owned())),
    }
}

/// The bytes of a regular file of a sane size; `None` when there is none.
pub(super) fn read_bytes(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let located = |error: Error| error.in_file(path.display().to_string());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(located(error.into())),
    };
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > most {
        let what = format!("a file of more than {} MiB", most >> 20);
        return Err(located(Error::new(ErrorKind::Limit(what))));
    }
    fs::read(path)
        .map(Some)
        .map_err(|error| located(error.into()))
}

/// Adds the .proto files below a directory. Links to directories are not followed, so that there
/// can be no loops.
fn list(folder: &Path, prefix: &str, depth: usize, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                list(&entry.path(), &format!("{name}/"), depth - 1, names)?;
            }
        } else if name.ends_with(".proto") && !name.starts_with("google/protobuf/") {
            names.insert(name);
            if names.len() > PROTO_FILES {
                let what = format!("more than {PROTO_FILES} .proto files");
                return Err(Error::new(ErrorKind::Limit(what)));
            }
        }
    }
    Ok(())
}

/// The compiler follows brackets by recursion: text nested too deep would overflow its stack. It
/// keeps every prefix of a dotted name: one of thousands of parts would take gigabytes.
fn not_nested_too_deep(text: &str) -> Result<()> {
    let mut depth = 0usize;
    let mut dots = 0usize;
    let mut line = 1;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'.' => dots += 1,
            b if b.is_ascii_alphanumeric() || b == b'_' || b.is_ascii_whitespace() => {}
            _ => dots = 0,
        }
        match byte {
            b'\n' => line += 1,
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            b'/' if bytes.peek() == Some(&b'/') => {
                for byte in bytes.by_ref() {
                    if byte == b'\n' {
                        line += 1;
                        break;
                    }
                }
            }
            b'/' if bytes.peek() == Some(&b'*') => {
                let mut last = b' ';
                for byte in bytes.by_ref().skip(1) {
                    line += u64::from(byte == b'\n');
                    if (last, byte) == (b'*', b'/') {
                        break;
                    }
                    last = byte;
                }
            }
            quote @ (b'"' | b'\'') => {
                while let Some(byte) = bytes.next() {
                    if byte == b'\\' {
                        bytes.next();
                    } else if byte == quote || byte == b'\n' {
                        line += u64::from(byte == b'\n');
                        break;
                    }
                }
            }
            _ => {}
        }
        if dots >= PROTO_NAME_PARTS {
            let what = format!("a name of more than {PROTO_NAME_PARTS} parts");
            return Err(Error::new(ErrorKind::Schema(what)).at_line(line, 1));
        }
        if depth > PROTO_NESTING {
            let what = format!("nested deeper than {PROTO_NESTING} levels");
            return Err(Error::new(ErrorKind::Schema(what)).at_line(line, 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::not_nested_too_deep;

    #[test]
    fn nesting_is_counted_outside_of_strings_and_comments() {
        let fine =
            "// {{{{\n/* [[[[ */ message A { optional string x = 1 [default = \"{{{{\\\"\"]; }";
        not_nested_too_deep(&fine.replace("{{{{", &"{".repeat(1000))).unwrap();
        let deep = format!(
            "message A {{\n optional B b = 1 [(o) = {}",
            "{a:".repeat(50_000)
        );
        let error = not_nested_too_deep(&deep).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2 column 1: schema: nested deeper than 100 levels"
        );
    }
}
