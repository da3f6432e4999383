//! Where every page of a pagemap is, through all the dumps of a chain.
//!
//! A pagemap says of a run of pages that it is in the pages image beside it, or in the parent, whose
//! pagemap has runs of its own. Here the chain is laid flat: one sorted list of extents, each in one
//! pages image. CRIU's `criu/pagemap.c` walks the chain for each page instead.

use std::ops::Range;

use super::pagemap::{Held, Pagemap, Run};
use crate::checkpoint::{Checkpoint, RandomAccess};
use crate::error::{Error, ErrorKind, Result, Warning};

/// Pages in a row that are in one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The address of the first page; of a segment, its offset.
    pub(super) start: u64,
    /// The address behind the last.
    pub(super) end: u64,
    pub(super) place: Place,
}

/// Where an extent is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In a pages image.
    Pages {
        /// Which dump of the chain, 0 is the one that was opened.
        layer: usize,
        /// Where the extent begins in the image, in bytes.
        offset: u64,
        /// The entry of that dump's pagemap, to be named in errors.
        entry: u64,
    },
    /// Left to a lazy server, which never brought it.
    Lazy,
    /// Said to be in the parent, which does not have it.
    Lost {
        /// The dump that says so, ...
        layer: usize,
        /// ... in this entry of its pagemap.
        entry: u64,
    },
}

/// The pages image of one dump of the chain.
#[derive(Debug)]
pub(super) struct PagesFile {
    /// How errors name it.
    pub(super) name: String,
    /// Its name beside the other images.
    pub(super) file: String,
    /// How errors name the pagemap.
    pub(super) pagemap: String,
    /// `None` when the image is missing.
    content: Option<RandomAccess>,
    /// Why the parent can't be asked, or what it lacks.
    parent: String,
}

/// All pages of an address space, or of a shared memory segment.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// In ascending order, without overlaps.
    list: Vec<Extent>,
    layers: Vec<PagesFile>,
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
        for (layer, pagemap) in pagemaps.iter().enumerate().rev() {
            let label = layers.get(layer).map(|file| file.pagemap.as_str());
            let below = std::mem::take(&mut list);
            list = lay_over(&below, pagemap, layer, page_size).map_err(|error| match label {
                Some(label) => error.in_file(label),
                None => error,
            })?;
        }
        Ok(Some(Extents { list, layers }))
    }

    /// Bytes in a row in a file, from an offset on: a segment that has no pagemap.
    pub(super) fn inline(name: String, content: RandomAccess, offset: u64, length: u64) -> Self {
        Extents {
            list: vec![Extent {
                start: 0,
                end: length,
                place: Place::Pages {
                    layer: 0,
                    offset,
                    entry: 0,
                },
            }],
            layers: vec![PagesFile {
                pagemap: name.clone(),
                file: name.rsplit('/').next().unwrap_or_default().to_owned(),
                name,
                content: Some(content),
                parent: String::new(),
            }],
        }
    }

    /// Pieces of a file that are scattered over another: offset in the one, offset in the other, and
    /// length, with the entry that says so.
    pub(super) fn scattered(
        name: String,
        content: RandomAccess,
        pieces: impl IntoIterator<Item = (u64, u64, u64, u64)>,
    ) -> Result<Self> {
        let mut extents = Extents::inline(name, content, 0, 0);
        extents.list.clear();
        let mut end_before = 0;
        for (start, offset, length, entry) in pieces {
            let wrong = |what: &str| Error::new(ErrorKind::Value(what.to_owned())).in_entry(entry);
            let end = start.checked_add(length);
            let end = end.ok_or_else(|| wrong("it reaches beyond byte 2^64 of its file"))?;
            if start < end_before {
                return Err(wrong("it begins before the end of the piece before it"));
            }
            end_before = end;
            extents.list.push(Extent {
                start,
                end,
                place: Place::Pages {
                    layer: 0,
                    offset,
                    entry,
                },
            });
        }
        Ok(extents)
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

    /// What is wrong with it that only matters to those who read the pages in question: pages images
    /// that are missing or too short, and pages that no pre-dump has.
    pub(super) fn warnings(&self, page_size: u64) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (layer, file) in self.layers.iter().enumerate() {
            let pages = self.list.iter().filter_map(|extent| match extent.place {
                Place::Pages {
                    layer: of,
                    offset,
                    entry,
                } if of == layer => Some((offset, extent.end - extent.start, entry)),
                _ => None,
            });
            let mut wrong = pages.filter_map(|(offset, length, entry)| {
                file.check(offset, length, entry).err().map(|e| (e, entry))
            });
            if let Some((error, _)) = wrong.next() {
                let mut message = error.kind().to_string();
                let more = wrong.count();
                if more > 0 {
                    message.push_str(&format!(" (and {more} more entries)"));
                }
                let at = error.location().clone();
                warnings.push(Warning { at, message });
            }
        }
        let lost = self.list.iter().filter_map(|extent| match extent.place {
            Place::Lost { layer, entry } => Some((extent.end - extent.start, layer, entry)),
            _ => None,
        });
        let bytes = lost.clone().map(|(length, ..)| length);
        let pages = bytes.fold(0, u64::saturating_add) / page_size.max(1);
        if let Some((_, layer, entry)) = lost.clone().next() {
            let error = self.lost(layer, entry);
            warnings.push(Warning {
                at: error.location().clone(),
                message: format!("{} ({pages} pages in all)", error.kind()),
            });
        }
        warnings
    }

    /// The error for pages that a pagemap says are in the parent.
    pub(super) fn lost(&self, layer: usize, entry: u64) -> Error {
        let file = self.layers.get(layer);
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

    pub(super) fn layer(&self, index: usize) -> Option<&PagesFile> {
        self.layers.get(index)
    }
}

impl Extent {
    /// The part of it that lies in a range, which it must reach into.
    fn cut(self, range: Range<u64>) -> Extent {
        let start = self.start.max(range.start);
        let skipped = start - self.start;
        let place = match self.place {
            Place::Pages {
                layer,
                offset,
                entry,
            } => Place::Pages {
                layer,
                offset: offset.saturating_add(skipped),
                entry,
            },
            other => other,
        };
        Extent {
            start,
            end: self.end.min(range.end),
            place,
        }
    }
}

impl PagesFile {
    /// Reads what is at an offset, all of it.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64, entry: u64) -> Result<()> {
        let content = self.check(offset, buffer.len() as u64, entry)?;
        let got = content
            .read_at(buffer, offset)
            .map_err(|e| Error::from(e).in_file(&self.name))?;
        if got < buffer.len() {
            let what = "it became shorter while it was read".to_owned();
            return Err(Error::new(ErrorKind::Value(what)).in_file(&self.name));
        }
        Ok(())
    }

    /// The image, when it is there and has all these bytes.
    fn check(&self, offset: u64, length: u64, entry: u64) -> Result<&RandomAccess> {
        let Some(content) = &self.content else {
            let what = format!("{} is missing, which holds its pages", self.name);
            return Err(self.wrong(what, entry));
        };
        let end = offset.saturating_add(length);
        if end > content.len() {
            let what = format!(
                "its pages reach to byte {end} of {}, which ends at byte {}",
                self.name,
                content.len(),
            );
            return Err(self.wrong(what, entry));
        }
        Ok(content)
    }

    fn wrong(&self, what: String, entry: u64) -> Error {
        let error = Error::new(ErrorKind::Value(what)).in_entry(entry);
        error.in_file(&self.pagemap)
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
                list.push(Extent {
                    start: range.start,
                    end: range.end,
                    place: Place::Pages {
                        layer,
                        offset,
                        entry,
                    },
                });
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
