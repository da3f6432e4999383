//! Errors and warnings on stderr: one line, and a hint when there is one.

use std::io::Write as _;

use crate::error::{Error, Warning};
use crate::render::printable;

/// Characters of a line on stderr; names in it may be of any length.
const LONGEST: usize = 2000;

/// Prints an error.
pub(super) fn report(error: &Error) {
    say(&format!("crit: {error}"));
    if let Some(hint) = error.hint() {
        say(&format!("hint: {hint}"));
    }
}

/// Prints warnings about this input, and how many more there were.
pub(super) fn warn(warnings: &[Warning], more: u64, from: &str) {
    for warning in warnings {
        let mut warning = warning.clone();
        warning.at.file.get_or_insert_with(|| from.to_owned());
        say(&format!("crit: warning: {warning}"));
    }
    if more > 0 {
        say(&format!("crit: warning: {more} more"));
    }
}

/// Prints a line to stderr; when that can't be written to, there is nobody to tell.
pub(super) fn say(line: &str) {
    let mut line = printable(line);
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push_str("...");
    }
    let _ = writeln!(std::io::stderr(), "{line}");
}
