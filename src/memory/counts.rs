//! How many bytes of extents are where.
//!
//! Where many areas map one segment, going through its extents for each would take the product of
//! both: sums that are made once say it.

use std::ops::Range;

use super::extent::{Extent, Place};

/// How many bytes are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// In the pages image of this dump.
    pub(super) here: u64,
    /// In the pages image of a pre-dump.
    pub(super) in_parent: u64,
    pub(super) lazy: u64,
    pub(super) lost: u64,
}

impl Counts {
    pub(super) fn of(extent: &Extent) -> Self {
        let mut counts = Counts::default();
        let count = match extent.place {
            Place::Pages { layer: 0, .. } => &mut counts.here,
            Place::Pages { .. } => &mut counts.in_parent,
            Place::Lazy => &mut counts.lazy,
            Place::Lost { .. } => &mut counts.lost,
        };
        *count = extent.end - extent.start;
        counts
    }

    pub(super) fn add(&mut self, other: Counts) {
        self.here = self.here.saturating_add(other.here);
        self.in_parent = self.in_parent.saturating_add(other.in_parent);
        self.lazy = self.lazy.saturating_add(other.lazy);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

/// The counts of the first extents of a list: of none, of one, of two, ...
#[derive(Debug)]
pub(super) struct Sums(Vec<Counts>);

impl Sums {
    pub(super) fn of(list: &[Extent]) -> Self {
        let mut sum = Counts::default();
        let mut sums = Vec::with_capacity(list.len() + 1);
        sums.push(sum);
        for extent in list {
            sum.add(Counts::of(extent));
            sums.push(sum);
        }
        Sums(sums)
    }

    /// Those of the extents at these places of the list.
    pub(super) fn between(&self, places: Range<usize>) -> Counts {
        match (self.0.get(places.start), self.0.get(places.end)) {
            (Some(from), Some(to)) => Counts {
                here: to.here.saturating_sub(from.here),
                in_parent: to.in_parent.saturating_sub(from.in_parent),
                lazy: to.lazy.saturating_sub(from.lazy),
                lost: to.lost.saturating_sub(from.lost),
            },
            _ => Counts::default(),
        }
    }
}
