//! The open descriptors of every task, with its working and root directory.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Explorer, Task};
use crate::error::Result;
use crate::image::Entry;
use crate::message::Record;
use crate::text::Text;

/// The descriptors of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskFiles {
    /// The task.
    pub pid: u32,
    /// Its descriptors in the order of the image, then `cwd` and `root`.
    pub files: Vec<Descriptor>,
}

/// A descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its number, or that it is no descriptor but a directory of the task's.
    pub fd: DescriptorName,
    /// The type of file, as CRIU names it: `REG`, `PIPE`, `INETSK`, ...
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// What it is: a path, or `pipe[3]`, `unix[7 (8) name]`, or the type and CRIU's id.
    pub path: Arc<Text>,
    /// CRIU's id of the open file.
    pub id: u32,
}

/// Which descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptorName {
    /// A descriptor of this number.
    Number(u32),
    /// The working directory.
    Cwd,
    /// The root directory.
    Root,
}

impl Serialize for DescriptorName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            DescriptorName::Number(number) => serializer.serialize_u32(*number),
            DescriptorName::Cwd => serializer.serialize_str("cwd"),
            DescriptorName::Root => serializer.serialize_str("root"),
        }
    }
}

/// An entry of a descriptor table.
pub(super) struct Slot {
    pub(super) fd: u32,
    pub(super) kind: Arc<str>,
    pub(super) id: u32,
}

/// The descriptor table of a task, with the ids of its working and root directory.
struct TaskTable {
    pid: u32,
    slots: Vec<Slot>,
    cwd: Option<u32>,
    root: Option<u32>,
}

/// The types of files that were met: a handful, which thousands of descriptors share.
#[derive(Default)]
struct Kinds(Vec<Arc<str>>);

impl Kinds {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let kind: Arc<str> = name.into();
        self.0.push(Arc::clone(&kind));
        kind
    }
}

impl Explorer<'_> {
    /// The open descriptors of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn fds(&self) -> Result<Vec<TaskFiles>> {
        let found = self.beside_files(|| self.tables());
        Ok(found?.into_iter().map(|table| self.named(table)).collect())
    }

    /// What every task refers to, by ids.
    fn tables(&self) -> Result<Vec<TaskTable>> {
        let mut tables = Vec::new();
        for task in self.living("descriptors")? {
            let slots = self.slots(task);
            let fs = self.needed(
                &format!("fs-{}.img", task.pid),
                "working and root directory are unknown",
            );
            let id = |field| fs.as_ref().and_then(|fs| fs.record().word(field));
            tables.push(TaskTable {
                pid: task.pid,
                slots,
                cwd: id("cwd_id"),
                root: id("root_id"),
            });
        }
        Ok(tables)
    }

    fn named(&self, table: TaskTable) -> TaskFiles {
        let directory = |fd, id| Descriptor {
            fd,
            kind: "REG".into(),
            path: self.path(id),
            id,
        };
        let descriptors = table.slots.into_iter().map(|slot| Descriptor {
            fd: DescriptorName::Number(slot.fd),
            path: self.describe(&slot.kind, slot.id),
            kind: slot.kind,
            id: slot.id,
        });
        let mut files: Vec<Descriptor> = descriptors.collect();
        files.extend(table.cwd.map(|id| directory(DescriptorName::Cwd, id)));
        files.extend(table.root.map(|id| directory(DescriptorName::Root, id)));
        TaskFiles {
            pid: table.pid,
            files,
        }
    }

    /// The ids of a task's kernel objects.
    pub(super) fn ids(&self, task: &Task) -> Option<ObjectIds> {
        let image = format!("ids-{}.img", task.pid);
        if let Some(entry) = self.first(&image) {
            return Some(ObjectIds::Image(entry));
        }
        // CRIU 0.5 to 1.0 could keep them in the core image.
        let core = self.first(&format!("core-{}.img", task.pid))?;
        if core.record().record("ids").is_none() {
            let what = format!(
                "missing or empty: which objects task {} uses is unknown",
                task.pid
            );
            self.gap(&image, what);
            return None;
        }
        Some(ObjectIds::Core(core))
    }

    /// The descriptor table of a task.
    pub(super) fn slots(&self, task: &Task) -> Vec<Slot> {
        let ids = self.ids(task);
        // Before tables could be shared, they were named after the task.
        let table = ids
            .as_ref()
            .and_then(|ids| ids.record()?.word("files_id"))
            .filter(|_| self.tables_have_ids())
            .unwrap_or(task.pid);
        let mut slots = Vec::new();
        let mut kinds = Kinds::default();
        let mut columns = None;
        let image = format!("fdinfo-{table}.img");
        // An empty table has no image (CRIU's `criu/files.c`, `dump_task_files_seized`).
        self.each(&image, &["fd", "id", "type"], &mut |record| {
            let [fd, id, kind] = *columns
                .get_or_insert_with(|| ["fd", "id", "type"].map(|name| record.column(name)));
            let (Some(fd), Some(id)) = (record.word_at(fd), record.word_at(id)) else {
                self.gap(&image, "an entry has no descriptor or no file id");
                return;
            };
            slots.push(Slot {
                fd,
                kind: kinds.get(record.enum_name_at(kind).as_deref().unwrap_or("UND")),
                id,
            });
        });
        slots
    }

    /// Whether descriptor tables are named after ids, as they are since CRIU 0.4.
    fn tables_have_ids(&self) -> bool {
        match self.first("inventory.img") {
            Some(inventory) => inventory.record().is("fdinfo_per_id"),
            None => true,
        }
    }
}

/// Where the ids of a task were found.
pub(super) enum ObjectIds {
    Image(Arc<Entry>),
    Core(Arc<Entry>),
}

impl ObjectIds {
    pub(super) fn record(&self) -> Option<Record<'_>> {
        match self {
            ObjectIds::Image(entry) => Some(entry.record()),
            ObjectIds::Core(entry) => entry.record().record("ids"),
        }
    }
}
