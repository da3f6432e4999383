//! Files whose names are gone, and what stands for them (`criu/files-reg.c`, `collect_one_remap` and
//! `prepare_one_remap`). Every ghost file is made, whether somebody opens it or not.

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::files::{Files, Regular, mode as kind};
use super::tasks::Tasks;

const IMAGE: &str = "remap-fpath.img";

pub(super) fn check(checker: &Checker<'_>, files: &Files, tasks: &Tasks) {
    /// CRIU before 1.4 marked the number of a ghost file, and had no type.
    const MARK: u32 = 1 << 31;
    let mut ghosts = HashSet::new();
    let mut seen: HashMap<u32, u64> = HashMap::new();
    checker.each(IMAGE, &[], &mut |entry, record| {
        let (Some(file), Some(to)) = (record.word("orig_id"), record.word("remap_id")) else {
            return;
        };
        if let Some(before) = seen.insert(file, entry) {
            let what = format!("duplicate file {file}: entry {before} is replaced by this one");
            checker.warning("duplicate-remap", IMAGE, (entry, "orig_id"), what);
        }
        if let Err(what) = files.find("REG", file) {
            checker.error("dangling-file", IMAGE, (entry, "orig_id"), what);
        }
        let kind = record.enum_name("remap_type");
        match kind.as_deref() {
            None if to & MARK == 0 => linked(checker, files, entry, to),
            Some("LINKED") => linked(checker, files, entry, to),
            None | Some("GHOST") => {
                let ghost = format!("ghost-file-{:x}.img", to & !MARK);
                // What nobody opens is not compared to the file.
                let file = files
                    .is_used(file)
                    .then(|| files.regular.get(&file).copied().unwrap_or_default());
                if ghosts.insert(ghost.clone()) || file.is_some() {
                    self::ghost(checker, &ghost, entry, file);
                }
            }
            // CRIU makes a process of this id for as long as the file is opened.
            Some("PROCFS") if to == 0 => {
                let what = "0 is not a process id";
                checker.error("remap", IMAGE, (entry, "remap_id"), what);
            }
            Some("PROCFS") if tasks.tids.contains(&to) => {
                let what = format!("{to} is a thread: a process of this id can't be made");
                checker.error("remap", IMAGE, (entry, "remap_id"), what);
            }
            Some("PROCFS") => {}
            Some(other) => {
                let what = format!("{other} is not a way to find a file again");
                checker.error("remap", IMAGE, (entry, "remap_type"), what);
            }
        }
    });
    for (name, _) in checker.named("ghost-file-") {
        if !ghosts.contains(name) {
            checker.ignore(name);
            let what = format!("no entry of {IMAGE} refers to it");
            checker.note("stranger", name, (), what);
        }
    }
}

fn linked(checker: &Checker<'_>, files: &Files, entry: u64, to: u32) {
    if let Err(what) = files.use_regular(to) {
        checker.error("dangling-file", IMAGE, (entry, "remap_id"), what);
    }
}

/// The content of a deleted file: its type, size and mode are those that the file had.
fn ghost(checker: &Checker<'_>, ghost: &str, entry: u64, file: Option<Regular>) {
    if !checker.has(ghost) {
        let what = format!("missing: the content of a deleted file (entry {entry} of {IMAGE})");
        checker.error("missing-ghost", ghost, (), what);
        return;
    }
    let Ok(Some(mut reader)) = checker.checkpoint.image_reader(ghost) else {
        return;
    };
    let (Ok(head), Ok(Some(length))) = (reader.read_message(), checker.checkpoint.size(ghost))
    else {
        return;
    };
    let Some(head) = head else {
        checker.error("ghost", ghost, (), "it has no entry");
        return;
    };
    let record = head.record();
    let error = |field: &str, what: String| checker.error("ghost", ghost, (0, field), what);
    let mode = record.number("mode").unwrap_or(0);
    if [kind::CHARACTER, kind::BLOCK].contains(&(mode & kind::TYPE))
        && record.number("rdev").is_none()
    {
        error("rdev", "missing: the number of a device".to_owned());
    }
    if mode & kind::TYPE == kind::SYMLINK && record.bytes("symlnk_target").is_none() {
        error(
            "symlnk_target",
            "missing: where a symbolic link leads to".to_owned(),
        );
    }
    if record.record("atim").is_some() && record.record("mtim").is_none() {
        error(
            "mtim",
            "missing: it has the time of its last access".to_owned(),
        );
    }
    for name in ["atim", "mtim"] {
        let part = record.record(name).and_then(|time| time.number("tv_usec"));
        if let Some(part) = part.filter(|part| *part >= 1_000_000) {
            error(
                &format!("{name}.tv_usec"),
                format!("{part} is a second or more"),
            );
        }
    }
    let is_chunked = record.is("chunks");
    if is_chunked && record.number("size").is_none() {
        error("size", "missing: the size of a file in chunks".to_owned());
    }
    let Some(file) = file else {
        return;
    };
    if let Some(of_file) = file.mode.filter(|of_file| *of_file != mode) {
        let what = format!("0o{mode:o}, and the file had 0o{of_file:o}");
        error("mode", what);
    }
    if mode & kind::TYPE != kind::REGULAR {
        return;
    }
    if is_chunked {
        chunked(checker, ghost, &record.number("size"), file);
        return;
    }
    let has = length.saturating_sub(head.end_of_message());
    if let Some(size) = file.size.filter(|size| *size != has) {
        let what = format!("it has {has} bytes of content; the file had {size}");
        checker.error("ghost", ghost, 0, what);
    }
}

/// A file with holes ends where its size says, or behind its last chunk.
fn chunked(checker: &Checker<'_>, ghost: &str, own: &Option<u64>, file: Regular) {
    let mut end = own.unwrap_or(0);
    checker.each(ghost, &["len", "off"], &mut |entry, record| {
        if entry > 0 {
            let number = |name| record.number(name).unwrap_or(0);
            end = end.max(number("off").saturating_add(number("len")));
        }
    });
    if let Some(size) = file.size.filter(|size| *size != end)
        && !checker.is_damaged(ghost)
    {
        let what = format!("it has {end} bytes with its holes; the file had {size}");
        checker.error("ghost", ghost, 0, what);
    }
}
