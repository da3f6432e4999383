//! Large messages, both ways, without a dynamic message of all that is in them: it would take up to a
//! hundred times their bytes.

mod pieces;
mod print;
mod read;

pub(super) use print::members;
pub(super) use read::{Bytes, first_missing};
