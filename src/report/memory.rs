//! Memory as pictures: how much of each task is where, and its address space.

use std::collections::BTreeMap;

use super::Subject;
use super::html::{Fold, Html, short};
use super::space::{Block, CLASSES, Class, address_space, share, table};
use crate::checkpoint::Checkpoint;
use crate::explore::TaskState;
use crate::memory::{Memories, PageCounts, Pagemap};
use crate::render::bytes;

/// As many tasks have a bar.
const BARS: usize = 200;
/// As many tasks have a picture of their address space: those with the most memory in the dump.
const SPACES: usize = 40;
/// As many reasons why the memory of a task is unknown.
const REASONS: usize = 20;
/// As many reasons why pages are not there; the findings have all.
const GAPS: usize = 3;

/// The memory of all tasks.
pub(super) struct Tasks {
    tasks: Vec<TaskMemory>,
    /// Of all page maps; what tasks share is there once.
    pages: PageCounts,
}

struct TaskMemory {
    pid: u32,
    /// What is together in addresses, kind and file.
    blocks: Vec<Block>,
    /// What of it is not in the checkpoint though its page maps say so.
    gaps: Vec<String>,
    /// Why there is nothing.
    error: Option<String>,
}

impl TaskMemory {
    fn of(memories: &Memories<'_>, pid: u32) -> Self {
        let memory = match memories.open(pid) {
            Ok(memory) => memory,
            Err(error) => {
                return TaskMemory {
                    pid,
                    blocks: Vec::new(),
                    gaps: Vec::new(),
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
            gaps: memory.warnings().iter().map(ToString::to_string).collect(),
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
        Tasks {
            tasks: alive
                .map(|process| TaskMemory::of(&memories, process.pid))
                .collect(),
            pages: pages(subject.checkpoint),
        }
    }

    /// Bytes that all tasks have mapped.
    pub(super) fn mapped(&self) -> u64 {
        self.total(|block| block.mapped)
    }

    /// Where the pages are that all page maps have; what tasks share counts once.
    pub(super) fn pages(&self) -> PageCounts {
        self.pages
    }

    /// Whether pages that should be in the checkpoint are not.
    pub(super) fn lacks_pages(&self) -> bool {
        self.tasks.iter().any(|task| !task.gaps.is_empty())
    }

    /// Whether the memory of any task could be read.
    pub(super) fn is_known(&self) -> bool {
        self.tasks.iter().any(|task| task.error.is_none())
    }

    fn total(&self, of: fn(&Block) -> u64) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.sum(of))
            .fold(0, u64::saturating_add)
    }

    pub(super) fn section(&self, page: &mut Html, subject: &Subject<'_>) {
        page.raw(
            "<p class=note>How much of each process is in the dump, and in a pre-dump of it, as its page maps say; what processes share is in the bars of each.</p>\n",
        );
        self.reasons(page, GAPS, |task| task.gaps.clone());
        legend(page);
        self.bars(page, subject);
        let mut largest: Vec<&TaskMemory> = self
            .tasks
            .iter()
            .filter(|task| !task.blocks.is_empty())
            .collect();
        largest.sort_by_key(|task| std::cmp::Reverse(task.sum(Block::present)));
        page.raw("<h3>Address spaces</h3>\n<p class=note>Areas from low to high addresses; the width goes with the logarithm of the size, and what is filled is in the dump, or in a pre-dump of it. Spaces between are gaps.</p>\n");
        let mut fold = Fold::of(largest.len().min(SPACES), "address spaces");
        for (task, place) in largest.iter().take(SPACES).zip(0..) {
            fold.next(page);
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
        fold.end(page);
        page.left_out(largest.len().saturating_sub(SPACES), "processes");
        let reasons = |task: &TaskMemory| task.error.clone().into_iter().collect();
        self.reasons(page, REASONS, reasons);
    }

    /// Says what is missing of which tasks: the same of many tasks once.
    fn reasons(&self, page: &mut Html, most: usize, of: impl Fn(&TaskMemory) -> Vec<String>) {
        let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for task in &self.tasks {
            for reason in of(task) {
                all.entry(reason).or_default().push(task.pid);
            }
        }
        for (reason, pids) in all.iter().take(most) {
            page.raw("<p class=missing>");
            let pids: Vec<String> = pids.iter().take(BARS).map(u32::to_string).collect();
            page.text(&pids.join(" "))
                .raw(": ")
                .text(&short(reason, 1000))
                .raw("</p>\n");
        }
        page.left_out(all.len().saturating_sub(most), "like these");
    }

    /// A bar for each task: what of it is in the dump, by kinds.
    fn bars(&self, page: &mut Html, subject: &Subject<'_>) {
        let rows: Vec<&TaskMemory> = self.tasks.iter().take(BARS).collect();
        let sums = rows.iter().map(|task| task.sum(Block::present));
        let most = sums.max().unwrap_or(0).max(1);
        page.raw("<div class=wide>\n");
        let mut fold = Fold::of(rows.len(), "processes");
        // A picture of its own for each, so that some can be folded away, and pages break between them.
        for task in &rows {
            fold.next(page);
            page.raw("<svg viewBox=\"0 0 900 20\" role=img class=memory>");
            page.raw("<text x=195 text-anchor=end y=14>");
            page.text(&short(&subject.name(task.pid), 24))
                .raw("</text>");
            let mut left = 205.0;
            for (class, _) in CLASSES {
                let of_class = || task.blocks.iter().filter(|block| block.class == class);
                let here = of_class()
                    .map(|block| block.here)
                    .fold(0, u64::saturating_add);
                left = bar(page, class.0, left, 2.0, share(here, most) * 540.0);
            }
            let parent = share(task.sum(|block| block.in_parent), most) * 540.0;
            left = bar(page, "parent", left, 2.0, parent);
            page.raw("<text class=quiet y=14 x=").length(left + 7.0);
            let size = match task.error {
                None => bytes(task.sum(Block::present)),
                Some(_) => "unknown".to_owned(),
            };
            page.raw(">").text(&size).raw("</text></svg>\n");
        }
        fold.end(page);
        page.raw("</div>\n");
        page.left_out(self.tasks.len().saturating_sub(BARS), "processes");
    }
}

/// Adds up the page maps, each once, also those of segments that tasks share. What can't be read is found
/// by check.
fn pages(checkpoint: &Checkpoint) -> PageCounts {
    let mut pages = PageCounts::default();
    let names = checkpoint.images().unwrap_or_default();
    for name in names.iter().filter(|name| name.starts_with("pagemap-")) {
        if let Ok(Some(pagemap)) = Pagemap::read(checkpoint, name) {
            pages.add(pagemap.counts());
        }
    }
    pages
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

fn legend(page: &mut Html) {
    page.raw("<p class=key>");
    let pre_dump = [(Class("parent"), "in a pre-dump")];
    for (class, name) in CLASSES.iter().chain(&pre_dump) {
        page.raw("<span><svg viewBox=\"0 0 10 10\"><rect width=10 height=10 class=");
        page.raw(class.0).raw(" /></svg>").raw(name).raw("</span>");
    }
    page.raw("</p>\n");
}
