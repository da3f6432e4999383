//! Mounts (`criu/mount.c`, `criu/mount-v2.c`), which are restored if the root task has a mount namespace
//! of its own: of each mount namespace that a task is in.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufRead as _, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::checker::Checker;
use super::files::Files;
use super::inventory::MNT;
use super::tasks::Tasks;
use crate::text::is_below;

/// File systems, by their numbers in `fstype`.
const UNSUPPORTED: u64 = 0;
const TMPFS: u64 = 5;
const FUSE: u64 = 15;
const AUTO: u64 = 16;
const AUTOFS: u64 = 18;

/// A mount.
struct Mount {
    image: usize,
    entry: u64,
    id: u64,
    parent: u64,
    mountpoint: Vec<u8>,
    root: Vec<u8>,
    kind: u64,
    device: u64,
    /// What else mounts of one file system have in common: source and options.
    source: Vec<u8>,
    options: Vec<u8>,
    flags: u64,
    shared: u64,
    master: u64,
    /// It is brought by an option of restore.
    is_external: bool,
    is_of_plugin: bool,
}

impl Mount {
    /// Returns true if restore does not make it: it is the root of a namespace, external, or a plugin's.
    fn is_from_outside(&self, place: usize, roots: &HashSet<usize>) -> bool {
        roots.contains(&place) || self.is_external || self.is_of_plugin
    }
}

pub(super) fn check(checker: &Checker<'_>, tasks: &Tasks, files: &Files) {
    let ids: BTreeSet<u32> = tasks
        .living
        .iter()
        .filter_map(|task| task.namespaces?.get(MNT).copied())
        .collect();
    let images: Vec<String> = ids
        .iter()
        .map(|id| format!("mountpoints-{id}.img"))
        .collect();
    for (name, _) in checker.named("mountpoints-") {
        if !images.iter().any(|image| image == name) {
            checker.ignore(name);
            let what = "no task is in a mount namespace of this id";
            checker.note("stranger", name, (), what);
        }
    }
    let mut mounts = Vec::new();
    let mut is_complete = true;
    for (number, image) in images.iter().enumerate() {
        if checker.has(image) {
            read(checker, number, image, &mut mounts);
            is_complete &= !checker.is_damaged(image);
        } else {
            is_complete = false;
            checker.error(
                "missing-namespace",
                image,
                (),
                "missing: the mounts of a namespace",
            );
        }
    }
    let look = Look {
        checker,
        images: &images,
        mounts: &mounts,
    };
    let roots = look.trees();
    look.siblings();
    let outside = look.devices_from_outside(&roots);
    look.sharing(&outside);
    look.file_systems(&roots, &outside);
    if is_complete {
        look.files(files);
    }
}

fn read(checker: &Checker<'_>, number: usize, image: &str, mounts: &mut Vec<Mount>) {
    const FIELDS: [&str; 15] = [
        "mnt_id",
        "parent_mnt_id",
        "mountpoint",
        "root",
        "fstype",
        "root_dev",
        "ext_key",
        "ext_mount",
        "with_plugin",
        "fsname",
        "flags",
        "source",
        "options",
        "shared_id",
        "master_id",
    ];
    let mut external = false;
    checker.each(image, &FIELDS, &mut |entry, record| {
        let number_of = |name| record.number(name).unwrap_or(0);
        let bytes = |name| record.bytes(name).unwrap_or_default().to_vec();
        let key = record.text("ext_key");
        let is_external = key.is_some() || record.is("ext_mount");
        if is_external && !external {
            external = true;
            let key = key.unwrap_or_else(|| bytes("root").into());
            let what = format!("an external mount: restore needs --external 'mnt[{key}]:PATH'");
            checker.warning("external-mount", image, (entry, "ext_key"), what);
        }
        if record.bytes("fsname").is_some() && number_of("fstype") != AUTO {
            let what = "only a file system of the type AUTO has a name";
            checker.error("mount", image, (entry, "fsname"), what);
        }
        mounts.push(Mount {
            image: number,
            entry,
            id: number_of("mnt_id"),
            parent: number_of("parent_mnt_id"),
            mountpoint: bytes("mountpoint"),
            root: bytes("root"),
            kind: number_of("fstype"),
            device: number_of("root_dev"),
            source: bytes("source"),
            options: bytes("options"),
            flags: number_of("flags"),
            shared: number_of("shared_id"),
            master: number_of("master_id"),
            is_external,
            is_of_plugin: record.is("with_plugin"),
        });
    });
}

struct Look<'a, 'c> {
    checker: &'a Checker<'c>,
    images: &'a [String],
    mounts: &'a [Mount],
}

impl Look<'_, '_> {
    fn error(&self, mount: &Mount, field: &'static str, what: impl Into<String>) {
        if let Some(image) = self.images.get(mount.image) {
            self.checker
                .error("mount", image, (mount.entry, field), what);
        }
    }

