//! What a container engine writes beside the images: whose container it was.
//!
//! The files are `config.dump` (Podman's and CRI-O's own words), `spec.dump` (the OCI runtime spec
//! with the engine's annotations) and `network.status` (Podman's addresses). Which engine it was is
//! told by the annotation `io.container.manager`; containerd writes none. The names in JSON are
//! those of checkpointctl's `inspect --format json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Checkpoint, Member};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::METADATA_FILE;

/// The program that made a container's checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Engine {
    /// Podman.
    Podman,
    /// CRI-O, under Kubernetes.
    #[serde(rename = "CRI-O")]
    CriO,
    /// containerd, under Kubernetes.
    #[serde(rename = "containerd")]
    Containerd,
}

impl Engine {
    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Engine::Podman => "Podman",
            Engine::CriO => "CRI-O",
            Engine::Containerd => "containerd",
        }
    }
}

/// The container that a checkpoint is of. What its engine did not say is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Container {
    /// Its name.
    pub container_name: String,
    /// The name of its image.
    pub image: String,
    /// Its ID.
    pub id: String,
    /// The OCI runtime: crun, runc, ...
    pub runtime: String,
    /// When it was created, as the engine wrote it (RFC 3339).
    pub created: String,
    /// When the checkpoint was made, as the engine wrote it.
    pub checkpointed: String,
    /// The engine.
    pub engine: Engine,
    /// The pod that it belongs to.
    pub pod_name: String,
    /// The Kubernetes namespace of the pod.
    pub kubernetes_namespace: String,
    /// Its IP addresses.
    pub ip: Vec<String>,
    /// Its MAC addresses.
    pub mac: Vec<String>,
    /// Its networks, where the engine says more than addresses.
    pub networks: Vec<Network>,
    /// Its command.
    pub args: Vec<String>,
    /// Its mounts, out of `spec.dump`.
    pub mounts: Vec<SpecMount>,
    /// Everything that the engine noted in `spec.dump`.
    pub annotations: BTreeMap<String, String>,
    /// How large the checkpoint is.
    pub checkpoint_size: Sizes,
}

/// An interface of a container in a network of its engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Network {
    /// The name of the network.
    pub name: String,
    /// The interface inside the container.
    pub interface: String,
    /// Its addresses, with the length of their prefix.
    pub ip: Vec<String>,
    /// The gateways.
    pub gateway: Vec<String>,
    /// The MAC address.
    pub mac: String,
}

/// A mount that the runtime was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SpecMount {
    /// Where it is, inside the container.
    pub destination: String,
    /// The type of file system, or `bind`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// How.
    pub options: Vec<String>,
}

/// How large the parts of a checkpoint are, in bytes before packing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sizes {
    /// All that CRIU wrote.
    pub total_size: u64,
    /// The page contents in it.
    pub memory_pages_size: u64,
    /// The page contents of AMD GPUs in it.
    pub amd_gpu_memory_pages_size: u64,
    /// What the container changed in its root file system.
    pub root_fs_diff_size: u64,
}

impl Sizes {
    fn of(members: &[Member], base: &str) -> Self {
        let mut sizes = Sizes::default();
        for member in members.iter().filter(|member| member.is_file()) {
            let name = member.name.to_string_lossy();
            let image = name.strip_prefix(base).filter(|_| !base.is_empty());
            let add = |to: &mut u64| *to = to.saturating_add(member.size);
            if let Some(image) = image {
                add(&mut sizes.total_size);
                if image.starts_with("pages-") {
                    add(&mut sizes.memory_pages_size);
                } else if image.starts_with("amdgpu-pages-") {
                    add(&mut sizes.amd_gpu_memory_pages_size);
                }
            } else if name.starts_with("rootfs-diff.tar") {
                add(&mut sizes.root_fs_diff_size);
            }
        }
        sizes
    }
}

