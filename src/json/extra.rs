//! The payload of an entry, as the member `extra`.

use std::io::Read;
use std::sync::Arc;

use super::base64::Lines;
use super::options::DecodeOptions;
use super::out::Out;
use super::print::Style;
use super::{large, print};
use crate::error::Result;
use crate::image::payload::{Pending, QueuedBytes};
use crate::image::{ImageReader, Payload};
use crate::limits::{MESSAGE_DEPTH, WARNINGS};
use crate::message::{Element, missing_fields};
use crate::schema::{MessageType, PayloadLayout};

/// Prints what follows the message that was read. The result is the required fields that queued messages
/// lack.
pub(super) fn print<R: Read>(
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
        Pending::Messages { .. } => return messages(out, reader, offset, options),
        Pending::Queues(queues) => {
            let queues = queues.clone();
            queues_of_bytes(out, reader, offset, &queues)?;
            return Ok(Vec::new());
        }
        Pending::Rest => true,
        // Padding must be seen to be kept.
        Pending::Bytes { pad, .. } => *pad == 0 || !options.exact,
        _ => false,
    };
    if !streamed {
        in_memory(out, reader, offset, options)?;
        return Ok(Vec::new());
    }
    out.member("extra");
    stream(out, reader, offset)?;
    Ok(Vec::new())
}

/// Prints bytes that follow the message as they are read.
fn stream<R: Read>(out: &mut Out<'_>, reader: &mut ImageReader<R>, offset: u64) -> Result<()> {
    out.text.push(b'"');
    let mut lines = Lines::default();
    reader.stream_payload(offset, &mut |piece| {
        lines.push(piece, &mut out.text);
        out.spill()
    })?;
    lines.finish(&mut out.text);
    out.text.push(b'"');
    Ok(())
}

/// Prints the queues of a TCP connection.
fn queues_of_bytes<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    queues: &[(String, u64)],
) -> Result<()> {
    out.member("extra");
    out.open(b'{');
    for (name, length) in queues {
        out.member(name);
        let length = *length;
        reader.expect(Pending::Bytes { length, pad: 0 });
        stream(out, reader, offset)?;
    }
    out.close(b'}');
    Ok(())
}

fn in_memory<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<()> {
    let (payload, raw) = reader.read_payload(offset)?;
    let Some(payload) = payload else {
        return Ok(());
    };
    if let Some(raw) = raw.filter(|_| options.exact) {
        out.member("@payload");
        out.base64(&raw)?;
    }
    out.member("extra");
    match payload {
        Payload::Bytes(bytes) => out.base64(&bytes)?,
        Payload::Words(words) => {
            out.open(b'[');
            for word in words {
                out.item();
                out.number(word);
                out.spill()?;
            }
            out.close(b']');
        }
        // These are printed as they are read.
        Payload::Queues(_) | Payload::Messages(_) => {}
    }
    Ok(())
}

/// Prints the messages of a SysV message queue, each with its data.
fn messages<R: Read>(
    out: &mut Out<'_>,
    reader: &mut ImageReader<R>,
    offset: u64,
    options: &DecodeOptions,
) -> Result<Vec<String>> {
    let layout = Arc::clone(reader.layout());
    let Some(PayloadLayout::Messages { message: ty, .. }) = &layout.payload else {
        return Ok(Vec::new());
    };
    let mut queued = Queued {
        element: Element::new(ty.clone(), None),
        ty,
        // Upstream prints these without the pretty forms, whatever was asked for.
        style: Style {
            pretty: false,
            ..Style::from(options)
        },
        whole: reader.whole(),
        count: 0,
        missing: Vec::new(),
    };
    if options.exact {
        let (raw, canonical) = reader.queued_bytes(offset)?;
        if !canonical {
            out.member("@payload");
            out.base64(&raw)?;
        }
        out.member("extra");
        out.open(b'[');
        reader.each_queued_of(&raw, offset, &mut |bytes| queued.print(out, bytes))?;
    } else {
        out.member("extra");
        out.open(b'[');
        reader.each_queued(offset, &mut |bytes| queued.print(out, bytes))?;
    }
    out.close(b']');
    Ok(queued.missing)
}

struct Queued<'a> {
    element: Element,
    ty: &'a MessageType,
    style: Style,
    /// The largest message that is decoded as a whole, in bytes.
    whole: usize,
    count: u64,
    missing: Vec<String>,
}

impl Queued<'_> {
    fn print(&mut self, out: &mut Out<'_>, bytes: QueuedBytes<'_>) -> Result<()> {
        let QueuedBytes { message, data } = bytes;
        let mut missing = Vec::new();
        out.item();
        out.open(b'{');
        if message.len() > self.whole {
            large::members(out, self.style, self.ty, message, self.whole, &mut missing)?;
        } else {
            self.element.read(message, MESSAGE_DEPTH)?;
            print::element(out, self.style, &self.element)?;
            if !self.element.is_complete() {
                missing = missing_fields(self.ty, self.element.message());
            }
        }
        out.close(b'}');
        out.item();
        out.base64(data)?;
        out.spill()?;
        if self.missing.len() < WARNINGS {
            let at = 2 * self.count;
            let missing = missing.iter().map(|field| format!("extra[{at}].{field}"));
            self.missing.extend(missing);
        }
        self.count += 1;
        Ok(())
    }
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
