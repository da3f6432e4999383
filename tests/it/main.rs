//! What the library and the command do, seen from outside.

// What a test does not expect is a panic, in its helpers as well; numbers are made up to be cut.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod archives;
mod check;
mod cli;
mod contract;
mod coredump;
mod corpus;
mod descriptors;
mod diff;
mod edit;
mod errors;
mod examples;
mod explore;
mod export;
mod gaps;
mod help;
mod hostile;
mod made_up;
mod made_up_schemas;
mod memory;
mod names;
mod readme;
mod replace;
mod report;
mod schema_facts;
mod schema_sources;
mod streaming;
mod support;
mod whole;
