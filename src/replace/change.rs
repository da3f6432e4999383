//! How a value changes by a replacement.

use std::net::IpAddr;

use crate::descriptor::Meaning;
use crate::error::{Error, ErrorKind, Result};

/// Something that is replaced wherever a checkpoint has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// An IP address of sockets, their own or their peers'. IPv4 addresses that are mapped into IPv6 are
    /// replaced as well.
    Address {
        /// The address.
        old: IpAddr,
        /// Another of the same family.
        new: IpAddr,
    },
    /// A file or directory, and everything below it, by its absolute path.
    Path {
        /// The path.
        old: String,
        /// Another.
        new: String,
    },
    /// The host name of UTS namespaces.
    Hostname {
        /// Only this one; any, when it is `None`.
        old: Option<String>,
        /// Another, of 64 bytes at most.
        new: String,
    },
    /// The command name of tasks and threads.
    Comm {
        /// The name.
        old: String,
        /// Another, of 15 bytes at most.
        new: String,
    },
    /// A cgroup, and everything below it, by its path from the root of its hierarchy.
    Cgroup {
        /// The path.
        old: String,
        /// Another.
        new: String,
    },
    /// A user id, as it is inside the user namespace that was dumped.
    Uid {
        /// The id.
        old: u32,
        /// Another.
        new: u32,
    },
    /// A group id, likewise.
    Gid {
        /// The id.
        old: u32,
        /// Another.
        new: u32,
    },
}

impl Replacement {
    /// Checks what is said by itself.
    ///
    /// # Errors
    ///
    /// A path is not absolute, a name is too long, or addresses are of two families.
    pub fn check(&self) -> Result<()> {
        /// `(uid_t)-1` means no user to Linux.
        const NOBODY: u32 = u32::MAX;
        let wrong = |what: String| Err(Error::new(ErrorKind::Value(what)));
        if self.inverse().is_some_and(|inverse| inverse == *self) {
            return wrong("old and new are the same".to_owned());
        }
        match self {
            Replacement::Uid { new: NOBODY, .. }
            | Replacement::Uid { old: NOBODY, .. }
            | Replacement::Gid { new: NOBODY, .. }
            | Replacement::Gid { old: NOBODY, .. } => {
                wrong(format!("{NOBODY} is no id: to Linux it means none"))
            }
            Replacement::Path { old, .. } | Replacement::Cgroup { old, .. }
                if !old.is_empty() && old.trim_end_matches('/').is_empty() =>
            {
                wrong("`/` is above everything, and stays".to_owned())
            }
            Replacement::Address { old, new } if old.is_ipv4() != new.is_ipv4() => {
                wrong(format!("{old} and {new} are of two families"))
            }
            Replacement::Path { old, new } | Replacement::Cgroup { old, new } => {
                match [old, new].iter().find(|path| !path.starts_with('/')) {
                    Some(path) => wrong(format!("`{path}` is no absolute path")),
                    None => Ok(()),
                }
            }
            // `__NEW_UTS_LEN` and `TASK_COMM_LEN` of Linux.
            Replacement::Hostname { new, .. } => length("a host name", new, 64),
            Replacement::Comm { new, .. } => length("a command name", new, 15),
            _ => Ok(()),
        }
    }

    /// What makes it undone; `None` when that can't be told.
    pub(super) fn inverse(&self) -> Option<Self> {
        let swapped = |old: &String, new: &String| (new.clone(), old.clone());
        Some(match self {
            Replacement::Address { old, new } => Replacement::Address {
                old: *new,
                new: *old,
            },
            Replacement::Path { old, new } => {
                let (old, new) = swapped(old, new);
                Replacement::Path { old, new }
            }
            Replacement::Hostname { old, new } => Replacement::Hostname {
                new: old.clone()?,
                old: Some(new.clone()),
            },
            Replacement::Comm { old, new } => {
                let (old, new) = swapped(old, new);
                Replacement::Comm { old, new }
            }
            Replacement::Cgroup { old, new } => {
                let (old, new) = swapped(old, new);
                Replacement::Cgroup { old, new }
            }
            Replacement::Uid { old, new } => Replacement::Uid {
                old: *new,
                new: *old,
            },
            Replacement::Gid { old, new } => Replacement::Gid {
                old: *new,
                new: *old,
            },
        })
    }

