//! What the library and the command do, seen from outside.

mod schema_facts;
