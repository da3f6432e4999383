//! Whether a checkpoint is sound: each image by itself, and what images say of each other.
//!
//! `criu restore` stops at the first thing that does not fit, often in the middle, with a line in a
//! log. Here everything is looked at before, and each finding names the image, the entry and the
//! field. Rules that follow from one part of CRIU's restorer stand together in one file.

mod files;
mod findings;
mod images;
mod inventory;
mod links;
mod memory;
mod namespaces;
mod tasks;
mod tree;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Location, Result, Warning};
use crate::image::Entry;
use crate::message::Record;
use findings::Findings;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Odd, or not known to this schema; it may restore.
    Warning,
    /// It does not restore, or not to what was dumped.
    Error,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The image, by its name beside the other images; of a pre-dump with the way to it; empty
    /// when it is about the checkpoint as a whole.
    pub image: String,
    /// The entry, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The path of the field in the entry, such as `tc.comm`; empty when it is not about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Location {
            file: Some(self.image.clone()).filter(|image| !image.is_empty()),
            entry: self.entry,
            field: self.field.clone(),
            ..Location::default()
        };
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {at}{}", self.reason)
    }
}

/// What became of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How many images were read.
    pub images: u64,
    /// What is wrong, by the names of the images; of one image the first [`crate::limits::WARNINGS`], and how many more.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(of_it).count()
    }
}

/// Checks a checkpoint: a dump or a pre-dump.
///
/// Of the parents of a dump only what it refers to is looked at.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Checkpoint, check::check};
///
/// let dump = Checkpoint::open("tests/images/pattern")?;
/// assert!(check(&dump)?.findings.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The directory can't be listed, or has no image in it. An image that can't be read is a finding.
pub fn check(checkpoint: &Checkpoint) -> Result<Report> {
    check_with(checkpoint, &|_| ())
}

/// The same; `step` is told of each image that was looked at by itself, by its name: nearly all of the work.
///
/// # Errors
///
/// As [`check`].
pub fn check_with(checkpoint: &Checkpoint, step: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let names = checkpoint.images()?;
    let checker = Checker {
        checkpoint,
        names: names.iter().cloned().collect(),
        findings: RefCell::default(),
        damaged: RefCell::default(),
    };
    let gaps = checkpoint.gaps()?;
    for loss in gaps.losses {
        checker.error("", (), loss.message);
    }
    if !gaps.elsewhere.is_empty() {
        let folders = checkpoint.name_folders(&gaps.elsewhere);
        checker.warning("", (), format!("images in {folders} are not looked at"));
    }
    let images = images::check(&checker, &names, step);
    if images == 0 {
        return Err(checkpoint.no_images());
    }
    let inventory = inventory::read(&checker);
    let tree = tree::read(&checker);
    let files = files::read(&checker);
    let tasks = tasks::check(&checker, &inventory, &tree);
    links::check(&checker, &files, &tasks);
    memory::check(&checker, &tasks, &files);
    namespaces::check(&checker, &inventory, &tasks, &files);
    Ok(Report {
        images,
        findings: checker.findings.into_inner().done(),
    })
}

/// The checkpoint, and what was found so far.
struct Checker<'c> {
    checkpoint: &'c Checkpoint,
    /// The names of the files among the images.
    names: HashSet<String>,
    findings: RefCell<Findings>,
    /// The images that could not be read to their ends.
    damaged: RefCell<HashSet<String>>,
}

impl Checker<'_> {
    fn has(&self, image: &str) -> bool {
        self.names.contains(image)
    }

    /// Whether there is an image of a name that begins so.
    fn has_any(&self, prefix: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(prefix))
    }

    /// The images whose names begin so, by name, each with what stands between that and `.img`.
    fn named(&self, prefix: &str) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = self
            .names
            .iter()
            .filter_map(|name| {
                let inner = name.strip_prefix(prefix)?.strip_suffix(".img")?;
                Some((name.as_str(), inner))
            })
            .collect();
        found.sort_unstable();
        found
    }

    fn error(&self, image: &str, at: impl Into<At>, reason: impl Into<String>) {
        self.found(Severity::Error, image, at.into(), reason.into());
    }

    fn warning(&self, image: &str, at: impl Into<At>, reason: impl Into<String>) {
        self.found(Severity::Warning, image, at.into(), reason.into());
    }

    fn found(&self, severity: Severity, image: &str, at: At, reason: String) {
        let finding = Finding {
            severity,
            image: image.to_owned(),
            entry: at.entry,
            field: at.field,
            reason,
        };
        self.findings.borrow_mut().add(finding);
    }

    /// An error, or a warning, of reading as a finding.
    fn noted(&self, severity: Severity, image: &str, warning: &Warning) {
        let prefix = self.checkpoint.label("");
        let file = warning.at.file.as_deref();
        let name = file.and_then(|file| file.strip_prefix(prefix.as_str()));
        let at = At {
            entry: warning.at.entry,
            field: warning.at.field.clone(),
        };
        self.found(severity, name.unwrap_or(image), at, warning.message.clone());
    }

    fn failed(&self, image: &str, error: &Error) {
        let warning = Warning {
            at: error.location().clone(),
            message: error.kind().to_string(),
        };
        self.noted(Severity::Error, image, &warning);
    }

    /// Hands over the entries of an image with their places; false when there is none. Where it can't
    /// be read is found when the images are read by themselves.
    fn each(&self, image: &str, fields: &[&str], each: &mut dyn FnMut(u64, Record<'_>)) -> bool {
        if !self.has(image) {
            return false;
        }
        let mut index = 0;
        let read = self.checkpoint.each_entry(image, fields, &mut |record| {
            each(index, record);
            index += 1;
            Ok(())
        });
        if read.is_err() {
            self.damaged.borrow_mut().insert(image.to_owned());
        }
        read.unwrap_or(true)
    }

    /// Whether an error was found in an image.
    fn has_error(&self, image: &str) -> bool {
        self.findings.borrow().has_error(image)
    }

    /// Whether an image that was gone through could not be read to its end.
    fn is_damaged(&self, image: &str) -> bool {
        self.damaged.borrow().contains(image)
    }

    /// The first entry of an image with these fields (all, when none is named); `None` when there is none that can be read.
    fn first(&self, image: &str, fields: &[&str]) -> Option<Arc<Entry>> {
        if !self.has(image) {
            return None;
        }
        let read = match fields {
            [] => self.checkpoint.first_entry(image),
            fields => self.checkpoint.first_entry_of(image, fields),
        };
        read.ok().flatten()
    }
}

/// Where in an image something is.
#[derive(Debug, Clone, Default)]
struct At {
    entry: Option<u64>,
    field: String,
}

impl From<()> for At {
    fn from((): ()) -> Self {
        At::default()
    }
}

impl From<u64> for At {
    fn from(entry: u64) -> Self {
        At {
            entry: Some(entry),
            field: String::new(),
        }
    }
}

impl<F: Into<String>> From<(u64, F)> for At {
    fn from((entry, field): (u64, F)) -> Self {
        At {
            entry: Some(entry),
            field: field.into(),
        }
    }
}