    /// How much is said of what is replaced: of two paths, the longer goes first.
    pub(super) fn precision(&self) -> usize {
        match self {
            Replacement::Path { old, .. } | Replacement::Cgroup { old, .. } => old.len(),
            _ => 0,
        }
    }

    /// What a field must hold for this to be about it.
    pub(super) fn is_about(&self, meaning: Meaning) -> bool {
        match self {
            Replacement::Address { .. } => meaning == Meaning::Address,
            Replacement::Path { .. } => matches!(
                meaning,
                Meaning::Path | Meaning::MountOptions | Meaning::Mount
            ),
            Replacement::Hostname { .. } => meaning == Meaning::Hostname,
            Replacement::Comm { .. } => meaning == Meaning::Comm,
            Replacement::Cgroup { .. } => meaning == Meaning::Cgroup,
            Replacement::Uid { .. } => matches!(meaning, Meaning::Uid | Meaning::MountOptions),
            Replacement::Gid { .. } => matches!(meaning, Meaning::Gid | Meaning::MountOptions),
        }
    }

    /// A number that changes.
    pub(super) fn number(&self, value: u64) -> Option<u32> {
        match self {
            Replacement::Uid { old, new } | Replacement::Gid { old, new } => {
                (u64::from(*old) == value).then_some(*new)
            }
            _ => None,
        }
    }

    /// A text that changes.
    pub(super) fn text(&self, meaning: Meaning, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Replacement::Path { old, new } if meaning == Meaning::MountOptions => {
                path_list(text, old, new)
            }
            Replacement::Uid { old, new } => owner(text, "uid", *old, *new),
            Replacement::Gid { old, new } => owner(text, "gid", *old, *new),
            Replacement::Path { old, new } => path(text, old, new),
            Replacement::Hostname { old, new } => {
                let is_it = old.as_ref().is_none_or(|old| old.as_bytes() == text);
                (is_it && new.as_bytes() != text).then(|| new.clone().into_bytes())
            }
            Replacement::Comm { old, new } => {
                (old.as_bytes() == text).then(|| new.clone().into_bytes())
            }
            _ => None,
        }
    }

    /// The words of an address that change.
    pub(super) fn address(&self, words: &[u32]) -> Option<Vec<u32>> {
        let Replacement::Address { old, new } = self else {
            return None;
        };
        let is_v6 = words.len() == 4;
        [false, true].into_iter().find_map(|mapped| {
            let old = address_words(*old, mapped && is_v6);
            (old == words).then(|| address_words(*new, mapped && is_v6))
        })
    }
}

fn length(what: &str, name: &str, most: usize) -> Result<()> {
    if name.is_empty() || name.len() > most || name.contains('\0') {
        let what = format!("{what} has 1 to {most} bytes");
        return Err(Error::new(ErrorKind::Value(what)));
    }
    Ok(())
}

/// The words of an address; of an IPv4 address those that it has in IPv6, when that is wanted.
fn address_words(address: IpAddr, mapped: bool) -> Vec<u32> {
    let octets = match address {
        IpAddr::V4(v4) if mapped => v4.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).filter_map(|word| word.first_chunk());
    words.map(|word| u32::from_le_bytes(*word)).collect()
}

/// A path that is `old`, or below it, with `new` in its place.
pub(super) fn path(text: &[u8], old: &str, new: &str) -> Option<Vec<u8>> {
    let (old, new) = (old.trim_end_matches('/'), new.trim_end_matches('/'));
    let rest = text.strip_prefix(old.as_bytes())?;
    // Names of sockets end with a zero.
    if !text.starts_with(b"/") || !matches!(rest.first(), None | Some(b'/' | 0)) {
        return None;
    }
    let replaced = [new.as_bytes(), rest].concat();
    // What was all of the path may become the root.
    Some(if replaced.is_empty() {
        b"/".to_vec()
    } else {
        replaced
    })
}

