//! The one error type: what went wrong, and where.

use std::fmt;
use std::io;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong and where: the file, the entry, the byte offset and the field, as far as they are known.
///
/// It prints as one line, without the file name twice:
///
/// ```text
/// pstree.img: entry 17, offset 0x1a4: entry length 4294967295 exceeds the 96 bytes left
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    at: Location,
    hint: Option<String>,
}

/// Where in the input an [`Error`] (or a [`Warning`]) arose. Every part is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The name of the file, as the caller gave it.
    pub file: Option<String>,
    /// The index in `entries`, from 0.
    pub entry: Option<u64>,
    /// The byte offset in the image, from 0.
    pub offset: Option<u64>,
    /// Line and column in a text (JSON, .proto), from 1.
    pub line: Option<(u64, u64)>,
    /// The path of the field, such as `tc.comm` or `vmas[3].start`.
    pub field: String,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Reading the input failed.
    #[error(transparent)]
    Io(io::Error),
    /// Writing the output failed.
    #[error(transparent)]
    Write(io::Error),
    /// Writing or reading a temporary file failed.
    #[error("temporary file: {0}")]
    Temporary(#[source] io::Error),
    /// The image ends in the middle of something.
    #[error("{what} needs {wanted} bytes, {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes needed.
        wanted: u64,
        /// Bytes there are.
        left: u64,
    },
    /// An entry says it is longer than what is left of the image.
    #[error("entry length {length} exceeds the {left} bytes left")]
    EntryTooLong {
        /// The length the entry gives, in bytes.
        length: u64,
        /// Bytes there are.
        left: u64,
    },
    /// The file is empty.
    #[error("the file is empty: an image has at least its magic")]
    Empty,
    /// The file does not begin with a magic known to the schema.
    #[error("unknown magic 0x{0:08x}: not an image that this schema knows")]
    UnknownMagic(u32),
    /// The file is a raw image (page data, a tarball, firewall rules, ...), which holds no messages.
    #[error("a raw image ({about}): it holds no messages")]
    RawImage {
        /// The name of its kind, such as `PAGES`.
        kind: String,
        /// What that is.
        about: String,
    },
    /// The input is text where an image was expected.
    #[error("this is {}, not an image", if *json { "JSON" } else { "text" })]
    NotAnImage {
        /// Whether the text looks like JSON.
        json: bool,
    },
    /// The input is not the JSON of an image.
    #[error("this is {0}, not the JSON of an image")]
    NotJson(String),
    /// The bytes of a message are not valid protobuf.
    #[error("malformed message: {0}")]
    Wire(&'static str),
    /// Messages are nested deeper than [`crate::limits::MESSAGE_DEPTH`].
    #[error("messages nested deeper than {0} levels")]
    TooDeep(usize),
    /// The JSON is malformed, or does not describe an image.
    #[error("{0}")]
    Json(String),
    /// A value does not fit its field.
    #[error("{0}")]
    Value(String),
    /// A key that the message does not have.
    #[error("unknown field `{name}` in {message}")]
    UnknownField {
        /// The key.
        name: String,
        /// The message it stands in.
        message: String,
    },
    /// A key that stands twice in one object.
    #[error("`{0}` stands twice")]
    DuplicateKey(String),
    /// A required field is missing.
    #[error("required field `{0}` is missing")]
    MissingField(String),
    /// A payload contradicts the fields that give its size.
    #[error("{0}")]
    Payload(String),
    /// The JSON was made without payloads (`--nopl`), so the image can't be made from it.
    #[error("the payload was left out ({0}): this JSON was made with --nopl")]
    NoPayload(String),
    /// No image kind has this name.
    #[error("unknown image kind `{0}`")]
    UnknownKind(String),
    /// No message has this name.
    #[error("the schema has no message `{0}`")]
    UnknownMessage(String),
    /// No message is known for a magic, or the schema does not have it.
    #[error("{0}")]
    NoMessage(String),
    /// A .proto file of the schema can't be compiled.
    #[error("schema: {0}")]
    Schema(String),
    /// A table in descriptors/ is wrong.
    #[error("descriptor table: {0}")]
    Descriptor(String),
    /// A file or directory is no checkpoint.
    #[error("{0}")]
    NotACheckpoint(String),
    /// A path does not lead to a field.
    #[error("{0}")]
    Path(String),
    /// A limit of [`crate::limits`] was reached.
    #[error("{0}")]
    Limit(String),
}

impl ErrorKind {
    /// Whether it says of a file of this name that no messages are to be expected in it: a raw image, or
    /// something without the name of an image that CRIU or an engine put beside them.
    pub(crate) fn is_of_no_messages(&self, name: &str) -> bool {
        match self {
            ErrorKind::RawImage { .. } => true,
            ErrorKind::UnknownMagic(_) | ErrorKind::Empty | ErrorKind::NotAnImage { .. } => {
                !name.ends_with(".img")
            }
            _ => false,
        }
    }
}

