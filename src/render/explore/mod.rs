//! The answers of explorers as text: upstream's tables, the drawing of the tree, and our own.

mod lists;
mod tables;
mod tree;
mod upstream;

pub(crate) use lists::{cgroups, creds, metadata, signals, stats};
pub(crate) use tables::{
    address, contents, mount_notes, mounts, namespaces, notes, sockets, threads, timers,
};
pub(crate) use tree::ps_tree;
pub(crate) use upstream::{fds, mems, ps, rss};
