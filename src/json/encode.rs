//! An image out of JSON, entry by entry.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use prost_reflect::DynamicMessage;
use serde::de::DeserializeSeed as _;
use tempfile::SpooledTempFile;

use super::large;
use super::options::EncodeOptions;
use super::payload::EntryExtras;
use super::read::{MessageSeed, Reading, Whole};
use super::split::{Splitter, SpoolRule, Spooled, Value};
use crate::descriptor::ImageKind;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Entry, Head, ImageWriter, missing};
use crate::limits::{ENTRIES_IN_MEMORY, WHOLE_TEXT};
use crate::message::{self, Selection, decode_selected};
use crate::schema::Schema;

/// What was written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EncodeReport {
    /// The kind of image.
    pub kind: Arc<ImageKind>,
    /// The number of entries.
    pub entries: u64,
}

/// Makes an image from the JSON that [`crate::decode`] prints, pretty or not.
///
/// Memory is bounded by the largest entry; a payload too large for that goes through a temporary
/// file, as the entries do when they stand before `magic`.
///
/// ```
/// # fn main() -> Result<(), criu_images::Error> {
/// use criu_images::{EncodeOptions, Schema, encode};
///
/// let json = r#"{"magic": "FS", "entries": [{"cwd_id": 14, "root_id": 15, "umask": "0x12"}]}"#;
/// let mut image = Vec::new();
/// encode(&Schema::bundled()?, json.as_bytes(), &mut image, &EncodeOptions::default())?;
/// assert_eq!(image, std::fs::read("tests/images/simple/fs-100.img")?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The text is not JSON or not of an image; a key, value or payload does not fit: with the entry,
/// the field path and the place in the text.
pub fn encode(
    schema: &Schema,
    input: impl Read,
    output: impl Write,
    options: &EncodeOptions,
) -> Result<EncodeReport> {
    encode_whole_up_to(WHOLE_TEXT, schema, input, output, options)
}

/// The same, with another limit than [`WHOLE_TEXT`].
pub(super) fn encode_whole_up_to(
    whole: usize,
    schema: &Schema,
    input: impl Read,
    output: impl Write,
    options: &EncodeOptions,
) -> Result<EncodeReport> {
    let mut text = Splitter::new(input);
    text.skip_byte_order_mark()?;
    not_an_image(schema, text.beginning()?)?;
    let mut job = Job {
        schema,
        options,
        magic: None,
        head: None,
        bare: None,
        output: Some(output),
        done: None,
        waiting: None,
        spare: None,
        whole,
    };
    text.expect(b'{')?;
    let mut keys: Vec<String> = Vec::new();
    let mut first = true;
    while !text.take(b'}')? {
        if !first {
            text.expect(b',')?;
        }
        let key = string(&text.value(None)?.0)?;
        text.expect(b':')?;
        if keys.contains(&key) {
            let (line, column) = text.place();
            return Err(Error::new(ErrorKind::DuplicateKey(key)).at_line(line, column));
        }
        job.member(&key, &mut text)?;
        // Only keys that mean something are kept: lenient reading takes any number of others.
        first = false;
        if KEYS.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    text.end()?;
    job.finish(&text)
}

/// The members of an image.
const KEYS: [&str; 4] = ["magic", "entries", "@head", "@bare"];

/// The work on one image: what was seen of it so far.
struct Job<'a, W: Write> {
    schema: &'a Schema,
    options: &'a EncodeOptions,
    magic: Option<Arc<ImageKind>>,
    head: Option<Head>,
    /// The message of a file that is nothing else.
    bare: Option<String>,
    output: Option<W>,
    done: Option<EncodeReport>,
    /// Entries that came before the magic, and the line and column where they began.
    waiting: Option<(SpooledTempFile, (u64, u64))>,
    /// The message of an entry that is done with.
    spare: Option<(DynamicMessage, u128)>,
    /// The longest text of an entry that becomes a dynamic message, in bytes.
    whole: usize,
}

