//! `--write`: bytes over a page of a dump.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use super::Command;
use crate::cli::output::{Output, print_json};
use crate::error::{Error, ErrorKind, Result};
use crate::render::printable;

/// The most bytes that are written at once.
const MOST: u64 = 16 << 20;

/// What was written where.
#[derive(Debug, Serialize)]
struct Written {
    address: u64,
    length: usize,
    image: String,
    /// Where the first byte is in the image.
    offset: u64,
}

pub(super) fn run(command: &Command<'_>, address: u64) -> Result<ExitCode> {
    let args = command.args;
    if !args.checkpoint.is_dir() {
        let what = "an archive is not changed in place".to_owned();
        let error = Error::new(ErrorKind::Value(what)).in_file(command.checkpoint.name());
        return Err(error.with_hint("unpack it, and give the directory"));
    }
    let bytes = match &args.hex {
        Some(bytes) => bytes.0.clone(),
        None => read_stdin()?,
    };
    let memory = command.memory(command.task()?.pid)?;
    let patch = memory.patch(address, &bytes)?;
    let folder = args.checkpoint.join(command.checkpoint.images_folder());
    let path = folder.join(&patch.image);
    let image = path.display().to_string();
    let source = std::fs::File::open(&path).map_err(|e| Error::from(e).in_file(&image))?;
    let mut output = Output::open_inside(&path)?;
    let copied = match output.file() {
        Some(file) => patch.copy(&source, file),
        None => Ok(()),
    };
    copied.map_err(|error| output.error(error))?;
    output.commit()?;
    let mut out = Output::open(None)?;
    let written = Written {
        address,
        length: bytes.len(),
        offset: patch.parts.first().map_or(0, |(offset, _)| *offset),
        image,
    };
    let printed = if args.json.json {
        print_json(&mut out, &written)
    } else {
        let (count, image, offset) = (written.length, &written.image, written.offset);
        let image = printable(image);
        writeln!(
            out,
            "{count} bytes at 0x{address:x}: {image}, from 0x{offset:x} on"
        )
        .map_err(Error::writing)
    };
    printed.map_err(|error| out.locate(error, "stdout"))?;
    out.commit()?;
    Ok(ExitCode::SUCCESS)
}

fn read_stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().lock().take(MOST + 1);
    stdin
        .read_to_end(&mut bytes)
        .map_err(|e| Error::from(e).in_file("stdin"))?;
    if bytes.len() as u64 > MOST {
        let what = format!("more than the {MOST} bytes that are written at once");
        return Err(Error::new(ErrorKind::Limit(what)).in_file("stdin"));
    }
    Ok(bytes)
}
