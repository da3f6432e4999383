//! The checkpoint under check: its images by name, and the findings so far.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::findings::{Findings, Surplus};
use super::{CheckOptions, Finding, Severity};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result, Warning};
use crate::image::Entry;
use crate::message::Record;

/// The checkpoint, and the findings so far.
pub(super) struct Checker<'c> {
    pub(super) checkpoint: &'c Checkpoint,
    pub(super) options: CheckOptions,
    /// The names of the files among the images.
    names: HashSet<String>,
    findings: RefCell<Findings>,
    /// The images that could not be read to their ends.
    damaged: RefCell<HashSet<String>>,
    /// The images that restore does not open.
    ignored: RefCell<HashSet<String>>,
}

impl<'c> Checker<'c> {
    pub(super) fn new(checkpoint: &'c Checkpoint, options: CheckOptions, names: &[String]) -> Self {
        Checker {
            checkpoint,
            options,
            names: names.iter().cloned().collect(),
            findings: RefCell::default(),
            damaged: RefCell::default(),
            ignored: RefCell::default(),
        }
    }

    /// Returns the findings, and how many more there are. Whatever is wrong with an image that restore
    /// does not open is a note.
    pub(super) fn finish(self) -> (Vec<Finding>, Vec<Surplus>) {
        let ignored = self.ignored.into_inner();
        self.findings.into_inner().finish(&ignored)
    }

    /// Takes down an image that restore does not open.
    pub(super) fn ignore(&self, image: &str) {
        if self.has(image) {
            self.ignored.borrow_mut().insert(image.to_owned());
        }
    }

    /// Adds findings that were made apart.
    pub(super) fn join(&self, findings: Findings) {
        self.findings.borrow_mut().join(findings);
    }

    pub(super) fn has(&self, image: &str) -> bool {
        self.names.contains(image)
    }

    /// Returns true if an image's name begins with this prefix.
    pub(super) fn has_any(&self, prefix: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(prefix))
    }

    /// Returns the images whose names begin with this prefix, in order, each with the part of the name
    /// between the prefix and `.img`.
    pub(super) fn named(&self, prefix: &str) -> Vec<(&str, &str)> {
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

    pub(super) fn error(
        &self,
        rule: &'static str,
        image: &str,
        at: impl Into<At>,
        reason: impl Into<String>,
    ) {
        self.found(Severity::Error, rule, image, at, reason);
    }

    pub(super) fn warning(
        &self,
        rule: &'static str,
        image: &str,
        at: impl Into<At>,
        reason: impl Into<String>,
    ) {
        self.found(Severity::Warning, rule, image, at, reason);
    }

    pub(super) fn note(
        &self,
        rule: &'static str,
        image: &str,
        at: impl Into<At>,
        reason: impl Into<String>,
    ) {
        self.found(Severity::Note, rule, image, at, reason);
    }

    pub(super) fn found(
        &self,
        severity: Severity,
        rule: &'static str,
        image: &str,
        at: impl Into<At>,
        reason: impl Into<String>,
    ) {
        let at = at.into();
        self.findings.borrow_mut().add(Finding {
            severity,
            rule,
            image: image.to_owned(),
            entry: at.entry,
            field: at.field,
            reason: reason.into(),
        });
    }

    /// Adds a warning of a reader as a finding.
    pub(super) fn noted(
        &self,
        severity: Severity,
        rule: &'static str,
        image: &str,
        warning: &Warning,
    ) {
        let name = self.image_of(warning);
        let at = At {
            entry: warning.at.entry,
            field: warning.at.field.clone(),
        };
        self.found(
            severity,
            rule,
            name.as_deref().unwrap_or(image),
            at,
            warning.message.clone(),
        );
    }

    /// Returns the name of the image of this checkpoint that a warning of a reader is about.
    pub(super) fn image_of(&self, warning: &Warning) -> Option<String> {
        let file = warning.at.file.as_deref()?;
        file.strip_prefix(&self.checkpoint.label(""))
            .map(str::to_owned)
    }

    /// Adds the error of a reader as a finding.
    pub(super) fn failed(&self, image: &str, error: &Error) {
        self.failed_as(Severity::Error, "unreadable", image, error);
    }

    /// The same, of another severity and rule.
    pub(super) fn failed_as(
        &self,
        severity: Severity,
        rule: &'static str,
        image: &str,
        error: &Error,
    ) {
        let warning = Warning {
            at: error.location().clone(),
            message: error.kind().to_string(),
        };
        self.noted(severity, rule, image, &warning);
    }

    /// Hands over the entries of an image with their indexes; false if there is none. The place where
    /// it can't be read is found when the images are read by themselves.
    pub(super) fn each(
        &self,
        image: &str,
        fields: &[&str],
        each: &mut dyn FnMut(u64, Record<'_>),
    ) -> bool {
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

    /// Returns true if an error was found in an image.
    pub(super) fn has_error(&self, image: &str) -> bool {
        self.findings.borrow().has_error(image)
    }

    /// Returns true if an image that was gone through could not be read to its end.
    pub(super) fn is_damaged(&self, image: &str) -> bool {
        self.damaged.borrow().contains(image)
    }

    /// Returns the first entry of an image with these fields (all if none is named); `None` if there is
    /// none that can be read.
    pub(super) fn first(&self, image: &str, fields: &[&str]) -> Option<Arc<Entry>> {
        if !self.has(image) {
            return None;
        }
        let read: Result<_> = match fields {
            [] => self.checkpoint.first_entry(image),
            fields => self.checkpoint.first_entry_of(image, fields),
        };
        read.ok().flatten()
    }
}

/// The place of a finding in an image.
#[derive(Debug, Clone, Default)]
pub(super) struct At {
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
