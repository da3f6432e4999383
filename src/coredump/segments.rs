//! Which memory goes into a core file, and where.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::memory::{Absence, Area, Content, Memory};

/// A run of zeros of more than this, in bytes, is left without content: no file system need take a
/// file with a hole of terabytes.
const LONGEST_HOLE: u64 = 64 << 20;

/// A part of an area: with content in the file, or only an address and a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) area: Area,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) has_content: bool,
}

impl Segment {
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// How many bytes of the file it takes.
    pub(super) fn content_len(&self) -> u64 {
        if self.has_content { self.len() } else { 0 }
    }
}

/// The segments of a task, in the order of their addresses, and why pages are missing that a
/// debugger can't find elsewhere.
pub(super) fn of_memory(memory: &Memory) -> Result<(Vec<Segment>, BTreeSet<&'static str>)> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut gaps = BTreeSet::new();
    for area in &memory.address_space().areas {
        let before = segments.len();
        let mut any = false;
        memory.walk_area(area, area.start..area.end, &mut |piece| {
            let length = piece.end - piece.start;
            any |= matches!(piece.content, Content::Pages(_));
            let has_content = match &piece.content {
                Content::Pages(_) | Content::File { .. } => true,
                Content::Zeros => length <= LONGEST_HOLE,
                // Without a segment, a debugger says so; an empty one it would take for zeros.
                Content::Lost(_) => {
                    gaps.insert("pages are missing that are said to be in a pre-dump");
                    return Ok(());
                }
                Content::Absent(why) => match gap(*why) {
                    Some(gap) => {
                        gaps.insert(gap);
                        return Ok(());
                    }
                    None => false,
                },
            };
            let last = segments.get_mut(before..).and_then(<[_]>::last_mut);
            let goes_on =
                |last: &&mut Segment| last.has_content == has_content && last.end == piece.start;
            match last.filter(goes_on) {
                Some(last) => last.end = piece.end,
                None => segments.push(Segment {
                    area: *area,
                    start: piece.start,
                    end: piece.end,
                    has_content,
                }),
            }
            Ok(())
        })?;
        // As the kernel has it, memory that was never touched is only named.
        let whole = segments.get(before..).is_some_and(|new| {
            let lengths = new.iter().map(Segment::len);
            lengths.fold(0, u64::saturating_add) == area.len()
        });
        if !any && whole && memory.kind_of(area) != "file" {
            segments.truncate(before);
            segments.push(Segment {
                area: *area,
                start: area.start,
                end: area.end,
                has_content: false,
            });
        }
    }
    segments.retain(|segment| segment.len() > 0);
    Ok((segments, gaps))
}

/// What is to be said of pages that are nowhere.
fn gap(why: Absence) -> Option<&'static str> {
    match why {
        // A debugger reads them from the files, whose names it is told; or they mean nothing to it.
        Absence::InFile | Absence::BeyondFile | Absence::Kernel | Absence::Unmapped => None,
        Absence::Lazy => Some("pages that were left to a lazy server are missing"),
        Absence::NoPagemap => Some("the task has no pagemap: its memory is missing"),
        Absence::NoSegment => Some("a shared memory segment is missing"),
    }
}
