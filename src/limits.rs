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

/// The largest message of an entry that is read, in bytes, unless [`crate::ImageReader::limit_entries`]
/// says otherwise: an `mm` of eight million areas. Payloads do not count.
pub const ENTRY: u64 = 256 << 20;

/// The largest message, in bytes, that is decoded as a whole on its way to JSON; a larger one is printed out
/// of its bytes, field by field. What fuzzing makes is smaller than what CRIU writes.
pub const WHOLE_ENTRY: usize = if cfg!(fuzzing) { 64 } else { 8 << 10 };

/// The longest JSON text of an entry, in bytes, that becomes a dynamic message; a longer one is encoded as it
/// is read, field by field.
pub const WHOLE_TEXT: usize = if cfg!(fuzzing) { 256 } else { 32 << 10 };

/// How many warnings are kept for one image; the rest are counted.
pub const WARNINGS: usize = 20;

/// How many findings of one rule of [`crate::check`] are kept; the rest are counted.
pub const FINDINGS: usize = 128;

/// How many images a group of findings of [`crate::check`] names; the rest are counted.
pub const GROUP_IMAGES: usize = 4;

/// The largest .proto file or header that is read, in bytes. CRIU's largest has 10 KiB; compiling takes a
/// hundred times as much memory.
pub const PROTO_FILE: u64 = 2 << 20;

/// The largest descriptor set that is read, in bytes. CRIU's has 100 KiB.
pub const DESCRIPTOR_SET: u64 = 16 << 20;

/// How many .proto files a schema directory may have. CRIU has 76.
pub const PROTO_FILES: usize = 10_000;

/// How deep directories of .proto files may nest.
pub const PROTO_DEPTH: usize = 16;

/// How many files one .proto file may reach by imports. CRIU's largest reaches 26.
pub const PROTO_IMPORTS: usize = 128;

/// How many names a message may reach for them to be picked out of its .proto files; with more, the
/// files are compiled whole. CRIU's messages reach about a hundred.
pub const PROTO_NAMES: usize = 1024;

/// How many parts a dotted name in a .proto file may have.
pub const PROTO_NAME_PARTS: usize = 64;

/// How deep brackets may nest in a .proto file: the compiler recurses into them.
pub const PROTO_NESTING: usize = 100;

/// How many members an archive, or files a directory, may have. A checkpoint of 1,000 tasks has about 8,000.
pub const MEMBERS: usize = 1 << 18;

/// How many bytes the names of an archive's members may take together.
pub const MEMBER_NAMES: usize = 64 << 20;

/// The longest name of a member, in bytes: Linux has no longer path.
pub const MEMBER_NAME: usize = 4096;

/// The longest extended header of a member, in bytes.
pub const MEMBER_HEADER: u64 = 1 << 20;

/// How deep directories of a checkpoint are looked into.
pub const MEMBER_DEPTH: usize = 32;

/// How many bytes behind the end of an archive that is not packed are looked at: zeros that fill up a record.
pub const ARCHIVE_END: u64 = 16 << 20;

/// How many bytes a packed archive may unpack to, unless that is less than [`ARCHIVE_RATIO`] times its size.
pub const ARCHIVE_UNPACKED: u64 = 64 << 30;

/// How many times its size an archive may always unpack to.
pub const ARCHIVE_RATIO: u64 = 1000;

/// The largest window of a zstd frame, in bytes, as `zstd -d` itself has it: kept in memory.
pub const ZSTD_WINDOW: u64 = 128 << 20;

/// A member of a packed archive is kept in memory when it is not larger than this, in bytes, ...
pub const KEPT_MEMBER: u64 = 4 << 20;

/// ... and as long as all that is kept is not larger than this; the others are read again.
pub const KEPT_MEMBERS: u64 = 64 << 20;

/// The largest file of an engine's own (`config.dump`, `spec.dump`, ...), in bytes.
pub const METADATA_FILE: u64 = 16 << 20;

/// How many directories a chain of `parent` links may have.
pub const PARENTS: usize = 1000;

/// How many tasks and threads `pstree.img` may have: each has an image, and there are no more than
/// [`MEMBERS`].
pub const TASKS: usize = MEMBERS;

/// The largest entry of `pstree.img`, in bytes: one with all ids of [`TASKS`] threads has less.
pub const TASK_ENTRY: u64 = 2 << 20;

/// How many areas an address space may have; Linux's own limit is 65,530 unless it is raised.
pub const AREAS: usize = 1 << 23;

/// How many entries a pagemap may have: 16 million runs of pages.
pub const PAGEMAP_ENTRIES: usize = 1 << 24;

/// How many entries of another image an explorer looks at.
pub const EXPLORED_ENTRIES: u64 = 1 << 26;

/// How many levels of a process tree stand inside each other; a task further down is shown as a root.
/// (Upstream's crit prints no tree that is 1,000 levels deep.)
pub const TREE_DEPTH: usize = 1000;

/// The longest command line or environment that is read out of memory, in bytes, each string counted
/// with a pointer of 8 bytes: Linux takes no more.
pub const COMMAND_LINE: u64 = 6 << 20;

/// How much of command lines and environments an answer about all tasks has, counted in the same way.
pub const COMMAND_LINES: u64 = 64 << 20;

/// How many bytes of a task's memory are read at once.
pub const MEMORY_READ: u64 = 1 << 30;

/// The longest match of a regular expression in memory that is sure to be found, in bytes.
pub const MATCH_LENGTH: usize = 64 << 10;

/// The largest image that is kept as a whole, in bytes.
pub const WHOLE_IMAGE: u64 = 64 << 20;

/// The largest entry that an explorer decodes as a whole, in bytes.
pub const EXPLORED_ENTRY: u64 = 64 << 20;

/// The largest entry whose long list an explorer reads element by element, in bytes: eight million memory areas.
pub const SIFTED_ENTRY: u64 = 256 << 20;

/// How many bytes of such an entry the fields beside the list may have that are read. The largest is
/// the auxiliary vector, with some hundred.
pub const SIFTED_REST: usize = 64 << 10;

/// How many bytes of a packed archive are unpacked again to come to members that were not kept, before it is
/// unpacked to a temporary file as a whole.
pub const UNPACKED_AGAIN: u64 = 1 << 30;
