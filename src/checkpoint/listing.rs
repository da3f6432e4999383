//! Every file of a checkpoint, with what it is.

use std::sync::Arc;

use serde::Serialize;

use super::{Checkpoint, Member, MemberKind};
use crate::descriptor::{Family, ImageKind};
use crate::error::{Error, ErrorKind, Result};
use crate::image::summarize;
use crate::text::Text;

/// A file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listed {
    /// Its name inside the directory or archive.
    pub name: Text,
    /// Its size in bytes.
    pub size: u64,
    /// The kind of image, such as `PSTREE` or `PAGES`; absent for what is no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The number of entries; absent for raw images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// What it is, in words.
    pub about: String,
    /// Why it can't be read, when it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What engines and CRIU put beside the images, by the beginning of its name: see the archives of
/// Podman (`libpod/container_internal_common.go`), CRI-O (`internal/lib/checkpoint.go`) and containerd
/// (`internal/cri/server/container_checkpoint_linux.go`).
const BESIDE: [(&str, &str); 20] = [
    (
        "config.dump",
        "the engine's description of the container, JSON",
    ),
    ("spec.dump", "the OCI runtime spec of the container, JSON"),
    ("status.dump", "the engine's status of the container, JSON"),
    ("status", "containerd's status of the container, JSON"),
    ("network.status", "Podman's networks of the container, JSON"),
    ("bind.mounts", "CRI-O's bind mounts of the container, JSON"),
    (
        "deleted.files",
        "files of the image that the container deleted, JSON",
    ),
    ("pod.options", "options of a pod checkpoint, JSON"),
    ("pod.dump", "description of a pod, JSON"),
    (
        "rootfs-diff.tar",
        "what the container changed in its root file system, a tarball",
    ),
    ("devshm-checkpoint.tar", "the files in /dev/shm, a tarball"),
    ("volumes/", "the files of a volume, a tarball"),
    ("dump.log", "CRIU's log of the dump"),
    ("restore.log", "CRIU's log of a restore"),
    ("ctr.log", "what the container printed"),
    ("container.log", "what the container printed"),
    ("io.kubernetes.cri-o.LogPath", "what the container printed"),
    ("artifacts", "the engine's own"),
    (
        "descriptors.json",
        "the runtime's standard descriptors, JSON",
    ),
    ("amdgpu-", "an image of CRIU's plugin for AMD GPUs"),
];

impl Checkpoint {
    /// Every file of the directory or archive, in the order of its names, with its kind and the
    /// number of its entries. The page contents are not read.
    ///
    /// # Errors
    ///
    /// A directory can't be read.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let members = self.members()?.into_iter();
        let members = members.filter(|member| member.kind != MemberKind::Directory);
        let mut listed: Vec<Listed> = members.map(|member| self.listed(member)).collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        // Of members that stand twice, the last counts.
        listed.reverse();
        listed.dedup_by(|later, earlier| later.name == earlier.name);
        listed.reverse();
        Ok(listed)
    }

    fn listed(&self, member: Member) -> Listed {
        let name = member.name.to_string_lossy().into_owned();
        let mut listed = Listed {
            name: member.name,
            size: member.size,
            kind: None,
            entries: None,
            about: String::new(),
            error: None,
        };
        match member.kind {
            MemberKind::Link(target) | MemberKind::HardLink(target) => {
                listed.about = format!("a link to {}", target.to_string_lossy());
                // What CRIU opens through it is an image as well.
                let file = self.store.find(&name).ok().flatten();
                if let Some(file) = file.filter(Member::is_file) {
                    let link = std::mem::take(&mut listed.about);
                    let mut file = self.listed(file);
                    let about = std::mem::take(&mut file.about);
                    let words = [about, link].into_iter().filter(|words| !words.is_empty());
                    file.about = words.collect::<Vec<_>>().join(", ");
                    return file;
                }
                return listed;
            }
            MemberKind::Unreadable(why) => {
                "a directory".clone_into(&mut listed.about);
                listed.error = Some(why);
                return listed;
            }
            MemberKind::Special => {
                "no file with content".clone_into(&mut listed.about);
                return listed;
            }
            _ => {}
        }
        let base = name.rsplit('/').next().unwrap_or(&name);
        let by_name = self.schema.kinds().by_file_name(base);
        if let Some(kind) = by_name.filter(|kind| kind.family == Family::Raw) {
            listed.be(kind);
            return listed;
        }
        if by_name.is_none() && !base.ends_with(".img") {
            let known = BESIDE
                .iter()
                .find(|(start, _)| name.starts_with(start) || base.starts_with(start));
            known
                .map_or("", |(_, about)| about)
                .clone_into(&mut listed.about);
            return listed;
        }
        let summary = self.store.open(&name).and_then(|content| match content {
            Some(content) => summarize(&self.schema, content, Some(&self.store.label(&name))),
            None => Err(Error::new(ErrorKind::Value(
                "it can't be reached by its name".to_owned(),
            ))),
        });
        match summary {
            Ok(summary) => {
                listed.entries = Some(summary.count);
                // One magic may stand for images of several names.
                listed.be(match by_name {
                    Some(named) if named.magic == summary.kind.magic => named,
                    _ => &summary.kind,
                });
            }
            Err(error) => {
                if let Some(kind) = by_name {
                    listed.be(kind);
                }
                if let ErrorKind::RawImage { kind, about } = error.kind() {
                    listed.kind = Some(kind.clone());
                    listed.about.clone_from(about);
                } else {
                    listed.error = Some(error.kind().to_string());
                }
            }
        }
        listed
    }
}

impl Listed {
    fn be(&mut self, kind: &Arc<ImageKind>) {
        self.kind = Some(kind.name.clone());
        self.about.clone_from(&kind.about);
    }
}
