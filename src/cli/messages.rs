//! Errors, warnings and hints on stderr, a line each.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::sync::OnceCell;

use super::colour::{self, has_colour};
use crate::error::{Error, Warning};
use crate::render::printable;

/// Characters of a line on stderr; names in it may be of any length.
const LONGEST: usize = 2000;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    /// Errors alone.
    Quiet,
    /// Warnings and hints as well.
    Normal,
    /// Also what is used, and how long it took.
    Verbose,
}

static VERBOSITY: OnceCell<Verbosity> = OnceCell::new();

/// Says how much is said, once, before anything is.
pub(super) fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

pub(super) fn verbosity() -> Verbosity {
    *VERBOSITY.get().unwrap_or(&Verbosity::Normal)
}

/// Prints an error, and its hint when there is one.
pub(super) fn report(error: &Error) {
    say(&format!("crit: {error}"));
    if let Some(text) = error.hint() {
        hint(text);
    } else if error.is_io(ErrorKind::IsADirectory) && !error.is_write() {
        hint("a file is wanted: `crit ls` lists the images of a directory");
    }
}

/// Whether something that was asked for could not be had.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints what is missing of the input. What can be had is still given, but the exit code says that it
/// is not all.
pub(super) fn lose(loss: &Warning) {
    say(&format!("crit: {loss}"));
    LOST.store(true, Ordering::Relaxed);
}

pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Prints a warning.
pub(super) fn caution(text: &str) {
    if verbosity() >= Verbosity::Normal {
        say(&format!("crit: warning: {text}"));
    }
}

/// Prints what may help.
pub(super) fn hint(text: &str) {
    if verbosity() >= Verbosity::Normal {
        say(&format!("hint: {text}"));
    }
}

/// Prints what only those want to know who asked for it.
pub(super) fn detail(text: &str) {
    if verbosity() >= Verbosity::Verbose {
        say(&format!("crit: {text}"));
    }
}

/// Prints warnings about this input, and how many more there were.
pub(super) fn warn(warnings: &[Warning], more: u64, from: &str) {
    for warning in warnings {
        let mut warning = warning.clone();
        warning.at.file.get_or_insert_with(|| from.to_owned());
        caution(&warning.to_string());
    }
    if more > 0 {
        caution(&format!("{more} more"));
    }
}

/// Prints a line to stderr; when that can't be written to, there is nobody to tell.
pub(super) fn say(line: &str) {
    let mut line = printable(line);
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push_str("...");
    }
    let stderr = std::io::stderr();
    if has_colour(stderr.is_terminal()) {
        line = colour::message(&line);
    }
    let _ = writeln!(&stderr, "{line}");
}
