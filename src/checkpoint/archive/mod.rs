//! A checkpoint in a tar archive, plain or packed by gzip or zstd, read in place.
//!
//! One pass makes an index of the members; nothing is extracted. Names of members are compared and
//! printed, never used as paths; links are not followed, except that `parent` may lead to another
//! directory of the same archive. In a packed archive the small members are kept in memory during
//! that pass; a large one is unpacked again, up to where it ends, when it is asked for. Where that would
//! be often, all of it is unpacked to a file without a name.

mod members;
mod packing;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;

use self::members::Members;
use self::packing::{Packing, Shared, Unpacked};
use super::member::{Member, MemberKind, RandomAccess};
use super::store::{ParentLink, Store};
use crate::descriptor::Family;
use crate::error::{Error, ErrorKind, Result, Warning};
use crate::limits::{KEPT_MEMBER, KEPT_MEMBERS, MEMBER_NAMES, MEMBERS, UNPACKED_AGAIN, WARNINGS};
use crate::text::Text;

pub(super) struct Archive {
    name: String,
    file: Arc<File>,
    packing: Packing,
    /// In the order of the archive.
    members: Vec<Indexed>,
    by_name: HashMap<Box<[u8]>, usize>,
    /// Large members of a packed archive, unpacked to files without a name.
    spooled: Mutex<HashMap<usize, RandomAccess>>,
    /// How many bytes were unpacked again to come to a member.
    passed: AtomicU64,
    /// All of a packed archive in a file without a name, once that was too much.
    whole: OnceCell<Arc<File>>,
    warnings: Vec<Warning>,
    /// Where it breaks off.
    losses: Vec<Warning>,
}