    fn warning(&self, mount: &Mount, field: &'static str, what: impl Into<String>) {
        if let Some(image) = self.images.get(mount.image) {
            self.checker
                .warning("mount", image, (mount.entry, field), what);
        }
    }

    /// Each namespace has one root, and each other mount is below another; the roots, by their places.
    fn trees(&self) -> HashSet<usize> {
        let mut known: HashMap<u64, &Mount> = HashMap::new();
        for mount in self.mounts {
            if let Some(before) = known.insert(mount.id, mount) {
                let image = self.images.get(before.image).map_or("", String::as_str);
                let what = format!(
                    "duplicate mount {}: entry {} of {image} has the id too",
                    mount.id, before.entry
                );
                self.error(mount, "mnt_id", what);
            }
        }
        let mut roots = HashSet::new();
        for (number, image) in self.images.iter().enumerate() {
            let own: Vec<(usize, &Mount)> = self
                .mounts
                .iter()
                .enumerate()
                .filter(|(_, mount)| mount.image == number)
                .collect();
            let ids: HashSet<u64> = own.iter().map(|(_, mount)| mount.id).collect();
            let is_top = |mount: &Mount| !ids.contains(&mount.parent) || mount.parent == mount.id;
            let tops: Vec<_> = own.iter().filter(|(_, mount)| is_top(mount)).collect();
            let root = tops.iter().find(|(_, mount)| mount.mountpoint == b"/");
            match root {
                Some((place, _)) => {
                    roots.insert(*place);
                }
                None if self.checker.has(image) => {
                    let what = "no mount is the root: none without a parent is at /";
                    self.checker.error("no-root", image, (), what);
                }
                None => continue,
            }
            for (place, mount) in &tops {
                if !roots.contains(place) {
                    let what = format!(
                        "no mount has the id {}, and this is not the root",
                        mount.parent
                    );
                    self.error(mount, "parent_mnt_id", what);
                }
            }
            if let Some((place, _)) = root {
                self.reach(&own, *place);
            }
        }
        roots
    }

    /// Mounts that hang on each other, and not below the root, are not made.
    fn reach(&self, own: &[(usize, &Mount)], root: usize) {
        let mut below: HashMap<u64, Vec<&Mount>> = HashMap::new();
        for (place, mount) in own {
            if *place != root {
                below.entry(mount.parent).or_default().push(mount);
            }
        }
        let mut reached: HashSet<u64> = HashSet::new();
        let mut todo: Vec<&Mount> = self.mounts.get(root).into_iter().collect();
        while let Some(above) = todo.pop() {
            if !reached.insert(above.id) {
                continue;
            }
            for mount in below.get(&above.id).into_iter().flatten() {
                if !is_below(&mount.mountpoint, &above.mountpoint) {
                    let what = format!(
                        "it is not below the mount point of its parent, {}",
                        String::from_utf8_lossy(&above.mountpoint)
                    );
                    self.error(mount, "mountpoint", what);
                }
                todo.push(mount);
            }
        }
        let ids: HashSet<u64> = own.iter().map(|(_, mount)| mount.id).collect();
        for (place, mount) in own {
            if *place != root && !reached.contains(&mount.id) && ids.contains(&mount.parent) {
                let what = format!(
                    "the mount {} does not hang below the root: it is not made",
                    mount.parent
                );
                self.warning(mount, "parent_mnt_id", what);
            }
        }
    }

    /// Two mounts at one place hang on each other, not side by side (`validate_mounts`).
    fn siblings(&self) {
        let mut seen: HashMap<(usize, u64, &[u8]), u64> = HashMap::new();
        for mount in self.mounts.iter().filter(|mount| mount.parent != mount.id) {
            let key = (mount.image, mount.parent, mount.mountpoint.as_slice());
            if let Some(before) = seen.insert(key, mount.entry) {
                let what = format!("entry {before} is mounted there on the same parent");
                self.error(mount, "mountpoint", what);
            }
        }
    }

    /// Flags that mounts have, and the groups that they follow.
    fn sharing(&self, outside: &HashSet<u64>) {
        /// `MS_NOUSER`, which the kernel keeps for itself: `mount` refuses it.
        const OWN: u64 = 1 << 31;
        let shared: HashSet<u64> = self.mounts.iter().map(|mount| mount.shared).collect();
        for mount in self.mounts {
            if mount.flags & OWN != 0 && !mount.is_external {
                let what = format!("0x{:x} has a flag that no mount has", mount.flags);
                self.error(mount, "flags", what);
            }
            let follows = mount.master != 0 && !shared.contains(&mount.master);
            if follows && !outside.contains(&mount.device) {
                let what = format!(
                    "no mount is in the peer group {}, which it follows",
                    mount.master
                );
                self.error(mount, "master_id", what);
            }
        }
    }

