//! Which pages of a task a dump holds, and where (CRIU's `criu/pagemap.c` reads it so).

use super::regions::PageCounts;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::PAGEMAP_ENTRIES;
use crate::message::Record;

/// Where the content of a run of pages is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// In the pages image of this dump, from this page on (counted from 0).
    Here(u64),
    /// In the parent: the pages did not change since the pre-dump.
    InParent,
    /// Nowhere yet: it was left to the lazy server.
    Lazy,
    /// Nowhere: a hole of the pagemap.
    Nowhere,
}

/// Pages in a row, as one entry of a pagemap has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The address of the first page.
    pub vaddr: u64,
    /// How many pages.
    pub pages: u64,
    /// Where they are.
    pub held: Held,
}

/// A pagemap: which pages of an address space, or of a shared memory segment, a dump holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pagemap {
    /// The number of the pages image, as in `pages-1.img`.
    pub pages_id: u32,
    /// The runs, in the order of the image, which is that of the addresses.
    pub runs: Vec<Run>,
}

/// `PE_PARENT`: the content is in the parent.
const PE_PARENT: u64 = 1;
/// `PE_LAZY`: the content may be left to the lazy server.
const PE_LAZY: u64 = 2;
/// `PE_PRESENT`: the content is in the pages image.
const PE_PRESENT: u64 = 4;

/// What is read of the head and the entries.
const FIELDS: [&str; 6] = [
    "pages_id",
    "vaddr",
    "nr_pages",
    "compat_nr_pages",
    "flags",
    "in_parent",
];

impl Pagemap {
    /// How many of its pages are where; of those in the parent nobody looked whether it has them.
    pub(crate) fn counts(&self) -> PageCounts {
        let mut counts = PageCounts::default();
        for run in &self.runs {
            let count = match run.held {
                Held::Here(_) => &mut counts.here,
                Held::InParent => &mut counts.in_parent,
                Held::Lazy => &mut counts.lazy,
                Held::Nowhere => continue,
            };
            *count = count.saturating_add(run.pages);
        }
        counts
    }

    /// Reads the pagemap of this name, such as `pagemap-1.img`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The image is malformed.
    pub fn read(checkpoint: &Checkpoint, name: &str) -> Result<Option<Self>> {
        Self::read_with(checkpoint, name, &mut |unknown| Err(unknown))
    }

    /// Reads the pagemap as CRIU does, which takes no notice of fields and flags that it does not know;
    /// returns the first of them as an error beside it.
    ///
    /// # Errors
    ///
    /// The image is malformed.
    pub(crate) fn read_known(
        checkpoint: &Checkpoint,
        name: &str,
    ) -> Result<Option<(Self, Option<Error>)>> {
        let mut first = None;
        let pagemap = Self::read_with(checkpoint, name, &mut |unknown| {
            first.get_or_insert(unknown);
            Ok(())
        })?;
        Ok(pagemap.map(|pagemap| (pagemap, first)))
    }

    /// Reads the pagemap; `unknown` is asked whether to go on at a field or flag whose meaning is unknown.
    fn read_with(
        checkpoint: &Checkpoint,
        name: &str,
        unknown: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<Option<Self>> {
        let mut pagemap = Pagemap {
            pages_id: 0,
            runs: Vec::new(),
        };
        let mut pages_here = 0u64;
        let mut index = 0;
        let mut columns = None;
        let found = checkpoint.each_entry(name, &FIELDS, &mut |record| {
            index += 1;
            let refused = |what: String| {
                let error = Error::new(ErrorKind::Value(what)).in_entry(index - 1);
                error.in_file(checkpoint.label(name))
            };
            if let Some(field) = record.skipped() {
                unknown(refused(format!(
                    "it has the field {field}, whose effect on the pages is unknown"
                )))?;
            }
            if index == 1 {
                pagemap.pages_id = record.word("pages_id").unwrap_or(0);
                return Ok(());
            }
            let columns = columns.get_or_insert_with(|| Columns::of(record));
            let Some((vaddr, pages, flags)) = columns.values(record) else {
                return Err(refused(
                    "it lacks its address or its number of pages".to_owned(),
                ));
            };
            if pagemap.runs.len() >= PAGEMAP_ENTRIES {
                let what = format!("more than {PAGEMAP_ENTRIES} entries");
                return Err(Error::new(ErrorKind::Limit(what)).in_file(checkpoint.label(name)));
            }
            if flags & !(PE_PARENT | PE_LAZY | PE_PRESENT) != 0 {
                unknown(refused(format!(
                    "it has the flags 0x{flags:x}, whose effect on the pages is unknown"
                )))?;
            }
            let held = if flags & PE_PARENT != 0 {
                Held::InParent
            } else if flags & PE_PRESENT != 0 {
                let first = pages_here;
                pages_here = pages_here.checked_add(pages).ok_or_else(|| {
                    refused("the pages of this pagemap add up to more than 2^64".to_owned())
                })?;
                Held::Here(first)
            } else if flags & PE_LAZY != 0 {
                Held::Lazy
            } else {
                Held::Nowhere
            };
            pagemap.runs.push(Run { vaddr, pages, held });
            Ok(())
        })?;
        Ok(found.then_some(pagemap))
    }
}

/// Where the fields of an entry stand.
struct Columns([Option<usize>; 5]);

impl Columns {
    fn of(record: Record<'_>) -> Self {
        let names = ["vaddr", "nr_pages", "compat_nr_pages", "flags", "in_parent"];
        Columns(names.map(|name| record.column(name)))
    }

    /// Address, number of pages, flags. Before 4.2 the number stood in the field that is named
    /// `compat_nr_pages` now (under the schema of such a CRIU it is `nr_pages` itself); before 3.0
    /// there were no flags.
    /// `None` where the address or the number is missing.
    fn values(&self, record: Record<'_>) -> Option<(u64, u64, u64)> {
        let [vaddr, pages, compat, flags, in_parent] =
            self.0.map(|column| record.number_at(column));
        let pages = pages.or(compat)?;
        let flags = match (in_parent, flags) {
            (Some(1), flags) => flags.unwrap_or(0) | PE_PARENT,
            (_, Some(flags)) => flags,
            (_, None) => PE_PRESENT,
        };
        Some((vaddr?, pages, flags))
    }
}
