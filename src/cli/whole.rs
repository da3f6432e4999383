//! `crit decode -d` and `crit encode -d`: all images of a checkpoint at once.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::decode::tell;
use super::input;
use super::messages::{caution, hint, report};
use super::output::{Output, exists, print};
use super::progress::Progress;
use super::source;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, DecodeOptions, DecodeReport, EncodeOptions};
use crate::parallel::in_parallel;
use crate::render::printable;
use crate::schema::Schema;

/// The ending of an image's JSON.
const ENDING: &str = ".json";

/// Decodes every image of a checkpoint into a file of its own. What holds no messages is named.
pub(super) fn decode(
    schema: &Schema,
    dir: &Path,
    to: &Path,
    options: &DecodeOptions,
    (max_entry, force): (u64, bool),
) -> Result<ExitCode> {
    let checkpoint = source::checkpoint(schema, dir)?;
    make_dir(to)?;
    let names = checkpoint.image_names()?;
    if !force {
        let files = names.iter().map(|name| to.join(format!("{name}{ENDING}")));
        none_exists(files)?;
    }
    let progress = Progress::of_images("decoding", &checkpoint)?;
    let done = in_parallel(&names, |name| {
        let report = decode_one(&checkpoint, name, to, options, max_entry);
        progress.add_image(&checkpoint, name);
        report
    });
    drop(progress);
    let mut tally = Tally::default();
    for (name, done) in names.iter().zip(done) {
        match done {
            Ok(report) => {
                tell(&report, &checkpoint.label(name));
                tally.done += 1;
            }
            Err(error) if matches!(error.kind(), ErrorKind::RawImage { .. }) => {
                tally.left.push(name.clone());
            }
            Err(error) if error.kind().is_of_no_messages(name) => tally.foreign.push(name.clone()),
            Err(error) => tally.fail(&error),
        }
    }
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut strangers = 0u64;
    let mut stranger = None;
    for entry in fs::read_dir(to).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name
            .strip_suffix(ENDING)
            .is_some_and(|image| !known.contains(image))
        {
            strangers += 1;
            stranger = stranger.into_iter().chain([name]).min();
        }
    }
    if let Some(name) = stranger {
        let to = to.display();
        caution(&match strangers {
            1 => format!(
                "{to}: {name} was in it before: `crit encode -d` takes it for an image of this checkpoint"
            ),
            count => format!(
                "{to}: {count} files were in it before, such as {name}: `crit encode -d` takes them for images of this checkpoint"
            ),
        });
    }
    tally.finish("decoded", dir, to)
}

fn decode_one(
    checkpoint: &Checkpoint,
    name: &str,
    to: &Path,
    options: &DecodeOptions,
    max_entry: u64,
) -> Result<DecodeReport> {
    let label = checkpoint.label(name);
    let mut reader = checkpoint.image_reader_again(name)?;
    reader.limit_entries(max_entry);
    let mut output = Output::open_own(&to.join(format!("{name}{ENDING}")))?;
    let report = json::decode(&mut reader, &mut output, options)
        .map_err(|error| output.locate(error, &label))?;
    output.commit()?;
    Ok(report)
}

/// Encodes every JSON file of a directory into an image of its own. What has no such name is named.
pub(super) fn encode(
    schema: &Schema,
    dir: &Path,
    to: &Path,
    options: &EncodeOptions,
    force: bool,
) -> Result<ExitCode> {
    let in_dir = |error| Error::from(error).in_file(dir.display().to_string());
    let mut tally = Tally::default();
    let mut jobs: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut total = 0u64;
    for entry in fs::read_dir(dir).map_err(in_dir)? {
        let entry = entry.map_err(in_dir)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // As `core-1.img.pretty.json`, which tells of the same image.
        let is_one = |image: &&str| !image.is_empty() && !image.contains(".img.");
        let Some(image) = name.strip_suffix(ENDING).filter(is_one) else {
            if !path.is_dir() {
                tally.foreign.push(name.into_owned());
            }
            continue;
        };
        let refused = match fs::metadata(&path) {
            Err(error) => Some(Error::from(error)),
            Ok(_) if entry.file_name().to_str().is_none() => Some(Error::new(ErrorKind::Value(
                "its name is not UTF-8".to_owned(),
            ))),
            Ok(metadata) if !metadata.is_file() => {
                Some(Error::new(ErrorKind::Value("it is no file".to_owned())))
            }
            Ok(metadata) => {
                total = total.saturating_add(metadata.len());
                None
            }
        };
        match refused {
            None => jobs.push((path, to.join(image))),
            Some(error) => tally.fail(&error.in_file(path.display().to_string())),
        }
    }
    jobs.sort();
    tally.foreign.sort();
    make_dir(to)?;
    if !force {
        none_exists(jobs.iter().map(|(_, image)| image.clone()))?;
    }
    let progress = Progress::new("encoding", total);
    let done = in_parallel(&jobs, |(from, to)| {
        let result = encode_one(schema, from, to, options);
        progress.add(fs::metadata(from).map_or(0, |metadata| metadata.len()));
        result
    });
    drop(progress);
    for result in done {
        match result {
            Ok(()) => tally.done += 1,
            Err(error) => tally.fail(&error),
        }
    }
    let all_done = tally.failed == 0;
    let code = tally.finish("encoded", dir, to)?;
    let is = |path: &Path, start: &str| {
        let name = path.file_name().map(OsStr::to_string_lossy);
        name.is_some_and(|name| name.starts_with(start))
    };
    let has_pages = fs::read_dir(to)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| is(&entry.path(), "pages-"));
    if all_done && !has_pages && jobs.iter().any(|(_, image)| is(image, "pagemap-")) {
        hint("raw images, such as pages-1.img, have no JSON: copy them from the checkpoint");
    }
    Ok(code)
}

