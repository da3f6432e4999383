//! Options that several subcommands have.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::TypedValueParser;

/// Where the schema comes from, on every subcommand.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Schema")]
pub(super) struct SchemaArgs {
    /// Take the schema from this CRIU checkout (any version), or from a directory of .proto files
    #[arg(
        long, value_parser = path(),
        global = true,
        value_name = "DIR",
        env = "CRIT_SCHEMA_DIR",
        hide_env_values = true
    )]
    pub(super) schema_dir: Option<PathBuf>,
    /// Take the schema from a compiled FileDescriptorSet (protoc, buf, `crit schema export`)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        conflicts_with = "schema_dir"
    )]
    pub(super) descriptor_set: Option<PathBuf>,
    /// Lay the image kinds of this file over the built-in ones (the form of descriptors/images.json)
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) descriptors: Vec<PathBuf>,
    /// Take every entry for this message, whatever the magic says
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) message: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Where input comes from and output goes.
#[derive(Debug, ClapArgs)]
pub(super) struct InOut {
    /// Read from this file instead of stdin
    #[arg(short = 'i', long = "in", alias = "input", value_name = "FILE", value_parser = path())]
    pub(super) input: Option<PathBuf>,
    /// Write to this file instead of stdout: whole, or not at all; with -d, into this directory
    #[arg(short = 'o', long = "out", alias = "output", value_name = "FILE|DIR", value_parser = path())]
    pub(super) output: Option<PathBuf>,
}

/// Any path, also an empty one, which upstream takes for stdin or stdout.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

/// A process id of a list.
pub(super) fn pid(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| "not a process id; several are separated by commas, as in -p 3,5".to_owned())
}

/// Images inside a checkpoint.
#[derive(Debug, ClapArgs)]
pub(super) struct From {
    /// Look for the image in this archive or directory, by its name there
    #[arg(long, value_name = "DIR|ARCHIVE")]
    pub(super) from: Option<PathBuf>,
}
