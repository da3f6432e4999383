//! The pages of every task that the checkpoint holds, beside the areas that they are in.

use std::sync::Arc;

use serde::Serialize;

use super::Explorer;
use crate::error::Result;
use crate::memory::{Area, Held, Pagemap, Run, status};
use crate::text::Text;

/// The resident pages of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskResident {
    /// The task.
    pub pid: u32,
    /// Runs of pages, in the order of their addresses.
    pub rss: Vec<ResidentRun>,
}

/// A run of pages, as one entry of the pagemap has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResidentRun {
    /// The address of the first page. (The name is the Go crit's; the address is a virtual one.)
    pub phy_addr: u64,
    /// How many pages.
    pub phy_pages: u64,
    /// Where their content is: `here`, `parent`, `lazy` or `nowhere`.
    pub held: &'static str,
    /// The areas that the run lies in.
    pub vmas: Vec<RunArea>,
}

/// An area that a run of pages lies in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunArea {
    /// The first address of the area.
    pub addr: u64,
    /// The length of the area, in pages.
    pub pages: u64,
    /// Whether the run before lies in this area too.
    pub continued: bool,
    /// The file that is mapped there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Arc<Text>>,
}

impl Explorer<'_> {
    /// The resident pages of every task.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn rss(&self) -> Result<Vec<TaskResident>> {
        let page_size = self.checkpoint.page_size();
        let mut all = Vec::new();
        for task in self.living("pages")? {
            let image = format!("pagemap-{}.img", task.pid);
            let pagemap = match Pagemap::read(self.checkpoint, &image) {
                Ok(Some(pagemap)) => pagemap,
                Ok(None) => {
                    let what = format!(
                        "missing: the resident pages of task {} are unknown",
                        task.pid
                    );
                    self.gap(&image, what);
                    continue;
                }
                Err(error) => {
                    self.failed(&error);
                    continue;
                }
            };
            let areas = self.address_space(task.pid).map(|space| space.areas);
            all.push(TaskResident {
                pid: task.pid,
                rss: self.runs(&pagemap.runs, &areas.unwrap_or_default(), page_size),
            });
        }
        Ok(all)
    }

    /// Goes through runs and areas side by side: both are in the order of their addresses.
    fn runs(&self, runs: &[Run], areas: &[Area], page_size: u64) -> Vec<ResidentRun> {
        let mut next = 0;
        let mut shown = None;
        let mut rows = Vec::with_capacity(runs.len());
        for run in runs {
            while areas.get(next).is_some_and(|area| area.end <= run.vaddr) {
                next += 1;
            }
            let end = run
                .vaddr
                .saturating_add(run.pages.saturating_mul(page_size));
            let mut vmas = Vec::new();
            while let Some(area) = areas.get(next).filter(|area| area.start < end) {
                let is_file = area.is(status::FILE_PRIVATE | status::FILE_SHARED);
                let continued = shown == Some(next);
                vmas.push(RunArea {
                    addr: area.start,
                    pages: area.len() / page_size,
                    continued,
                    resource: (is_file && !continued)
                        .then(|| u32::try_from(area.shmid).ok().map(|id| self.path(id)))
                        .flatten(),
                });
                shown = Some(next);
                next += 1;
            }
            // The last area may hold the next run as well.
            next = next.saturating_sub(1);
            rows.push(ResidentRun {
                phy_addr: run.vaddr,
                phy_pages: run.pages,
                held: match run.held {
                    Held::Here(_) => "here",
                    Held::InParent => "parent",
                    Held::Lazy => "lazy",
                    Held::Nowhere => "nowhere",
                },
                vmas,
            });
        }
        rows
    }
}
