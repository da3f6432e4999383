//! The sockets of every task.

use std::collections::HashMap;

use serde::Serialize;

use super::files::{
    FileTable, InetSocket, NetlinkSocket, OpenFile, PacketSocket, SocketCommon, UnixSocket,
    protocol, unix_address,
};
use super::{Explorer, names};
use crate::error::Result;
use crate::json::ip_address;
use crate::text::Text;

/// The sockets of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskSockets {
    /// The task.
    pub pid: u32,
    /// Its sockets, in the order of its descriptors.
    pub sockets: Vec<Socket>,
}

/// A socket. What its family does not have is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Socket {
    /// The descriptor.
    pub fd: u32,
    /// The type of file, as CRIU names it: `INETSK`, `UNIXSK`, `PACKETSK`, `NETLINKSK`.
    pub fd_type: String,
    /// The family, without `AF_`, or its number.
    pub family: String,
    /// The protocol: by name where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `STREAM`, `DGRAM`, `RAW`, ...
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `ESTABLISHED`, `LISTEN`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The address or name that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_addr: Option<Text>,
    /// The port that it is bound to; the port id of a netlink socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u32>,
    /// The address or name that it is connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_addr: Option<Text>,
    /// The port that it is connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_port: Option<u32>,
    /// The size of its send buffer, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_buf: Option<u64>,
    /// The size of its receive buffer, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_buf: Option<u64>,
    /// Bytes that were sent and not acknowledged, where the checkpoint holds the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_queue: Option<u64>,
    /// Bytes that were received and not read, where the checkpoint holds the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_queue: Option<u64>,
    /// Packets that were received and not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_packets: Option<u64>,
    /// How many connections may wait for being accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    /// Which directions are shut: `READ`, `WRITE`, `BOTH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<String>,
    /// The directory that the name of a unix socket is relative to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_dir: Option<Text>,
    /// The index of the interface that a packet socket is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// The interface that it is bound to, where its name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Text>,
    /// The multicast groups of a netlink socket, as words of bits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// The inode number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ino: Option<u32>,
    /// The other end of a unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
    /// CRIU's id of its network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_id: Option<u32>,
    /// CRIU's id of the open file.
    pub id: u32,
}

/// The other end of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Peer {
    /// Its inode number.
    pub ino: u32,
    /// The tasks of the checkpoint that have it open, each with its descriptor; none when it is not
    /// in the checkpoint.
    pub holders: Vec<(u32, u32)>,
}

/// Bytes and packets that wait in a socket.
#[derive(Default)]
struct Queues {
    /// Of unix sockets, by the id of the file that they wait for.
    waiting: HashMap<u32, (u64, u64)>,
}

/// Tasks with their descriptors, by the inode number of a unix socket.
type Holders = HashMap<u32, Vec<(u32, u32)>>;

fn add_holder(holders: &mut Holders, unix: &UnixSocket, pid: u32, fd: u32) {
    if let Some(ino) = unix.common.ino {
        let holders = holders.entry(ino).or_default();
        // A descriptor table may be shared by more tasks than anyone wants to read of.
        if holders.len() < 16 {
            holders.push((pid, fd));
        }
    }
}