fn encode_one(schema: &Schema, from: &Path, to: &Path, options: &EncodeOptions) -> Result<()> {
    let input = input::open(Some(from))?;
    let label = input.label().to_owned();
    let mut output = Output::open_own(to)?;
    json::encode(schema, input.data, &mut output, options)
        .map_err(|error| output.locate(error, &label))?;
    output.commit()
}

/// `--force` is about the files of a directory.
pub(super) fn check_force(force: bool, has_directory: bool) -> Result<()> {
    if force && !has_directory {
        let what = "--force goes with -d: -o FILE replaces a file".to_owned();
        return Err(Error::new(ErrorKind::Value(what)));
    }
    Ok(())
}

/// Refuses to overwrite files: names the first, and how many more there are.
fn none_exists(files: impl Iterator<Item = PathBuf>) -> Result<()> {
    let mut existing = files.filter(|file| file.is_file());
    let Some(first) = existing.next() else {
        return Ok(());
    };
    let first = first.display().to_string();
    Err(exists(match existing.count() {
        0 => first,
        1 => format!("{first} (and another file)"),
        more => format!("{first} (and {more} other files)"),
    }))
}

fn make_dir(dir: &Path) -> Result<()> {
    let wrong = match dir {
        dir if dir == Path::new("-") => "a directory of files does not go to stdout",
        dir if dir.exists() && !dir.is_dir() => "it is not a directory",
        _ => "",
    };
    if !wrong.is_empty() {
        let error = Error::new(ErrorKind::Value(wrong.to_owned()));
        let error = error.in_file(dir.display().to_string());
        return Err(error.with_hint("with -d, -o names a directory: one file for each image"));
    }
    fs::create_dir_all(dir).map_err(|e| Error::writing(e).in_file(dir.display().to_string()))
}

/// What became of the files of a directory.
#[derive(Default)]
struct Tally {
    done: usize,
    failed: usize,
    /// Images that hold no messages.
    left: Vec<String>,
    /// What is no image, or no image's JSON, by its name.
    foreign: Vec<String>,
}

impl Tally {
    /// One that fails does not keep the others from being read.
    fn fail(&mut self, error: &Error) {
        report(error);
        self.failed += 1;
    }

    fn finish(&self, what: &str, from: &Path, to: &Path) -> Result<ExitCode> {
        if self.done == 0 && self.failed == 0 {
            let error = format!("there is nothing that could be {what}");
            let error = Error::new(ErrorKind::NotACheckpoint(error));
            return Err(error.in_file(from.display().to_string()));
        }
        print(None::<&()>, || {
            let images = if self.done == 1 { "image" } else { "images" };
            let to = to.display().to_string();
            let mut text = format!("{what} {} {images} into {}\n", self.done, printable(&to));
            for name in &self.left {
                text.push_str(&format!("not {what}: {}\n", printable(name)));
            }
            match self.foreign.as_slice() {
                [] => {}
                [name] => text.push_str(&format!("not {what}: {}\n", printable(name))),
                [name, ..] => text.push_str(&format!(
                    "not {what}: {} other files, such as {}\n",
                    self.foreign.len(),
                    printable(name)
                )),
            }
            text
        })?;
        Ok(match self.failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(2),
        })
    }
}
