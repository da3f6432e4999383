//! Memory as pictures: how much of each task is where, and its address space.

use std::collections::{BTreeMap, HashMap};

use super::Subject;
use super::html::{Html, short, shown};
use crate::explore::TaskState;
use crate::memory::{Memories, PageCounts, Region};
use crate::render::bytes;

/// As many tasks have a bar.
const BARS: usize = 200;
/// As many tasks have a picture of their address space: those with the most memory in the dump.
const SPACES: usize = 40;
/// As many blocks are drawn of an address space; more are put together.
const BLOCKS: usize = 160;
/// As many rows are in the table of an address space.
const ROWS: usize = 15;
/// The width of pictures.
const WIDTH: f64 = 900.0;

/// The memory of all tasks.
pub(super) struct Tasks(Vec<TaskMemory>);

struct TaskMemory {
    pid: u32,
    /// What is together in addresses, kind and file.
    blocks: Vec<Block>,
    /// Why there is nothing.
    error: Option<String>,
}

/// Areas that are drawn as one.
#[derive(Clone)]
struct Block {
    start: u64,
    end: u64,
    class: Class,
    what: String,
    mapped: u64,
    here: u64,
    in_parent: u64,
    areas: u64,
}

/// What areas are told apart as, by their colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Class(&'static str);

