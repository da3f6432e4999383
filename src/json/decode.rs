//! An image as JSON, entry by entry.

use std::io::{Read, Write};

use super::base64::Lines;
use super::options::DecodeOptions;
use super::out::Out;
use super::print::{self, Style};
use crate::error::{Location, Result, Warning};
use crate::image::payload::Pending;
use crate::image::{Entry, ImageReader, Payload};
use crate::limits::WARNINGS;
use crate::schema::PayloadLayout;

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
    out.open(b'{');
    out.member("magic");
    out.string(&reader.kind().name);
    if let Some(head) = reader.head().name(reader.kind()) {
        out.member("@head");
        out.quoted(head);
    }
    out.member("entries");
    out.open(b'[');
    while let Some(entry) = reader.read_message()? {
        report.note(reader, &entry);
        out.item();
        print_entry(&mut out, reader, entry, options)?;
        report.entries += 1;
        out.spill()?;
    }
    out.close(b']');
    out.close(b'}');
    out.flush()?;
    Ok(report)
}

impl DecodeReport {
    fn note<R: Read>(&mut self, reader: &ImageReader<R>, entry: &Entry) {
        if entry.complete {
            return;
        }
        for field in entry.missing_fields() {
            let message = format!("required field `{field}` is missing");
            // What one entry lacks, the others of its kind lack as well: it is said once.
            let said = self
                .warnings
                .iter()
                .any(|warning| warning.message == message);
            if said || self.warnings.len() == WARNINGS {
                self.more_warnings += 1;
                continue;
            }
            self.warnings.push(Warning {
                at: Location {
                    file: reader.name().map(str::to_owned),
                    entry: Some(self.entries),
                    ..Location::default()
                },
                message,
            });
        }
    }
}

fn print_entry<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    entry: Entry,
    options: &DecodeOptions,
) -> Result<()> {
    let style = Style {
        pretty: options.pretty,
        quote_big_ints: options.quote_big_ints,
    };
    out.open(b'{');
    print::members(out, style, &entry.ty, &entry.message)?;
    if options.exact
        && !entry.is_canonical()?
        && let Some(raw) = &entry.raw
    {
        out.member("@raw");
        out.base64(raw);
    }
    print_payload(out, reader, entry.offset, options, style)?;
    out.close(b'}');
    reader.recycle(entry);
    Ok(())
}

fn print_payload<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    options: &DecodeOptions,
    style: Style,
) -> Result<()> {
    if *reader.pending() == Pending::None {
        return Ok(());
    }
    if options.no_payload {
        let size = reader.skip_payload(offset)?;
        // Upstream prints nothing for ghost files.
        if !matches!(reader.layout().payload, Some(PayloadLayout::Content { .. })) {
            out.member("extra");
            out.quoted(&format!("... <{}>", human_size(size)));
        }
        return Ok(());
    }
    match reader.pending() {
        Pending::Rest | Pending::Bytes { pad: 0, .. } => {
            out.member("extra");
            out.text.push(b'"');
            let mut lines = Lines::default();
            reader.stream_payload(offset, &mut |piece| {
                lines.push(piece, &mut out.text);
                out.spill()
            })?;
            lines.finish(&mut out.text);
            out.text.push(b'"');
        }
        _ => {
            let (payload, raw) = reader.read_payload(offset)?;
            if let Some(raw) = raw.filter(|_| options.exact) {
                out.member("@payload");
                out.base64(&raw);
            }
            if let Some(payload) = payload {
                out.member("extra");
                print_in_memory(out, reader.layout(), &payload, style)?;
            }
        }
    }
    Ok(())
}

fn print_in_memory(
    out: &mut Out<'_>,
    layout: &crate::schema::Layout,
    payload: &Payload,
    style: Style,
) -> Result<()> {
    match payload {
        Payload::Bytes(bytes) => out.base64(bytes),
        Payload::Queues(queues) => {
            out.open(b'{');
            for (name, data) in queues {
                out.member(name);
                out.base64(data);
            }
            out.close(b'}');
        }
        Payload::Words(words) => {
            out.open(b'[');
            for word in words {
                out.item();
                out.number(*word);
            }
            out.close(b']');
        }
        Payload::Messages(queued) => {
            out.open(b'[');
            for queued in queued {
                out.item();
                out.open(b'{');
                if let Some(PayloadLayout::Messages { message, .. }) = &layout.payload {
                    // Upstream prints these without the pretty forms, whatever was asked for.
                    let style = Style {
                        pretty: false,
                        ..style
                    };
                    print::members(out, style, message, &queued.message)?;
                }
                out.close(b'}');
                out.item();
                out.base64(&queued.data);
            }
            out.close(b']');
        }
    }
    Ok(())
}

/// A size as upstream writes it: steps of 1024, one decimal unless it is whole.
fn human_size(bytes: u64) -> String {
    let mut unit = 1u64;
    for name in ["", "K", "M", "G", "T", "P", "E"] {
        if bytes / unit < 1024 {
            return if bytes.is_multiple_of(unit) {
                format!("{}{name}B", bytes / unit)
            } else {
                #[allow(clippy::cast_precision_loss)] // one decimal is printed
                let size = bytes as f64 / unit as f64;
                format!("{size:.1}{name}B")
            };
        }
        unit = unit.saturating_mul(1024);
    }
    format!("{bytes}B")
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
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
