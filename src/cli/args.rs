//! The command line, as it is typed.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Read, check, edit and write CRIU checkpoint images.
#[derive(Debug, Parser)]
#[command(
    name = "crit",
    disable_version_flag = true,
    disable_help_subcommand = true,
    infer_long_args = true
)]
pub(super) struct Args {
    /// Print the version
    #[arg(long)]
    pub(super) version: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Convert an image to JSON
    #[command(infer_long_args = true)]
    Decode(Decode),
    /// Convert JSON to an image
    #[command(infer_long_args = true)]
    Encode(Encode),
    /// Print an image as JSON for people: `decode --pretty` to the terminal
    #[command(infer_long_args = true)]
    Show(Show),
    /// Print the kind of an image and the number of its entries
    #[command(infer_long_args = true)]
    Info(Info),
}

/// Where input comes from and output goes.
#[derive(Debug, ClapArgs)]
pub(super) struct InOut {
    /// Read from this file instead of stdin
    #[arg(short = 'i', long = "in", alias = "input", value_name = "FILE", value_parser = path())]
    pub(super) input: Option<PathBuf>,
    /// Write to this file instead of stdout: whole, or not at all
    #[arg(short = 'o', long = "out", alias = "output", value_name = "FILE", value_parser = path())]
    pub(super) output: Option<PathBuf>,
}

/// Any path, also an empty one, which upstream takes for stdin or stdout.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

#[derive(Debug, ClapArgs)]
pub(super) struct Decode {
    #[command(flatten)]
    pub(super) files: InOut,
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
    /// Take what upstream's crit takes: unknown keys, missing required fields, payloads of another length
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
    /// Name payloads by their size only
    #[arg(long)]
    pub(super) nopl: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Info {
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
