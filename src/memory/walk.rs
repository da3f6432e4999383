//! What is at every address of a task: the one walk that reading, searching, counting, patching and
//! core files go along.

use std::fmt;
use std::ops::Range;

use super::Memory;
use super::areas::Area;
use super::behind::Behind;
use super::extent::Place;
use super::extents::Extents;
use crate::checkpoint::RandomAccess;
use crate::error::{Error, Result};

/// Bytes in a row that are in one place.
#[derive(Debug)]
pub(crate) struct Piece<'m> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) content: Content<'m>,
}

/// What a piece holds.
#[derive(Debug)]
pub(crate) enum Content<'m> {
    /// Pages of a pages image.
    Pages(Stored<'m>),
    /// Bytes of a file below the root that was given.
    File {
        /// CRIU's id of the file.
        id: u32,
        /// Where the piece begins in it, in bytes.
        offset: u64,
    },
    /// Zeros: memory that was never written.
    Zeros,
    /// In a pre-dump, which doesn't have it.
    Lost(Lost<'m>),
    /// The checkpoint doesn't have it.
    Absent(Absence),
}

/// Pages that an entry of a pagemap says are in the parent.
#[derive(Debug)]
pub(crate) struct Lost<'m> {
    extents: &'m Extents,
    layer: usize,
    entry: u64,
}

impl Lost<'_> {
    pub(crate) fn error(&self) -> Error {
        self.extents.lost(self.layer, self.entry)
    }
}

/// A place in a pages image.
#[derive(Debug)]
pub(crate) struct Stored<'m> {
    extents: &'m Extents,
    /// Which dump: 0 is the one that was opened, its parent 1, ...
    pub(crate) layer: usize,
    /// Where the piece begins, in bytes.
    pub(crate) offset: u64,
    entry: u64,
}

impl<'m> Stored<'m> {
    /// The place so many bytes behind this one.
    fn behind(&self, skip: u64) -> Self {
        Stored {
            offset: self.offset.saturating_add(skip),
            ..*self
        }
    }

    /// How errors name the pages image.
    pub(crate) fn image(&self) -> &str {
        let file = self.extents.layer(self.layer);
        file.map_or("", |file| file.name.as_str())
    }

    /// The name of the pages image beside the other images.
    pub(crate) fn file(&self) -> &str {
        let file = self.extents.layer(self.layer);
        file.map_or("", |file| file.file.as_str())
    }

    /// The file that holds it, when it has so many bytes of the piece.
    fn content(&self, length: u64) -> Option<&'m RandomAccess> {
        let file = self.extents.layer(self.layer)?;
        file.content
            .as_ref()
            .filter(|_| file.has(self.offset, length))
    }

    /// Reads from `skip` bytes behind the beginning of the piece on.
    pub(crate) fn read(&self, buffer: &mut [u8], skip: u64) -> Result<()> {
        match self.extents.layer(self.layer) {
            Some(file) => file.read(buffer, self.offset.saturating_add(skip), self.entry),
            None => Ok(()),
        }
    }
}

/// Why there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// No area of the task.
    Unmapped,
    /// Left to a lazy server.
    Lazy,
    /// The checkpoint has no pagemap of the task.
    NoPagemap,
    /// In the file that is mapped, of which the checkpoint has only the name.
    InFile,
    /// In a page behind the end of the mapped file, where there is nothing: the task could not read it.
    BeyondFile,
    /// In a shared segment whose images are missing.
    NoSegment,
    /// Made by the kernel: the vsyscall page, the vDSO's variables, a ring.
    Kernel,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Absence::Unmapped => "nothing is mapped there",
            Absence::Lazy => "the page was left to a lazy server",
            Absence::NoPagemap => "the checkpoint has no pagemap of the task",
            Absence::InFile => {
                "the page is in the mapped file, which is not part of the checkpoint"
            }
            Absence::BeyondFile => "the page is behind the end of the mapped file",
            Absence::NoSegment => "the images of the shared memory segment are missing",
            Absence::Kernel => "the kernel makes this area itself",
        })
    }
}

/// Where the holes of sparse files are, as far as a file system was asked: for pieces in the order of
/// their places it is asked once for each hole, however many pieces lie in it.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    /// Which file the rest is about.
    file: usize,
    /// From here on, ...
    asked: u64,
    /// ... there is a hole up to here, ...
    data: u64,
    /// ... and data up to here.
    hole: u64,
}

impl Holes {
    /// Where data are next from an offset on, and where they end.
    fn next(&mut self, content: &RandomAccess, offset: u64) -> (u64, u64) {
        let file = content.identity();
        if self.file != file || offset < self.asked || offset >= self.hole {
            let (data, hole) = content.next_data(offset);
            *self = Holes {
                file,
                asked: offset,
                data,
                hole,
            };
        }
        (self.data.max(offset), self.hole.max(offset))
    }
}

