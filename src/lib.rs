//! Read, check, edit and write the checkpoint images of [CRIU] (Checkpoint/Restore In Userspace),
//! with the protobuf schema loaded at run time.
//!
//! [CRIU]: https://criu.org
//!
//! # What a dump is
//!
//! `criu dump` freezes a tree of processes and writes a directory of *images*. Nearly all of them
//! have one shape: a magic, then *entries*, each a size and a protobuf message. There are five
//! families:
//!
//! - **plain**: only entries (`pstree.img`, `core-17.img`, `files.img`, ...).
//! - **head and entries**: the first message is of another type (`pagemap-17.img`).
//! - **entries with a payload**: raw bytes follow each message, as many as its fields say (what
//!   waits in pipes and sockets, SysV queues, the content of deleted files). Upstream's word is
//!   *extra*.
//! - **service**: statistics and caches, with another first word (`stats-dump`, `irmap-cache`).
//! - **raw**: no magic and no messages (`pages-1.img`, tarballs of tmpfs, firewall rules).
//!
//! # How this crate reads them
//!
//! Nothing is generated from .proto files. The schema of CRIU 4.2 is embedded as text; a file of it
//! is compiled when an image first needs it, and from then on everything runs through dynamic
//! messages. Which magic stands for which message, which fields give the size of a payload, which
//! bits of a field have names: all of it is data (`descriptors/`, `schemas/`).
//!
//! # Layers
//!
//! Imports point down only.
//!
//! ```text
//! cli           one file per subcommand                        (feature `cli`, on by default)
//! render        text for people: tables, trees, hexadecimal dumps, safe names (feature `cli`)
//! edit          values by their paths, changed in place
//! replace       something replaced in all images of a checkpoint at once
//! check         whether a checkpoint is sound: what its images say of each other
//! compare       what differs between two images, or two checkpoints
//! coredump      ELF core files of dumped tasks
//! explore       what a checkpoint tells about its tasks: a file for each question
//! memory        pages through pre-dumps, segments and files: read, searched, patched
//! checkpoint    a directory or an archive as one thing
//! json          the JSON contract, both ways, streaming
//! image         magic, entries, payloads: reader and writer
//! message       protobuf bytes to dynamic messages and back, without losing anything
//! schema        .proto sources, compiled on demand; image kinds with their messages found
//! descriptor    image kinds and name tables: data
//! error bytes   one Error with file, entry, offset, field path; one checked cursor
//! ```
//!
//! The library prints nothing, never exits, and does not panic on any input. Build it without the
//! command line by `default-features = false`.
//!
//! # Examples
//!
//! [`Image`] is a whole image in memory, [`ImageReader`] and [`ImageWriter`] stream one,
//! [`decode`] and [`encode`] go to JSON and back. Each has an example.

mod bytes;
pub mod check;
mod checkpoint;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod compare;
pub mod coredump;
pub mod descriptor;
pub mod edit;
mod error;
pub mod explore;
mod image;
mod json;
pub mod limits;
pub mod memory;
mod message;
mod parallel;
#[cfg(feature = "cli")]
mod render;
pub mod replace;
#[cfg(feature = "cli")]
pub mod report;
mod schema;
mod text;

pub use checkpoint::{
    Checkpoint, Container, DumpStats, Engine, Listed, Member, MemberKind, MemberReader, Network,
    RandomAccess, RestoreStats, Sizes, SpecMount, Stats,
};
pub use descriptor::{Family, ImageKind, ImageKinds};
pub use error::{Error, ErrorKind, Location, Result, Warning};
pub use explore::Explorer;
pub use image::{
    Entry, Head, Image, ImageReader, ImageWriter, Payload, QueuedMessage, Summary, summarize,
};
pub use json::{
    DecodeOptions, DecodeReport, Dialect, EncodeOptions, EncodeReport, Recoded, decode,
    decode_lines, encode, recode,
};
pub use schema::{
    Change, Contents, EnumInfo, ExportedSet, FieldInfo, Finding, KindInfo, MessageInfo,
    MessageType, Origin, Schema, diff,
};
pub use text::Text;

/// The crate that messages are made with: its types are part of this crate's interface.
pub use prost_reflect;

/// The examples in the README are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
