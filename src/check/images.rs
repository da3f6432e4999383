//! Each image by itself: its kind is that of its name, all of it can be read, and required fields are
//! present.
//!
//! CRIU reads messages by protobuf-c (`criu/protobuf.c`): a required field that is missing, or a field
//! of another wire type, fails; unknown fields, fields in another order and longer forms of numbers do
//! not. Of images with a single entry it reads no more than that.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::findings::Findings;
use super::{Finding, Severity};
use crate::checkpoint::Checkpoint;
use crate::descriptor::{Family, ImageKind};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Head, ImageReader};
use crate::limits::{EXPLORED_ENTRY, FINDINGS, WARNINGS};
use crate::parallel::in_parallel;

/// What an image turned out to be.
#[derive(Default)]
struct Looked {
    is_image: bool,
    /// The words in front of it, of images of the common family.
    framing: Option<Head>,
    findings: Findings,
}

/// Checks all images; returns how many there are.
pub(super) fn check(checker: &Checker<'_>, names: &[String], step: &(dyn Fn(&str) + Sync)) -> u64 {
    let checkpoint = checker.checkpoint;
    let all = in_parallel(names, |name| {
        let looked = Image { checkpoint, name }.look();
        step(name);
        looked
    });
    let mut images = 0;
    let mut framings = Vec::new();
    for (name, looked) in names.iter().zip(all) {
        images += u64::from(looked.is_image);
        framings.extend(looked.framing.map(|head| (name, head)));
        checker.join(looked.findings);
    }
    framing(checker, &framings);
    images
}

/// The version in the inventory says whether images begin with the word of their family
/// (`image.c`, `check_img_inventory` and `img_check_magic`).
fn framing(checker: &Checker<'_>, framings: &[(&String, Head)]) {
    let inventory = checker.first("inventory.img", &["img_version"]);
    let version = inventory.and_then(|entry| entry.record().word("img_version"));
    let expected = match version {
        Some(1) => Family::None,
        Some(2) => Family::Common,
        _ => return,
    };
    for (name, head) in framings {
        if head.family != expected {
            let reason = match expected {
                Family::Common => "the word of its family is missing in front of its magic",
                _ => "it has the word of its family, and the inventory is of version 1",
            };
            checker.error("framing", name, (), reason);
        }
    }
}

struct Image<'a> {
    checkpoint: &'a Checkpoint,
    name: &'a str,
}

