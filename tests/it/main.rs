//! What the library and the command do, seen from outside.

mod corpus;
mod schema_facts;
mod support;
