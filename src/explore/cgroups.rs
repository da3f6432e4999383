//! The cgroups of every task, and what is set in them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Explorer;
use crate::error::Result;
use crate::message::Record;
use crate::text::Text;

/// All cgroups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cgroups {
    /// Sets of cgroups, with the threads that are in each.
    pub sets: Vec<CgroupSet>,
    /// The hierarchies that were dumped.
    pub controllers: Vec<CgroupController>,
}

/// A cgroup in each hierarchy: what `/proc/PID/cgroup` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CgroupSet {
    /// CRIU's id of it.
    pub id: u32,
    /// Whether it is CRIU's own, which the tasks' are held against.
    pub root: bool,
    /// The threads in it.
    pub threads: Vec<u32>,
    /// Its cgroups.
    pub members: Vec<CgroupMember>,
}

/// A cgroup of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CgroupMember {
    /// The controllers of the hierarchy, or `name=...`; empty for cgroup v2.
    pub name: Text,
    /// The cgroup.
    pub path: Text,
    /// How many bytes of the path are the root of a cgroup namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgns_prefix: Option<u32>,
}

/// A hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CgroupController {
    /// Its controllers.
    pub names: Vec<Text>,
    /// Its directories, each above those that are in it.
    pub dirs: Vec<CgroupDir>,
}

/// A directory of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CgroupDir {
    /// Its path.
    pub path: Text,
    /// What is set in it.
    pub properties: Vec<CgroupProperty>,
}

/// A file of a cgroup and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CgroupProperty {
    /// The file, such as `pids.max`.
    pub name: Text,
    /// The content.
    pub value: Text,
}

impl Explorer<'_> {
    /// The cgroups of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn cgroups(&self) -> Result<Cgroups> {
        let mut threads: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for task in self.tasks()? {
            let mut of_task = None;
            for tid in &task.threads {
                let core = self.first(&format!("core-{tid}.img"));
                let core = core.as_ref().map(|core| core.record());
                let tc = core.and_then(|core| core.record("tc"));
                let own = core.and_then(|core| core.record("thread_core"));
                let set = own
                    .and_then(|own| own.word("cg_set"))
                    .or_else(|| tc.and_then(|tc| tc.word("cg_set")));
                of_task = of_task.or(set);
                // Before CRIU 3.18 threads had no set of their own.
                if let Some(set) = set.or(of_task) {
                    threads.entry(set).or_default().push(*tid);
                }
            }
        }
        let inventory = self.needed("inventory.img", "which cgroups are CRIU's own is unknown");
        let root = inventory.and_then(|inventory| inventory.record().word("root_cg_set"));
        let mut all = Cgroups::default();
        if let Some(entry) = self.first("cgroup.img") {
            let record = entry.record();
            for set in record.records("sets") {
                let id = set.word("id").unwrap_or(0);
                all.sets.push(CgroupSet {
                    id,
                    root: root == Some(id),
                    threads: threads.remove(&id).unwrap_or_default(),
                    members: set.records("ctls").map(member).collect(),
                });
            }
            all.controllers = record.records("controllers").map(controller).collect();
        }
        // Sets that threads are in and that the image has not; without the image, every one.
        for (id, threads) in threads {
            if root != Some(id) {
                self.gap("cgroup.img", format!("the cgroups of set {id} are unknown"));
            }
            all.sets.push(CgroupSet {
                id,
                root: root == Some(id),
                threads,
                members: Vec::new(),
            });
        }
        Ok(all)
    }
}

fn member(record: Record<'_>) -> CgroupMember {
    CgroupMember {
        name: record.text("name").unwrap_or_default(),
        path: record.text("path").unwrap_or_default(),
        cgns_prefix: record.word("cgns_prefix").filter(|prefix| *prefix != 0),
    }
}

fn controller(record: Record<'_>) -> CgroupController {
    let mut dirs = Vec::new();
    for dir in record.records("dirs") {
        add_dirs(dir, &[], &mut dirs);
    }
    CgroupController {
        names: record.texts("cnames"),
        dirs,
    }
}

/// Adds a directory, then those in it. The nesting of messages is bounded where they are decoded.
fn add_dirs(record: Record<'_>, above: &[u8], dirs: &mut Vec<CgroupDir>) {
    let name = record.text("dir_name").unwrap_or_default();
    let mut path = above.to_vec();
    if !path.ends_with(b"/") && !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    let properties = record.records("properties").map(|property| CgroupProperty {
        name: property.text("name").unwrap_or_default(),
        value: property.text("value").unwrap_or_default(),
    });
    dirs.push(CgroupDir {
        path: Text::from(path.as_slice()),
        properties: properties.collect(),
    });
    for child in record.records("children") {
        add_dirs(child, &path, dirs);
    }
}
