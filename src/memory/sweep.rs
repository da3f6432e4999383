//! Goes through the memory that is there in windows of contiguous bytes.
//!
//! What is next to each other in the address space is next to each other in a window, whatever
//! pagemap entries, pages images and areas it comes from; where nothing is known of a page, the
//! window ends.

use std::ops::Range;

use super::areas::Area;
use super::{Absence, Content, Holes, Memory, Piece};
use crate::error::{Error, Result};

/// How many bytes are read before they are looked at.
const WINDOW: usize = 1 << 20;

/// How much of what was looked at stays in front of the rest, for `^` and `\b`.
const LOOK_BEHIND: usize = 8;

/// Which areas to go through: all, unless something is said.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Selection {
    kinds: Vec<String>,
    protection: u32,
}

impl Selection {
    /// Only areas of this kind (`heap`, `stack`, `anon`, `file`, `shmem`, ...: see
    /// [`Area::kind_name`]), or of a mapped file whose path has this text in it. Said several times,
    /// areas of any of them.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kinds.push(kind.to_owned());
        self
    }

    /// Only areas that may be read (1), written (2), executed (4): all that is said.
    #[must_use]
    pub fn protection(mut self, bits: u32) -> Self {
        self.protection |= bits;
        self
    }

    /// Whether an area of a task is among them.
    #[must_use]
    pub fn has(&self, memory: &Memory, area: &Area) -> bool {
        let named = |kind: &String| {
            let file = || memory.file_of(area);
            let in_path = |path: &crate::text::Text| {
                memchr::memmem::find(path.as_bytes(), kind.as_bytes()).is_some()
            };
            memory.kind_of(area) == kind || file().is_some_and(|path| in_path(path))
        };
        area.prot & self.protection == self.protection
            && (self.kinds.is_empty() || self.kinds.iter().any(named))
    }
}

/// What there is to search, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Searchable {
    /// Pages that the checkpoint holds.
    pub present: u64,
    /// Memory of the task that should be in the checkpoint and is not: left to a lazy server, or lost.
    pub missing: u64,
}

/// A piece of contiguous memory.
pub(super) struct Window<'a> {
    /// The address of the first byte.
    pub(super) address: u64,
    pub(super) bytes: &'a [u8],
    /// Bytes before this place were looked at already.
    pub(super) from: usize,
    /// Nothing is known of what is behind.
    pub(super) last: bool,
}

impl Window<'_> {
    pub(super) fn address_of(&self, place: usize) -> u64 {
        self.address.saturating_add(place as u64)
    }
}

/// What looks at windows.
pub(super) trait Scanner {
    /// How many bytes at the end of a window may belong to something that goes on in the next one.
    fn reach(&self) -> usize;

    /// Whether it finds anything in nothing but zeros: then holes of sparse files are looked at as well.
    fn looks_at_zeros(&mut self) -> Result<bool>;

    /// Looks at a window; the place up to which it was done. The rest, not more than one byte more than
    /// [`Scanner::reach`], stands at the beginning of the next window.
    fn scan(&mut self, window: &Window<'_>) -> Result<usize>;
}

impl Memory {
    /// The areas of a selection.
    fn selected(&self, selection: &Selection) -> impl Iterator<Item = &Area> {
        let areas = self.address_space().areas.iter();
        areas.filter(move |area| selection.has(self, area))
    }

    /// How much [`Memory::search`] goes through, and how much of the selection it can't.
    #[must_use]
    pub fn searchable(&self, selection: &Selection) -> Searchable {
        let mut found = Searchable::default();
        for area in self.selected(selection) {
            let mut rest = |range| {
                let walked = self.walk_behind(area, range, &mut |piece| {
                    let length = piece.end - piece.start;
                    match piece.content {
                        Content::File { .. } => {
                            found.present = found.present.saturating_add(length);
                        }
                        Content::Absent(Absence::NoPagemap | Absence::NoSegment) => {
                            found.missing = found.missing.saturating_add(length);
                        }
                        _ => {}
                    }
                    Ok(())
                });
                // Nothing is read, so nothing can fail.
                debug_assert!(walked.is_ok());
            };
            let counts = self.count_area(area, &mut rest);
            let present = counts.here.saturating_add(counts.in_parent);
            let missing = counts.lazy.saturating_add(counts.lost);
            found.present = found.present.saturating_add(present);
            found.missing = found.missing.saturating_add(missing);
        }
        found
    }

    /// How many areas are of a selection.
    #[must_use]
    pub fn count_selected(&self, selection: &Selection) -> usize {
        self.selected(selection).count()
    }

