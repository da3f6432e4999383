//! The roots of mounts, which are paths of their file systems.
//!
//! A bind mount of `/data/logs` has `/data/logs` for its root only if its file system is mounted as a
//! whole at `/`; in a container, whose `/` is itself some directory of a file system, the root has that
//! directory in front. So a root is translated into a path of the mount namespace, by another mount of
//! the same file system whose root is above it, and back (CRIU finds the source of a bind mount the same
//! way: `criu/mount.c`, `get_relative_path`). A root on another file system that only reads like the
//! path that is replaced stays.

use std::collections::HashMap;

use super::change::Replacement;
use crate::checkpoint::Checkpoint;
use crate::descriptor::Meaning;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Entry;
use crate::message::Record;
use crate::text::is_below;

/// New roots by the index of their entries, each with the number of the replacement that makes it.
pub(super) type Roots = HashMap<u64, (usize, Vec<u8>)>;

/// A mount of a namespace.
#[derive(Debug)]
struct Mount {
    id: u64,
    device: u64,
    mountpoint: Vec<u8>,
    root: Vec<u8>,
}

impl Mount {
    fn of(record: Record<'_>) -> Self {
        let bytes = |name| record.bytes(name).unwrap_or_default().to_vec();
        Mount {
            id: record.number("mnt_id").unwrap_or(0),
            device: record.number("root_dev").unwrap_or(0),
            mountpoint: bytes("mountpoint"),
            root: bytes("root"),
        }
    }
}

/// The mounts of all namespaces of a checkpoint: by them the files of a tmpfs have paths.
#[derive(Debug, Default)]
pub struct Mounts {
    namespaces: Vec<Vec<Mount>>,
    /// The namespace and the place of each mount, by its id.
    places: HashMap<u64, (usize, usize)>,
}

impl Mounts {
    /// Reads the mounts of a checkpoint.
    ///
    /// # Errors
    ///
    /// An image of mounts can't be read.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self> {
        let mut read = Mounts::default();
        for name in checkpoint.image_names()? {
            if !name.starts_with("mountpoints-") {
                continue;
            }
            let mut mounts = Vec::new();
            checkpoint.each_entry(&name, &FIELDS, &mut |record| {
                mounts.push(Mount::of(record));
                Ok(())
            })?;
            // Longer roots last, as they are looked through.
            mounts.sort_by_key(|mount| mount.root.len());
            for (place, mount) in mounts.iter().enumerate() {
                read.places.insert(mount.id, (read.namespaces.len(), place));
            }
            read.namespaces.push(mounts);
        }
        Ok(read)
    }

    /// Returns the device of a mount.
    pub(super) fn device_of(&self, id: u64) -> Option<u64> {
        let (namespace, place) = *self.places.get(&id)?;
        Some(self.namespaces.get(namespace)?.get(place)?.device)
    }

    /// Returns how paths change in each namespace.
    pub(super) fn translations(&self, paths: Paths<'_>) -> Result<Vec<Translation>> {
        let namespaces = self.namespaces.iter();
        namespaces.map(|mounts| translate(mounts, paths)).collect()
    }

    /// Returns the other path of a file in the file system of a device, with the number of the
    /// replacement.
    pub(super) fn renamed(
        &self,
        device: u64,
        path: &[u8],
        translations: &[Translation],
        paths: Paths<'_>,
    ) -> Result<Option<Renamed>> {
        for (mounts, translation) in self.namespaces.iter().zip(translations) {
            let renamed = translation.apply(mounts, device, path, paths)?;
            if renamed.is_some() {
                return Ok(renamed);
            }
        }
        Ok(None)
    }

    /// Returns the other path of a file that is reached by a mount, with the number of the replacement:
    /// the path that is replaced may lead to it by another mount of the same file system.
    pub(super) fn renamed_file(
        &self,
        mount: u64,
        path: &[u8],
        translations: &[Translation],
        paths: Paths<'_>,
    ) -> Result<Option<Renamed>> {
        let Some((namespace, place)) = self.places.get(&mount).copied() else {
            return Ok(None);
        };
        let (Some(mounts), Some(translation)) =
            (self.namespaces.get(namespace), translations.get(namespace))
        else {
            return Ok(None);
        };
        let Some(own) = mounts.get(place) else {
            return Ok(None);
        };
        if !is_below(path, &own.mountpoint) {
            return Ok(None);
        }
        let file = join(&own.root, rest(path, &own.mountpoint));
        let Some((number, new)) = translation.apply(mounts, own.device, &file, paths)? else {
            return Ok(None);
        };
        let root = translation
            .roots
            .get(&(place as u64))
            .map_or(&own.root, |(_, root)| root);
        if !is_below(&new, root) {
            return Ok(None);
        }
        let mountpoint = paths.rename(&own.mountpoint).map(|(_, new)| new);
        let mountpoint = mountpoint.as_deref().unwrap_or(&own.mountpoint);
        let new = join(mountpoint, rest(&new, root));
        Ok((new != path).then_some((number, new)))
    }
}

