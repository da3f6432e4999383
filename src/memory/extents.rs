//! Where every page of a pagemap is, through all the dumps of a chain.
//!
//! A pagemap says of a run of pages that it is in the pages image beside it, or in the parent, whose
//! pagemap has runs of its own. Here the chain is laid flat: one sorted list of extents, each in one
//! pages image. CRIU's `criu/pagemap.c` walks the chain for each page instead.

use std::ops::Range;

use once_cell::sync::OnceCell;

use super::counts::{Counts, Sums};
use super::extent::{Extent, Place};
use super::pagemap::{Held, Pagemap, Run};
use super::pages_file::PagesFile;
use crate::checkpoint::{Checkpoint, RandomAccess};
use crate::error::{Error, ErrorKind, Result, Warning};

/// All pages of an address space, or of a shared memory segment.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// In ascending order, without overlaps.
    list: Vec<Extent>,
    layers: Vec<PagesFile>,
    /// What is wrong that only matters to those who read the pages in question.
    warnings: Vec<Warning>,
    /// How many bytes are where in the extents before each: counted when it is first asked for.
    sums: OnceCell<Sums>,
}

impl Extents {
    /// Reads the pagemap of this name and, where it refers to them, those of the parents; `None`
    /// when the checkpoint has none.
    pub(super) fn open(checkpoint: &Checkpoint, name: &str) -> Result<Option<Self>> {
        let page_size = checkpoint.page_size();
        let mut pagemaps = Vec::new();
        let mut layers = Vec::new();
        let mut next = Some(checkpoint);
        while let Some(dump) = next {
            let Some(pagemap) = Pagemap::read(dump, name)? else {
                break;
            };
            let pages = format!("pages-{}.img", pagemap.pages_id);
            layers.push(PagesFile {
                content: dump.random_access(&pages)?,
                name: dump.label(&pages),
                file: pages,
                pagemap: dump.label(name),
                parent: "which doesn't have them".to_owned(),
            });
            let needs_parent = pagemap.runs.iter().any(|run| run.held == Held::InParent);
            pagemaps.push(pagemap);
            if !needs_parent {
                break;
            }
            // A chain that is broken matters to those who read the pages behind the break.
            let (parent, why) = match dump.parent() {
                Ok(Some(parent)) => (Some(parent), None),
                Ok(None) => (None, Some("but there is no parent".to_owned())),
                Err(error) => (None, Some(format!("but {}", error.kind()))),
            };
            if let (Some(why), Some(file)) = (why, layers.last_mut()) {
                file.parent = why;
            }
            next = parent;
        }
        if pagemaps.is_empty() {
            return Ok(None);
        }
        let mut list = Vec::new();
        for (layer, (pagemap, file)) in pagemaps.into_iter().zip(&layers).enumerate().rev() {
            list = lay_over(&list, &pagemap, layer, page_size)
                .map_err(|error| error.in_file(&file.pagemap))?;
        }
        Ok(Some(Extents::new(list, layers, page_size)))
    }

    fn new(list: Vec<Extent>, layers: Vec<PagesFile>, page_size: u64) -> Self {
        Extents {
            warnings: warnings(&list, &layers, page_size),
            list,
            layers,
            sums: OnceCell::new(),
        }
    }

    /// Bytes in a row in a file, from an offset on: a segment that has no pagemap.
    pub(super) fn inline(name: String, content: RandomAccess, offset: u64, length: u64) -> Self {
        let extent = Extent::pages(0..length, 0, offset, 0);
        Extents::new(vec![extent], vec![PagesFile::of_segment(name, content)], 1)
    }

    /// Pieces of a file that are scattered over another: offset in the one, offset in the other, and
    /// length, with the entry that says so.
    pub(super) fn scattered(
        name: String,
        content: RandomAccess,
        pieces: impl IntoIterator<Item = (u64, u64, u64, u64)>,
    ) -> Result<Self> {
        let mut list = Vec::new();
        let mut end_before = 0;
        for (start, offset, length, entry) in pieces {
            let wrong = |what: &str| Error::new(ErrorKind::Value(what.to_owned())).in_entry(entry);
            let end = start.checked_add(length);
            let end = end.ok_or_else(|| wrong("it reaches beyond byte 2^64 of its file"))?;
            if start < end_before {
                return Err(wrong("it begins before the end of the piece before it"));
            }
            end_before = end;
            list.push(Extent::pages(start..end, 0, offset, entry));
        }
        Ok(Extents::new(
            list,
            vec![PagesFile::of_segment(name, content)],
            1,
        ))
    }