impl Error {
    /// An error of this kind, at no place in particular yet.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Error(Box::new(Inner {
            kind,
            at: Location::default(),
            hint: None,
        }))
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where it went wrong.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.0.at
    }

    /// What the user could try, when there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// An error of writing the output.
    pub(crate) fn writing(error: io::Error) -> Self {
        Error::new(ErrorKind::Write(error))
    }

    /// An error of using a temporary file.
    pub(crate) fn temporary(error: io::Error) -> Self {
        Error::new(ErrorKind::Temporary(error))
    }

    /// Whether reading or writing failed for this reason.
    #[must_use]
    pub fn is_io(&self, kind: io::ErrorKind) -> bool {
        match &self.0.kind {
            ErrorKind::Io(e) | ErrorKind::Write(e) | ErrorKind::Temporary(e) => e.kind() == kind,
            _ => false,
        }
    }

    /// Whether it is the output that failed, and not the input.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(&self.0.kind, ErrorKind::Write(_) | ErrorKind::Temporary(_))
    }

    /// Adds to it where in the input it is about. When the output failed, which input is handed on to, that
    /// has no place in the input: it stays as it is.
    #[must_use]
    pub(crate) fn placed(self, add: impl FnOnce(Self) -> Self) -> Self {
        if self.is_write() { self } else { add(self) }
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.0.at.file.get_or_insert_with(|| file.into());
        self
    }

    /// Names the entry, unless one is named already.
    #[must_use]
    pub fn in_entry(mut self, entry: u64) -> Self {
        self.0.at.entry.get_or_insert(entry);
        self
    }

    /// Gives the byte offset in the image, unless one is given already.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.at.offset.get_or_insert(offset);
        self
    }

    /// Gives the line and column in a text, unless they are given already.
    #[must_use]
    pub fn at_line(mut self, line: u64, column: u64) -> Self {
        self.0.at.line.get_or_insert((line, column));
        self
    }

    /// Moves a byte offset that was relative to a part of the image.
    #[must_use]
    pub(crate) fn shifted(mut self, base: u64) -> Self {
        if let Some(offset) = &mut self.0.at.offset {
            *offset = offset.saturating_add(base);
        }
        self
    }

    /// Puts a step in front of the field path: a field name, or an index such as `[3]`.
    #[must_use]
    pub(crate) fn in_field(mut self, step: &str) -> Self {
        let path = &mut self.0.at.field;
        if !(path.is_empty() || path.starts_with('[')) {
            path.insert(0, '.');
        }
        path.insert_str(0, step);
        self
    }

    /// Adds what the user could try, unless something is said already.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds "did you mean" for the nearest of the known names, when one is near enough.
    #[must_use]
    pub(crate) fn did_you_mean<'a>(
        mut self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(name, known) {
            Some(near) => {
                self.0.hint = Some(format!("did you mean `{near}`?"));
                self
            }
            None => self,
        }
    }
}

/// The known name that is nearest to this one, if any is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let key = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    let budget = (name.chars().count() / 3).max(1);
    // A long name is hostile or no name at all; the distance would cost its square.
    if name.len() > 100 {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (key(candidate), candidate))
        .filter(|(distance, _)| *distance <= budget)
        .min()
        .map(|(_, candidate)| candidate)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        let mut first = true;
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            let separator = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{separator}{text}")
        };
        if let Some(entry) = self.entry {
            part(f, format_args!("entry {entry}"))?;
        }
        if !self.field.is_empty() {
            part(f, format_args!("field {}", self.field))?;
        }
        if let Some(offset) = self.offset {
            part(f, format_args!("offset 0x{offset:x}"))?;
        }
        if let Some((line, column)) = self.line {
            part(f, format_args!("line {line} column {column}"))?;
        }
        if first { Ok(()) } else { write!(f, ": ") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.at, self.0.kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("at", &self.0.at)
            .field("hint", &self.0.hint)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.kind)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Error::new(kind)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::new(ErrorKind::Io(error))
    }
}

/// Something odd that did not stop the work: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Where it was seen.
    pub at: Location,
    /// What was seen.
    pub message: String,
}

impl Warning {
    /// About a file as a whole.
    pub(crate) fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Warning {
            at: Location {
                file: Some(file.into()),
                ..Location::default()
            },
            message: message.into(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_where_and_what_in_one_line() {
        let error = Error::new(ErrorKind::EntryTooLong {
            length: 4_294_967_295,
            left: 96,
        })
        .at_offset(0x1a4)
        .in_entry(17)
        .in_file("pstree.img");
        assert_eq!(
            error.to_string(),
            "pstree.img: entry 17, offset 0x1a4: entry length 4294967295 exceeds the 96 bytes left"
        );
    }

    #[test]
    fn a_field_path_grows_from_the_inside_out() {
        let error = Error::new(ErrorKind::Wire("a varint of more than 10 bytes"))
            .in_field("start")
            .in_field("[3]")
            .in_field("vmas");
        assert_eq!(error.location().field, "vmas[3].start");
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("comn", ["comm", "pid"]), Some("comm"));
        assert_eq!(nearest("zzzzzz", ["comm", "pid"]), None);
    }
}