impl Memory {
    /// Hands over the parts of a piece that are holes of a sparse file, as zeros, and those that are not.
    pub(crate) fn without_holes<'m>(
        &'m self,
        piece: Piece<'m>,
        holes: &mut Holes,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let length = piece.end - piece.start;
        let file;
        let (content, base) = match &piece.content {
            Content::Pages(stored) => (stored.content(length), stored.offset),
            Content::File { id, offset } => {
                let named = self.backing.file(*id);
                file = named.and_then(|named| self.sysroot.as_ref()?.content(named));
                (file.as_ref(), *offset)
            }
            _ => (None, 0),
        };
        let Some(content) = content else {
            return each(piece);
        };
        let mut at = 0;
        while at < length {
            let (data, hole) = holes.next(content, base.saturating_add(at));
            // Behind the end of a file is the rest of its last page.
            let (data, hole) = match data >= content.len() {
                true => (length, length),
                false => (
                    data.saturating_sub(base).min(length),
                    hole.saturating_sub(base).min(length),
                ),
            };
            let address = |skip| piece.start.saturating_add(skip);
            if at < data {
                each(zeros(address(at)..address(data)))?;
            }
            if data < hole {
                each(Piece {
                    start: address(data),
                    end: address(hole),
                    content: piece.content.behind(data),
                })?;
            }
            // Whatever a file system says, it goes on.
            at = hole.max(at + 1);
        }
        Ok(())
    }
}

impl<'m> Content<'m> {
    /// What stands so many bytes behind the beginning.
    fn behind(&self, skip: u64) -> Content<'m> {
        match self {
            Content::Pages(stored) => Content::Pages(stored.behind(skip)),
            Content::File { id, offset } => Content::File {
                id: *id,
                offset: offset.saturating_add(skip),
            },
            _ => Content::Zeros,
        }
    }
}

impl Memory {
    /// Hands over what is at a range of addresses, in order and without gaps.
    pub(crate) fn walk<'m>(
        &'m self,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let areas = &self.space.areas;
        let mut at = range.start;
        let first = areas.partition_point(|area| area.end <= range.start);
        for area in areas.get(first..).unwrap_or_default() {
            if area.start >= range.end {
                break;
            }
            if at < area.start {
                each(absent(at..area.start, Absence::Unmapped))?;
            }
            let start = area.start.max(range.start);
            at = area.end.min(range.end);
            self.walk_area(area, start..at, each)?;
        }
        if at < range.end {
            each(absent(at..range.end, Absence::Unmapped))?;
        }
        Ok(())
    }

    /// The same, inside one area.
    pub(crate) fn walk_area<'m>(
        &'m self,
        area: &Area,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let mut at = range.start;
        if let Some(own) = &self.own {
            for extent in own.within(range.clone()) {
                if at < extent.start {
                    self.walk_behind(area, at..extent.start, each)?;
                }
                at = extent.end;
                each(Piece {
                    start: extent.start,
                    end: extent.end,
                    content: content(own, extent.place),
                })?;
            }
        }
        if at < range.end {
            self.walk_behind(area, at..range.end, each)?;
        }
        Ok(())
    }

    /// The same, where the task has no pages of its own.
    pub(super) fn walk_behind<'m>(
        &'m self,
        area: &Area,
        range: Range<u64>,
        each: &mut dyn FnMut(Piece<'m>) -> Result<()>,
    ) -> Result<()> {
        let behind = self.backing.behind(area);
        let simple = |content| Piece {
            start: range.start,
            end: range.end,
            content,
        };
        // Where the range begins in the file or segment.
        let base = area.pgoff.saturating_add(range.start - area.start);
        match behind {
            Behind::Kernel => each(absent(range, Absence::Kernel)),
            // Without a pagemap, nothing is known of what was written.
            Behind::Nothing if self.own.is_none() => each(absent(range, Absence::NoPagemap)),
            Behind::Nothing => each(simple(Content::Zeros)),
            Behind::File(id) => {
                let length = match (&self.sysroot, self.backing.file(id)) {
                    (Some(root), Some(file)) => root.content(file).map(|content| content.len()),
                    _ => None,
                };
                let Some(length) = length else {
                    return each(absent(range, Absence::InFile));
                };
                let pages_end = length
                    .div_ceil(self.page_size)
                    .saturating_mul(self.page_size);
                let there = pages_end.saturating_sub(base).min(range.end - range.start);
                let end = range.start.saturating_add(there);
                if range.start < end {
                    each(Piece {
                        start: range.start,
                        end,
                        content: Content::File { id, offset: base },
                    })?;
                }
                if end < range.end {
                    each(absent(end..range.end, Absence::BeyondFile))?;
                }
                Ok(())
            }
            Behind::Segment(id) => {
                let Some(segment) = self.backing.segment(id) else {
                    return each(absent(range, Absence::NoSegment));
                };
                let limit = base.saturating_add(range.end - range.start);
                let address = |offset: u64| range.start.saturating_add(offset - base);
                let mut at = base;
                for extent in segment.within(base..limit) {
                    if at < extent.start {
                        each(zeros(address(at)..address(extent.start)))?;
                    }
                    at = extent.end;
                    each(Piece {
                        start: address(extent.start),
                        end: address(extent.end),
                        content: content(segment, extent.place),
                    })?;
                }
                if at < limit {
                    each(zeros(address(at)..range.end))?;
                }
                Ok(())
            }
        }
    }
}

fn content(extents: &Extents, place: Place) -> Content<'_> {
    match place {
        Place::Pages {
            layer,
            offset,
            entry,
        } => Content::Pages(Stored {
            extents,
            layer,
            offset,
            entry,
        }),
        Place::Lazy => Content::Absent(Absence::Lazy),
        Place::Lost { layer, entry } => Content::Lost(Lost {
            extents,
            layer,
            entry,
        }),
    }
}

fn absent<'m>(range: Range<u64>, why: Absence) -> Piece<'m> {
    Piece {
        start: range.start,
        end: range.end,
        content: Content::Absent(why),
    }
}

fn zeros<'m>(range: Range<u64>) -> Piece<'m> {
    Piece {
        start: range.start,
        end: range.end,
        content: Content::Zeros,
    }
}
