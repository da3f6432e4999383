//! How far long work has come, on stderr.

use std::sync::Once;
use std::time::Duration;

use super::messages::{Verbosity, verbosity};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown before this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The progress of work over a known number of bytes. It is shown once the work takes more than a
/// second, when stderr is a terminal and --quiet was not asked for, and taken away at the end.
pub(super) struct Progress {
    bar: ProgressBar,
    shown: Once,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template = "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left";
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
