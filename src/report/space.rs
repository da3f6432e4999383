//! The address space of a task as a picture, and what is in it.

use std::collections::HashMap;

use super::html::{Html, shown};
use crate::memory::{PageCounts, Region};
use crate::render::bytes;

/// As many blocks are drawn of an address space; more are put together.
const BLOCKS: usize = 160;
/// As many rows are in the table of an address space.
const ROWS: usize = 15;
/// The width of pictures.
const WIDTH: f64 = 900.0;

/// Areas that are drawn as one.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) class: Class,
    pub(super) what: String,
    pub(super) mapped: u64,
    pub(super) here: u64,
    pub(super) in_parent: u64,
    areas: u64,
}

/// What areas are told apart as, by their colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class(pub(super) &'static str);

pub(super) const CLASSES: [(Class, &str); 6] = [
    (Class("heap"), "heap"),
    (Class("stack"), "stack"),
    (Class("anon"), "anonymous"),
    (Class("file"), "file"),
    (Class("shmem"), "shared memory"),
    (Class("other"), "other"),
];

impl Class {
    fn of(kind: &str) -> Self {
        match kind {
            "heap" => Class("heap"),
            "stack" => Class("stack"),
            "anon" => Class("anon"),
            "file" => Class("file"),
            "shmem" | "memfd" | "sysv" => Class("shmem"),
            _ => Class("other"),
        }
    }
}

impl Block {
    pub(super) fn of(region: &Region, page_size: u64) -> Self {
        let size = |pages: u64| pages.saturating_mul(page_size);
        let PageCounts {
            here, in_parent, ..
        } = region.pages;
        let what = match &region.file {
            Some(file) => shown(file),
            None => format!("[{}]", region.kind),
        };
        Block {
            start: region.area.start,
            end: region.area.end,
            class: Class::of(region.kind),
            what,
            mapped: region.area.len(),
            here: size(here),
            in_parent: size(in_parent),
            areas: 1,
        }
    }

    pub(super) fn present(&self) -> u64 {
        self.here.saturating_add(self.in_parent)
    }

    /// Takes in another that lies behind it; the larger of both gives the name.
    pub(super) fn take(&mut self, other: &Block) {
        if other.mapped > self.mapped {
            self.class = other.class;
            self.what.clone_from(&other.what);
        }
        self.end = self.end.max(other.end);
        self.mapped = self.mapped.saturating_add(other.mapped);
        self.here = self.here.saturating_add(other.here);
        self.in_parent = self.in_parent.saturating_add(other.in_parent);
        self.areas += other.areas;
    }
}

/// Puts neighbours together until there are few enough to be seen: those of one kind first, as few as
/// must be, then all between the largest, and beside the heap and the stack.
fn drawn(blocks: &[Block]) -> Vec<Block> {
    if blocks.len() <= BLOCKS {
        return blocks.to_vec();
    }
    let runs: Vec<&[Block]> = blocks.chunk_by(|a, b| a.class == b.class).collect();
    // What a run may have beyond one block, by its length.
    let left = BLOCKS.saturating_sub(runs.len());
    let more = blocks.len().saturating_sub(runs.len()).max(1);
    let mut groups = Vec::new();
    for run in &runs {
        let pieces = 1 + left * (run.len() - 1) / more;
        groups.extend(run.chunks(run.len().div_ceil(pieces)).filter_map(together));
    }
    if groups.len() <= BLOCKS {
        return groups;
    }
    let mut sizes: Vec<u64> = groups.iter().map(|block| block.mapped).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    // Between two that stand there may be one more.
    let large = sizes.get(BLOCKS / 2).copied().unwrap_or(0);
    let stands_out = |block: &Block| matches!(block.class, Class("heap" | "stack"));
    let is_small = |block: &Block| block.mapped <= large && !stands_out(block);
    let pieces = groups.chunk_by(|a, b| is_small(a) && is_small(b));
    // As many heaps and stacks as no task has.
    pieces.filter_map(together).take(4 * BLOCKS).collect()
}

/// Neighbours as one.
fn together(blocks: &[Block]) -> Option<Block> {
    let (first, others) = blocks.split_first()?;
    let mut block = first.clone();
    others.iter().for_each(|other| block.take(other));
    Some(block)
}

pub(super) fn address_space(page: &mut Html, blocks: &[Block]) {
    let blocks = drawn(blocks);
    #[allow(clippy::cast_precision_loss)] // a picture
    let weight = |block: &Block| (block.mapped as f64 / 4096.0).max(1.0).log2() + 1.0;
    let gap = (WIDTH / 3.0 / blocks.len().max(1) as f64).min(3.0);
    let whole: f64 = blocks.iter().map(weight).sum();
    let scale = (WIDTH - gap * blocks.len() as f64) / whole.max(1.0);
    page.raw("<div class=wide><svg class=space viewBox=\"0 0 900 58\" role=img>\n");
    let mut left = 0.0;
    for block in &blocks {
        let width = weight(block) * scale;
        let rect = |page: &mut Html, class: &'static str, top: f64, height: f64| {
            page.raw("<rect class=\"")
                .raw(class)
                .raw("\" x=")
                .length(left)
                .raw(" y=")
                .length(top);
            page.raw(" width=")
                .length(width)
                .raw(" height=")
                .length(height)
                .raw(" />");
        };
        page.raw("<g><title>");
        page.text(&format!("{:x}-{:x} ", block.start, block.end))
            .text(&block.what);
        if block.areas > 1 {
            page.raw(", ").number(block.areas).raw(" areas");
        }
        page.raw(": ").text(&bytes(block.present())).raw(" of ");
        page.text(&bytes(block.mapped)).raw("</title>");
        let here = share(block.here, block.mapped).min(1.0) * 56.0;
        let parent = share(block.in_parent, block.mapped).min(1.0) * 56.0;
        page.raw("<g class=faint>");
        rect(page, block.class.0, 1.0, 56.0);
        page.raw("</g>");
        if here > 0.0 {
            rect(page, block.class.0, 57.0 - here, here);
        }
        if parent > 0.0 {
            rect(page, "parent", (57.0 - here - parent).max(1.0), parent);
        }
        page.raw("</g>\n");
        left += width + gap;
    }
    page.raw("</svg></div>\n");
}

/// What takes the most memory, by what is mapped.
pub(super) fn table(page: &mut Html, blocks: &[Block]) {
    let mut sums: HashMap<&str, Block> = HashMap::new();
    for block in blocks {
        match sums.get_mut(block.what.as_str()) {
            Some(sum) => sum.take(block),
            None => {
                sums.insert(&block.what, block.clone());
            }
        }
    }
    let mut sums: Vec<Block> = sums.into_values().collect();
    let left_out = sums.len().saturating_sub(ROWS);
    sums.sort_by(|a, b| {
        let size = |block: &Block| (block.present(), block.mapped);
        size(b).cmp(&size(a)).then_with(|| a.what.cmp(&b.what))
    });
    page.table(&[
        "What",
        "#Areas",
        "#Mapped",
        "#In the dump",
        "#In a pre-dump",
    ]);
    for sum in sums.iter().take(ROWS) {
        page.raw("<tr>")
            .cell(&sum.what)
            .number_cell(Some(sum.areas));
        for size in [sum.mapped, sum.here, sum.in_parent] {
            page.raw("<td class=num>").text(&bytes(size)).raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.end_table();
    page.left_out(left_out, "files and kinds");
}

/// A part of a whole, which may be nothing.
#[allow(clippy::cast_precision_loss)] // a picture
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
