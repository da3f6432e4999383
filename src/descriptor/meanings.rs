//! What fields mean where their type does not tell: paths, owners, modes, ports
//! (`descriptors/meanings.json`).

use std::collections::HashMap;

use once_cell::sync::OnceCell;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// The meaning of a field, or of a message as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Meaning {
    /// A path, if it begins with `/`.
    Path,
    /// The options of a mount, between commas: paths and owners are among them.
    MountOptions,
    /// The words of an IP address. The schema itself marks these fields.
    #[serde(skip)]
    Address,
    /// The host name of a UTS namespace.
    Hostname,
    /// The command name of a task or thread.
    Comm,
    /// A user id.
    Uid,
    /// A group id, or a list of them.
    Gid,
    /// A field that is named like an owner and is none of the dump's: a process group, a group of
    /// multicast, an id outside of the user namespace (of directories of cgroups).
    NoOwner,
    /// The type of a file with its permissions.
    Mode,
    /// Permissions alone.
    Permissions,
    /// The permissions that new files do not get.
    Umask,
    /// A TCP or UDP port.
    Port,
    /// The cgroups of all tasks: sets of paths, and trees of directories.
    Cgroup,
    /// A unix socket: its path may be its name behind that of the directory that it was bound from.
    Socket,
    /// A mount: its root is a path of its file system, not of the mount namespace.
    Mount,
}

/// The meanings of fields, by `message.field`, and of messages.
#[derive(Debug)]
pub struct FieldMeanings(HashMap<String, Meaning>);

impl FieldMeanings {
    /// Returns the table that is built in.
    ///
    /// # Errors
    ///
    /// None with the table as it is.
    pub fn bundled() -> Result<&'static FieldMeanings> {
        static MEANINGS: OnceCell<FieldMeanings> = OnceCell::new();
        MEANINGS.get_or_try_init(|| {
            FieldMeanings::parse(include_str!("../../descriptors/meanings.json"))
        })
    }

    fn parse(text: &str) -> Result<Self> {
        let table: HashMap<Meaning, Vec<String>> = serde_json::from_str(text)
            .map_err(|error| Error::new(ErrorKind::Descriptor(error.to_string())))?;
        let fields = table
            .into_iter()
            .flat_map(|(meaning, fields)| fields.into_iter().map(move |field| (field, meaning)));
        Ok(FieldMeanings(fields.collect()))
    }

    /// Returns the meaning of a field of a message.
    #[must_use]
    pub fn of_field(&self, message: &str, field: &str) -> Option<Meaning> {
        self.0.get(&format!("{message}.{field}")).copied()
    }

    /// Returns true if people read a field as an octal number.
    #[must_use]
    pub fn is_octal(&self, message: &str, field: &str) -> bool {
        let meaning = self.of_field(message, field);
        matches!(
            meaning,
            Some(Meaning::Mode | Meaning::Permissions | Meaning::Umask)
        )
    }

    /// Returns the meaning of a message as a whole.
    #[must_use]
    pub fn of_message(&self, message: &str) -> Option<Meaning> {
        self.0.get(message).copied()
    }
}