impl Checkpoint {
    /// The container that this checkpoint is of; `None` when no engine wrote anything about it, as
    /// for a plain directory of `criu dump`.
    ///
    /// # Errors
    ///
    /// A file of the engine's is not JSON.
    pub fn container(&self) -> Result<Option<Container>> {
        let config = self.engine_file("config.dump")?;
        let spec = self.engine_file("spec.dump")?;
        if config.is_none() && spec.is_none() {
            return Ok(None);
        }
        let config = config.unwrap_or(Value::Null);
        let spec = spec.unwrap_or(Value::Null);
        let annotations = annotations(&spec);
        let noted = |key: &str| annotations.get(key).cloned().unwrap_or_default();
        let said = |key: &str| string(config.get(key));
        let engine = match noted("io.container.manager").as_str() {
            "libpod" => Engine::Podman,
            "cri-o" => Engine::CriO,
            _ => Engine::Containerd,
        };
        let mut container = Container {
            container_name: said("name"),
            image: said("rootfsImageName"),
            id: said("id"),
            runtime: said("runtime"),
            created: said("createdTime"),
            checkpointed: said("checkpointedTime"),
            engine,
            pod_name: String::new(),
            kubernetes_namespace: String::new(),
            ip: Vec::new(),
            mac: Vec::new(),
            networks: Vec::new(),
            args: strings(spec.pointer("/process/args")),
            mounts: mounts(&spec),
            checkpoint_size: Sizes::of(&self.members()?, self.images_folder()),
            annotations: BTreeMap::new(),
        };
        match engine {
            Engine::Podman => self.podman(&mut container)?,
            Engine::CriO => {
                let metadata = noted("io.kubernetes.cri-o.Metadata");
                let metadata: Value = serde_json::from_str(&metadata).unwrap_or(Value::Null);
                container.container_name = string(metadata.get("name"));
                container.created = noted("io.kubernetes.cri-o.Created");
                container.kubernetes_namespace = noted("io.kubernetes.pod.namespace");
                container.pod_name = noted("io.kubernetes.pod.name");
                let addresses = annotations.iter().filter(|(key, address)| {
                    key.starts_with("io.kubernetes.cri-o.IP.") && !address.is_empty()
                });
                container.ip = addresses.map(|(_, address)| address.clone()).collect();
            }
            Engine::Containerd => {
                let name = noted("io.kubernetes.cri.container-name");
                if !name.is_empty() {
                    container.container_name = name;
                }
                container.kubernetes_namespace = noted("io.kubernetes.cri.sandbox-namespace");
                container.pod_name = noted("io.kubernetes.cri.sandbox-name");
            }
        }
        container.annotations = annotations;
        Ok(Some(container))
    }

    /// Podman's networks.
    fn podman(&self, container: &mut Container) -> Result<()> {
        let Some(Value::Object(networks)) = self.engine_file("network.status")? else {
            return Ok(());
        };
        for (name, network) in &networks {
            let Some(Value::Object(interfaces)) = network.get("interfaces") else {
                continue;
            };
            for (interface, said) in interfaces {
                let subnets = said.get("subnets").and_then(Value::as_array);
                let of_subnets = |key: &str| -> Vec<String> {
                    let all = subnets.into_iter().flatten().map(|s| string(s.get(key)));
                    all.filter(|text| !text.is_empty()).collect()
                };
                let network = Network {
                    name: name.clone(),
                    interface: interface.clone(),
                    ip: of_subnets("ipnet"),
                    gateway: of_subnets("gateway"),
                    mac: string(said.get("mac_address")),
                };
                let addresses = network
                    .ip
                    .iter()
                    .map(|ip| ip.split('/').next().unwrap_or(ip));
                container.ip.extend(addresses.map(str::to_owned));
                container
                    .mac
                    .extend(Some(network.mac.clone()).filter(|mac| !mac.is_empty()));
                container.networks.push(network);
            }
        }
        Ok(())
    }

    /// A file of the engine's beside the folder of images. A plain dump has none of them, and a file
    /// of that name among the images would not be one.
    fn engine_file(&self, name: &str) -> Result<Option<Value>> {
        let Some(bytes) = self.small_file(name, METADATA_FILE)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let at = (error.line() as u64, error.column() as u64);
            let what = format!("this is not the JSON of a container engine: {error}");
            Error::new(ErrorKind::Json(what))
                .at_line(at.0, at.1)
                .in_file(self.store.label(name))
        })
    }
}

fn string(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn annotations(spec: &Value) -> BTreeMap<String, String> {
    let object = spec.get("annotations").and_then(Value::as_object);
    let pairs = object.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn mounts(spec: &Value) -> Vec<SpecMount> {
    let list = spec
        .get("mounts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.map(|mount| SpecMount {
        destination: string(mount.get("destination")),
        kind: string(mount.get("type")),
        source: string(mount.get("source")),
        options: strings(mount.get("options")),
    })
    .collect()
}
