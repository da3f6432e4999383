//! Values that cannot be right for their field: where its meaning or a field beside it tells.

use prost_reflect::{DynamicMessage, Value};

use super::reach::{meaning, reach};
use crate::descriptor::{FieldMeanings, Meaning};
use crate::error::Result;
use crate::image::Entry;
use crate::message::present;
use crate::schema::{Field, Layout, MessageType, Shape, Types};

/// A value that cannot be right: the path of its field in the entry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Implausible {
    /// The path, such as `isk.src_addr`.
    pub field: String,
    /// Why the value cannot be right.
    pub reason: String,
}

/// The meanings that bound a value.
const BOUNDED: [Meaning; 8] = [
    Meaning::Mode,
    Meaning::Permissions,
    Meaning::Umask,
    Meaning::Port,
    Meaning::Comm,
    Meaning::Hostname,
    Meaning::Path,
    Meaning::Address,
];

/// Looks for values that cannot be right in messages of one type.
pub(crate) struct Plausible<'a> {
    ty: &'a MessageType,
    meanings: &'static FieldMeanings,
    reaches: Vec<bool>,
}

impl<'a> Plausible<'a> {
    /// One for each type of the entries of an image.
    pub(crate) fn of(layout: &'a Layout) -> Result<Vec<Self>> {
        let meanings = FieldMeanings::bundled()?;
        let types = layout.head.iter().chain([&layout.entry]);
        let all = types.map(|ty| Plausible {
            reaches: reach(meanings, &ty.types, &BOUNDED),
            ty,
            meanings,
        });
        Ok(all.collect())
    }

    pub(crate) fn is_for(&self, entry: &Entry) -> bool {
        *self.ty == entry.ty
    }

    /// Returns the values of a message that cannot be right.
    pub(crate) fn implausible(&self, message: &DynamicMessage) -> Vec<Implausible> {
        let mut found = Vec::new();
        if self.reaches.get(self.ty.index) == Some(&true) {
            self.message(&self.ty.types, self.ty.shape(), message, "", &mut found);
        }
        found
    }

    fn message(
        &self,
        types: &Types,
        shape: &Shape,
        message: &DynamicMessage,
        path: &str,
        found: &mut Vec<Implausible>,
    ) {
        let name = shape.desc.name();
        for field in &shape.fields {
            let meaning = meaning(self.meanings, name, field);
            let inner = field.kind.message();
            let inner = inner.filter(|inner| self.reaches.get(*inner) == Some(&true));
            if meaning.is_none() && inner.is_none() {
                continue;
            }
            let Some(value) = present(message, field) else {
                continue;
            };
            let path = format!("{path}{}", field.name);
            if let Some(meaning) = meaning {
                found.extend(wrong(meaning, field, value, shape, message).map(|reason| {
                    Implausible {
                        field: path.clone(),
                        reason,
                    }
                }));
            }
            if let Some(inner) = inner {
                let inner = types.shape(inner);
                match value {
                    Value::Message(message) => {
                        self.message(types, inner, message, &format!("{path}."), found);
                    }
                    Value::List(list) => {
                        for (place, element) in list.iter().enumerate() {
                            if let Value::Message(message) = element {
                                let path = format!("{path}[{place}].");
                                self.message(types, inner, message, &path, found);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Returns how many bytes Linux takes for the path in a field: `sun_path` of a unix socket, or `PATH_MAX`.
pub(crate) fn longest_path(field: &Field) -> usize {
    const SOCKET: usize = 108;
    const PATH: usize = 4096;
    if field.hints.unix_name { SOCKET } else { PATH }
}

/// Why a value cannot be right.
fn wrong(
    meaning: Meaning,
    field: &Field,
    value: &Value,
    shape: &Shape,
    message: &DynamicMessage,
) -> Option<String> {
    /// All bits of `mode_t`: the type of a file (`S_IFMT`) and its permissions.
    const MODE: u64 = 0o177_777;
    const TYPE: u64 = 0o170_000;
    const PERMISSIONS: u64 = 0o7777;
    const UMASK: u64 = 0o777;
    const PORT: u64 = 0xffff;
    /// `TASK_COMM_LEN` and `__NEW_UTS_LEN` of Linux without the zero at the end.
    const COMM: usize = 15;
    const HOSTNAME: usize = 64;
    let number = match value {
        Value::U32(number) => Some(u64::from(*number)),
        Value::I32(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let length = match value {
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    let longer = |most: usize, what: &str| {
        (length > most).then(|| format!("it has {length} bytes: {what} has at most {most}"))
    };
    match meaning {
        Meaning::Mode => number
            .filter(|mode| *mode > MODE)
            .map(|mode| format!("{mode} (0o{mode:o}) is not a mode: the largest is 0o{MODE:o}"))
            .or_else(|| {
                let mode = number.filter(|mode| mode & TYPE == 0)?;
                Some(format!(
                    "0o{mode:o} is a mode without a type of file: 0o10{mode:04o} is that of a regular file"
                ))
            }),
        Meaning::Permissions => number.filter(|mode| *mode > PERMISSIONS).map(|mode| {
            format!("{mode} (0o{mode:o}) are not permissions: the largest are 0o{PERMISSIONS:o}")
        }),
        Meaning::Umask => number
            .filter(|mask| *mask > UMASK)
            .map(|mask| format!("{mask} (0o{mask:o}) is not a umask: the largest is 0o{UMASK:o}")),
        Meaning::Port => number
            .filter(|port| *port > PORT)
            .map(|port| format!("{port} is not a port: the largest is {PORT}")),
        Meaning::Comm => longer(COMM, "a command name"),
        Meaning::Hostname => longer(HOSTNAME, "a host name"),
        Meaning::Path if field.hints.unix_name => longer(longest_path(field), "the name of a socket"),
        Meaning::Path => longer(longest_path(field), "a path"),
        Meaning::Address => address(value, shape, message),
        _ => None,
    }
}

/// An address has as many words as the family beside it says.
fn address(value: &Value, shape: &Shape, message: &DynamicMessage) -> Option<String> {
    /// Linux's `AF_INET` and `AF_INET6`.
    const FAMILIES: [(u32, usize, &str); 2] = [(2, 1, "INET"), (10, 4, "INET6")];
    let field = shape.field_named("family")?;
    let family = present(message, field)?.as_u32()?;
    let (_, words, name) = FAMILIES.iter().find(|(number, ..)| *number == family)?;
    let has = value.as_list().map_or(0, <[Value]>::len);
    // CRIU 0.1 wrote four words for either: what was so before may stay so.
    let what = match has {
        1 => "an IPv4 address".to_owned(),
        4 => "an IPv6 address".to_owned(),
        _ => format!("an address of {has} words"),
    };
    (has != *words).then(|| format!("{what} in a socket of the family {name}"))
}
