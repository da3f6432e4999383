//! What was found, kept within bounds while it is: a hostile image may be wrong in every entry.

use std::collections::BTreeMap;

use super::{Finding, Severity};
use crate::limits::{FINDINGS, WARNINGS};

/// The findings of all images.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<String, OfImage>);

/// The findings of an image.
#[derive(Default)]
pub(super) struct OfImage {
    kept: Vec<Finding>,
    /// How many more there were, and the worst of them.
    more: u64,
    worst: Option<Severity>,
}

impl OfImage {
    /// Takes a finding in, once. Those of entries leave room for what is said of the image as a whole.
    pub(super) fn add(&mut self, finding: Finding) {
        let room = match finding.entry {
            Some(_) => FINDINGS / 2,
            None => FINDINGS,
        };
        if self.kept.len() >= room {
            self.worst = self.worst.max(Some(finding.severity));
            self.more += 1;
        } else if !self.kept.contains(&finding) {
            self.kept.push(finding);
        }
    }

    fn join(&mut self, other: OfImage) {
        other.kept.into_iter().for_each(|finding| self.add(finding));
        self.more += other.more;
        self.worst = self.worst.max(other.worst);
    }

    fn has_error(&self) -> bool {
        let kept = self.kept.iter().map(|finding| finding.severity).max();
        kept.max(self.worst) == Some(Severity::Error)
    }

    /// The first of them, and how many more there are.
    fn first(mut self, image: String) -> Vec<Finding> {
        self.kept.sort_by_key(|finding| finding.entry);
        let rest = self.kept.split_off(self.kept.len().min(WARNINGS));
        let worst = rest.iter().map(|finding| finding.severity).max();
        if let Some(severity) = worst.max(self.worst) {
            self.kept.push(Finding {
                severity,
                image,
                entry: None,
                field: String::new(),
                reason: format!("{} more", rest.len() as u64 + self.more),
            });
        }
        self.kept
    }
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        match self.0.get_mut(&finding.image) {
            Some(of_image) => of_image.add(finding),
            None => self
                .0
                .entry(finding.image.clone())
                .or_default()
                .add(finding),
        }
    }

    pub(super) fn join(&mut self, image: &str, findings: OfImage) {
        if findings.kept.is_empty() && findings.more == 0 {
            return;
        }
        self.0.entry(image.to_owned()).or_default().join(findings);
    }

    /// Whether an error was found in an image.
    pub(super) fn has_error(&self, image: &str) -> bool {
        self.0.get(image).is_some_and(OfImage::has_error)
    }

    /// The findings by the names of the images.
    pub(super) fn done(self) -> Vec<Finding> {
        let images = self.0.into_iter();
        images
            .flat_map(|(image, of_image)| of_image.first(image))
            .collect()
    }
}