struct Indexed {
    member: Member,
    /// Where its content begins, in unpacked bytes.
    offset: u64,
    kept: Option<Arc<[u8]>>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let named = |error: io::Error| Error::from(error).in_file(&name);
        let file = File::open(path).map_err(named)?;
        let mut beginning = Vec::new();
        (&file).take(8).read_to_end(&mut beginning).map_err(named)?;
        let packing = Packing::detect(&beginning).map_err(|packing| {
            let what = format!("packed by {packing}, which is not read: only gzip and zstd are");
            Error::new(ErrorKind::NotACheckpoint(what)).in_file(&name)
        })?;
        let first = beginning
            .first_chunk::<4>()
            .map(|word| u32::from_le_bytes(*word));
        let image_words = [Family::Common, Family::Service].map(Family::first_word);
        if first.is_some() && image_words.contains(&first) {
            let what = "this is one image, not a directory or an archive of them".to_owned();
            let error = Error::new(ErrorKind::NotACheckpoint(what)).in_file(&name);
            return Err(error.with_hint("give the directory that it is in"));
        }
        if beginning.is_empty() {
            let what = "the file is empty".to_owned();
            return Err(Error::new(ErrorKind::NotACheckpoint(what)).in_file(&name));
        }
        let mut archive = Archive {
            name: name.clone(),
            file: Arc::new(file),
            packing,
            members: Vec::new(),
            by_name: HashMap::new(),
            spooled: Mutex::default(),
            passed: AtomicU64::new(0),
            whole: OnceCell::new(),
            warnings: Vec::new(),
            losses: Vec::new(),
        };
        archive.index()?;
        Ok(archive)
    }

    fn unpack(&self) -> io::Result<Unpacked> {
        self.packing.unpack(&self.file)
    }

    /// Goes through the archive once.
    fn index(&mut self) -> Result<()> {
        let mut walk = Members::new(self.unpack().map_err(|e| self.error(e))?);
        let mut names = 0;
        let mut kept = 0;
        loop {
            let found = match walk.next() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.finish(&mut walk);
                    break;
                }
                // What was found before stays readable: half a checkpoint tells more than none.
                Err(error) if !self.members.is_empty() => {
                    let count = self.members.len();
                    let what = format!("the archive breaks off after {count} members: {error}");
                    self.losses.push(self.warning(what));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let kind = ErrorKind::NotACheckpoint(error.to_string());
                    return Err(Error::new(kind).in_file(&self.name));
                }
                Err(error) => return Err(self.error(error)),
            };
            names += found.member.name.as_bytes().len();
            if self.members.len() >= MEMBERS || names > MEMBER_NAMES {
                let what = format!(
                    "the archive has more than {MEMBERS} members, or names of more than {MEMBER_NAMES} bytes"
                );
                return Err(Error::new(ErrorKind::Limit(what)).in_file(&self.name));
            }
            if let Some(oddity) = &found.oddity {
                self.note(&found.member, oddity);
            }
            let mut indexed = Indexed {
                offset: found.offset,
                kept: None,
                member: found.member,
            };
            let size = indexed.member.size;
            if self.packing != Packing::None
                && indexed.member.is_file()
                && size <= KEPT_MEMBER
                && kept + size <= KEPT_MEMBERS
            {
                let mut content = Vec::new();
                // When it can't be, the next step of the walk says what is wrong.
                if walk.keep(size, &mut content).is_ok() {
                    indexed.kept = Some(content.into());
                }
                kept += size;
            }
            self.add(indexed);
        }
        Ok(())
    }

    /// What is odd about a member: a loss when it has the name of an image that no one can ask for.
    fn note(&mut self, member: &Member, oddity: &str) {
        let what = format!("member {}: {oddity}", member.name);
        // One that is no file is found when all images are looked at.
        if !member.is_file() || !member.name.as_bytes().ends_with(b".img") {
            self.warn(&what);
        } else if self.losses.len() < WARNINGS {
            self.losses.push(self.warning(what));
        }
    }

    /// Looks at what is behind the last member.
    fn finish(&mut self, walk: &mut Members) {
        let count = self.members.len();
        let what = match walk.rest() {
            Ok(None) => return,
            Ok(Some(what)) => {
                format!("the archive may not be whole: {what}, after {count} members")
            }
            Err(error) => format!("the archive may not be whole: after {count} members: {error}"),
        };
        self.losses.push(self.warning(what));
    }

    fn add(&mut self, indexed: Indexed) {
        let at = self.members.len();
        let name = indexed.member.name.as_bytes();
        let is_directory = indexed.member.kind == MemberKind::Directory;
        if let Some(earlier) = self.by_name.insert(name.into(), at)
            && !(is_directory
                && self
                    .members
                    .get(earlier)
                    .is_some_and(|m| m.member.kind == MemberKind::Directory))
        {
            let what = format!(
                "member {} stands twice: the last one counts, as when the archive is unpacked",
                indexed.member.name
            );
            self.warn(&what);
        }
        self.members.push(indexed);
    }

    fn warn(&mut self, message: &str) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(self.warning(message.to_owned()));
        }
    }

    fn warning(&self, message: String) -> Warning {
        Warning::of_file(&self.name, message)
    }

    fn error(&self, error: io::Error) -> Error {
        Error::from(error).in_file(&self.name)
    }

    fn indexed(&self, name: &str) -> Option<(usize, &Indexed)> {
        let at = *self.by_name.get(name.as_bytes())?;
        self.members.get(at).map(|indexed| (at, indexed))
    }

    /// All that can be unpacked, in a temporary file: many large members would each cost a way through
    /// all that stands before them.
    fn unpack_whole(&self) -> Result<Arc<File>> {
        let mut file = tempfile::tempfile().map_err(Error::temporary)?;
        let mut input = self.unpack().map_err(|e| self.error(e))?;
        let mut buffer = vec![0; 256 << 10];
        // Where the archive is broken was said when it was opened; what stands before is there.
        while let Ok(count) = input.read(&mut buffer)
            && count > 0
        {
            let read = buffer.get(..count).unwrap_or_default();
            // A hole takes no room.
            let moved = if read.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Current(count as i64)).map(drop)
            } else {
                file.write_all(read)
            };
            moved.map_err(Error::temporary)?;
        }
        let length = file.stream_position();
        length
            .and_then(|length| file.set_len(length))
            .map_err(Error::temporary)?;
        Ok(Arc::new(file))
    }

    /// The content of a member, unpacked again.
    fn content(&self, indexed: &Indexed) -> Result<Box<dyn Read + Send>> {
        let label = indexed.member.name.to_string_lossy();
        let passed = self.passed.fetch_add(indexed.offset, Ordering::Relaxed);
        if self.packing != Packing::None && passed.saturating_add(indexed.offset) > UNPACKED_AGAIN {
            let file = Arc::clone(self.whole.get_or_try_init(|| self.unpack_whole())?);
            let content = Shared {
                file,
                at: indexed.offset,
            };
            return Ok(Box::new(content.take(indexed.member.size)));
        }
        let mut input = self.unpack().map_err(|e| self.error(e))?;
        let skipped = input
            .skip(indexed.offset)
            .map_err(|e| Error::from(e).in_file(self.label(&label)))?;
        if skipped < indexed.offset {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(Error::from(error).in_file(self.label(&label)));
        }
        Ok(Box::new(input.take(indexed.member.size)))
    }
}

