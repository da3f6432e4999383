//! Every limit in one place. Each guards memory, stack or time against hostile input;
//! none is reached by an image that CRIU writes.

/// How deep messages may nest: one, and 100 inside each other in it, as protobuf's own
/// implementations have it.
pub const MESSAGE_DEPTH: usize = 101;

/// How deep arrays and objects may nest in JSON that is encoded.
///
/// Twice [`MESSAGE_DEPTH`] (a repeated message is an array of objects), and some for the frame around them.
pub const JSON_DEPTH: usize = 2 * MESSAGE_DEPTH + 24;

/// How many bytes are asked from the allocator at once for something whose length the input gives.
///
/// A length is believed only as far as bytes really follow.
pub const READ_STEP: usize = 1 << 20;

/// A payload longer than this, in bytes of JSON, is decoded into a temporary file instead of memory.
pub const PAYLOAD_IN_MEMORY: usize = 1 << 20;

/// How many entries, in bytes of JSON, are kept in memory when `entries` stands before `magic`;
/// more goes to a temporary file.
pub const ENTRIES_IN_MEMORY: usize = 4 << 20;

/// How many warnings are kept for one image; the rest are counted.
pub const WARNINGS: usize = 20;

/// The largest .proto file, header or descriptor set that is read, in bytes. CRIU's largest has 10 KiB.
pub const PROTO_FILE: u64 = 16 << 20;

/// How many .proto files a schema directory may have. CRIU has 76.
pub const PROTO_FILES: usize = 10_000;

/// How deep directories of .proto files may nest.
pub const PROTO_DEPTH: usize = 16;

/// How many files one .proto file may reach by imports. CRIU's largest reaches 26.
pub const PROTO_IMPORTS: usize = 128;

/// How many parts a dotted name in a .proto file may have.
pub const PROTO_NAME_PARTS: usize = 64;

/// How deep brackets may nest in a .proto file: the compiler recurses into them.
pub const PROTO_NESTING: usize = 100;