    /// What is in a range, as far as there is anything: parts of extents, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = Extent> {
        let first = self
            .list
            .partition_point(|extent| extent.end <= range.start);
        let rest = self.list.get(first..).unwrap_or_default();
        rest.iter()
            .take_while(move |extent| extent.start < range.end)
            .map(move |extent| extent.cut(range.clone()))
    }

    /// How many bytes of a range are where, without going through what is in it: many areas may map
    /// one segment.
    pub(super) fn count(&self, range: Range<u64>) -> Counts {
        let first = self
            .list
            .partition_point(|extent| extent.end <= range.start);
        let behind = self.list.partition_point(|extent| extent.start < range.end);
        let mut counts = Counts::default();
        let cut = |extent: &Extent| Counts::of(&extent.cut(range.clone()));
        match self.list.get(first..behind).unwrap_or_default() {
            [] => {}
            [only] => counts.add(cut(only)),
            [from, .., to] => {
                let sums = self.sums.get_or_init(|| Sums::of(&self.list));
                counts = sums.between(first + 1..behind - 1);
                counts.add(cut(from));
                counts.add(cut(to));
            }
        }
        counts
    }

    /// What is wrong with it that only matters to those who read the pages in question: pages images
    /// that are missing or too short, and pages that no pre-dump has.
    pub(super) fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The error for pages that a pagemap says are in the parent.
    pub(super) fn lost(&self, layer: usize, entry: u64) -> Error {
        lost(&self.layers, layer, entry)
    }

    pub(super) fn layer(&self, index: usize) -> Option<&PagesFile> {
        self.layers.get(index)
    }
}

/// What is wrong: of each pages image the first entry whose pages it doesn't have, with the number of
/// the others; and what no pre-dump has.
fn warnings(list: &[Extent], layers: &[PagesFile], page_size: u64) -> Vec<Warning> {
    let mut wrong: Vec<Option<(Error, u64)>> = layers.iter().map(|_| None).collect();
    let mut first_lost = None;
    let mut lost_bytes = 0u64;
    for extent in list {
        let length = extent.end - extent.start;
        match extent.place {
            Place::Pages {
                layer,
                offset,
                entry,
            } => {
                let (Some(file), Some(wrong)) = (layers.get(layer), wrong.get_mut(layer)) else {
                    continue;
                };
                match wrong {
                    _ if file.has(offset, length) => {}
                    Some((_, more)) => *more += 1,
                    None => *wrong = file.check(offset, length, entry).err().map(|e| (e, 0)),
                }
            }
            Place::Lost { layer, entry } => {
                first_lost.get_or_insert((layer, entry));
                lost_bytes = lost_bytes.saturating_add(length);
            }
            Place::Lazy => {}
        }
    }
    let of_files = wrong.into_iter().flatten().map(|(error, more)| {
        let mut message = error.kind().to_string();
        if more > 0 {
            message.push_str(&format!(" (and {more} more entries)"));
        }
        let at = error.location().clone();
        Warning { at, message }
    });
    let of_parents = first_lost.map(|(layer, entry)| {
        let error = lost(layers, layer, entry);
        let pages = lost_bytes / page_size.max(1);
        Warning {
            at: error.location().clone(),
            message: format!("{} ({pages} pages in all)", error.kind()),
        }
    });
    of_files.chain(of_parents).collect()
}

fn lost(layers: &[PagesFile], layer: usize, entry: u64) -> Error {
    let file = layers.get(layer);
    let why = file.map_or("which doesn't have them", |file| file.parent.as_str());
    let error = Error::new(ErrorKind::Value(format!(
        "its pages are in the parent, {why}"
    )));
    let error = error.in_entry(entry);
    match file {
        Some(file) => error.in_file(&file.pagemap),
        None => error,
    }
}

/// The extents of a dump over those of its parent.
fn lay_over(
    below: &[Extent],
    pagemap: &Pagemap,
    layer: usize,
    page_size: u64,
) -> Result<Vec<Extent>> {
    let mut list: Vec<Extent> = Vec::with_capacity(pagemap.runs.len());
    let mut end_before = 0;
    for (run, entry) in pagemap.runs.iter().zip(1..) {
        let range = range_of(run, page_size, end_before).map_err(|e| e.in_entry(entry))?;
        if range.is_empty() {
            continue;
        }
        end_before = range.end;
        match run.held {
            Held::Here(first) => {
                let offset = first.checked_mul(page_size).ok_or_else(|| {
                    let what = "its pages are beyond byte 2^64 of the pages image".to_owned();
                    Error::new(ErrorKind::Value(what)).in_entry(entry)
                })?;
                list.push(Extent::pages(range, layer, offset, entry));
            }
            Held::InParent => through(below, range, Place::Lost { layer, entry }, &mut list),
            Held::Lazy => list.push(Extent {
                start: range.start,
                end: range.end,
                place: Place::Lazy,
            }),
            Held::Nowhere => {}
        }
    }
    Ok(list)
}

