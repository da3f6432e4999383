//! Linux's names for the numbers in images: a name where one is known, else the number.

use crate::descriptor::Names;

/// The name of a value, or the number itself.
pub(super) fn name(group: &str, field: &str, value: u64) -> String {
    let names = Names::linux().ok();
    let dictionary = names.and_then(|names| names.dictionary(group, field));
    match dictionary.and_then(|dictionary| dictionary.name(value)) {
        Some(name) => name.to_owned(),
        None => value.to_string(),
    }
}

/// The name of a key of the auxiliary vector (Linux's `auxvec.h`), without `AT_`; or its number.
#[must_use]
pub fn auxv_name(key: u64) -> String {
    name("auxv", "key", key)
}

/// The names of the bits that are set; what has no name is one hexadecimal number at the end.
pub(super) fn flags(table: &str, value: u64) -> Vec<String> {
    let table = Names::linux().ok().and_then(|names| names.flags(table));
    let mut rest = value;
    let mut found = Vec::new();
    for (name, bit) in table.iter().flat_map(|table| table.iter()) {
        if bit != 0 && value & bit != 0 {
            found.push(name.to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        found.push(format!("{rest:#x}"));
    }
    found
}

/// The names of the signals in a mask, whose lowest bit is signal 1.
pub(super) fn signal_set(mask: u64) -> Vec<String> {
    (1..=64u64)
        .filter(|number| mask >> (number - 1) & 1 == 1)
        .map(|number| name("signal", "number", number))
        .collect()
}
