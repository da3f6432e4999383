//! The command line, as it is typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::check::Check;
use super::coredump::Coredump;
use super::diff::Diff;
use super::edit::Edit;
use super::examples;
use super::export::Export;
use super::get::Get;
use super::mem::Mem;
use super::options::{From, InOut, Json, SchemaArgs, path, pid};
use super::recode::Recode;
use super::replace::Replace;
use super::set::Set;

/// Read, check, edit and write CRIU checkpoint images.
#[derive(Debug, Parser)]
#[command(
    name = "crit",
    disable_version_flag = true,
    args_override_self = true,
    infer_long_args = true,
    after_help = examples::CRIT
)]
pub(super) struct Args {
    /// Print the version
    #[arg(long)]
    pub(super) version: bool,
    /// Say nothing on stderr but errors
    #[arg(
        short = 'q',
        long,
        global = true,
        display_order = 990,
        conflicts_with = "verbose"
    )]
    pub(super) quiet: bool,
    /// Say on stderr which schema is used, and how long it took
    #[arg(short = 'v', long, global = true, display_order = 991)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) schema: SchemaArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Convert an image to JSON
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::DECODE)]
    Decode(Decode),
    /// Convert JSON to an image
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::ENCODE)]
    Encode(Encode),
    /// Print an image as JSON for people: `decode --pretty` to the terminal
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SHOW)]
    Show(Show),
    /// Print the kind of an image and the number of its entries
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::INFO)]
    Info(Info),
    /// Explore a checkpoint: processes, descriptors, memory, sockets, ...
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::X)]
    X(Explore),
    /// Print the statistics of a dump and of a restore
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::STATS)]
    Stats(OneCheckpoint),
    /// List the files of a checkpoint, or several checkpoints
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::LS)]
    Ls(List),
    /// Print values of an image by their paths
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::GET)]
    Get(Get),
    /// Change values of an image by their paths, in place
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SET)]
    Set(Set),
    /// Edit an image as pretty JSON, in the editor that VISUAL or EDITOR names
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::EDIT)]
    Edit(Edit),
    /// Tell what differs between two images or two checkpoints; exit code 1 when something does
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::DIFF)]
    Diff(Diff),
    /// Replace an address, a path, a name, a user or a cgroup in all images of a checkpoint
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::REPLACE)]
    Replace(Replace),
    /// Check that images come back byte for byte from their JSON; exit code 1 when one does not
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::RECODE)]
    Recode(Recode),
    /// Check that checkpoints are sound, before `criu restore` does; exit code 1 when one is not
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::CHECK)]
    Check(Check),
    /// Look into the memory of tasks: sizes, areas, bytes, strings, search; change bytes
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::MEM)]
    Mem(Mem),
    /// Write ELF core files of the tasks, for gdb and lldb
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::COREDUMP)]
    Coredump(Coredump),
    /// Look at schemas: which magic stands for which message, what changed between two CRIUs
    #[command(args_override_self = true, infer_long_args = true, disable_help_subcommand = true, after_help = examples::SCHEMA, subcommand)]
    Schema(SchemaCommand),
    /// Write entries of many checkpoints as JSON lines, for DuckDB, Spark, ClickHouse, jq
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::EXPORT)]
    Export(Export),
    /// Write a page about a checkpoint, for a browser: one file that needs nothing else
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::REPORT)]
    Report(Report),
    /// Print the manual page of a command, or write those of all
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::MAN)]
    Man(Man),
    /// Print completions for a shell; they know the commands, and the magics and messages of the schema
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::COMPLETIONS)]
    Completions(Completions),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Report {
    /// A directory of images, or a container engine's archive of one
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(super) checkpoint: PathBuf,
    /// Write to this file instead of stdout
    #[arg(short = 'o', long = "out", alias = "output", value_name = "FILE", value_parser = path())]
    pub(super) output: Option<PathBuf>,
    /// Accept pages images that are missing or too short, as check does
    #[arg(long)]
    pub(super) allow_missing_pages: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Man {
    /// The command (without: crit itself), such as `decode` or `schema show`
    pub(super) command: Vec<String>,
    /// Write a page for each command into this directory
    #[arg(
        short = 'o',
        long = "out",
        value_name = "DIR",
        conflicts_with = "command"
    )]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Subcommand)]
pub(super) enum SchemaCommand {
    /// List the image kinds: magic, message, payload, file names, and who says so
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SCHEMA_LIST)]
    List(Json),
    /// Show a magic or a message with its fields
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SCHEMA_SHOW)]
    Show(SchemaShow),
    /// Tell what differs between two schemas; exit code 1 when something does
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SCHEMA_DIFF)]
    Diff(SchemaDiff),
    /// Check that a schema compiles and that its magics have messages; exit code 1 when not
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SCHEMA_CHECK)]
    Check(SchemaCheck),
    /// Write the schema as a FileDescriptorSet that protoc and buf read
    #[command(args_override_self = true, infer_long_args = true, after_help = examples::SCHEMA_EXPORT)]
    Export(SchemaExport),
}

