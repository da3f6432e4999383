//! The bundled schema: CRIU 4.2's .proto files, embedded as text.

use std::borrow::Cow;

use super::source::{Source, SourceFile};
use crate::error::Result;

macro_rules! bundled {
    ($($name:literal,)*) => {
        /// File names and texts, sorted by name.
        const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../schemas/", $name))),)*
        ];
    };
}

bundled! {
    "apparmor.proto",
    "autofs.proto",
    "binfmt-misc.proto",
    "bpfmap-data.proto",
    "bpfmap-file.proto",
    "cgroup.proto",
    "core-aarch64.proto",
    "core-arm.proto",
    "core-loongarch64.proto",
    "core-mips.proto",
    "core-ppc64.proto",
    "core-riscv64.proto",
    "core-s390.proto",
    "core-x86.proto",
    "core.proto",
    "cpuinfo.proto",
    "creds.proto",
    "eventfd.proto",
    "eventpoll.proto",
    "ext-file.proto",
    "fdinfo.proto",
    "fh.proto",
    "fifo.proto",
    "file-lock.proto",
    "fown.proto",
    "fs.proto",
    "fsnotify.proto",
    "ghost-file.proto",
    "img-streamer.proto",
    "inventory.proto",
    "ipc-desc.proto",
    "ipc-msg.proto",
    "ipc-sem.proto",
    "ipc-shm.proto",
    "ipc-var.proto",
    "macvlan.proto",
    "memfd.proto",
    "mm.proto",
    "mnt.proto",
    "netdev.proto",
    "ns.proto",
    "opts.proto",
    "packet-sock.proto",
    "pagemap.proto",
    "pidfd.proto",
    "pidns.proto",
    "pipe-data.proto",
    "pipe.proto",
    "pstree.proto",
    "regfile.proto",
    "remap-file-path.proto",
    "rlimit.proto",
    "rpc.proto",
    "rseq.proto",
    "sa.proto",
    "seccomp.proto",
    "siginfo.proto",
    "signalfd.proto",
    "sit.proto",
    "sk-inet.proto",
    "sk-netlink.proto",
    "sk-opts.proto",
    "sk-packet.proto",
    "sk-unix.proto",
    "stats.proto",
    "sysctl.proto",
    "tcp-stream.proto",
    "time.proto",
    "timens.proto",
    "timer.proto",
    "timerfd.proto",
    "tty.proto",
    "tun.proto",
    "userns.proto",
    "utsns.proto",
    "vma.proto",
}

/// The files of `schemas/`.
#[derive(Debug)]
pub(super) struct Bundled;

impl Source for Bundled {
    fn describe(&self) -> String {
        "the built-in schema (CRIU 4.2)".to_owned()
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(FILES.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    fn file(&self, name: &str) -> Result<Option<SourceFile<'_>>> {
        let found = FILES.binary_search_by_key(&name, |(name, _)| name);
        Ok(found
            .ok()
            .and_then(|i| FILES.get(i))
            .map(|(_, text)| SourceFile::Text(Cow::Borrowed(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_schemas_is_embedded_and_found_by_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        on_disk.sort();
        assert_eq!(Bundled.names().unwrap(), on_disk);
        for name in on_disk {
            assert!(Bundled.file(&name).unwrap().is_some(), "{name}");
        }
    }
}