/// How paths change in a mount namespace.
#[derive(Debug, Default)]
pub(super) struct Translation {
    /// The new roots of the mounts.
    pub(super) roots: Roots,
    /// The mounts that lead to paths that are replaced, by device.
    above: HashMap<u64, Above>,
}

impl Translation {
    /// The other path of a file in the file system of a device.
    fn apply(
        &self,
        mounts: &[Mount],
        device: u64,
        file: &[u8],
        paths: Paths<'_>,
    ) -> Result<Option<Renamed>> {
        match self.above.get(&device) {
            Some(above) => translated(mounts, file, above, &self.roots, paths),
            None => Ok(None),
        }
    }
}

/// The number of a replacement, and the path that it makes.
pub(super) type Renamed = (usize, Vec<u8>);

/// What is read of a mount.
const FIELDS: [&str; 4] = ["mnt_id", "root_dev", "mountpoint", "root"];

/// The paths that are replaced.
#[derive(Clone, Copy)]
pub(super) struct Paths<'a>(pub(super) &'a [Replacement]);

impl Paths<'_> {
    /// Returns the other path of one that is replaced, with the number of the replacement.
    pub(super) fn rename(self, path: &[u8]) -> Option<Renamed> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, replacement)| replacement.is_about(Meaning::Path))
            .find_map(|(number, replacement)| {
                Some((number, replacement.text(Meaning::Path, path)?))
            })
    }

    /// Returns true if a path that is replaced is reached by a mount at this place, or moves it.
    fn touches(self, mountpoint: &[u8]) -> bool {
        self.0.iter().any(|replacement| match replacement {
            Replacement::Path { old, .. } => {
                is_below(mountpoint, old.as_bytes()) || is_below(old.as_bytes(), mountpoint)
            }
            _ => false,
        })
    }
}

/// Translates the roots of the mounts of an image.
///
/// # Errors
///
/// The other path of a root is not below the mount that its file system is reached by.
pub(super) fn translate_entries(entries: &[Entry], paths: Paths<'_>) -> Result<Roots> {
    let mounts = entries.iter().map(|entry| Mount::of(entry.record()));
    Ok(translate(&mounts.collect::<Vec<_>>(), paths)?.roots)
}

fn translate(mounts: &[Mount], paths: Paths<'_>) -> Result<Translation> {
    let mut by_device: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, mount) in mounts.iter().enumerate() {
        by_device.entry(mount.device).or_default().push(place);
    }
    let mut translation = Translation::default();
    for (device, places) in &mut by_device {
        // Shorter roots first: a longer one may be translated by them.
        places.sort_by_key(|place| mounts.get(*place).map(|mount| mount.root.len()));
        let mut above = Above::default();
        for place in places.iter().copied() {
            let Some(mount) = mounts.get(place) else {
                continue;
            };
            let roots = &mut translation.roots;
            let new = translated(mounts, &mount.root, &above, roots, paths)?;
            if new.is_some() || paths.touches(&mount.mountpoint) {
                above.add(&mount.root, place);
            }
            roots.extend(new.map(|new| (place as u64, new)));
        }
        translation.above.insert(*device, above);
    }
    Ok(translation)
}

/// Mounts of a file system that lead to a path that is replaced, by their roots.
#[derive(Debug, Default)]
struct Above(HashMap<Vec<u8>, Vec<usize>>);

impl Above {
    fn add(&mut self, root: &[u8], place: usize) {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        self.0.entry(root.to_vec()).or_default().push(place);
    }

    /// The places of the mounts whose roots are above a file, the nearest first.
    fn of(&self, file: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        let mut path = file.strip_suffix(b"/").unwrap_or(file);
        while let Some(slash) = memchr::memrchr(b'/', path) {
            path = path.get(..slash).unwrap_or_default();
            places.extend(self.0.get(path).into_iter().flatten().rev());
        }
        places
    }
}

/// The other path of a file in its file system, by one of the mounts of it whose roots are above.
fn translated(
    mounts: &[Mount],
    file: &[u8],
    above: &Above,
    roots: &Roots,
    paths: Paths<'_>,
) -> Result<Option<Renamed>> {
    for by in above.of(file) {
        let Some(through) = mounts.get(by) else {
            continue;
        };
        let path = join(&through.mountpoint, rest(file, &through.root));
        let known = roots.get(&(by as u64));
        // Where the mount's own root moves, what is below it moves along.
        let (own_root, moved) = match known {
            Some((number, root)) => (root.as_slice(), Some(*number)),
            None => (through.root.as_slice(), None),
        };
        let renamed = paths.rename(&path);
        let renamed = renamed.filter(|_| !is_hidden(mounts, by, &path));
        let mountpoint = paths.rename(&through.mountpoint).map(|(_, path)| path);
        let mountpoint = mountpoint.as_deref().unwrap_or(&through.mountpoint);
        let (number, inside) = match (renamed, moved) {
            (Some((number, new)), _) => {
                if !is_below(&new, mountpoint) || is_covered(mounts, by, mountpoint, &new, paths) {
                    let what = format!(
                        "{} can't move: {} is on another mount",
                        String::from_utf8_lossy(&path),
                        String::from_utf8_lossy(&new)
                    );
                    return Err(Error::new(ErrorKind::Value(what)).in_field("root"));
                }
                (number, rest(&new, mountpoint).to_vec())
            }
            (None, Some(number)) => (number, rest(file, &through.root).to_vec()),
            (None, None) => continue,
        };
        let new = join(own_root, &inside);
        if new != file {
            return Ok(Some((number, new)));
        }
    }
    Ok(None)
}

