//! Will `criu restore` take a checkpoint? Each image by itself, and the images against each other.
//!
//! `criu restore` stops at the first thing that does not fit, often in the middle, with a line in a
//! log. This module looks at everything before, and each finding names the image, the entry and the
//! field. The rules are those of CRIU 4.2, read from its sources: beside each rule stands the source
//! file, below `criu/` of CRIU's repository, that it follows. Rules that follow from one part of the
//! restorer are in one file.
//!
//! # Severities
//!
//! - An *error*: CRIU refuses the checkpoint, or hangs or crashes on it, whatever its options.
//! - A *warning*: it restores, and perhaps not to what was dumped, or only with an option of
//!   `criu restore`, which the finding names.
//! - A *note*: unusual, and without consequence.
//!
//! Nothing here looks at the machine: whether the files, the process ids and the kernel features that a
//! restore needs exist is not known to the images.

mod cgroups;
mod checker;
mod creds;
mod descriptors;
mod files;
mod findings;
mod ids;
mod images;
mod inet;
mod inventory;
mod ipc;
mod layout;
mod links;
mod memory;
mod mounts;
mod namespaces;
mod network;
mod notify;
mod pages;
mod remaps;
mod seccomp;
mod sessions;
mod tasks;
mod terminals;
mod threads;
mod timers;
mod tree;
mod unix;
mod vmas;

use std::fmt;

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::{Location, Result};
use checker::Checker;

pub use findings::{Group, Surplus};

/// How bad a finding is. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// CRIU does not restore it.
    Error,
    /// CRIU restores it, and the result may not be what was dumped, or depends on an option of restore.
    Warning,
    /// Unusual, without consequence.
    Note,
}

impl Severity {
    /// Returns its name: `error`, `warning`, `note`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Something unusual or wrong in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule that found it, such as `missing-pages`: findings of one rule are alike.
    pub rule: &'static str,
    /// The image, by its name beside the other images; of a pre-dump with the path to it; empty
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
        write!(f, "{}: {at}{}", self.severity.name(), self.reason)
    }
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How many images were read.
    pub images: u64,
    /// The findings: errors first, then by image and entry; the first [`crate::limits::FINDINGS`] of each rule.
    pub findings: Vec<Finding>,
    /// How many more findings there are, of rules with more than are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Surplus>,
}

impl Report {
    /// Returns how many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        let kept = self.findings.iter();
        let kept = kept.filter(|finding| finding.severity == severity).count() as u64;
        let more = self.more.iter().filter(|more| more.severity == severity);
        kept + more.map(|more| more.count).sum::<u64>()
    }

    /// Returns the findings with those of one rule and severity as one group, errors first.
    ///
    /// ```
    /// # fn main() -> Result<(), criu_images::Error> {
    /// use criu_images::{Checkpoint, check::check};
    ///
    /// let dump = Checkpoint::open("tests/images/sockets")?;
    /// for group in check(&dump)?.groups() {
    ///     println!("{group}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        findings::group(&self.findings, &self.more)
    }
}

/// What a check takes for granted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckOptions {
    allow_missing_pages: bool,
}

impl CheckOptions {
    /// Takes pages images that are missing or too short for a note: of a checkpoint whose memory was
    /// removed, to be looked at.
    #[must_use]
    pub fn allow_missing_pages(mut self, allow: bool) -> Self {
        self.allow_missing_pages = allow;
        self
    }
}

/// Checks a checkpoint: a dump or a pre-dump.
///
/// Of the parents of a dump, only what the dump refers to is read.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{Checkpoint, check::{Severity, check}};
///
/// let dump = Checkpoint::open("tests/images/pattern")?;
/// assert_eq!(check(&dump)?.count(Severity::Error), 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The directory can't be listed, or has no image in it. An image that can't be read is a finding.
pub fn check(checkpoint: &Checkpoint) -> Result<Report> {
    check_with(checkpoint, CheckOptions::default(), &|_| ())
}

/// Checks a checkpoint with options; `step` is called with the name of each image that was read by
/// itself, which is nearly all of the work.
///
/// # Errors
///
/// As [`check`].
pub fn check_with(
    checkpoint: &Checkpoint,
    options: CheckOptions,
    step: &(dyn Fn(&str) + Sync),
) -> Result<Report> {
    let names = checkpoint.images()?;
    let checker = Checker::new(checkpoint, options, &names);
    let gaps = checkpoint.gaps()?;
    for loss in gaps.losses {
        checker.error("unreadable", "", (), loss.message);
    }
    if !gaps.elsewhere.is_empty() {
        let directories = checkpoint.name_folders(&gaps.elsewhere);
        checker.warning(
            "images-elsewhere",
            "",
            (),
            format!("images in {directories} are not checked"),
        );
    }
    let images = images::check(&checker, &names, step);
    if images == 0 {
        return Err(checkpoint.no_images());
    }
    let inventory = inventory::read(&checker);
    let tree = tree::read(&checker);
    let files = files::read(&checker);
    let tasks = tasks::check(&checker, &tree);
    let mut tables = descriptors::Tables::default();
    if !tasks.pre_dump {
        ids::check(&checker, &inventory, &tree, &tasks);
        sessions::check(&checker, &tree);
        tables = descriptors::read(&checker, &files, &tasks);
        links::check(&checker, &inventory, &tree, (&files, &tasks, &tables));
    }
    memory::check(&checker, &inventory, &tasks, (&files, &tables));
    if !tasks.pre_dump {
        links::check_used(&checker, &tree, (&files, &tasks, &tables));
        namespaces::check(&checker, &inventory, &tree, (&tasks, &files));
    }
    let (findings, more) = checker.finish();
    Ok(Report {
        images,
        findings,
        more,
    })
}
