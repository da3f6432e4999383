//! Errors and warnings on stderr: one line, and a hint when there is one.

use std::io::Write as _;

use crate::error::{Error, Warning};

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

/// Names out of a dump are hostile: nothing in them may reach a terminal as a control sequence.
pub(super) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_safe(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// Control characters, and those that change the direction or hide what stands beside them, are not.
fn is_safe(c: char) -> bool {
    // Lines are ended by the caller.
    !c.is_control()
        && !matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(
            printable("a\x1b[31mb\n\u{202e}ü"),
            "a\\u{1b}[31mb\\u{a}\\u{202e}ü"
        );
    }
}
