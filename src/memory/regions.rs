//! The areas of a task with what the checkpoint holds of each.

use std::ops::Range;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Memory;
use super::areas::{Area, status};
use super::behind::Behind;
use super::counts::Counts;
use crate::error::Result;
use crate::text::Text;

/// An area with what is mapped and how much of it the checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// Addresses, protection, and CRIU's bits.
    pub area: Area,
    /// One word for what it is: as [`Area::kind_name`], but `shmem` for what only CRIU calls a memfd.
    pub kind: &'static str,
    /// The file that is mapped, or `/memfd:NAME`.
    pub file: Option<Arc<Text>>,
    /// Where its pages are.
    pub pages: PageCounts,
}

/// How many pages of an area are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PageCounts {
    /// In the pages image of this dump.
    pub here: u64,
    /// In the pages image of a pre-dump.
    pub in_parent: u64,
    /// Left to a lazy server.
    pub lazy: u64,
    /// Said to be in a pre-dump that doesn't have them.
    pub lost: u64,
}

impl PageCounts {
    /// Pages that can be read, here or in a pre-dump.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.here.saturating_add(self.in_parent)
    }

    /// Adds those of another area.
    pub fn add(&mut self, other: PageCounts) {
        self.here = self.here.saturating_add(other.here);
        self.in_parent = self.in_parent.saturating_add(other.in_parent);
        self.lazy = self.lazy.saturating_add(other.lazy);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

impl Region {
    /// Whether other tasks may see what is written to it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        let shared = status::ANON_SHARED | status::SYSVIPC | status::FILE_SHARED | status::SOCKET;
        self.area.is(shared)
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Region", 8)?;
        map.serialize_field("start", &self.area.start)?;
        map.serialize_field("end", &self.area.end)?;
        map.serialize_field("protection", self.area.protection())?;
        map.serialize_field("kind", self.kind)?;
        if let Some(file) = &self.file {
            map.serialize_field("file", file)?;
            map.serialize_field("offset", &self.area.pgoff)?;
        }
        map.serialize_field("shared", &self.is_shared())?;
        map.serialize_field("pages", &self.pages)?;
        map.end()
    }
}

impl Memory {
    /// The areas of the task, in the order of their addresses.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        let areas = self.space.areas.iter();
        areas.map(|area| self.region(area)).collect()
    }

    /// The file that an area maps.
    pub(crate) fn file_of(&self, area: &Area) -> Option<&Arc<Text>> {
        self.backing.named(area).map(|file| &file.name)
    }

    /// One word for what an area is.
    pub(crate) fn kind_of(&self, area: &Area) -> &'static str {
        match area.kind_name() {
            "memfd" if self.file_of(area).is_none() => "shmem",
            kind => kind,
        }
    }

    fn region(&self, area: &Area) -> Region {
        let counts = self.count_area(area, &mut |_| {});
        // A segment without a pagemap, as a deleted file, may end within a page.
        let pages = |bytes: u64| bytes.div_ceil(self.page_size.max(1));
        Region {
            area: *area,
            kind: self.kind_of(area),
            file: self.file_of(area).cloned(),
            pages: PageCounts {
                here: pages(counts.here),
                in_parent: pages(counts.in_parent),
                lazy: pages(counts.lazy),
                lost: pages(counts.lost),
            },
        }
    }

    /// How much of an area is in pages images, of the task's own and of a segment. What is not,
    /// because the area has none or they are missing, is handed over.
    pub(super) fn count_area(&self, area: &Area, rest: &mut dyn FnMut(Range<u64>)) -> Counts {
        let segment = match self.backing.behind(area) {
            Behind::Segment(id) => self.backing.segment(id),
            _ => None,
        };
        let mut counts = Counts::default();
        let mut gap = |range: Range<u64>, counts: &mut Counts| match segment {
            _ if range.is_empty() => {}
            Some(segment) => {
                let base = area.pgoff.saturating_add(range.start - area.start);
                let limit = base.saturating_add(range.end - range.start);
                counts.add(segment.count(base..limit));
            }
            None => rest(range),
        };
        let mut at = area.start;
        for extent in self
            .own
            .iter()
            .flat_map(|own| own.within(area.start..area.end))
        {
            gap(at..extent.start, &mut counts);
            at = extent.end;
            counts.add(Counts::of(&extent));
        }
        gap(at..area.end, &mut counts);
        counts
    }
}
