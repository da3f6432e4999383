//! Colours on a terminal: of the word that says what kind of line it is.

/// Whether to use colours on an output (<https://no-color.org>).
pub(super) fn has_colour(is_terminal: bool) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const CYAN: u8 = 36;

/// The beginnings of messages, with the colours that compilers give them.
const MESSAGES: &[(&str, u8)] = &[("crit: warning:", YELLOW), ("crit:", RED), ("hint:", CYAN)];

/// The beginnings of findings and of differences.
const MARKS: &[(&str, u8)] = &[
    ("error:", RED),
    ("warning:", YELLOW),
    ("note:", CYAN),
    ("- ", RED),
    ("+ ", GREEN),
    ("~ ", YELLOW),
    ("! ", RED),
];

/// A line of stderr with its first words in colour.
pub(super) fn message(line: &str) -> String {
    begin(line, MESSAGES)
}

/// Lines of findings or differences, the mark of each in colour.
pub(super) fn marks(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.map(|line| begin(line, MARKS)).collect()
}

fn begin(line: &str, beginnings: &[(&str, u8)]) -> String {
    for (start, colour) in beginnings {
        if let Some(rest) = line.strip_prefix(start) {
            return format!("\x1b[1;{colour}m{start}\x1b[0m{rest}");
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_line_is_coloured_and_nothing_else() {
        assert_eq!(
            marks("- a - b\n+ c\nx: 1 error\nerror: d\n"),
            "\x1b[1;31m- \x1b[0ma - b\n\x1b[1;32m+ \x1b[0mc\nx: 1 error\n\x1b[1;31merror:\x1b[0m d\n"
        );
        assert_eq!(
            message("crit: warning: odd"),
            "\x1b[1;33mcrit: warning:\x1b[0m odd"
        );
    }
}
