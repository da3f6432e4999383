//! Entries as JSON lines, for programs that query many images at once.

use std::io::{Read, Write};

use super::decode::DecodeReport;
use super::options::DecodeOptions;
use super::out::{Out, SPILL};
use crate::error::{Error, Result};
use crate::image::ImageReader;

/// Prints every entry of an image as a line of JSON of its own:
///
/// ```text
/// {"checkpoint": "web", "image": "fs-100.img", "magic": "FS", "index": 0, "entry": {"cwd_id": 14, ...}}
/// ```
///
/// `checkpoint` and `image` are the names given. `index` counts from 0; a head (of a pagemap) is the
/// first entry. `entry` is what [`crate::decode`] prints in one line, whatever the options say of lines;
/// with [`DecodeOptions::pretty`] numbers have the form of their field.
///
/// A line is held as a whole, with its payload unless [`DecodeOptions::no_payload`]: what was written
/// before an error is whole lines.
///
/// # Errors
///
/// As [`ImageReader::read_entry`], after the lines of the entries before; or writing fails.
pub fn decode_lines<R: Read>(
    reader: &mut ImageReader<R>,
    mut output: impl Write,
    checkpoint: &str,
    image: &str,
    options: &DecodeOptions,
) -> Result<DecodeReport> {
    let magic = reader.kind().name.clone();
    let mut out = Out::new(None, false);
    let mut report = DecodeReport::default();
    let mut before = |out: &mut Out<'_>, index: u64| {
        out.open(b'{');
        for (name, value) in [
            ("checkpoint", checkpoint),
            ("image", image),
            ("magic", &magic),
        ] {
            out.member(name);
            out.string(value);
        }
        out.member("index");
        out.number(index);
        out.member("entry");
    };
    // The end of the last line that is whole.
    let mut whole = 0;
    let mut write = |text: &[u8]| output.write_all(text).map_err(Error::writing);
    let mut after = |out: &mut Out<'_>| {
        out.close(b'}');
        out.next_line();
        whole = out.text.len();
        if whole >= SPILL {
            write(&out.text)?;
            out.text.clear();
            whole = 0;
        }
        Ok(())
    };
    let read = report.each_entry(reader, &mut out, options, &mut before, &mut after);
    report.unknown_fields = out.unknown_fields;
    let lines = out.text.get(..whole).unwrap_or_default();
    output.write_all(lines).map_err(Error::writing)?;
    read?;
    output.flush().map_err(Error::writing)?;
    Ok(report)
}
