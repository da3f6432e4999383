//! The mounts of every mount namespace, and those that the runtime was asked for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Explorer, names};
use crate::checkpoint::SpecMount;
use crate::error::Result;
use crate::message::Record;
use crate::text::Text;

/// All mounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mounts {
    /// The mount namespaces that were dumped. A dump without one shares the host's mounts.
    pub namespaces: Vec<MountNamespace>,
    /// What the container's runtime was asked to mount, out of `spec.dump`.
    pub spec: Vec<SpecMount>,
}

/// A mount namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MountNamespace {
    /// CRIU's id of it.
    pub mnt_ns_id: u32,
    /// Its mounts, in the order of the image.
    pub mounts: Vec<Mount>,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mount {
    /// Its id.
    pub mnt_id: u32,
    /// That of the mount that it is on.
    pub parent_mnt_id: u32,
    /// Where it is.
    pub mountpoint: Text,
    /// What of its file system is mounted there.
    pub root: Text,
    /// The type of file system.
    pub fstype: String,
    /// What is mounted.
    pub source: Text,
    /// The device, `major:minor`.
    pub device: String,
    /// The flags by name.
    pub flags: Vec<String>,
    /// The options of the file system.
    pub options: Text,
    /// The peer group, when it is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_id: Option<u32>,
    /// The group that it is a slave of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_id: Option<u32>,
    /// The key under which it is given from outside at restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext_key: Option<Text>,
    /// Whether what it was mounted on is deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// CRIU's names for types of file systems, by number (`images/mnt.proto`), as the kernel spells them.
const FSTYPES: [&str; 24] = [
    "unsupported",
    "proc",
    "sysfs",
    "devtmpfs",
    "binfmt_misc",
    "tmpfs",
    "devpts",
    "simfs",
    "pstore",
    "securityfs",
    "fusectl",
    "debugfs",
    "cgroup",
    "aufs",
    "mqueue",
    "fuse",
    "auto",
    "overlay",
    "autofs",
    "tracefs",
    "20",
    "21",
    "22",
    "cgroup2",
];

impl Explorer<'_> {
    /// The mounts of every mount namespace in the checkpoint.
    ///
    /// # Errors
    ///
    /// The directory can't be read.
    pub fn mounts(&self) -> Result<Mounts> {
        let mut namespaces = BTreeMap::new();
        for name in self.checkpoint.image_names()? {
            let id = name
                .strip_prefix("mountpoints-")
                .and_then(|rest| rest.strip_suffix(".img")?.parse::<u32>().ok());
            let Some(id) = id else {
                continue;
            };
            let mut mounts = Vec::new();
            self.each(&name, &[], &mut |record| mounts.push(mount(record)));
            namespaces.insert(id, mounts);
        }
        let container = self.checkpoint.container().unwrap_or_else(|error| {
            self.failed(&error);
            None
        });
        Ok(Mounts {
            namespaces: namespaces
                .into_iter()
                .map(|(mnt_ns_id, mounts)| MountNamespace { mnt_ns_id, mounts })
                .collect(),
            spec: container
                .map(|container| container.mounts)
                .unwrap_or_default(),
        })
    }
}

fn mount(record: Record<'_>) -> Mount {
    let text = |name: &str| record.text(name).unwrap_or_default();
    let device = record.number("root_dev").unwrap_or(0);
    let fstype = record.number("fstype").unwrap_or(0);
    let known = usize::try_from(fstype).ok().and_then(|at| FSTYPES.get(at));
    Mount {
        mnt_id: record.word("mnt_id").unwrap_or(0),
        parent_mnt_id: record.word("parent_mnt_id").unwrap_or(0),
        mountpoint: text("mountpoint"),
        root: text("root"),
        // For a type without a number of its own, the name stands in the image.
        fstype: match record.text("fsname") {
            Some(name) if !name.is_empty() => name.to_string_lossy().into_owned(),
            _ => known.map_or_else(|| fstype.to_string(), |name| (*name).to_owned()),
        },
        source: text("source"),
        device: format!("{}:{}", device >> 20, device & 0xf_ffff),
        flags: names::flags("mount", record.number("flags").unwrap_or(0)),
        options: text("options"),
        shared_id: record.word("shared_id").filter(|id| *id != 0),
        master_id: record.word("master_id").filter(|id| *id != 0),
        ext_key: record.text("ext_key"),
        deleted: record.is("deleted"),
    }
}
