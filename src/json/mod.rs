//! The JSON contract: images as upstream's crit prints them, byte for byte, and back.
//!
//! ```text
//! {"magic": "PSTREE", "entries": [{"pid": 7, "ppid": 0, ...}, ...]}
//! ```
//!
//! Where upstream loses something, a key beginning with `@` keeps it; no field can have such a
//! name. `@unknown`: fields that the schema lacks. `{"@bytes": ..}`: a string that is not UTF-8.
//! `@head`: words in front that are not what the kind says. `@raw`, `@payload`: the bytes of what
//! would not come back the same, when they were asked for.

mod address;
mod base64;
mod decode;
mod encode;
mod extra;
mod float;
mod integer;
mod large;
mod lines;
mod octal;
mod options;
mod out;
mod path;
mod payload;
mod print;
mod quopri;
mod read;
mod recode;
mod scalar;
mod split;
mod unknown;

pub use decode::{DecodeReport, decode};
pub use encode::{EncodeReport, encode};
pub use lines::decode_lines;
pub use options::{DecodeOptions, Dialect, EncodeOptions};
pub use recode::{Recoded, recode};

pub(crate) use address::ip_address;
#[cfg(feature = "cli")]
pub(crate) use integer::written_number;
pub(crate) use octal::with_octal;
pub(crate) use path::{entry_value, json_value, read_text};

/// The name of a unix socket as JSON has it: quoted-printable text, which is ASCII.
pub(crate) fn unix_name(name: &[u8]) -> String {
    String::from_utf8_lossy(&quopri::encode(name)).into_owned()
}
