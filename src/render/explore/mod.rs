//! The answers of explorers as text: a file for upstream's tables, and one for the others.

mod tables;
mod tree;
mod upstream;

pub(crate) use tables::{
    cgroups, creds, metadata, mounts, namespaces, signals, sockets, stats, threads, timers,
};
pub(crate) use tree::ps_tree;
pub(crate) use upstream::{fds, mems, ps, rss};
