//! The namespaces of every task, and what is in them.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::Explorer;
use crate::error::Result;
use crate::text::Text;

/// All namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Namespaces {
    /// Which namespaces every task is in.
    pub tasks: Vec<TaskNamespaces>,
    /// What is known of each namespace.
    pub namespaces: Vec<Namespace>,
}

/// The namespaces of a task: CRIU's id for each kind, where the image has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskNamespaces {
    /// The task.
    pub pid: u32,
    /// By kind: `pid`, `net`, `ipc`, `uts`, `mnt`, `user`, `cgroup`, `time`.
    pub ids: BTreeMap<&'static str, u32>,
}

/// A namespace. What its kind does not have is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Namespace {
    /// Its kind, as in [`TaskNamespaces::ids`].
    pub kind: &'static str,
    /// CRIU's id of it.
    pub id: u32,
    /// The tasks in it.
    pub tasks: Vec<u32>,
    /// Whether it is that of the root task: what CRIU's inventory says all others are held against.
    pub root: bool,
    /// uts: the host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text>,
    /// uts: the NIS domain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<Text>,
    /// user: the map of user ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uid_map: Vec<IdMap>,
    /// user: the map of group ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gid_map: Vec<IdMap>,
    /// net: the devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<NetDevice>,
    /// net, pid: the key under which it is given from outside at restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext_key: Option<Text>,
    /// time: the monotonic clock, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monotonic_ns: Option<u64>,
    /// time: the clock since boot, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boottime_ns: Option<u64>,
    /// ipc: SysV shared memory segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_segments: Option<u64>,
    /// ipc: SysV message queues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_queues: Option<u64>,
    /// ipc: SysV semaphore sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semaphore_sets: Option<u64>,
    /// mnt: mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mounts: Option<u64>,
}

/// A line of a user namespace's map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IdMap {
    /// The first id inside.
    pub first: u32,
    /// The first id outside.
    pub lower_first: u32,
    /// How many.
    pub count: u32,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NetDevice {
    /// Its name.
    pub name: Text,
    /// What it is: `LOOPBACK`, `VETH`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Its index.
    pub ifindex: u32,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// The kinds, with the field of `task_kobj_ids_entry` that has the id.
const KINDS: [(&str, &str); 8] = [
    ("pid", "pid_ns_id"),
    ("net", "net_ns_id"),
    ("ipc", "ipc_ns_id"),
    ("uts", "uts_ns_id"),
    ("mnt", "mnt_ns_id"),
    ("user", "user_ns_id"),
    ("cgroup", "cgroup_ns_id"),
    ("time", "time_ns_id"),
];

impl Explorer<'_> {
    /// The namespaces of every task, and what the checkpoint holds of them.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn namespaces(&self) -> Result<Namespaces> {
        let mut all = Namespaces::default();
        let mut found: BTreeMap<(usize, u32), Namespace> = BTreeMap::new();
        let inventory = self.first("inventory.img");
        let root = inventory
            .as_ref()
            .and_then(|i| i.record().record("root_ids"));
        for task in self.living("namespaces")? {
            let Some(ids) = self.ids(task) else {
                continue;
            };
            let mut of_task = BTreeMap::new();
            for (order, (kind, field)) in KINDS.iter().enumerate() {
                let Some(id) = ids.record().and_then(|ids| ids.word(field)) else {
                    continue;
                };
                of_task.insert(*kind, id);
                let namespace = found.entry((order, id)).or_insert_with(|| Namespace {
                    root: root.and_then(|root| root.word(field)) == Some(id),
                    ..self.namespace(kind, id)
                });
                namespace.tasks.push(task.pid);
            }
            all.tasks.push(TaskNamespaces {
                pid: task.pid,
                ids: of_task,
            });
        }
        all.namespaces = found.into_values().collect();
        Ok(all)
    }

    /// The names of the devices of a network namespace, by index.
    pub(super) fn device_names(&self, ns_id: u32) -> HashMap<u32, Text> {
        let mut names = HashMap::new();
        self.each(&format!("netdev-{ns_id}.img"), &[], &mut |device| {
            if let (Some(index), Some(name)) = (device.word("ifindex"), device.text("name")) {
                names.insert(index, name);
            }
        });
        names
    }

    /// What the images of a namespace say.
    fn namespace(&self, kind: &'static str, id: u32) -> Namespace {
        let mut namespace = Namespace {
            kind,
            id,
            ..Namespace::default()
        };
        let count = |image: String| {
            let mut entries = 0;
            self.each(&image, &[], &mut |_| entries += 1)
                .then_some(entries)
        };
        let image = |name: &str| self.first(&format!("{name}-{id}.img"));
        match kind {
            "uts" => {
                if let Some(entry) = image("utsns") {
                    namespace.hostname = entry.record().text("nodename");
                    namespace.domainname = entry.record().text("domainname");
                }
            }
            "user" => {
                if let Some(entry) = image("userns") {
                    let map = |name: &str| -> Vec<IdMap> {
                        let lines = entry.record().records(name);
                        lines
                            .map(|line| IdMap {
                                first: line.word("first").unwrap_or(0),
                                lower_first: line.word("lower_first").unwrap_or(0),
                                count: line.word("count").unwrap_or(0),
                            })
                            .collect()
                    };
                    namespace.uid_map = map("uid_map");
                    namespace.gid_map = map("gid_map");
                }
            }
            "net" => {
                self.each(&format!("netdev-{id}.img"), &[], &mut |device| {
                    namespace.devices.push(NetDevice {
                        name: device.text("name").unwrap_or_default(),
                        kind: device.enum_name("type").unwrap_or_default().into_owned(),
                        ifindex: device.word("ifindex").unwrap_or(0),
                        mtu: device.word("mtu").unwrap_or(0),
                        mac: device
                            .bytes("address")
                            .filter(|mac| mac.len() <= 32)
                            .map(|mac| {
                                let parts: Vec<_> =
                                    mac.iter().map(|b| format!("{b:02x}")).collect();
                                parts.join(":")
                            }),
                    });
                });
                namespace.ext_key = image("netns").and_then(|entry| entry.record().text("ext_key"));
            }
            "pid" => {
                namespace.ext_key = image("pidns").and_then(|entry| entry.record().text("ext_key"));
            }
            "time" => {
                if let Some(entry) = image("timens") {
                    let nanoseconds = |name: &str| {
                        let time = entry.record().record(name)?;
                        let seconds = time.number("tv_sec")?.saturating_mul(1_000_000_000);
                        Some(seconds.saturating_add(time.number("tv_nsec").unwrap_or(0)))
                    };
                    namespace.monotonic_ns = nanoseconds("monotonic");
                    namespace.boottime_ns = nanoseconds("boottime");
                }
            }
            "ipc" => {
                namespace.shm_segments = count(format!("ipcns-shm-{id}.img"));
                namespace.message_queues = count(format!("ipcns-msg-{id}.img"));
                namespace.semaphore_sets = count(format!("ipcns-sem-{id}.img"));
            }
            "mnt" => namespace.mounts = count(format!("mountpoints-{id}.img")),
            _ => {}
        }
        namespace
    }
}