impl Explorer<'_> {
    /// The sockets of every task; tasks without any are left out.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn sockets(&self) -> Result<Vec<TaskSockets>> {
        let files = self.socket_files();
        let mut unix_by_ino = HashMap::new();
        for file in files.iter() {
            if let OpenFile::Unix(socket) = file
                && let Some(ino) = socket.common.ino
            {
                unix_by_ino.insert(ino, &**socket);
            }
        }
        let queues = self.queues();
        let mut devices: HashMap<u32, HashMap<u32, Text>> = HashMap::new();
        let mut holders = Holders::new();
        let mut all = Vec::new();
        for task in self.living("sockets")? {
            let mut sockets = Vec::new();
            for slot in self.slots(task) {
                let Some(file) = files.get(&slot.kind, slot.id) else {
                    continue;
                };
                let (mut socket, common) = match file {
                    OpenFile::Inet(inet) => (self.inet(inet), &inet.common),
                    OpenFile::Unix(unix) => {
                        add_holder(&mut holders, unix, task.pid, slot.fd);
                        let mut socket = unix_socket(unix, unix_by_ino.get(&unix.peer).copied());
                        if let Some((bytes, packets)) = queues.waiting.get(&slot.id) {
                            socket.recv_queue = Some(*bytes);
                            socket.recv_packets = Some(*packets);
                        }
                        (socket, &unix.common)
                    }
                    OpenFile::Packet(packet) => {
                        let mut socket = packet_socket(packet);
                        if let (Some(index), Some(ns_id)) = (socket.ifindex, packet.common.ns_id) {
                            let names = devices.entry(ns_id);
                            let names = names.or_insert_with(|| self.device_names(ns_id));
                            socket.interface = names.get(&index).cloned();
                        }
                        (socket, &packet.common)
                    }
                    OpenFile::Netlink(netlink) => (netlink_socket(netlink), &netlink.common),
                    OpenFile::Regular { .. }
                    | OpenFile::Pipe { .. }
                    | OpenFile::Fifo { .. }
                    | OpenFile::Other => continue,
                };
                socket.fd = slot.fd;
                socket.id = slot.id;
                socket.fd_type = slot.kind.as_ref().to_owned();
                add_common(&mut socket, common);
                sockets.push(socket);
            }
            if !sockets.is_empty() {
                all.push(TaskSockets {
                    pid: task.pid,
                    sockets,
                });
            }
        }
        if !self.only.is_empty() {
            // Who has the other end need not be below the task that is asked about. What is missing of
            // the others is no gap in the answer about it.
            holders = Explorer::new(self.checkpoint).unix_holders(files)?;
        }
        for peer in all
            .iter_mut()
            .flat_map(|task| &mut task.sockets)
            .filter_map(|socket| socket.peer.as_mut())
        {
            peer.holders = holders.get(&peer.ino).cloned().unwrap_or_default();
        }
        Ok(all)
    }

    /// Who has which unix socket open, by its inode number.
    fn unix_holders(&self, files: &FileTable) -> Result<Holders> {
        let mut holders = Holders::new();
        for task in self.living("sockets")? {
            for slot in self.slots(task) {
                if let Some(OpenFile::Unix(unix)) = files.get(&slot.kind, slot.id) {
                    add_holder(&mut holders, unix, task.pid, slot.fd);
                }
            }
        }
        Ok(holders)
    }

    fn queues(&self) -> Queues {
        let mut queues = Queues::default();
        self.each("sk-queues.img", &[], &mut |record| {
            if let Some(id) = record.word("id_for") {
                let (bytes, packets) = queues.waiting.entry(id).or_default();
                *bytes = bytes.saturating_add(record.number("length").unwrap_or(0));
                *packets += 1;
            }
        });
        queues
    }

    fn inet(&self, inet: &InetSocket) -> Socket {
        /// `SOCK_STREAM`, and `IPPROTO_TCP`.
        const TCP: (u64, u64) = (1, 6);
        let unbound = |words: &[u32]| words.iter().all(|word| *word == 0);
        let address = |words: &[u32]| match ip_address(words) {
            Some(address) => Some(Text::from(address.to_string())),
            None if words.is_empty() => None,
            None => Some(Text::from(format!("{words:?}"))),
        };
        let connected = !unbound(&inet.destination) || inet.destination_port != 0;
        let mut socket = Socket {
            family: names::name("sk", "family", inet.family),
            protocol: Some(protocol("proto", inet.proto)),
            kind: Some(names::name("sk", "type", inet.kind)),
            state: Some(names::name("sk", "state", inet.state)),
            src_addr: address(&inet.source),
            src_port: Some(inet.source_port),
            dest_addr: address(&inet.destination).filter(|_| connected),
            dest_port: Some(inet.destination_port).filter(|_| connected),
            backlog: Some(inet.backlog).filter(|_| inet.state == LISTEN),
            interface: inet.interface.clone(),
            ..Socket::default()
        };
        // CRIU writes the stream of a connection to an image that is named after the inode.
        if (inet.kind, inet.proto) == TCP
            && let Some(ino) = inet.common.ino
            && inet.destination_port != 0
        {
            // The queues of a listening or closed socket are empty, and have no image; with `--tcp-close`
            // CRIU writes none (`criu/sk-tcp.c`).
            let image = format!("tcp-stream-{ino:x}.img");
            let has_queues = matches!(inet.state, ESTABLISHED | FIN_WAIT1..=FIN_WAIT2 | CLOSE_WAIT);
            let stream = if has_queues && !self.is_tcp_closed() {
                self.needed(&image, "the queues of a connection are unknown")
            } else {
                self.first(&image)
            };
            let stream = stream.as_ref().map(|stream| stream.record());
            socket.recv_queue = stream.and_then(|stream| stream.number("inq_len"));
            socket.send_queue = stream.and_then(|stream| stream.number("outq_len"));
        }
        socket
    }
}