impl<W: Write> Job<'_, W> {
    fn member<R: Read>(&mut self, key: &str, text: &mut Splitter<R>) -> Result<()> {
        match key {
            "@bare" => {
                text.peek()?;
                let (line, column) = text.place();
                let name = string(&text.value(None)?.0)?;
                let message = self.schema.message(&name);
                message.map_err(|e| e.at_line(line, column))?;
                self.bare = Some(name);
            }
            "magic" => {
                text.peek()?;
                let (line, column) = text.place();
                let name = string(&text.value(None)?.0)?;
                let kind = self.schema.kind(&name);
                self.magic = Some(kind.map_err(|e| e.at_line(line, column))?);
            }
            "@head" => {
                let name = string(&text.value(None)?.0)?;
                if self.done.is_some() {
                    return Err(text.fail("`@head` must stand before `entries`"));
                }
                self.head = Some(Head::named(&name).ok_or_else(|| {
                    text.fail(format!("`@head` is v1, common or service, not `{name}`"))
                })?);
            }
            "entries" if self.magic.is_some() || self.bare.is_some() => self.entries(text)?,
            "entries" => {
                text.peek()?;
                let place = text.place();
                let mut spool = SpooledTempFile::new(ENTRIES_IN_MEMORY);
                let mut writer = BufWriter::new(&mut spool);
                text.copy_value(&mut writer)?;
                writer.flush().map_err(Error::temporary)?;
                drop(writer);
                spool.seek(SeekFrom::Start(0)).map_err(Error::temporary)?;
                self.waiting = Some((spool, place));
            }
            _ if self.options.lenient => drop(text.value(None)?),
            _ => {
                let (line, column) = text.place();
                return Err(Error::new(ErrorKind::UnknownField {
                    name: key.to_owned(),
                    message: "an image".to_owned(),
                })
                .at_line(line, column)
                .did_you_mean(key, KEYS));
            }
        }
        Ok(())
    }

    fn finish<R: Read>(mut self, text: &Splitter<R>) -> Result<EncodeReport> {
        match (&self.magic, &self.bare) {
            (None, None) => {
                return Err(text.fail("`magic` is missing: it names the kind of image"));
            }
            (Some(_), Some(_)) => return Err(text.fail("`magic` and `@bare` exclude each other")),
            _ => {}
        }
        if let Some((spool, place)) = self.waiting.take() {
            let mut text = Splitter::continued(spool, place);
            self.entries(&mut text)?;
            text.end()?;
        }
        self.done
            .ok_or_else(|| text.fail("`entries` is missing: an array, which may be empty"))
    }

    /// Encodes the array of entries.
    fn entries<R: Read>(&mut self, text: &mut Splitter<R>) -> Result<()> {
        let Some(output) = self.output.take() else {
            return Ok(());
        };
        let writer = match (&self.magic, &self.bare) {
            (Some(kind), _) => {
                let head = self.head.unwrap_or_else(|| Head::of(kind));
                ImageWriter::new(self.schema, kind, head, output)?
            }
            (None, Some(message)) => ImageWriter::bare(self.schema, message, output)?,
            (None, None) => return Ok(()),
        };
        let kind = Arc::clone(&writer.layout().kind);
        let mut writer = writer.lenient(self.options.lenient);
        let mut count = 0;
        // go-criu's crit prints an image without entries as null.
        if text.peek()? == Some(b'n') {
            let value = text.value(None)?.0;
            if value.text() != b"null" {
                let (line, column) = value.place();
                let what = "`entries` is an array".to_owned();
                return Err(Error::new(ErrorKind::Json(what)).at_line(line, column));
            }
        } else {
            text.expect(b'[')?;
            while !text.take(b']')? {
                if count > 0 {
                    text.expect(b',')?;
                }
                self.entry(text, &mut writer, count)
                    .map_err(|error| error.placed(|error| error.in_entry(count)))?;
                count += 1;
            }
        }
        writer.finish()?;
        self.done = Some(EncodeReport {
            kind,
            entries: count,
        });
        Ok(())
    }

    fn entry<R: Read, O: Write>(
        &mut self,
        text: &mut Splitter<R>,
        writer: &mut ImageWriter<O>,
        index: u64,
    ) -> Result<()> {
        let options = self.options;
        let rule = SpoolRule {
            lenient: options.lenient,
        };
        let layout = Arc::clone(writer.layout());
        let ty = layout.entry_type(index).clone();
        let (value, spooled) = text.value(Some(&rule))?;
        let mut reading = Reading::new(options.dialect, options.lenient);
        reading.written = options.written;
        reading.spare = self.spare.take();
        let mut extras = EntryExtras::new(&layout, spooled.is_some());
        let mut input = serde_json::Deserializer::from_slice(value.text());
        // The splitter limits the depth before anything gets here.
        input.disable_recursion_limit();
        let mut entry = Entry::new(&ty);
        let read = if value.text().len() > self.whole {
            let seed = MessageSeed::<_, large::Bytes>::outer(&mut reading, &ty, &mut extras);
            let bytes = seed.deserialize(&mut input);
            bytes.map(|bytes| entry.raw = Some(bytes))
        } else {
            let seed = MessageSeed::<_, Whole>::outer(&mut reading, &ty, &mut extras);
            let message = seed.deserialize(&mut input);
            message.map(|message| entry.message = message)
        };
        let read = read.and_then(|()| input.end());
        read.map_err(|error| reading.error(error, value.place()))?;
        entry.complete = reading.complete;
        if let Some(bytes) = &entry.raw {
            // Of the fields, those are needed that say what follows the message.
            if let Some(payload) = &layout.payload {
                let selection = Selection::of_numbers(&ty, &payload.fields());
                entry.message = decode_selected(&ty, bytes, Some(&selection))?.message;
            }
        }
        let pending = writer.pending(&entry);
        let spooled = extras.finish(&mut entry, &pending, spooled)?;
        let is_kept = keep_raw(&mut entry, extras.raw)?;
        // The writer takes bytes as they are.
        if let Some(bytes) = entry.raw.as_ref().filter(|_| !is_kept)
            && !(entry.complete || options.lenient)
            && let Some(field) = large::first_missing(&ty, bytes)?
        {
            let (line, column) = value.place();
            return Err(missing(field).at_line(line, column));
        }
        let written = match spooled {
            Some(Spooled { data, length }) => writer.write_streamed(&entry, length, data),
            None => writer.write_entry(&entry),
        };
        let seen = reading.seen.filter(|_| entry.raw.is_none());
        self.spare = seen.map(|seen| (entry.message, seen));
        written.map_err(|error| {
            error.placed(|error| {
                let (line, column) = value.place();
                error.at_line(line, column)
            })
        })
    }
}

