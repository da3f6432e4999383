//! A run of pages that are in one place.

use std::ops::Range;

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

impl Extent {
    pub(super) fn pages(range: Range<u64>, layer: usize, offset: u64, entry: u64) -> Self {
        Extent {
            start: range.start,
            end: range.end,
            place: Place::Pages {
                layer,
                offset,
                entry,
            },
        }
    }

    /// The part of it that lies in a range, which it must reach into.
    pub(super) fn cut(self, range: Range<u64>) -> Extent {
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