impl Store for Archive {
    fn members(&self) -> Result<Vec<Member>> {
        let members = self.members.iter();
        Ok(members.map(|indexed| indexed.member.clone()).collect())
    }

    fn names(&self, folder: &str) -> Result<Vec<(Text, MemberKind)>> {
        let in_it = |(at, member): &(usize, &Indexed)| {
            let name = member.member.name.as_bytes();
            let inner = name.strip_prefix(folder.as_bytes());
            // Of members that stand twice, the last counts.
            inner.is_some_and(|inner| !inner.contains(&b'/')) && self.by_name.get(name) == Some(at)
        };
        let members = self.members.iter().enumerate().filter(in_it);
        let members = members.map(|(_, m)| (m.member.name.clone(), m.member.kind.clone()));
        Ok(members.collect())
    }

    fn find(&self, name: &str) -> Result<Option<Member>> {
        let name = name.strip_suffix('/').unwrap_or(name);
        if let Some((_, indexed)) = self.indexed(name) {
            return Ok(Some(indexed.member.clone()));
        }
        // A directory need not be a member of its own.
        let prefix = format!("{name}/");
        let below = self
            .members
            .iter()
            .any(|m| m.member.name.as_bytes().starts_with(prefix.as_bytes()));
        Ok(below.then(|| Member {
            name: name.into(),
            size: 0,
            kind: MemberKind::Directory,
            modified: None,
        }))
    }

    fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>> {
        let Some((_, indexed)) = self.indexed(name).filter(|(_, m)| m.member.is_file()) else {
            return Ok(None);
        };
        match &indexed.kept {
            Some(kept) => Ok(Some(Box::new(io::Cursor::new(Arc::clone(kept))))),
            None => self.content(indexed).map(Some),
        }
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn random(&self, name: &str) -> Result<Option<RandomAccess>> {
        let Some((at, indexed)) = self.indexed(name).filter(|(_, m)| m.member.is_file()) else {
            return Ok(None);
        };
        let size = indexed.member.size;
        if self.packing == Packing::None {
            let file = Arc::clone(&self.file);
            return Ok(Some(RandomAccess::new(file, indexed.offset, size)));
        }
        let mut spooled = self.spooled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = spooled.get(&at) {
            return Ok(Some(known.clone()));
        }
        let mut file = tempfile::tempfile().map_err(Error::temporary)?;
        let mut content = self.open(name)?.unwrap_or_else(|| Box::new(io::empty()));
        let length = io::copy(&mut content, &mut file)
            .map_err(|e| Error::from(e).in_file(self.label(name)))?;
        let access = RandomAccess::new(Arc::new(file), 0, length);
        spooled.insert(at, access.clone());
        Ok(Some(access))
    }

    fn parent(&self, base: &str) -> Result<Option<ParentLink>> {
        let name = format!("{base}parent");
        let target = match self.find(&name)?.map(|member| member.kind) {
            Some(MemberKind::Directory) => return Ok(Some(ParentLink::Inside(name + "/"))),
            Some(MemberKind::Link(target)) => target.to_string_lossy().into_owned(),
            _ => return Ok(None),
        };
        let inside = resolve(base, &target).filter(|folder| {
            self.find(folder)
                .is_ok_and(|m| m.is_some_and(|m| m.kind == MemberKind::Directory))
        });
        Ok(Some(match inside {
            Some(folder) => ParentLink::Inside(folder + "/"),
            None => ParentLink::Dangling(target),
        }))
    }

    fn label(&self, name: &str) -> String {
        format!("{}:{name}", self.name)
    }

    fn place(&self, _name: &str) -> Option<(u64, u64)> {
        let metadata = self.file.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    fn identity(&self, base: &str) -> String {
        base.to_owned()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn losses(&self) -> &[Warning] {
        &self.losses
    }
}

/// Where a relative link in a directory of the archive leads, as a name; `None` when it leads out of it.
fn resolve(base: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn a_link_of_an_archive_stays_inside_it() {
        assert_eq!(resolve("checkpoint/", "../pre").as_deref(), Some("pre"));
        assert_eq!(resolve("a/b/", "../c/./d").as_deref(), Some("a/c/d"));
        assert_eq!(resolve("checkpoint/", "../../etc"), None);
        assert_eq!(resolve("checkpoint/", "/etc"), None);
    }
}
