//! An image as JSON, entry by entry.

use std::io::{Read, Write};

use super::options::DecodeOptions;
use super::out::Out;
use super::print::Style;
use super::{extra, large, print};
use crate::error::{Error, Location, Result, Warning};
use crate::image::{EntryForm, ImageReader};
use crate::limits::WARNINGS;
use crate::message::{Element, canonical, missing_fields};

/// What was printed, and what was odd about it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DecodeReport {
    /// The number of entries.
    pub entries: u64,
    /// Required fields that are missing: each once, with the first entry that lacks it.
    pub warnings: Vec<Warning>,
    /// How many more warnings there were.
    pub more_warnings: u64,
    /// Fields that the schema lacks, in messages at any depth. They are kept under `@unknown`.
    pub unknown_fields: u64,
}

/// Prints an image as JSON, without a newline at the end.
///
/// Memory is bounded by the largest message; payloads of plain bytes are streamed.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{DecodeOptions, ImageReader, Schema, decode};
///
/// let file = std::fs::File::open("tests/images/simple/fs-100.img")?;
/// let mut reader = ImageReader::new(&Schema::bundled()?, file)?;
/// let mut json = Vec::new();
/// decode(&mut reader, &mut json, &DecodeOptions::default())?;
/// assert_eq!(
///     String::from_utf8_lossy(&json),
///     r#"{"magic": "FS", "entries": [{"cwd_id": 14, "root_id": 15, "umask": 18}]}"#
/// );
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`ImageReader::read_entry`]; or writing fails.
pub fn decode<R: Read>(
    reader: &mut ImageReader<R>,
    mut output: impl Write,
    options: &DecodeOptions,
) -> Result<DecodeReport> {
    let mut out = Out::new(Some(&mut output), options.pretty);
    let mut report = DecodeReport::default();
    if reader.kind().assumed && !reader.layout().bare {
        report.warn(
            reader,
            None,
            format!(
                "nothing is known of {} but its message {}: taken for plain entries",
                reader.kind().name,
                reader.layout().entry.name()
            ),
        );
    }
    out.open(b'{');
    out.member(if reader.layout().bare {
        "@bare"
    } else {
        "magic"
    });
    out.string(&reader.kind().name);
    if let Some(head) = reader.head().name(reader.kind()) {
        out.member("@head");
        out.quoted(head);
    }
    out.member("entries");
    out.open(b'[');
    report.each_entry(
        reader,
        &mut out,
        options,
        &mut |out, _| out.item(),
        &mut |_| Ok(()),
    )?;
    out.close(b']');
    out.close(b'}');
    out.flush()?;
    report.unknown_fields = out.unknown_fields;
    drop(out);
    output.flush().map_err(Error::writing)?;
    Ok(report)
}

impl DecodeReport {
    /// Prints every entry that is left, between what is called before it, with its number, and after it.
    pub(super) fn each_entry<R: Read>(
        &mut self,
        reader: &mut ImageReader<R>,
        out: &mut Out<'_>,
        options: &DecodeOptions,
        before: &mut dyn FnMut(&mut Out<'_>, u64),
        after: &mut dyn FnMut(&mut Out<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut element = None;
        while let Some((offset, form)) = reader.read_into(&mut element)? {
            let element = element.as_ref().filter(|_| form == EntryForm::Decoded);
            before(out, self.entries);
            let lacking = print_entry(out, reader, element, offset, options)?;
            after(out)?;
            if !lacking.is_empty() {
                self.note(reader, lacking);
            }
            self.entries += 1;
            out.spill()?;
        }
        Ok(())
    }

    fn note<R: Read>(&mut self, reader: &ImageReader<R>, missing: Vec<String>) {
        for field in missing {
            let message = format!("required field `{field}` is missing");
            self.warn(reader, Some(self.entries), message);
        }
    }

    fn warn<R: Read>(&mut self, reader: &ImageReader<R>, entry: Option<u64>, message: String) {
        // What one entry lacks, the others of its kind lack as well: it is said once.
        let said = self
            .warnings
            .iter()
            .any(|warning| warning.message == message);
        if said || self.warnings.len() == WARNINGS {
            self.more_warnings += 1;
            return;
        }
        self.warnings.push(Warning {
            at: Location {
                file: reader.name().map(str::to_owned),
                entry,
                ..Location::default()
            },
            message,
        });
    }
}

/// Prints an entry, which is decoded unless it is large. The result is the required fields that it, and
/// queued messages in its payload, lack.
fn print_entry<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    element: Option<&Element>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    out.open(b'{');
    let style = Style::from(options);
    let mut missing = Vec::new();
    if let Some(element) = element {
        print::element(out, style, element)?;
        if !element.is_complete() {
            missing = missing_fields(element.ty(), element.message());
        }
    } else {
        let (ty, whole) = (reader.entry_type(), reader.whole());
        let printed = large::members(out, style, ty, reader.raw(), whole, &mut missing);
        reader.about_entry(printed, offset)?;
    }
    if options.exact && !canonical(reader.entry_type(), reader.raw())?.canonical {
        out.member("@raw");
        out.base64(reader.raw())?;
    }
    missing.append(&mut extra::print(out, reader, offset, options)?);
    out.close(b'}');
    Ok(missing)
}