#[derive(Debug, ClapArgs)]
pub(super) struct SchemaShow {
    /// A magic (PSTREE, 0x50273030), a message (pstree_entry) or an enum
    pub(super) name: String,
    /// Show the messages inside it as well
    #[arg(long)]
    pub(super) nested: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SchemaDiff {
    /// A checkout, a directory of .proto files, a descriptor set, or `built-in`
    pub(super) a: PathBuf,
    /// The same
    pub(super) b: PathBuf,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SchemaCheck {
    /// A checkout, a directory of .proto files, a descriptor set, or `built-in`; without it, the schema in use
    pub(super) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SchemaExport {
    /// Write to this file
    #[arg(short = 'o', long = "out", alias = "output", value_name = "FILE", value_parser = path())]
    pub(super) output: Option<PathBuf>,
    /// Print the size of what was written as JSON
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Decode {
    #[command(flatten)]
    pub(super) files: InOut,
    /// Every image of this checkpoint, each into a file NAME.json in the directory of -o
    #[arg(short = 'd', long, value_name = "DIR|ARCHIVE", requires = "output", conflicts_with_all = ["input", "from", "bare"])]
    pub(super) dir: Option<PathBuf>,
    /// With -d, overwrite files that exist
    #[arg(long, requires = "dir")]
    pub(super) force: bool,
    /// Over several lines, and numbers in the form of their field: hex, flags, device numbers, IPs
    #[arg(long)]
    pub(super) pretty: bool,
    /// Name payloads by their size only; such JSON can't be encoded again
    #[arg(long)]
    pub(super) nopl: bool,
    /// How to print integers beyond 2^53, which some programs (jq before 1.7) round
    #[arg(long, value_name = "FORM", default_value = "number")]
    pub(super) big_ints: BigInts,
    /// Add the raw bytes to entries that would not come back byte for byte
    #[arg(long)]
    pub(super) exact: bool,
    /// Read messages of up to so many bytes (payloads do not count)
    #[arg(long, value_name = "BYTES", default_value_t = crate::limits::ENTRY)]
    pub(super) max_entry: u64,
    #[command(flatten)]
    pub(super) from: From,
    /// The file is a single message without header or magic; --message says which
    #[arg(long)]
    pub(super) bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BigInts {
    /// As they are
    Number,
    /// In quotes
    String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Encode {
    #[command(flatten)]
    pub(super) files: InOut,
    /// Every file NAME.json in this directory, each into an image NAME in the directory of -o
    #[arg(short = 'd', long, value_name = "DIR", requires = "output", conflicts_with_all = ["input"])]
    pub(super) dir: Option<PathBuf>,
    /// With -d, overwrite files that exist
    #[arg(long, requires = "dir")]
    pub(super) force: bool,
    /// Take more of what upstream's crit takes: unknown and doubled keys, missing required fields, payloads
    /// of another length, fractions, numbers as Python reads them, loose base64
    #[arg(long)]
    pub(super) lenient: bool,
    /// Whose JSON it is: go-criu's crit prints the names of unix sockets as base64
    #[arg(long, value_name = "NAME", default_value = "criu")]
    pub(super) dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    /// Upstream's crit, and this one
    Criu,
    /// go-criu's crit
    Go,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Show {
    /// The image
    #[arg(value_name = "FILE")]
    pub(super) input: PathBuf,
    #[command(flatten)]
    pub(super) from: From,
    /// Name payloads by their size only
    #[arg(long)]
    pub(super) nopl: bool,
    /// The file is a single message without header or magic; --message says which
    #[arg(long)]
    pub(super) bare: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Explore {
    /// A directory of images, or a container engine's archive of one
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(super) checkpoint: PathBuf,
    /// What to show
    #[arg(value_name = "WHAT")]
    pub(super) what: Topic,
    /// Only these tasks and those below them: a list, and repeated
    #[arg(short = 'p', long, value_name = "PID,...", value_delimiter = ',', value_parser = pid)]
    pub(super) pid: Vec<u32>,
    /// ps: draw the tree
    #[arg(long)]
    pub(super) tree: bool,
    /// ps: show command lines, read out of the dumped memory (with --tree or --json)
    #[arg(long)]
    pub(super) args: bool,
    /// ps: show environments, read out of the dumped memory (with --tree or --json)
    #[arg(long)]
    pub(super) env: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// What `crit x` shows. The second names are those of the Go crit, of checkpointctl, and plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Topic {
    /// The process tree
    #[value(alias = "processes")]
    Ps,
    /// Open descriptors, working and root directories
    #[value(alias = "fd", alias = "files")]
    Fds,
    /// Memory areas
    #[value(alias = "mem", alias = "memory")]
    Mems,
    /// Resident pages beside the areas that they are in
    Rss,
    /// Sockets of every family
    #[value(alias = "sks", alias = "sockets")]
    Sk,
    /// Threads: where they were, how they are scheduled
    Threads,
    /// Mounts of mount namespaces, and those of spec.dump
    Mounts,
    /// Users, groups, capabilities, seccomp, security modules
    Creds,
    /// Namespaces, and what is in them
    #[value(alias = "namespaces")]
    Ns,
    /// Cgroups, and what is set in them
    #[value(alias = "cgroup")]
    Cgroups,
    /// Interval timers and POSIX timers
    Timers,
    /// Signal handlers, blocked and pending signals
    Signals,
    /// The container that an engine's archive is of
    Metadata,
    /// All of these
    All,
}

#[derive(Debug, ClapArgs)]
pub(super) struct OneCheckpoint {
    /// A directory of images, or a container engine's archive of one
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(super) checkpoint: PathBuf,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct List {
    /// A directory of images or an archive: its files. Several: one line for each. A folder of archives:
    /// one line for each
    #[arg(value_name = "PATH", default_value = "/var/lib/kubelet/checkpoints")]
    pub(super) paths: Vec<PathBuf>,
    /// The largest files first
    #[arg(long)]
    pub(super) largest: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Info {
    #[command(flatten)]
    pub(super) from: From,
    /// The images; of several, one JSON array is printed
    #[arg(value_name = "FILE", required = true)]
    pub(super) inputs: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn options_of_both_crits_and_unambiguous_prefixes_are_taken() {
        for line in [
            "crit decode -i a -o b --pretty",
            "crit decode --in a --out b",
            "crit decode --input a --output b --pre",
            "crit decode --inp a --outp b",
            "crit show --nop a",
            "crit info a b c",
            "crit --vers",
        ] {
            let parsed = Args::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