/// Returns true if another mount lies over a path, once the mount points that are replaced have moved.
fn is_covered(
    mounts: &[Mount],
    by: usize,
    mountpoint: &[u8],
    path: &[u8],
    paths: Paths<'_>,
) -> bool {
    mounts.iter().enumerate().any(|(place, other)| {
        let moved = paths.rename(&other.mountpoint).map(|(_, path)| path);
        let other = moved.as_deref().unwrap_or(&other.mountpoint);
        place != by && other.len() > mountpoint.len() && is_below(path, other)
    })
}

/// Returns true if another mount lies over a path of this one.
fn is_hidden(mounts: &[Mount], by: usize, path: &[u8]) -> bool {
    let Some(own) = mounts.get(by) else {
        return false;
    };
    mounts.iter().enumerate().any(|(place, other)| {
        place != by
            && other.mountpoint.len() > own.mountpoint.len()
            && is_below(path, &other.mountpoint)
    })
}

/// The part of a path below another, with a `/` in front, or nothing.
fn rest<'a>(path: &'a [u8], above: &[u8]) -> &'a [u8] {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    path.get(above.len()..).unwrap_or_default()
}

fn join(above: &[u8], rest: &[u8]) -> Vec<u8> {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    let joined = [above, rest].concat();
    if joined.is_empty() {
        b"/".to_vec()
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::Value;

    use super::*;
    use crate::Schema;

    fn mount(device: u32, mountpoint: &str, root: &str) -> Entry {
        let schema = Schema::bundled().unwrap();
        let ty = schema.message("mnt_entry").unwrap();
        let mut entry = Entry::new(&ty);
        let message = entry.message_mut();
        message.set_field_by_name("root_dev", Value::U32(device));
        let bytes = |text: &str| Value::Bytes(text.as_bytes().to_vec().into());
        message.set_field_by_name("mountpoint", bytes(mountpoint));
        message.set_field_by_name("root", bytes(root));
        entry
    }

    fn roots(mounts: &[Entry], old: &str, new: &str) -> Vec<(u64, String)> {
        let paths = [Replacement::Path {
            old: old.to_owned(),
            new: new.to_owned(),
        }];
        let roots = translate_entries(mounts, Paths(&paths)).unwrap();
        let mut roots: Vec<_> = roots
            .into_iter()
            .map(|(place, (_, root))| (place, String::from_utf8(root).unwrap()))
            .collect();
        roots.sort();
        roots
    }

    #[test]
    fn a_root_follows_the_directory_that_it_is() {
        // `/` is the directory /c/rootfs of a disk.
        let mounts = [
            mount(1, "/", "/c/rootfs"),
            mount(1, "/mnt", "/c/rootfs/data"),
            mount(1, "/deep", "/c/rootfs/data/deep"),
            // Another file system, whose root only reads like it.
            mount(2, "/other", "/data"),
        ];
        assert_eq!(
            roots(&mounts, "/data", "/moved"),
            [
                (1, "/c/rootfs/moved".to_owned()),
                (2, "/c/rootfs/moved/deep".to_owned())
            ]
        );
        // Where a mount point moves, what is mounted there stays what it is.
        assert_eq!(roots(&mounts, "/mnt", "/moved"), []);
        assert_eq!(roots(&mounts, "/c/rootfs/data", "/moved"), []);
    }

    #[test]
    fn a_root_below_a_mount_that_hides_it_stays() {
        let mounts = [
            mount(1, "/", "/"),
            mount(2, "/data", "/"),
            mount(1, "/mnt", "/data/x"),
            mount(2, "/sub", "/x"),
        ];
        // /data/x is that of the second file system: only its bind mount follows.
        assert_eq!(roots(&mounts, "/data/x", "/data/y"), [(3, "/y".to_owned())]);
    }

    #[test]
    fn a_root_that_would_leave_its_file_system_is_refused() {
        let mounts = [
            mount(1, "/", "/"),
            mount(2, "/data", "/"),
            mount(2, "/sub", "/x"),
        ];
        let paths = [Replacement::Path {
            old: "/data/x".to_owned(),
            new: "/elsewhere".to_owned(),
        }];
        assert!(translate_entries(&mounts, Paths(&paths)).is_err());
    }
}
