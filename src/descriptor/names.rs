//! Names of flag bits and of numbers, as the pretty JSON prints them.
//!
//! `descriptors/names.json` has the subsets of Linux's names that upstream's crit knows
//! (`lib/pycriu/images/pb2dict.py`), so that either tool reads what the other prints.
//! `descriptors/linux.json` has the names that explorers print, from Linux's own headers.

use std::collections::HashMap;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// The names of the bits of one kind of flags, such as `mmap.prot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagTable {
    /// Names and bits, in ascending order of the bits. A name for 0 is only read, never printed.
    bits: Vec<(String, u64)>,
}

impl FlagTable {
    /// Names and bits, in ascending order of the bits.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.bits.iter().map(|(name, bit)| (name.as_str(), *bit))
    }

    /// The bit of this name.
    #[must_use]
    pub fn bit(&self, name: &str) -> Option<u64> {
        self.iter().find(|(n, _)| *n == name).map(|(_, bit)| bit)
    }
}

/// The names of the values of one field, such as `task_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dictionary {
    names: Vec<(u64, String)>,
}

impl Dictionary {
    /// Values and their names.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        self.names
            .iter()
            .map(|(value, name)| (*value, name.as_str()))
    }

    /// The name of this value.
    #[must_use]
    pub fn name(&self, value: u64) -> Option<&str> {
        self.iter().find(|(v, _)| *v == value).map(|(_, name)| name)
    }

    /// The value of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<u64> {
        self.iter()
            .find(|(_, n)| *n == name)
            .map(|(value, _)| value)
    }
}

/// All flag tables and dictionaries.
#[derive(Debug, Clone, Default)]
pub struct Names {
    flags: HashMap<String, Arc<FlagTable>>,
    dictionaries: HashMap<String, HashMap<String, Arc<Dictionary>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    flags: HashMap<String, Vec<(String, String)>>,
    dict: HashMap<String, HashMap<String, HashMap<String, String>>>,
}

impl Names {
    /// The names that are built in.
    ///
    /// # Errors
    ///
    /// None with the table as it is; a mistake in it is named.
    pub fn bundled() -> Result<&'static Names> {
        static NAMES: OnceCell<Names> = OnceCell::new();
        NAMES.get_or_try_init(|| Names::parse(include_str!("../../descriptors/names.json")))
    }

    /// Linux's own names, for text that people read: more than upstream's JSON knows, and never in
    /// that JSON.
    ///
    /// # Errors
    ///
    /// As [`Names::bundled`].
    pub fn linux() -> Result<&'static Names> {
        static NAMES: OnceCell<Names> = OnceCell::new();
        NAMES.get_or_try_init(|| Names::parse(include_str!("../../descriptors/linux.json")))
    }

    /// Reads a table of the form of `descriptors/names.json`.
    ///
    /// # Errors
    ///
    /// The table is not JSON of that form, or a bit or value is not a number.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Descriptor(what));
        let table: Table = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let mut names = Names::default();
        for (table, rows) in table.flags {
            let mut bits = Vec::with_capacity(rows.len());
            for (name, bit) in rows {
                let value = bit
                    .strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .filter(|value| *value == 0 || value.is_power_of_two())
                    .ok_or_else(|| {
                        bad(format!("flags `{table}`: {name}: `{bit}` is not one bit"))
                    })?;
                bits.push((name, value));
            }
            bits.sort_by_key(|(_, bit)| *bit);
            names.flags.insert(table, Arc::new(FlagTable { bits }));
        }
        for (group, fields) in table.dict {
            for (field, rows) in fields {
                let mut values = Vec::with_capacity(rows.len());
                for (value, name) in rows {
                    let value = value.parse().map_err(|_| {
                        bad(format!("dict `{group}.{field}`: `{value}` is no number"))
                    })?;
                    values.push((value, name));
                }
                values.sort();
                let fields = names.dictionaries.entry(group.clone()).or_default();
                fields.insert(field, Arc::new(Dictionary { names: values }));
            }
        }
        Ok(names)
    }

    /// The flag table of this name, such as `mmap.prot`.
    #[must_use]
    pub fn flags(&self, table: &str) -> Option<&Arc<FlagTable>> {
        self.flags.get(table)
    }

    /// The dictionary of this group (`sk`) for a field of this name (`family`).
    #[must_use]
    pub fn dictionary(&self, group: &str, field: &str) -> Option<&Arc<Dictionary>> {
        self.dictionaries.get(group)?.get(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_names_are_found_both_ways() {
        let names = Names::bundled().unwrap();
        let prot = names.flags("mmap.prot").unwrap();
        assert_eq!(prot.bit("PROT_EXEC"), Some(4));
        let family = names.dictionary("sk", "family").unwrap();
        assert_eq!(family.name(10), Some("INET6"));
        assert_eq!(family.value("INET6"), Some(10));
    }

    #[test]
    fn a_flag_that_is_not_one_bit_is_named_in_the_error() {
        let error = Names::parse(r#"{"flags": {"x": [["A", "0x3"]]}, "dict": {}}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "descriptor table: flags `x`: A: `0x3` is not one bit"
        );
    }
}
