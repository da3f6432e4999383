//! CRIU checkpoint images, with the protobuf schema loaded at run time.

mod bytes;
pub mod descriptor;
mod error;
pub mod limits;
mod schema;

pub use error::{Error, ErrorKind, Location, Result, Warning};
pub use schema::{MessageType, Schema};