/// The addresses of a run, which must lie behind those of the run before.
fn range_of(run: &Run, page_size: u64, end_before: u64) -> Result<Range<u64>> {
    let wrong = |what: String| Error::new(ErrorKind::Value(what));
    if !run.vaddr.is_multiple_of(page_size) {
        return Err(wrong(format!(
            "0x{:x} is not the address of a page of {page_size} bytes",
            run.vaddr
        )));
    }
    if run.vaddr < end_before {
        return Err(wrong(format!(
            "its pages begin at 0x{:x}, before the end of the entry before it, 0x{end_before:x}",
            run.vaddr
        )));
    }
    let end = run
        .pages
        .checked_mul(page_size)
        .and_then(|length| run.vaddr.checked_add(length));
    match end {
        Some(end) => Ok(run.vaddr..end),
        None => Err(wrong(format!(
            "{} pages from 0x{:x} on reach beyond the last address",
            run.pages, run.vaddr
        ))),
    }
}

/// The parts of a range as the parent has them; what it has not is at `else_place`.
fn through(below: &[Extent], range: Range<u64>, else_place: Place, list: &mut Vec<Extent>) {
    let lost = |start, end| Extent {
        start,
        end,
        place: else_place,
    };
    let mut at = range.start;
    let first = below.partition_point(|extent| extent.end <= range.start);
    for extent in below.get(first..).unwrap_or_default() {
        if extent.start >= range.end {
            break;
        }
        let part = extent.cut(range.clone());
        if at < part.start {
            list.push(lost(at, part.start));
        }
        at = part.end;
        list.push(part);
    }
    if at < range.end {
        list.push(lost(at, range.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pagemap(runs: &[(u64, u64, Held)]) -> Pagemap {
        let run = |&(page, pages, held)| Run {
            vaddr: page * 4096,
            pages,
            held,
        };
        Pagemap {
            pages_id: 1,
            runs: runs.iter().map(run).collect(),
        }
    }

    /// First page, end, and `layer:page` or what else it is.
    fn flat(chain: &[Pagemap]) -> Vec<(u64, u64, String)> {
        let mut list = Vec::new();
        for (layer, pagemap) in chain.iter().enumerate().rev() {
            list = lay_over(&list, pagemap, layer, 4096).unwrap();
        }
        let place = |place| match place {
            Place::Pages { layer, offset, .. } => format!("{layer}:{}", offset / 4096),
            Place::Lazy => "lazy".to_owned(),
            Place::Lost { layer, entry } => format!("lost by {layer}:{entry}"),
        };
        list.iter()
            .map(|e| (e.start / 4096, e.end / 4096, place(e.place)))
            .collect()
    }

    #[test]
    fn a_run_in_the_parent_is_split_where_the_parents_runs_are() {
        use Held::{Here, InParent, Lazy};
        let first = pagemap(&[(10, 5, Here(0)), (20, 5, Here(5)), (30, 1, Lazy)]);
        let second = pagemap(&[(10, 2, Here(0)), (12, 12, InParent)]);
        let third = pagemap(&[(11, 3, InParent), (14, 1, Here(0)), (15, 20, InParent)]);
        let expected = [
            (11, 12, "1:1"),
            (12, 14, "2:2"),
            (14, 15, "0:0"),
            (15, 20, "lost by 1:2"),
            (20, 24, "2:5"),
            (24, 35, "lost by 0:3"),
        ];
        let expected = expected.map(|(start, end, place)| (start, end, place.to_owned()));
        assert_eq!(flat(&[third, second, first]), expected);
    }

    #[test]
    fn what_is_counted_of_a_range_is_what_is_in_it() {
        use Held::{Here, InParent, Lazy};
        let first = pagemap(&[(1, 2, Here(0)), (4, 1, Here(2)), (9, 4, Here(3))]);
        let second = pagemap(&[
            (0, 3, InParent),
            (4, 2, Here(0)),
            (8, 3, InParent),
            (11, 1, Lazy),
        ]);
        let list = lay_over(&lay_over(&[], &first, 1, 4096).unwrap(), &second, 0, 4096).unwrap();
        let extents = Extents::new(list, Vec::new(), 4096);
        for start in 0..14 {
            for end in start..14 {
                let range = start * 4096..end * 4096;
                let mut expected = Counts::default();
                for extent in extents.within(range.clone()) {
                    expected.add(Counts::of(&extent));
                }
                assert_eq!(extents.count(range), expected, "{start}..{end}");
            }
        }
    }

    #[test]
    fn runs_that_overlap_or_reach_beyond_the_last_address_are_refused() {
        let wrong = |runs: &[(u64, u64, Held)]| {
            let error = lay_over(&[], &pagemap(runs), 0, 4096).unwrap_err();
            (error.location().entry, error.kind().to_string())
        };
        let (entry, what) = wrong(&[(10, 5, Held::Lazy), (12, 1, Held::Lazy)]);
        assert_eq!(entry, Some(2));
        assert_eq!(
            what,
            "its pages begin at 0xc000, before the end of the entry before it, 0xf000"
        );
        let (entry, what) = wrong(&[(1, 1 << 60, Held::Lazy)]);
        assert_eq!(entry, Some(1));
        assert_eq!(
            what,
            "1152921504606846976 pages from 0x1000 on reach beyond the last address"
        );
    }
}