    /// Shows all of a selection to a scanner. Pages that can't be read are gaps; the first is the error
    /// at the end. `progress` is told of the bytes that were read.
    pub(super) fn sweep(
        &self,
        selection: &Selection,
        scanner: &mut dyn Scanner,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        // One byte more is shown than may still belong to something: it tells whether the end is one.
        let reach = scanner.reach() + 1;
        let with_holes = scanner.looks_at_zeros()?;
        let mut holes = Holes::default();
        let mut sweep = Sweep {
            memory: self,
            scanner,
            progress,
            reach,
            buffer: vec![0; WINDOW + reach + LOOK_BEHIND],
            filled: 0,
            from: 0,
            address: 0,
            failed: None,
        };
        for area in self.selected(selection) {
            self.walk_area(area, area.start..area.end, &mut |piece| match with_holes {
                true => sweep.piece(&piece),
                false => self.without_holes(piece, &mut holes, &mut |piece| sweep.piece(&piece)),
            })?;
        }
        sweep.finish()?;
        sweep.failed.map_or(Ok(()), Err)
    }
}

struct Sweep<'s, 'm> {
    memory: &'m Memory,
    scanner: &'s mut dyn Scanner,
    progress: &'s mut dyn FnMut(u64),
    reach: usize,
    buffer: Vec<u8>,
    filled: usize,
    from: usize,
    /// The address of the first byte in the buffer.
    address: u64,
    /// The first page that could not be read: a gap, which does not hide what is behind it.
    failed: Option<Error>,
}

impl Sweep<'_, '_> {
    fn piece(&mut self, piece: &Piece<'_>) -> Result<()> {
        let length = piece.end - piece.start;
        match &piece.content {
            Content::Pages(_) | Content::File { .. } => {
                self.begin(piece.start)?;
                self.take(piece, 0..length)
            }
            // Of memory that was never written only what may belong to something beside it.
            Content::Zeros => {
                let edge = self.reach as u64;
                if length <= edge.saturating_mul(2) + LOOK_BEHIND as u64 {
                    self.begin(piece.start)?;
                    return self.take(piece, 0..length);
                }
                if self.filled > 0 && self.end() == piece.start {
                    self.take(piece, 0..edge)?;
                    self.look(false)?;
                } else {
                    self.finish()?;
                }
                self.go_on_in_zeros(piece.end - edge);
                self.take(piece, length - edge..length)
            }
            Content::Lost(lost) => {
                self.failed.get_or_insert_with(|| lost.error());
                self.finish()
            }
            Content::Absent(_) => self.finish(),
        }
    }

    /// The address behind what is in the buffer.
    fn end(&self) -> u64 {
        self.address.saturating_add(self.filled as u64)
    }

    /// Goes on at this address, further on in zeros: they are before it as well.
    fn go_on_in_zeros(&mut self, address: u64) {
        self.buffer
            .get_mut(..LOOK_BEHIND)
            .unwrap_or_default()
            .fill(0);
        self.address = address - LOOK_BEHIND as u64;
        self.from = LOOK_BEHIND;
        self.filled = LOOK_BEHIND;
    }

    /// Goes on at this address.
    fn begin(&mut self, address: u64) -> Result<()> {
        if self.filled == 0 || self.end() != address {
            self.finish()?;
            self.address = address;
        }
        Ok(())
    }

    /// Reads a part of a piece, and looks at what is there whenever the buffer is full.
    fn take(&mut self, piece: &Piece<'_>, part: Range<u64>) -> Result<()> {
        let mut at = part.start;
        while at < part.end {
            if self.filled == self.buffer.len() {
                self.look(false)?;
            }
            let left = usize::try_from(part.end - at).unwrap_or(usize::MAX);
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let step = room.len().min(left);
            let room = room.get_mut(..step).unwrap_or_default();
            if let Err(error) = self.memory.fill(piece, at, room) {
                self.failed.get_or_insert(error);
                return self.finish();
            }
            if !matches!(piece.content, Content::Zeros) {
                (self.progress)(step as u64);
            }
            self.filled += step;
            at += step as u64;
        }
        Ok(())
    }

    fn look(&mut self, last: bool) -> Result<()> {
        let window = Window {
            address: self.address,
            bytes: self.buffer.get(..self.filled).unwrap_or_default(),
            from: self.from,
            last,
        };
        let done = self.scanner.scan(&window)?;
        // A scanner that keeps more than it may would be shown the same for ever.
        let done = done.clamp(self.filled.saturating_sub(self.reach), self.filled);
        let keep = done.saturating_sub(LOOK_BEHIND);
        self.buffer.copy_within(keep..self.filled, 0);
        self.from = done - keep;
        self.filled -= keep;
        self.address = self.address.saturating_add(keep as u64);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if self.filled > 0 {
            self.look(true)?;
        }
        self.filled = 0;
        self.from = 0;
        Ok(())
    }
}
