//! What can't be replaced: files that are no images with messages, and mention what is.
//!
//! Firewall rules are text, routes are netlink messages, a container engine's files are JSON. Changing
//! them blindly would break them; not saying so would leave a checkpoint that restores to a mixture.

use std::io::Read as _;
use std::net::IpAddr;

use serde::Serialize;

use super::Replacement;
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorKind, Result};
use crate::image::ImageReader;
use crate::limits::METADATA_FILE;

/// A file that mentions something that was replaced elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mention {
    /// The name of the file inside the directory or archive.
    pub file: String,
    /// What it mentions.
    pub text: String,
}

/// Raw images whose content is netlink messages: addresses are in them as bytes.
const NETLINK: [&str; 6] = [
    "ifaddr-",
    "route-",
    "route6-",
    "rule-",
    "netns-ct-",
    "netns-exp-",
];

/// Finds the files that mention what the replacements replace. Pages of memory, and files larger than
/// [`METADATA_FILE`], are not looked into.
///
/// # Errors
///
/// A file can't be read.
pub fn mentions(checkpoint: &Checkpoint, replacements: &[Replacement]) -> Result<Vec<Mention>> {
    let mut found = Vec::new();
    for member in checkpoint.members()? {
        let Some(name) = member.name.as_str().filter(|_| member.is_file()) else {
            continue;
        };
        let file = name.rsplit('/').next().unwrap_or(name);
        if file.starts_with("pages-") || member.size > METADATA_FILE {
            continue;
        }
        let Some(content) = checkpoint.read_member(name)? else {
            continue;
        };
        // What has messages is changed, not mentioned.
        if is_image(checkpoint, file, name)? {
            continue;
        }
        let mut bytes = Vec::new();
        content.take(METADATA_FILE).read_to_end(&mut bytes)?;
        let is_netlink = NETLINK.iter().any(|prefix| file.starts_with(prefix));
        for replacement in replacements {
            if let Some(text) = mentioned(replacement, &bytes, is_netlink) {
                found.push(Mention {
                    file: name.to_owned(),
                    text,
                });
            }
        }
    }
    Ok(found)
}

fn is_image(checkpoint: &Checkpoint, file: &str, name: &str) -> Result<bool> {
    let Some(content) = checkpoint.read_member(name)? else {
        return Ok(false);
    };
    Ok(
        match ImageReader::named(checkpoint.schema(), content, file) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                ErrorKind::RawImage { .. }
                    | ErrorKind::NotAnImage { .. }
                    | ErrorKind::UnknownMagic(_)
            ),
        },
    )
}

/// What these bytes mention of it.
fn mentioned(replacement: &Replacement, bytes: &[u8], is_netlink: bool) -> Option<String> {
    let text = match replacement {
        Replacement::Address { old, .. } => {
            let octets = match old {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            // Attributes of netlink messages begin at multiples of four.
            let mut places = memchr::memmem::find_iter(bytes, &octets);
            if is_netlink && places.any(|place| place % 4 == 0) {
                return Some(old.to_string());
            }
            old.to_string()
        }
        Replacement::Path { old, .. } | Replacement::Cgroup { old, .. } => {
            old.trim_end_matches('/').to_owned()
        }
        Replacement::Hostname { old, .. } => old.clone()?,
        // A number, or a short word, stands everywhere.
        Replacement::Comm { .. } | Replacement::Uid { .. } | Replacement::Gid { .. } => {
            return None;
        }
    };
    let in_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let found = !text.is_empty()
        && memchr::memmem::find_iter(bytes, text.as_bytes()).any(|place| {
            let before = place.checked_sub(1).and_then(|at| bytes.get(at));
            !in_word(before) && !in_word(bytes.get(place + text.len()))
        });
    found.then_some(text)
}