const CLASSES: [(Class, &str); 6] = [
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
    fn of(region: &Region, page_size: u64) -> Self {
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

    fn present(&self) -> u64 {
        self.here.saturating_add(self.in_parent)
    }

    /// Takes in another that lies behind it; the larger of both gives the name.
    fn take(&mut self, other: &Block) {
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

impl TaskMemory {
    fn of(memories: &Memories<'_>, pid: u32) -> Self {
        let memory = match memories.open(pid) {
            Ok(memory) => memory,
            Err(error) => {
                return TaskMemory {
                    pid,
                    blocks: Vec::new(),
                    error: Some(error.to_string()),
                };
            }
        };
        let mut blocks: Vec<Block> = Vec::new();
        for region in memory.regions() {
            let block = Block::of(&region, memory.page_size());
            match blocks.last_mut() {
                Some(last) if last.end == block.start && last.what == block.what => {
                    last.take(&block);
                }
                _ => blocks.push(block),
            }
        }
        TaskMemory {
            pid,
            blocks,
            error: None,
        }
    }

    fn sum(&self, of: fn(&Block) -> u64) -> u64 {
        self.blocks.iter().map(of).fold(0, u64::saturating_add)
    }
}

impl Tasks {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let memories = Memories::new(subject.checkpoint);
        // What has ended has no memory.
        let ended = |state| matches!(state, Some(TaskState::Dead | TaskState::Zombie));
        let processes = subject.processes.iter().map(|(_, process)| process);
        let alive = processes.filter(|process| !ended(process.state));
        Tasks(
            alive
                .map(|process| TaskMemory::of(&memories, process.pid))
                .collect(),
        )
    }

    /// Bytes that all tasks have mapped.
    pub(super) fn mapped(&self) -> u64 {
        self.total(|block| block.mapped)
    }

    /// Bytes of all tasks whose pages are in the dump; what tasks share counts for each.
    pub(super) fn here(&self) -> u64 {
        self.total(|block| block.here)
    }

    /// Bytes of all tasks whose pages are in a pre-dump.
    pub(super) fn in_parent(&self) -> u64 {
        self.total(|block| block.in_parent)
    }

    /// Whether the memory of any task could be read.
    pub(super) fn is_known(&self) -> bool {
        self.0.iter().any(|task| task.error.is_none())
    }

    fn total(&self, of: fn(&Block) -> u64) -> u64 {
        self.0
            .iter()
            .map(|task| task.sum(of))
            .fold(0, u64::saturating_add)
    }

    pub(super) fn section(&self, page: &mut Html, subject: &Subject<'_>) {
        page.raw(
            "<p class=note>How much of each process is in the dump, and in a pre-dump of it.</p>\n",
        );
        legend(page);
        self.bars(page, subject);
        let mut largest: Vec<&TaskMemory> = self
            .0
            .iter()
            .filter(|task| !task.blocks.is_empty())
            .collect();
        largest.sort_by_key(|task| std::cmp::Reverse(task.sum(Block::present)));
        page.raw("<h3>Address spaces</h3>\n<p class=note>Areas from low to high addresses; the width goes with the logarithm of the size, and what is filled is in the dump, or in a pre-dump of it. Spaces between are gaps.</p>\n");
        for (task, place) in largest.iter().take(SPACES).zip(0..) {
            page.raw(if place < 3 {
                "<details open>"
            } else {
                "<details>"
            });
            page.raw("<summary>")
                .text(&subject.name(task.pid))
                .raw(": ");
            page.text(&bytes(task.sum(Block::present))).raw(" of ");
            page.text(&bytes(task.sum(|block| block.mapped)))
                .raw("</summary>\n");
            address_space(page, &task.blocks);
            table(page, &task.blocks);
            page.raw("</details>\n");
        }
        page.left_out(largest.len().saturating_sub(SPACES), "processes");
        // The same error of many tasks is said once.
        let mut errors: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for task in &self.0 {
            if let Some(error) = &task.error {
                errors.entry(error).or_default().push(task.pid);
            }
        }
        for (error, pids) in errors {
            page.raw("<p class=missing>");
            let pids: Vec<String> = pids.iter().take(BARS).map(u32::to_string).collect();
            page.text(&pids.join(" "))
                .raw(": ")
                .text(error)
                .raw("</p>\n");
        }
    }

    /// A bar for each task: what of it is in the dump, by kinds.
    fn bars(&self, page: &mut Html, subject: &Subject<'_>) {
        let rows: Vec<&TaskMemory> = self.0.iter().take(BARS).collect();
        let most = rows
            .iter()
            .map(|task| task.sum(Block::present))
            .max()
            .unwrap_or(0)
            .max(1);
        page.raw("<svg viewBox=\"0 0 900 ")
            .number(rows.len() as u64 * 20 + 4);
        page.raw("\" role=img class=memory>\n");
        for (task, line) in rows.iter().zip(0u32..) {
            let top = f64::from(line) * 20.0 + 3.0;
            page.raw("<text x=195 text-anchor=end y=")
                .length(top + 12.0)
                .raw(">");
            page.text(&short(&subject.name(task.pid), 24))
                .raw("</text>");
            let mut left = 205.0;
            for (class, _) in CLASSES {
                let of_class = || task.blocks.iter().filter(|block| block.class == class);
                let here = of_class()
                    .map(|block| block.here)
                    .fold(0, u64::saturating_add);
                left = bar(page, class.0, left, top, share(here, most) * 540.0);
            }
            let parent = share(task.sum(|block| block.in_parent), most) * 540.0;
            left = bar(page, "parent", left, top, parent);
            page.raw("<text class=quiet x=")
                .length(left + 7.0)
                .raw(" y=")
                .length(top + 12.0);
            let size = match task.error {
                None => bytes(task.sum(Block::present)),
                Some(_) => "unknown".to_owned(),
            };
            page.raw(">").text(&size).raw("</text>\n");
        }
        page.raw("</svg>\n");
        page.left_out(self.0.len().saturating_sub(BARS), "processes");
    }
}

/// Draws a part of a bar; the result is where it ends.
fn bar(page: &mut Html, class: &'static str, left: f64, top: f64, width: f64) -> f64 {
    if width > 0.0 {
        page.raw("<rect class=")
            .raw(class)
            .raw(" x=")
            .length(left)
            .raw(" y=")
            .length(top);
        page.raw(" height=14 width=")
            .length(width.max(0.5))
            .raw(" />");
    }
    left + width
}

#[allow(clippy::cast_precision_loss)] // a picture
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn legend(page: &mut Html) {
    page.raw("<p class=key>");
    let pre_dump = [(Class("parent"), "in a pre-dump")];
    for (class, name) in CLASSES.iter().chain(&pre_dump) {
        page.raw("<span><svg viewBox=\"0 0 10 10\"><rect width=10 height=10 class=");
        page.raw(class.0).raw(" /></svg>").raw(name).raw("</span>");
    }
    page.raw("</p>\n");
}

/// Puts neighbours together until there are few enough to be seen.
fn drawn(blocks: &[Block]) -> Vec<Block> {
    let together = blocks.len().div_ceil(BLOCKS).max(1);
    let groups = blocks.chunks(together).filter_map(|group| {
        let (first, others) = group.split_first()?;
        let mut block = first.clone();
        others.iter().for_each(|other| block.take(other));
        Some(block)
    });
    groups.collect()
}

fn address_space(page: &mut Html, blocks: &[Block]) {
    let blocks = drawn(blocks);
    #[allow(clippy::cast_precision_loss)] // a picture
    let weight = |block: &Block| (block.mapped as f64 / 4096.0).max(1.0).log2() + 1.0;
    let gap = (WIDTH / 3.0 / blocks.len().max(1) as f64).min(3.0);
    let whole: f64 = blocks.iter().map(weight).sum();
    let scale = (WIDTH - gap * blocks.len() as f64) / whole.max(1.0);
    page.raw("<svg class=space viewBox=\"0 0 900 58\" role=img>\n");
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
    page.raw("</svg>\n");
}

/// What takes the most memory, by what is mapped.
fn table(page: &mut Html, blocks: &[Block]) {
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
