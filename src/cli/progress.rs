//! How far long work has come, on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::render::bytes;

/// Nothing is shown before this, and not more often than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The progress of work over a known number of bytes. It is shown once the work takes more than a
/// second, when stderr is a terminal, and taken away at the end.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    shown: Instant,
    visible: bool,
    enabled: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        Progress {
            what,
            total,
            done: 0,
            shown: Instant::now(),
            visible: false,
            enabled: std::io::stderr().is_terminal(),
        }
    }

    pub(super) fn add(&mut self, count: u64) {
        self.done = self.done.saturating_add(count);
        if !self.enabled || self.shown.elapsed() < PATIENCE {
            return;
        }
        self.shown = Instant::now();
        self.visible = true;
        let percent = self.done.saturating_mul(100) / self.total.max(1);
        let (done, total) = (bytes(self.done), bytes(self.total));
        let line = format!("\r\x1b[K{}: {percent}% ({done} of {total})", self.what);
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
