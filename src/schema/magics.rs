//! The magics of a CRIU checkout: `magic.h` (before 0.5: `image.h`), read as data.

use std::collections::HashMap;

use crate::descriptor::is_identifier;

/// A magic that a header defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Magic {
    /// The name, without `_MAGIC`.
    pub(super) name: String,
    pub(super) value: u32,
    /// The magic that this is another name for.
    pub(super) alias_of: Option<String>,
}

/// The `#define NAME_MAGIC VALUE` lines of a header, in their order.
///
/// A value is a number or the name of an earlier magic. Raw images (0), the words in front of other
/// magics (`IMG_COMMON`, `IMG_SERVICE`) and whatever else the header defines are left out.
pub(super) fn parse(header: &str) -> Vec<Magic> {
    let mut values: HashMap<String, u32> = HashMap::new();
    let mut names: HashMap<u32, String> = HashMap::new();
    let mut magics = Vec::new();
    for line in header.lines() {
        let Some((full_name, value)) = definition(line) else {
            continue;
        };
        let Some(value) = number(value).or_else(|| values.get(value).copied()) else {
            continue;
        };
        values.insert(full_name.to_owned(), value);
        let Some(name) = full_name.strip_suffix("_MAGIC") else {
            continue;
        };
        if value == 0 || matches!(name, "IMG_COMMON" | "IMG_SERVICE") {
            continue;
        }
        let alias_of = names.get(&value).cloned();
        names.entry(value).or_insert_with(|| name.to_owned());
        magics.push(Magic {
            name: name.to_owned(),
            value,
            alias_of,
        });
    }
    magics
}

/// The name and the value of a `#define` line; the `#` may stand apart.
fn definition(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix('#')?;
    let mut words = rest.split_whitespace();
    if words.next()? != "define" {
        return None;
    }
    let name = words.next()?;
    Some((name, words.next()?)).filter(|(name, _)| is_identifier(name))
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim_end_matches(['u', 'U', 'l', 'L']);
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_aliases_and_raw_ones_are_told_apart() {
        let header = "\
#ifndef H\n\
#define CRTOOLS_IMAGES_V1\t1\n\
#define RAW_IMAGE_MAGIC\t\t0x0\n\
#define IMG_COMMON_MAGIC 0x54564319 /* Sarov */\n\
#define PAGEMAP_MAGIC\t\t0x56084025 /* Vladimir */\n\
# define SHMEM_PAGEMAP_MAGIC  PAGEMAP_MAGIC\n\
#define PAGES_MAGIC\tRAW_IMAGE_MAGIC\n\
#define F(x) MAGIC\n\
#define NEW_MAGIC nonsense\n\
#define UP_MAGIC 0X10U\n";
        let found = parse(header);
        let names: Vec<_> = found
            .iter()
            .map(|m| (m.name.as_str(), m.value, m.alias_of.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("PAGEMAP", 0x5608_4025, None),
                ("SHMEM_PAGEMAP", 0x5608_4025, Some("PAGEMAP")),
                ("UP", 0x10, None),
            ]
        );
    }
}
