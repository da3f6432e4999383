//! The options of `crit mem`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs};

use super::values::{
    AddressRange, Bytes, parse_address, parse_hex, parse_protection, parse_range, parse_shortest,
};
use crate::cli::options::{Json, pid};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Selection;

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("what").multiple(false))]
pub(in crate::cli) struct Mem {
    /// A directory of images, or a container engine's archive of one
    #[arg(value_name = "DIR|ARCHIVE")]
    pub(super) checkpoint: PathBuf,
    /// Only these tasks, a list, and repeated: alone, their memory areas are listed
    #[arg(short = 'p', long, value_name = "PID,...", value_delimiter = ',', value_parser = pid)]
    pub(super) pid: Vec<u32>,
    /// Print memory as hexadecimal numbers and text; raw into the file of -o [256 bytes]
    #[arg(long, value_name = "ADDR[+LEN|-END]", value_parser = parse_range, group = "what")]
    pub(super) read: Option<AddressRange>,
    /// Print the command line
    #[arg(long, group = "what")]
    pub(super) args: bool,
    /// Print the environment that the task was started with
    #[arg(long, group = "what")]
    pub(super) env: bool,
    /// Print the auxiliary vector
    #[arg(long, group = "what")]
    pub(super) auxv: bool,
    /// Print runs of at least MIN printable characters, with their addresses [4]
    #[arg(long, value_name = "MIN", num_args = 0..=1, default_missing_value = "4", value_parser = parse_shortest, group = "what")]
    pub(super) strings: Option<usize>,
    /// Look for a text; exit code 1 when it is nowhere
    #[arg(short = 's', long, value_name = "TEXT", group = "what")]
    pub(super) search: Option<OsString>,
    /// Look for bytes, such as 7f454c46 or "7f 45 4c 46"
    #[arg(long, value_name = "BYTES", value_parser = parse_hex, group = "what")]
    pub(super) search_hex: Option<Bytes>,
    /// Look for what a regular expression matches, over bytes
    #[arg(short = 'r', long, value_name = "RE", group = "what")]
    pub(super) search_regex: Option<String>,
    /// Print so many bytes before and behind what was found
    #[arg(short = 'c', long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=1 << 20))]
    pub(super) context: u32,
    /// Search only areas of this kind (heap, stack, anon, file, shmem, memfd, sysv, vdso), or that map
    /// a file with this text in its path
    #[arg(long, value_name = "KIND|PATH")]
    pub(super) region: Vec<String>,
    /// Search only areas with all of these rights, such as rw or x
    #[arg(long, value_name = "rwx", value_parser = parse_protection)]
    pub(super) prot: Option<u32>,
    /// Write bytes over a page that is in the dump: the image is replaced as a whole
    #[arg(long, value_name = "ADDR", value_parser = parse_address, group = "what")]
    pub(super) write: Option<u64>,
    /// The bytes to write; without it they are read from stdin, as they are
    #[arg(long, value_name = "BYTES", value_parser = parse_hex, requires = "write")]
    pub(super) hex: Option<Bytes>,
    /// Read pages of mapped files that are not in the dump from the files below DIR
    #[arg(long, value_name = "DIR")]
    pub(super) sysroot: Option<PathBuf>,
    /// Write to this file instead of stdout; with --read, the bytes as they are
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

impl Mem {
    /// Options that would be ignored are refused.
    pub(super) fn check(&self) -> Result<()> {
        let searches =
            self.search.is_some() || self.search_hex.is_some() || self.search_regex.is_some();
        let one = self.read.is_some() || self.args || self.env || self.auxv || self.write.is_some();
        let lists_tasks = !one && !searches && self.strings.is_none() && self.pid.is_empty();
        let refused = [
            (
                self.context > 0 && !searches,
                "--context goes with a search",
            ),
            (
                (!self.region.is_empty() || self.prot.is_some()) && (one || lists_tasks),
                "--region and --prot go with a search, --strings, or the areas of a task (-p)",
            ),
            (
                self.region.iter().any(String::is_empty),
                "--region needs a kind, or a part of a path",
            ),
            (
                self.output.is_some() && self.write.is_some(),
                "--write changes the image in its place: no --output",
            ),
        ];
        match refused.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err(Error::new(ErrorKind::Value((*what).to_owned()))),
            None => Ok(()),
        }
    }

    /// The areas that --region and --prot ask for.
    pub(super) fn selection(&self) -> Selection {
        let selection = Selection::default().protection(self.prot.unwrap_or(0));
        let kinds = self.region.iter();
        kinds.fold(selection, |selection, kind| selection.kind(kind))
    }
}
