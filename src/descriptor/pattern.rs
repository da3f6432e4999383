//! CRIU's file name formats (`core-%u.img`) as patterns to match against.

/// Whether a name could have been made with this format.
///
/// Conversions: `%u`, `%lu`, `%d`, `%ld` (decimal digits, a sign for the `d` ones), `%x` (hex digits),
/// `%s` (anything). Dumps before CRIU 3.7 wrote `%d` where `%u` stands now, so a sign is let
/// through everywhere.
pub(super) fn matches(format: &str, name: &str) -> bool {
    let Some((literal, rest)) = format.split_once('%') else {
        return format == name;
    };
    let Some(name) = name.strip_prefix(literal) else {
        return false;
    };
    let rest = rest.strip_prefix('l').unwrap_or(rest);
    let mut after = rest.chars();
    let digit: fn(&char) -> bool = match after.next() {
        Some('u' | 'd') => char::is_ascii_digit,
        Some('x') => char::is_ascii_hexdigit,
        Some('s') => {
            return name
                .char_indices()
                .skip(1)
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| {
                    name.get(at..)
                        .is_some_and(|n| at > 0 && matches(after.as_str(), n))
                });
        }
        _ => return false,
    };
    let unsigned = name.strip_prefix('-').unwrap_or(name);
    let tail = unsigned.trim_start_matches(|c| digit(&c));
    tail.len() < unsigned.len() && matches(after.as_str(), tail)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn formats_match_the_names_they_print() {
        assert!(matches("core-%u.img", "core-1.img"));
        assert!(matches("core-%u.img", "core--1.img"));
        assert!(matches(
            "pagemap-%lu.img",
            "pagemap-18446744073709551615.img"
        ));
        assert!(matches("stats-%s", "stats-dump"));
        assert!(matches("a-%s.img", "a-x.img.img"));
        assert!(matches("inventory.img", "inventory.img"));
        assert!(!matches("core-%u.img", "core-.img"));
        assert!(!matches("core-%u.img", "core-1f.img"));
        assert!(!matches("stats-%s", "stats-"));
        assert!(!matches("pagemap-%lu.img", "pagemap-shmem-1.img"));
    }
}
