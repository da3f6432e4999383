//! Each image by itself: it is of the kind that its name says, all of it can be read, what must be
//! there is there, and it encodes to its own bytes again.

use std::collections::BTreeSet;

use super::findings::OfImage;
use super::{Checker, Finding, Severity};
use crate::error::{Error, ErrorKind};
use crate::image::ImageReader;
use crate::json::recode;
use crate::limits::{EXPLORED_ENTRY, FINDINGS, WARNINGS};
use crate::parallel::in_parallel;

/// Checks all images; how many there are.
pub(super) fn check(checker: &Checker<'_>, names: &[String], step: &(dyn Fn(&str) + Sync)) -> u64 {
    let checkpoint = checker.checkpoint;
    let all = in_parallel(names, |name| {
        let found = Image { checkpoint, name }.look();
        step(name);
        found
    });
    let mut images = 0;
    for (name, (is_image, findings)) in names.iter().zip(all) {
        images += u64::from(is_image);
        checker.findings.borrow_mut().join(name, findings);
    }
    images
}

struct Image<'a> {
    checkpoint: &'a crate::checkpoint::Checkpoint,
    name: &'a str,
}

impl Image<'_> {
    fn finding(
        &self,
        severity: Severity,
        entry: Option<u64>,
        field: &str,
        reason: String,
    ) -> Finding {
        Finding {
            severity,
            image: self.name.to_owned(),
            entry,
            field: field.to_owned(),
            reason,
        }
    }

    /// Whether it is an image, and what is wrong with it.
    fn look(&self) -> (bool, OfImage) {
        let mut findings = OfImage::default();
        match self.read(&mut findings) {
            Ok(is_image) => (is_image, findings),
            Err(error) => match error.kind() {
                ErrorKind::RawImage { .. } => (true, findings),
                kind if kind.is_of_no_messages(self.name) => (false, findings),
                kind => {
                    // What is too large to be looked at may be sound.
                    let severity = match kind {
                        ErrorKind::Limit(_) => Severity::Warning,
                        _ => Severity::Error,
                    };
                    let at = error.location();
                    let reason = match at.offset {
                        Some(offset) => format!("{kind} (at byte 0x{offset:x})"),
                        None => kind.to_string(),
                    };
                    findings.add(self.finding(severity, at.entry, &at.field, reason));
                    (true, findings)
                }
            },
        }
    }

    fn read(&self, findings: &mut OfImage) -> Result<bool, Error> {
        let schema = self.checkpoint.schema();
        let mut reader =
            ImageReader::named(schema, self.checkpoint.read_again(self.name)?, self.name)?;
        reader.limit_entries(EXPLORED_ENTRY);
        let kind = std::sync::Arc::clone(reader.kind());
        let by_name = schema.kinds().by_file_name(self.name);
        if let Some(expected) = by_name.filter(|other| other.magic != kind.magic) {
            let reason = format!(
                "by its magic it is of the kind {}, by its name {}",
                kind.name, expected.name
            );
            findings.add(self.finding(Severity::Error, None, "", reason));
            return Ok(true);
        }
        let mut index = 0u64;
        let mut unknown = BTreeSet::new();
        while let Some(entry) = reader.read_entry()? {
            // Statistics of old CRIUs lack what is required since.
            if kind.family != crate::descriptor::Family::Service {
                for field in entry.missing_fields().into_iter().take(WARNINGS) {
                    let reason = "a required field is missing".to_owned();
                    findings.add(self.finding(Severity::Error, Some(index), &field, reason));
                }
            }
            for number in entry.unknown_fields()? {
                if unknown.len() < FINDINGS && unknown.insert(number.clone()) {
                    let reason = format!("it has the field {number}, which the schema lacks");
                    findings.add(self.finding(Severity::Warning, Some(index), "", reason));
                }
            }
            index += 1;
            reader.recycle(entry);
        }
        if kind.single && index != 1 {
            let reason = match index {
                0 => "it has no entry".to_owned(),
                _ => format!("it has {index} entries: only the first is restored"),
            };
            let entry = (index > 1).then_some(1);
            findings.add(self.finding(Severity::Error, entry, "", reason));
        }
        if let Some(at) = recode(
            schema,
            self.name,
            || self.checkpoint.read_again(self.name),
            false,
        )?
        .differs_at
        {
            let reason = format!("encoded again it differs from byte {at} on");
            findings.add(self.finding(Severity::Error, None, "", reason));
        }
        Ok(true)
    }
}
