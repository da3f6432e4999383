//! How far long work has come, on stderr.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::messages::{Verbosity, verbosity};
use crate::checkpoint::Checkpoint;
use crate::descriptor::Family;
use crate::error::Result;

/// Nothing is shown before this.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what is shown moves.
const TICK: Duration = Duration::from_millis(100);

/// Whether output goes elsewhere than to the terminal, where it shows by itself how far it is.
pub(super) fn is_silent(output: Option<&Path>) -> bool {
    output.is_some() || !std::io::stdout().is_terminal()
}

/// The progress of work. It is shown once the work takes more than a second, when stderr is a terminal
/// and --quiet was not asked for, and taken away at the end.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Gone when the work is done: what waits for the second is up then knows.
    _working: Option<Sender<()>>,
}

impl Progress {
    /// Over so many bytes.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        let template = "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left";
        Progress::with_template(what, Some(total), template)
    }

    /// Over the messages of a checkpoint's images, by their bytes; raw ones are not gone through.
    pub(super) fn of_images(what: &'static str, checkpoint: &Checkpoint) -> Result<Self> {
        let names = checkpoint.image_names()?;
        let sizes = names.iter().map(|name| image_size(checkpoint, name));
        Ok(Progress::new(what, sizes.fold(0, u64::saturating_add)))
    }

    /// That an image of these was gone through.
    pub(super) fn add_image(&self, checkpoint: &Checkpoint, name: &str) {
        self.add(image_size(checkpoint, name));
    }

    /// Over so many images, or other things that are counted.
    pub(super) fn of_many(what: &'static str, total: usize) -> Self {
        let template = "{prefix} {wide_bar} {pos} of {len}, {elapsed}";
        Progress::with_template(what, Some(total as u64), template)
    }

    /// Over work of which nobody knows how much it is.
    pub(super) fn waiting(what: &'static str) -> Self {
        Progress::with_template(what, None, "{spinner} {prefix}, {elapsed}")
    }

    fn with_template(what: &'static str, total: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        if verbosity() == Verbosity::Quiet || !std::io::stderr().is_terminal() {
            return Progress {
                bar,
                _working: None,
            };
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        let (working, done) = channel();
        let shown = bar.clone();
        std::thread::spawn(move || {
            if done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(TICK);
            }
        });
        Progress {
            bar,
            _working: Some(working),
        }
    }

    pub(super) fn add(&self, count: u64) {
        self.bar.inc(count);
    }
}

fn image_size(checkpoint: &Checkpoint, name: &str) -> u64 {
    let kind = checkpoint.schema().kinds().by_file_name(name);
    match kind.is_some_and(|kind| kind.family == Family::Raw) {
        true => 0,
        false => checkpoint.size(name).ok().flatten().unwrap_or(0),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
