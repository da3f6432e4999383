//! Text for people: tables, units, and names that can't harm a terminal.
//!
//! Printers take answers of [`crate::explore`] and others, and write lines; they decide nothing.

pub(crate) mod explore;
mod hexdump;
mod json;
mod safe;
mod table;
mod units;

pub(crate) use hexdump::Hexdump;
pub(crate) use json::json;
pub(crate) use safe::{printable, printable_bytes};
pub(crate) use table::Table;
pub(crate) use units::{bytes, duration, share};

/// How text is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// The names in upstream's tables are printed as they are: nobody looks at a terminal.
    pub(crate) raw_names: bool,
}
