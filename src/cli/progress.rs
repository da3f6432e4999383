//! How far long work has come, on stderr.

use std::sync::Once;
use std::time::Duration;

use super::messages::{Verbosity, verbosity};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown before this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The progress of work of a known size. It is shown once the work takes more than a
/// second, when stderr is a terminal and --quiet was not asked for, and taken away at the end.
pub(super) struct Progress {
    bar: ProgressBar,
    shown: Once,
}

impl Progress {
    /// Over so many bytes.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        let template = "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left";
        Progress::with_template(what, total, template)
    }

    /// Over so many images, or other things that are counted.
    pub(super) fn of_many(what: &'static str, total: usize) -> Self {
        let template = "{prefix} {wide_bar} {pos} of {len}, {eta} left";
        Progress::with_template(what, total as u64, template)
    }

    fn with_template(what: &'static str, total: u64, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Progress {
            bar,
            shown: Once::new(),
        }
    }

    pub(super) fn add(&self, count: u64) {
        self.bar.inc(count);
        if self.bar.elapsed() >= PATIENCE && verbosity() != Verbosity::Quiet {
            self.shown
                .call_once(|| self.bar.set_draw_target(ProgressDrawTarget::stderr()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