/// Takes the bytes of `@raw` when they stand for the fields beside them; edited fields win.
fn keep_raw(entry: &mut Entry, raw: Option<Vec<u8>>) -> Result<bool> {
    let Some(raw) = raw else { return Ok(false) };
    let Ok(decoded) = message::decode(&entry.ty, &raw) else {
        return Ok(false);
    };
    // What they are encoded to is compared: the order of fields is not part of what they say.
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    message::encode(&entry.ty, &decoded.message, &mut theirs)?;
    entry.encode(&mut ours)?;
    let same = theirs == ours;
    if same {
        entry.raw = Some(raw);
    }
    Ok(same)
}

/// A JSON string.
fn string<R: Read>(value: &Value<'_, R>) -> Result<String> {
    serde_json::from_slice(value.text()).map_err(|_| {
        let (line, column) = value.place();
        Error::new(ErrorKind::Json("expected a string".to_owned())).at_line(line, column)
    })
}

/// Says what was fed to encode, when it is no JSON.
fn not_an_image(schema: &Schema, beginning: &[u8]) -> Result<()> {
    let first = beginning.trim_ascii_start().first();
    if first == Some(&b'{') {
        return Ok(());
    }
    let word = |at: usize| {
        let bytes = beginning.get(at..)?.first_chunk::<4>()?;
        schema.kinds().by_magic(u32::from_le_bytes(*bytes))
    };
    let image = word(0).or_else(|| word(4));
    let hint = match image {
        Some(_) => "`crit decode` makes JSON from an image",
        None => "encode wants what decode prints: {\"magic\": ..., \"entries\": [...]}",
    };
    let what = match (first, image) {
        (_, Some(kind)) => format!("an image ({})", kind.name),
        (None, _) => "nothing".to_owned(),
        (Some(b'['), _) => "a JSON array".to_owned(),
        _ => "something else".to_owned(),
    };
    Err(Error::new(ErrorKind::NotJson(what)).with_hint(hint))
}
