//! An image as JSON, entry by entry.

use std::io::{Read, Write};
use std::sync::Arc;

use super::base64::Lines;
use super::options::DecodeOptions;
use super::out::Out;
use super::print::{self, Style};
use crate::error::{Error, Location, Result, Warning};
use crate::image::payload::Pending;
use crate::image::{ImageReader, Payload, QueuedMessage};
use crate::limits::WARNINGS;
use crate::message::{Element, Lists, missing_fields};
use crate::schema::{MessageType, PayloadLayout};

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
        // What is compared with its bytes is decoded as a whole.
        while let Some((offset, lists)) = reader.read_into(&mut element, !options.exact)? {
            let Some(element) = &element else {
                break;
            };
            if !element.is_complete() {
                let missing = missing_fields(element.ty(), element.message());
                self.note(reader, missing);
            }
            before(out, self.entries);
            let lacking = print_entry(out, reader, element, lists.as_ref(), offset, options)?;
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

/// Prints an entry. The result is the required fields that elements of its lists, and queued messages in
/// its payload, lack.
fn print_entry<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    element: &Element,
    lists: Option<&Lists>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    out.open(b'{');
    let style = Style::from(options);
    let mut missing = Vec::new();
    match lists {
        None => print::element(out, style, element)?,
        Some(lists) => {
            let printed =
                print::members_with_lists(out, style, element, lists, reader.raw(), &mut missing);
            reader.about_entry(printed, offset)?;
        }
    }
    if options.exact && !element.is_canonical(reader.raw())? {
        out.member("@raw");
        out.base64(reader.raw());
    }
    missing.append(&mut print_payload(out, reader, offset, options)?);
    out.close(b'}');
    Ok(missing)
}

fn print_payload<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    if *reader.pending() == Pending::None {
        return Ok(Vec::new());
    }
    if options.no_payload {
        let size = reader.skip_payload(offset)?;
        // Upstream prints nothing for ghost files.
        if !matches!(reader.layout().payload, Some(PayloadLayout::Content(_))) {
            out.member("extra");
            out.quoted(&format!("... <{}>", human_size(size)));
        }
        return Ok(Vec::new());
    }
    let streamed = match reader.pending() {
        Pending::Rest => true,
        // Padding must be seen to be kept.
        Pending::Bytes { pad, .. } => *pad == 0 || !options.exact,
        _ => false,
    };
    if !streamed {
        return print_in_memory(out, reader, offset, options);
    }
    out.member("extra");
    out.text.push(b'"');
    let mut lines = Lines::default();
    reader.stream_payload(offset, &mut |piece| {
        lines.push(piece, &mut out.text);
        out.spill()
    })?;
    lines.finish(&mut out.text);
    out.text.push(b'"');
    Ok(Vec::new())
}

fn print_in_memory<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    let (payload, raw) = reader.read_payload(offset)?;
    let Some(payload) = payload else {
        return Ok(Vec::new());
    };
    if let Some(raw) = raw.filter(|_| options.exact) {
        out.member("@payload");
        out.base64(&raw);
    }
    out.member("extra");
    match payload {
        Payload::Bytes(bytes) => out.base64(&bytes),
        Payload::Queues(queues) => {
            out.open(b'{');
            for (name, data) in &queues {
                out.member(name);
                out.base64(data);
            }
            out.close(b'}');
        }
        Payload::Words(words) => {
            out.open(b'[');
            for word in words {
                out.item();
                out.number(word);
            }
            out.close(b']');
        }
        Payload::Messages(queued) => {
            let layout = Arc::clone(reader.layout());
            if let Some(PayloadLayout::Messages { message, .. }) = &layout.payload {
                return print_queued(out, message, &queued, options);
            }
        }
    }
    Ok(Vec::new())
}

fn print_queued(
    out: &mut Out<'_>,
    ty: &MessageType,
    queued: &[QueuedMessage],
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    // Upstream prints these without the pretty forms, whatever was asked for.
    let style = Style {
        pretty: false,
        ..Style::from(options)
    };
    let mut missing = Vec::new();
    out.open(b'[');
    for (index, queued) in queued.iter().enumerate() {
        out.item();
        out.open(b'{');
        print::members(out, style, ty, &queued.message)?;
        out.close(b'}');
        out.item();
        out.base64(&queued.data);
        out.spill()?;
        let fields = missing_fields(ty, &queued.message).into_iter();
        missing.extend(fields.map(|field| format!("extra[{}].{field}", 2 * index)));
    }
    out.close(b']');
    Ok(missing)
}

/// A size as upstream writes it: steps of 1024, one decimal unless it is whole.
fn human_size(bytes: u64) -> String {
    let step = (bytes | 1).ilog2() / 10;
    let unit = 1u64 << (10 * step);
    let name = ["", "K", "M", "G", "T", "P", "E"]
        .get(step as usize)
        .unwrap_or(&"");
    if bytes.is_multiple_of(unit) {
        return format!("{}{name}B", bytes / unit);
    }
    #[allow(clippy::cast_precision_loss)] // one decimal is printed
    let size = bytes as f64 / unit as f64;
    format!("{size:.1}{name}B")
}

#[cfg(test)]
mod tests {
    use super::human_size;

    // Expected values: Python's "%d" and "%.1f" in upstream's loop.
    #[test]
    fn sizes_look_as_upstream_prints_them() {
        for (bytes, text) in [
            (0, "0B"),
            (17, "17B"),
            (1023, "1023B"),
            (1024, "1KB"),
            (1280, "1.2KB"),
            (1536, "1.5KB"),
            (8195, "8.0KB"),
            (1_048_575, "1024.0KB"),
            (1 << 20, "1MB"),
            (3 << 40, "3TB"),
            (u64::MAX, "16.0EB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
