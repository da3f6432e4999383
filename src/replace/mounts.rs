//! The roots of mounts, which are paths of their file systems.
//!
//! A bind mount of `/data/logs` has `/data/logs` for its root only if its file system is mounted as a
//! whole at `/`; in a container, whose `/` is itself some directory of a file system, the root has that
//! directory in front. So a root is translated into a path of the mount namespace, by another mount of
//! the same file system whose root is above it, and back (CRIU finds the source of a bind mount the same
//! way: `criu/mount.c`, `get_relative_path`). A root on another file system that only reads like the
//! path that is replaced stays.

use std::collections::HashMap;

use super::Walk;
use super::change::is_below;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Entry;
use crate::message::{Record, present};
use crate::schema::Shape;
use prost_reflect::{DynamicMessage, Value};

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
pub struct Mounts(Vec<Vec<Mount>>);

impl Mounts {
    /// Reads the mounts of a checkpoint.
    ///
    /// # Errors
    ///
    /// An image of mounts can't be read.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self> {
        let mut all = Vec::new();
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
            all.push(mounts);
        }
        Ok(Mounts(all))
    }

    /// Returns the device of a mount.
    pub(super) fn device_of(&self, id: u64) -> Option<u64> {
        let mut mounts = self.0.iter().flatten();
        mounts
            .find(|mount| mount.id == id)
            .map(|mount| mount.device)
    }

    /// Returns the new roots of the mounts, by namespace.
    pub(super) fn roots(&self, rename: &Rename<'_>) -> Result<Vec<Roots>> {
        self.0
            .iter()
            .map(|mounts| translate(mounts, rename))
            .collect()
    }

    /// Returns the other path of a file in the file system of a device, with the number of the
    /// replacement.
    pub(super) fn renamed(
        &self,
        device: u64,
        path: &[u8],
        rename: &Rename<'_>,
    ) -> Result<Option<Renamed>> {
        for mounts in &self.0 {
            let renamed = translated(mounts, path, &on(mounts, device), &Roots::new(), rename)?;
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
        roots: &[Roots],
        rename: &Rename<'_>,
    ) -> Result<Option<Renamed>> {
        for (mounts, roots) in self.0.iter().zip(roots) {
            let Some(place) = mounts.iter().position(|known| known.id == mount) else {
                continue;
            };
            let Some(own) = mounts
                .get(place)
                .filter(|own| is_below(path, &own.mountpoint))
            else {
                return Ok(None);
            };
            let file = join(&own.root, rest(path, &own.mountpoint));
            let above = on(mounts, own.device);
            let Some((number, new)) = translated(mounts, &file, &above, roots, rename)? else {
                return Ok(None);
            };
            let root = roots
                .get(&(place as u64))
                .map_or(&own.root, |(_, root)| root);
            let mountpoint = rename(&own.mountpoint).map_or(own.mountpoint.clone(), |(_, new)| new);
            let new = join(&mountpoint, rest(&new, root));
            return Ok((new != path).then_some((number, new)));
        }
        Ok(None)
    }
}

/// The places of the mounts of a device.
fn on(mounts: &[Mount], device: u64) -> Vec<usize> {
    let mounts = mounts.iter().enumerate();
    let of_it = mounts.filter(|(_, mount)| mount.device == device);
    of_it.map(|(place, _)| place).collect()
}

/// The number of a replacement, and the path that it makes.
pub(super) type Renamed = (usize, Vec<u8>);

/// What is read of a mount.
const FIELDS: [&str; 4] = ["mnt_id", "root_dev", "mountpoint", "root"];

/// Finds a path among the replacements: the number of the one that is about it, and the other path.
pub(super) type Rename<'a> = dyn Fn(&[u8]) -> Option<Renamed> + 'a;

/// Translates the roots of the mounts of an image.
///
/// # Errors
///
/// The other path of a root is not below the mount that its file system is reached by.
pub(super) fn translate_entries(entries: &[Entry], rename: &Rename<'_>) -> Result<Roots> {
    let mounts = entries.iter().map(|entry| Mount::of(entry.record()));
    translate(&mounts.collect::<Vec<_>>(), rename)
}

fn translate(mounts: &[Mount], rename: &Rename<'_>) -> Result<Roots> {
    let mut by_device: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, mount) in mounts.iter().enumerate() {
        by_device.entry(mount.device).or_default().push(place);
    }
    let mut roots = Roots::new();
    for places in by_device.values_mut() {
        // Shorter roots first: a longer one may be translated by them.
        places.sort_by_key(|place| mounts.get(*place).map(|mount| mount.root.len()));
        for (number, place) in places.iter().enumerate() {
            let above = places.get(..number).unwrap_or_default();
            let root = mounts.get(*place).map_or(&[][..], |mount| &mount.root);
            if let Some(new) = translated(mounts, root, above, &roots, rename)? {
                roots.insert(*place as u64, new);
            }
        }
    }
    Ok(roots)
}

/// The other path of a file in its file system, by one of the mounts of it whose roots are above.
fn translated(
    mounts: &[Mount],
    file: &[u8],
    above: &[usize],
    roots: &Roots,
    rename: &Rename<'_>,
) -> Result<Option<Renamed>> {
    for by in above.iter().rev() {
        let Some(through) = mounts.get(*by) else {
            continue;
        };
        if through.root == file || !is_below(file, &through.root) {
            continue;
        }
        let path = join(&through.mountpoint, rest(file, &through.root));
        let known = roots.get(&(*by as u64));
        // Where the mount's own root moves, what is below it moves along.
        let (own_root, moved) = match known {
            Some((number, root)) => (root.as_slice(), Some(*number)),
            None => (through.root.as_slice(), None),
        };
        let renamed = match rename(&path) {
            Some(found) if !is_hidden(mounts, *by, &path) => Some(found),
            _ => None,
        };
        let mountpoint = rename(&through.mountpoint).map(|(_, path)| path);
        let mountpoint = mountpoint.as_deref().unwrap_or(&through.mountpoint);
        let (number, inside) = match (renamed, moved) {
            (Some((number, new)), _) => {
                let after = |mount: &Mount| rename(&mount.mountpoint).map(|(_, path)| path);
                let is_covered = mounts.iter().enumerate().any(|(place, other)| {
                    let other = after(other).unwrap_or_else(|| other.mountpoint.clone());
                    place != *by && other.len() > mountpoint.len() && is_below(&new, &other)
                });
                if !is_below(&new, mountpoint) || is_covered {
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

impl Walk<'_> {
    /// Gives a mount its new root.
    pub(super) fn root(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        path: &str,
    ) -> Result<()> {
        let Some((number, new)) = self.replacer.roots.get(&self.index).cloned() else {
            return Ok(());
        };
        let Some(field) = shape
            .field_named("root")
            .filter(|field| present(message, field).is_some())
        else {
            return Ok(());
        };
        if let Some(found) = self.replacer.found.get_mut(number) {
            *found += 1;
        }
        let path = format!("{path}.root");
        self.put(field, message, Value::Bytes(new.into()), &path)
    }
}

#[cfg(test)]
mod tests {
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
        let rename = |path: &[u8]| Some((0, super::super::change::path(path, old, new)?));
        let roots = translate_entries(mounts, &rename).unwrap();
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
        let rename = |path: &[u8]| {
            Some((
                0,
                super::super::change::path(path, "/data/x", "/elsewhere")?,
            ))
        };
        assert!(translate_entries(&mounts, &rename).is_err());
    }
}