impl Image<'_> {
    fn look(&self) -> Looked {
        let mut looked = Looked::default();
        if let Err((error, part)) = self.read(&mut looked) {
            match error.kind() {
                ErrorKind::RawImage { .. } => looked.is_image = true,
                kind if kind.is_of_no_messages(self.name) => {}
                kind => {
                    looked.is_image = true;
                    let severity = match (kind, part) {
                        // An image too large to be read here may be sound.
                        (ErrorKind::Limit(_), _) => Severity::Warning,
                        // CRIU crashes on a length that is negative to it (`bfd.c`).
                        (ErrorKind::EntryTooLong { length, .. }, Part::Lenient)
                            if *length > i32::MAX as u64 =>
                        {
                            Severity::Error
                        }
                        (_, part) => part.severity(),
                    };
                    let at = error.location();
                    let reason = match at.offset {
                        Some(offset) => format!("{kind} (at byte 0x{offset:x})"),
                        None => kind.to_string(),
                    };
                    looked.findings.add(self.finding(
                        severity,
                        "unreadable",
                        at.entry,
                        &at.field,
                        reason,
                    ));
                }
            }
        }
        looked
    }

    fn finding(
        &self,
        severity: Severity,
        rule: &'static str,
        entry: Option<u64>,
        field: &str,
        reason: impl Into<String>,
    ) -> Finding {
        Finding {
            severity,
            rule,
            image: self.name.to_owned(),
            entry,
            field: field.to_owned(),
            reason: reason.into(),
        }
    }

    /// Reads the whole image. An error comes with the part of the image that it is in.
    fn read(&self, looked: &mut Looked) -> Result<(), (Error, Part)> {
        let schema = self.checkpoint.schema();
        let by_name = schema.kinds().by_file_name(self.name);
        // No part of restore opens an image of an unknown name, or statistics; the processor's features only
        // with `--cpu-cap`.
        let part = match by_name {
            None => Part::Unread,
            Some(kind) if kind.family == Family::Service => Part::Unread,
            Some(kind) if kind.name == "CPUINFO" => Part::Lenient,
            Some(_) => Part::Read,
        };
        let content = self.checkpoint.read_again(self.name);
        let mut reader = content
            .and_then(|content| ImageReader::named(schema, content, self.name))
            .map_err(|error| (error, part))?;
        reader.limit_entries(EXPLORED_ENTRY);
        looked.is_image = true;
        let kind = std::sync::Arc::clone(reader.kind());
        if let Some(expected) = by_name.filter(|other| other.magic != kind.magic) {
            let reason = format!(
                "by its magic it is of the kind {}, by its name {}",
                kind.name, expected.name
            );
            let finding = self.finding(Severity::Error, "kind", None, "", reason);
            looked.findings.add(finding);
            return Ok(());
        }
        looked.framing = (kind.family == Family::Common).then(|| reader.head());
        let mut index = 0u64;
        let mut unknown = BTreeSet::new();
        let mut is_canonical = true;
        loop {
            let part = match part {
                Part::Read if kind.single && index > 0 => Part::Unread,
                Part::Read if is_lenient(&kind) => Part::Lenient,
                part => part,
            };
            let Some(entry) = reader.read_entry().map_err(|error| (error, part))? else {
                break;
            };
            let severity = part.severity();
            // Statistics are for people: restore does not read them, and old CRIUs wrote fewer.
            if kind.family != Family::Service {
                for field in entry.missing_fields().into_iter().take(WARNINGS) {
                    let reason = "a required field is missing";
                    looked.findings.add(self.finding(
                        severity,
                        "missing-field",
                        Some(index),
                        &field,
                        reason,
                    ));
                }
            }
            for field in entry.unknown_fields().map_err(|error| (error, part))? {
                if unknown.len() >= FINDINGS || !unknown.insert(field.path.clone()) {
                    continue;
                }
                looked.findings.add(match field.contradicts {
                    Some(name) => {
                        let reason = format!(
                            "field {} does not have the wire type of `{name}`",
                            field.path
                        );
                        self.finding(severity, "wire-type", Some(index), "", reason)
                    }
                    None => {
                        let reason = format!("field {} is unknown to the schema", field.path);
                        self.finding(Severity::Note, "unknown-field", Some(index), "", reason)
                    }
                });
            }
            if is_canonical && !entry.is_canonical().map_err(|error| (error, part))? {
                is_canonical = false;
                let reason =
                    "not encoded as CRIU encodes it: decoded and encoded, it has other bytes";
                looked.findings.add(self.finding(
                    Severity::Note,
                    "encoding",
                    Some(index),
                    "",
                    reason,
                ));
            }
            index += 1;
            reader.recycle(entry);
        }
        self.count(&kind, index, &mut looked.findings);
        Ok(())
    }

    /// The number of entries of an image of which CRIU reads one.
    fn count(&self, kind: &ImageKind, entries: u64, findings: &mut Findings) {
        if !kind.single || entries == 1 {
            return;
        }
        findings.add(match entries {
            0 if REQUIRED.contains(&kind.name.as_str()) => {
                self.finding(Severity::Error, "no-entry", None, "", "it has no entry")
            }
            0 => {
                let reason = "it has no entry: that is as if it were missing";
                self.finding(Severity::Note, "no-entry", None, "", reason)
            }
            _ => {
                let reason = format!("it has {entries} entries: only the first is restored");
                self.finding(Severity::Note, "surplus-entry", Some(1), "", reason)
            }
        });
    }
}

/// How far restore reads an image.
#[derive(Clone, Copy)]
enum Part {
    /// It reads this part, and fails where it can't.
    Read,
    /// It takes what it can't read for the end of the image.
    Lenient,
    /// It does not read this part.
    Unread,
}

impl Part {
    /// How bad it is that something in this part can't be read.
    fn severity(self) -> Severity {
        match self {
            Part::Read => Severity::Error,
            Part::Lenient => Severity::Warning,
            Part::Unread => Severity::Note,
        }
    }
}

/// Kinds whose damaged entries restore takes for their end: `seccomp.c`, `apparmor.c` and `mount.c`
/// drop the error.
fn is_lenient(kind: &ImageKind) -> bool {
    ["SECCOMP", "APPARMOR", "MNTS"].contains(&kind.name.as_str())
}

/// Kinds of single images that must have an entry wherever they are opened (`pb_read_one` in CRIU).
const REQUIRED: [&str; 11] = [
    "INVENTORY",
    "CORE",
    "UTSNS",
    "USERNS",
    "TIMENS",
    "IPC_VAR",
    "MM",
    "IDS",
    "FS",
    "CREDS",
    "NETNS",
];
