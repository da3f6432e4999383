//! `crit stats`.

use std::process::ExitCode;

use super::args::OneCheckpoint;
use super::messages::caution;
use super::options::SchemaArgs;
use super::output::print;
use super::source;
use crate::error::{Error, ErrorKind, Result};
use crate::render::{explore, printable};

pub(super) fn run(args: &OneCheckpoint, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let checkpoint = source::checkpoint(&schema, &args.checkpoint)?;
    let stats = checkpoint.stats()?;
    if stats.dump.is_none() && stats.restore.is_none() {
        let what = "neither stats-dump nor stats-restore is in this checkpoint".to_owned();
        let error = Error::new(ErrorKind::NotACheckpoint(what)).in_file(checkpoint.name());
        return Err(error
            .with_hint("CRIU writes them to its work directory (-W), which may be another one"));
    }
    print(args.json.json.then_some(&stats), || {
        explore::stats(&stats, checkpoint.page_size())
    })?;
    let dump = stats.dump.iter().flat_map(|dump| &dump.missing);
    let restore = stats.restore.iter().flat_map(|restore| &restore.missing);
    for field in dump.chain(restore) {
        let name = printable(checkpoint.name());
        caution(&format!("{name}: the statistics lack {field}: 0 is shown"));
    }
    Ok(ExitCode::SUCCESS)
}
