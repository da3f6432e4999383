//! Findings: collected within bounds, and grouped for printing.
//!
//! A hostile image may be wrong in each of a million entries. Of each rule only the first
//! [`FINDINGS`] findings are kept; the rest are counted.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{Finding, Severity};
use crate::limits::{FINDINGS, GROUP_IMAGES};

/// The findings of a check so far, by severity and rule.
#[derive(Default)]
pub(super) struct Findings {
    rules: BTreeMap<(Severity, &'static str), OfRule>,
    /// The images with an error.
    wrong: HashSet<String>,
}

/// The findings of a rule.
#[derive(Default)]
struct OfRule {
    kept: Vec<Finding>,
    /// How many more there were.
    more: u64,
}

impl Findings {
    /// Adds a finding, unless it is there.
    pub(super) fn add(&mut self, finding: Finding) {
        if finding.severity == Severity::Error && !self.wrong.contains(&finding.image) {
            self.wrong.insert(finding.image.clone());
        }
        let rule = self
            .rules
            .entry((finding.severity, finding.rule))
            .or_default();
        if rule.kept.len() >= FINDINGS {
            rule.more += 1;
        } else if !rule.kept.contains(&finding) {
            rule.kept.push(finding);
        }
    }

    /// Adds the findings of another collection.
    pub(super) fn join(&mut self, other: Findings) {
        for (key, of_rule) in other.rules {
            let more = of_rule.more;
            of_rule
                .kept
                .into_iter()
                .for_each(|finding| self.add(finding));
            self.rules.entry(key).or_default().more += more;
        }
        self.wrong.extend(other.wrong);
    }

    /// Returns true if an error was found in the image.
    pub(super) fn has_error(&self, image: &str) -> bool {
        self.wrong.contains(image)
    }

    /// Returns the findings: errors first, then by image, entry and field. The count of each rule's
    /// findings beyond the kept ones comes with them.
    /// Findings of `ignored` images become notes.
    pub(super) fn finish(self, ignored: &HashSet<String>) -> (Vec<Finding>, Vec<Surplus>) {
        let mut all = Vec::new();
        let mut surplus = Vec::new();
        for ((severity, rule), of_rule) in self.rules {
            if of_rule.more > 0 {
                surplus.push(Surplus {
                    severity,
                    rule,
                    count: of_rule.more,
                });
            }
            all.extend(of_rule.kept);
        }
        for finding in &mut all {
            if finding.severity != Severity::Note && ignored.contains(&finding.image) {
                finding.severity = Severity::Note;
                finding
                    .reason
                    .push_str(" (restore does not read this image)");
            }
        }
        all.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.severity, finding.entry);
            let by_image = a.image.cmp(&b.image);
            a.severity
                .cmp(&b.severity)
                .then(by_image)
                .then(key(a).cmp(&key(b)))
        });
        (all, surplus)
    }
}

/// Findings of a rule that were counted and not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Surplus {
    /// Their severity.
    pub severity: Severity,
    /// The rule.
    pub rule: &'static str,
    /// How many there are.
    pub count: u64,
}

/// Findings of one rule, as one line for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// The first of them.
    #[serde(flatten)]
    pub first: Finding,
    /// How many there are.
    pub count: u64,
    /// The images they are in: the first [`GROUP_IMAGES`].
    pub images: Vec<String>,
    /// How many more images there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_images: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Group {
    /// Returns how many more findings there are, and in which images, such as ` (3 alike, also in
    /// pages-2.img)`; nothing for a single one.
    #[must_use]
    pub fn others(&self) -> String {
        if self.count < 2 {
            return String::new();
        }
        let others: Vec<&str> = self
            .images
            .iter()
            .filter(|image| **image != self.first.image)
            .map(String::as_str)
            .collect();
        let mut text = format!(" ({} alike", self.count);
        if !others.is_empty() {
            text.push_str(", also in ");
            text.push_str(&others.join(", "));
        }
        if self.more_images > 0 {
            text.push_str(&format!(" and {} more", self.more_images));
        }
        text.push(')');
        text
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.first, self.others())
    }
}

/// Groups findings by severity and rule, in their order.
pub(super) fn group(findings: &[Finding], surplus: &[Surplus]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut images: Vec<HashSet<&str>> = Vec::new();
    for finding in findings {
        let is_it = |group: &Group| {
            (group.first.severity, group.first.rule) == (finding.severity, finding.rule)
        };
        let place = groups.iter().position(is_it).unwrap_or_else(|| {
            groups.push(Group {
                first: finding.clone(),
                count: 0,
                images: Vec::new(),
                more_images: 0,
            });
            images.push(HashSet::new());
            groups.len() - 1
        });
        if let (Some(group), Some(known)) = (groups.get_mut(place), images.get_mut(place)) {
            group.count += 1;
            if known.insert(&finding.image) {
                if group.images.len() < GROUP_IMAGES {
                    group.images.push(finding.image.clone());
                } else {
                    group.more_images += 1;
                }
            }
        }
    }
    for more in surplus {
        let of_it = groups
            .iter_mut()
            .find(|group| (group.first.severity, group.first.rule) == (more.severity, more.rule));
        if let Some(group) = of_it {
            group.count += more.count;
        }
    }
    groups
}