    /// The devices of file systems that are not mounted by restore.
    fn devices_from_outside(&self, roots: &HashSet<usize>) -> HashSet<u64> {
        let mounts = self.mounts.iter().enumerate();
        mounts
            .filter(|(place, mount)| mount.is_from_outside(*place, roots))
            .map(|(_, mount)| mount.device)
            .collect()
    }

    /// A file system is mounted anew, or is a bind mount of one that is.
    fn file_systems(&self, roots: &HashSet<usize>, outside: &HashSet<u64>) {
        let mut by_device: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, mount) in self.mounts.iter().enumerate() {
            by_device.entry(mount.device).or_default().push(place);
        }
        for (device, places) in &by_device {
            let all = || places.iter().filter_map(|place| self.mounts.get(*place));
            self.sources(places, roots);
            if outside.contains(device) {
                continue;
            }
            let Some(first) = all().find(|mount| mount.root == b"/") else {
                // Bind mounts below each other may share what is not here as a whole.
                if let Some(mount) = all().next() {
                    let what = "no mount of its file system has the root /, and none is external";
                    self.error(mount, "root", what);
                }
                continue;
            };
            match first.kind {
                UNSUPPORTED => self.error(first, "fstype", "an unsupported file system"),
                FUSE => self.error(first, "fstype", "FUSE can't be mounted by restore"),
                TMPFS => self.needed(
                    first,
                    &[
                        format!("tmpfs-dev-{device}.tar.gz.img"),
                        format!("tmpfs-{}.tar.gz.img", first.id),
                    ],
                ),
                AUTOFS => self.needed(first, &[format!("autofs-{device}.img")]),
                _ => {}
            }
        }
    }

    /// A bind mount is of a mount of the same file system, which has its source (`mounts_sb_equal`): of the
    /// whole file system, of the root of the namespace, or of one that is external.
    fn sources(&self, places: &[usize], roots: &HashSet<usize>) {
        /// Of these kinds, mounts of one file system may have other options.
        const CGROUPS: [u64; 2] = [12, 23];
        let at = |place: &usize| Some((*place, self.mounts.get(*place)?));
        let is_same = |a: &Mount, b: &Mount| {
            let options = CGROUPS.contains(&a.kind) || a.kind == AUTO || a.options == b.options;
            options && (a.is_external || a.source == b.source && a.kind == b.kind)
        };
        let origins: Vec<&Mount> = places
            .iter()
            .filter_map(at)
            .filter(|(place, mount)| mount.root == b"/" || mount.is_from_outside(*place, roots))
            .map(|(_, mount)| mount)
            .collect();
        for (place, mount) in places.iter().filter_map(at) {
            let is_bind = mount.root != b"/" && !mount.is_from_outside(place, roots);
            if is_bind && !origins.is_empty() && !origins.iter().any(|of| is_same(of, mount)) {
                let what = "no mount that it could be a bind mount of has its source and options";
                self.error(mount, "source", what);
            }
        }
    }

    /// One of these images holds the content.
    fn needed(&self, mount: &Mount, names: &[String]) {
        if let Some(found) = names.iter().find(|name| self.checker.has(name)) {
            self.unpacked(found);
        } else if let Some(first) = names.first() {
            let image = self.images.get(mount.image).map_or("", String::as_str);
            let what = format!(
                "missing: the content of the mount {} (entry {} of {image})",
                mount.id, mount.entry
            );
            self.checker.error("missing-content", first, (), what);
        }
    }

    /// The tarball of a tmpfs can be unpacked to its end.
    fn unpacked(&self, name: &str) {
        if !name.ends_with(".tar.gz.img") {
            return;
        }
        let Ok(Some(content)) = self.checker.checkpoint.read(name) else {
            return;
        };
        if let Err(error) = unpack(content) {
            let what = format!("the tarball can't be unpacked: {error}");
            self.checker.error("tarball", name, (), what);
        }
    }

    /// The mounts that files are on: of those that a task uses, CRIU looks for the mount.
    fn files(&self, files: &Files) {
        let known: HashSet<u64> = self.mounts.iter().map(|mount| mount.id).collect();
        for kind in ["REG", "UNIXSK"] {
            for reference in files.of(kind, "mnt_id") {
                if known.contains(&reference.to) {
                    continue;
                }
                let place = &reference.place;
                let what = format!("no mount has the id {}", reference.to);
                let at = place.field("mnt_id");
                let is_used = kind == "UNIXSK" || files.is_used(reference.id);
                match is_used {
                    true => self.checker.error("dangling-mount", place.image, at, what),
                    false => self.checker.note("dangling-mount", place.image, at, what),
                }
            }
        }
    }
}

/// Goes through a gzipped tarball to its end.
fn unpack(content: impl Read) -> io::Result<()> {
    let mut unpacked = BufReader::new(MultiGzDecoder::new(content));
    if unpacked.fill_buf()?.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let size = entry.size();
        if io::copy(&mut entry, &mut io::sink())? < size {
            return Err(io::Error::other("it ends inside of a member"));
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
}
