//! Filters of seccomp: those that threads have, and those before them (`criu/seccomp.c`,
//! `seccomp_prepare_threads`). Filters that no thread leads to are not read.

use std::collections::HashSet;

use super::checker::Checker;
use crate::message::Record;

/// The filters that threads have: the number of each, and the image and field that say so.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<(u64, String, &'static str)>);

const IMAGE: &str = "seccomp.img";

impl Filters {
    /// Adds the filter of a thread; the core images of CRIU before 3.10 have it beside the task's state.
    pub(super) fn add(&mut self, thread: Record<'_>, task: Option<Record<'_>>, image: &str) {
        let old = task.and_then(|tc| {
            let mode = tc.enum_name("old_seccomp_mode")?;
            Some((
                mode,
                tc.number("old_seccomp_filter"),
                "tc.old_seccomp_filter",
            ))
        });
        let own = || {
            let mode = thread.enum_name("seccomp_mode")?;
            let filter = thread.number("seccomp_filter");
            Some((mode, filter, "thread_core.seccomp_filter"))
        };
        if let Some((mode, filter, field)) = old.or_else(own) {
            if mode == "filter" {
                self.0.push((filter.unwrap_or(0), image.to_owned(), field));
            } else if !["disabled", "strict"].contains(&&*mode) {
                self.0.push((u64::MAX, image.to_owned(), field));
            }
        }
    }

    pub(super) fn check(&self, checker: &Checker<'_>) {
        let entry = checker.first(IMAGE, &[]);
        let record = entry.as_ref().map(|entry| entry.record());
        let filters: Vec<Record<'_>> = record.map_or(Vec::new(), |record| {
            record.records("seccomp_filters").collect()
        });
        let mut checked = HashSet::new();
        for (filter, image, field) in &self.0 {
            if *filter == u64::MAX {
                let field = field.replace("filter", "mode");
                checker.error("seccomp-mode", image, (0, field), "not a mode of seccomp");
                continue;
            }
            if *filter >= filters.len() as u64 {
                let what = match entry.is_some() {
                    true => format!("{IMAGE} has {} filters, counted from 0", filters.len()),
                    false => format!("missing: {IMAGE} with the filter {filter}"),
                };
                checker.error("seccomp-filter", image, (0, *field), what);
                continue;
            }
            chain(checker, &filters, *filter, &mut checked);
        }
    }
}

/// A filter and those before it.
fn chain(checker: &Checker<'_>, filters: &[Record<'_>], first: u64, checked: &mut HashSet<u64>) {
    let mut own = HashSet::new();
    let mut at = first;
    loop {
        let field = |name: &str| (0, format!("seccomp_filters[{at}].{name}"));
        if !own.insert(at) {
            let what = "the filters before it lead back to it";
            checker.error("seccomp-filter", IMAGE, field("prev"), what);
            return;
        }
        let place = usize::try_from(at).ok();
        let Some(filter) = place.and_then(|place| filters.get(place)) else {
            return;
        };
        let is_new = checked.insert(at);
        if is_new {
            contents(checker, *filter, &field);
        }
        let Some(prev) = filter.number("prev") else {
            return;
        };
        if prev >= filters.len() as u64 {
            let what = format!("{IMAGE} has {} filters, counted from 0", filters.len());
            checker.error("seccomp-filter", IMAGE, field("prev"), what);
            return;
        }
        // Where another thread's filters went this way, only a loop is new.
        if !is_new && own.len() > filters.len() {
            return;
        }
        at = prev;
    }
}

/// The size and the flags of a filter.
fn contents(checker: &Checker<'_>, filter: Record<'_>, field: &dyn Fn(&str) -> (u64, String)) {
    /// The size of a BPF instruction in bytes, and how many there may be (`BPF_MAXINSNS`).
    const INSTRUCTION: usize = 8;
    const INSTRUCTIONS: usize = 4096;
    /// `SECCOMP_FILTER_FLAG_*` up to `WAIT_KILLABLE_RECV`.
    const FLAGS: u64 = 0x3f;
    let length = filter.bytes("filter").unwrap_or_default().len();
    if length == 0 || !length.is_multiple_of(INSTRUCTION) || length / INSTRUCTION > INSTRUCTIONS {
        let what = format!(
            "{length} bytes are not a filter: 1 to {INSTRUCTIONS} instructions of {INSTRUCTION} bytes are"
        );
        checker.error("seccomp-filter", IMAGE, field("filter"), what);
    }
    if let Some(flags) = filter.number("flags").filter(|flags| flags & !FLAGS != 0) {
        let what = format!("0x{flags:x} has flags that filters don't have");
        checker.error("seccomp-filter", IMAGE, field("flags"), what);
    }
}