/// The owner among the options of a mount, such as `uid=1000` of a tmpfs.
fn owner(text: &[u8], name: &str, old: u32, new: u32) -> Option<Vec<u8>> {
    let before = format!("{name}={old}");
    let mut changed = false;
    let options = text.split(|byte| *byte == b',').map(|option| {
        let is_it = option == before.as_bytes();
        changed |= is_it;
        match is_it {
            true => format!("{name}={new}").into_bytes(),
            false => option.to_vec(),
        }
    });
    let options: Vec<Vec<u8>> = options.collect();
    changed.then(|| options.join(&b','))
}

/// The same for each part between `,`, `:` and `=`.
fn path_list(text: &[u8], old: &str, new: &str) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut changed = false;
    for part in text.split_inclusive(|byte| matches!(byte, b',' | b':' | b'=')) {
        let (part, end) = match part.split_last() {
            Some((last, front)) if matches!(last, b',' | b':' | b'=') => (front, Some(*last)),
            _ => (part, None),
        };
        match path(part, old, new) {
            Some(other) => {
                replaced.extend(other);
                changed = true;
            }
            None => replaced.extend_from_slice(part),
        }
        replaced.extend(end);
    }
    changed.then_some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_replaced_by_whole_names() {
        let replaced = |text: &str, old, new| {
            path(text.as_bytes(), old, new).map(|path| String::from_utf8(path).unwrap())
        };
        assert_eq!(replaced("/srv/a/b", "/srv/a", "/x").unwrap(), "/x/b");
        assert_eq!(replaced("/srv/a", "/srv/a/", "/x/").unwrap(), "/x");
        assert_eq!(replaced("/srv/ab", "/srv/a", "/x"), None);
        assert_eq!(replaced("/a", "/a", "/").unwrap(), "/");
        assert_eq!(replaced("/a/b", "/a", "/").unwrap(), "/b");
        assert_eq!(
            replaced("/run/s\0", "/run/s", "/tmp/t").unwrap(),
            "/tmp/t\0"
        );
        assert_eq!(replaced("relative", "/", "/x"), None);
    }

    #[test]
    fn paths_among_the_options_of_a_mount_are_replaced() {
        let options = b"rw,lowerdir=/old/1:/old/2,upperdir=/older,mode=755";
        let replaced = path_list(options, "/old", "/new").unwrap();
        assert_eq!(
            replaced,
            b"rw,lowerdir=/new/1:/new/2,upperdir=/older,mode=755"
        );
        assert_eq!(path_list(b"rw", "/old", "/new"), None);
    }

    #[test]
    fn the_owner_among_the_options_of_a_mount_is_replaced() {
        let options = b"size=4k,uid=1000,gid=1000,fuid=1000";
        assert_eq!(
            owner(options, "uid", 1000, 2000).unwrap(),
            b"size=4k,uid=2000,gid=1000,fuid=1000"
        );
        assert_eq!(owner(options, "gid", 10, 20), None);
    }

    #[test]
    fn an_address_that_is_mapped_into_ipv6_is_replaced() {
        let replacement = Replacement::Address {
            old: "10.0.0.1".parse().unwrap(),
            new: "10.0.0.2".parse().unwrap(),
        };
        let words = |bytes: &[u8]| {
            let words = bytes
                .chunks(4)
                .map(|w| u32::from_le_bytes(w.try_into().unwrap()));
            words.collect::<Vec<u32>>()
        };
        let mapped = |last| words(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, last]);
        assert_eq!(
            replacement.address(&words(&[10, 0, 0, 1])),
            Some(words(&[10, 0, 0, 2]))
        );
        assert_eq!(replacement.address(&mapped(1)), Some(mapped(2)));
        assert_eq!(replacement.address(&mapped(3)), None);
        assert_eq!(replacement.address(&[]), None);
    }
}