impl Explorer<'_> {
    /// Returns true if the dump closed connections.
    fn is_tcp_closed(&self) -> bool {
        let inventory = self.first("inventory.img");
        inventory.is_some_and(|inventory| inventory.record().is("tcp_close"))
    }
}

/// States of the kernel's `tcp_states.h`; `LISTEN` is that of unix sockets too.
const ESTABLISHED: u64 = 1;
const FIN_WAIT1: u64 = 4;
const FIN_WAIT2: u64 = 5;
const CLOSE_WAIT: u64 = 8;
const LISTEN: u64 = 10;

fn unix_socket(unix: &UnixSocket, peer: Option<&UnixSocket>) -> Socket {
    Socket {
        family: names::name("sk", "family", 1),
        kind: Some(names::name("sk", "type", unix.kind)),
        state: Some(names::name("sk", "state", unix.state)),
        src_addr: unix_address(&unix.name),
        dest_addr: peer.and_then(|peer| unix_address(&peer.name)),
        // A path that begins at the root needs no directory, and an abstract name has none.
        name_dir: unix
            .name_dir
            .clone()
            .filter(|_| !matches!(unix.name.as_bytes(), [] | [0 | b'/', ..])),
        backlog: Some(unix.backlog).filter(|_| unix.state == LISTEN),
        peer: (unix.peer != 0).then(|| Peer {
            ino: unix.peer,
            holders: Vec::new(),
        }),
        ..Socket::default()
    }
}

fn packet_socket(packet: &PacketSocket) -> Socket {
    Socket {
        family: names::name("sk", "family", 17),
        kind: Some(names::name("sk", "type", packet.kind)),
        protocol: ethertype(packet.protocol),
        ifindex: Some(packet.ifindex).filter(|index| *index != 0),
        ..Socket::default()
    }
}

/// The protocol of a packet socket, which the image has as the system call takes it: in network
/// order. What has no name is hexadecimal, as everyone writes it; 0 is none.
fn ethertype(number: u64) -> Option<String> {
    let number = network_order(number);
    let name = protocol("ethertype", u64::from(number));
    match number {
        0 => None,
        _ if name == number.to_string() => Some(format!("0x{number:04x}")),
        _ => Some(name),
    }
}

fn network_order(protocol: u64) -> u16 {
    u16::try_from(protocol & 0xffff).unwrap_or(0).swap_bytes()
}

fn netlink_socket(netlink: &NetlinkSocket) -> Socket {
    Socket {
        family: names::name("sk", "family", 16),
        protocol: Some(protocol("netlink", netlink.protocol)),
        state: Some(netlink.state)
            .filter(|state| *state != 0)
            .map(|state| names::name("sk", "state", state)),
        src_port: Some(netlink.portid),
        dest_port: Some(netlink.destination_portid).filter(|port| *port != 0),
        groups: netlink.groups.clone(),
        ..Socket::default()
    }
}

fn add_common(socket: &mut Socket, common: &SocketCommon) {
    socket.ino = common.ino;
    socket.send_buf = common.send_buf;
    socket.recv_buf = common.recv_buf;
    socket.ns_id = common.ns_id;
    socket.shutdown.clone_from(&common.shutdown);
    if socket.interface.is_none() {
        socket.interface.clone_from(&common.device);
    }
}
