//! Messages out of JSON, field by field: straight from the text into what is built of it.

mod message;
mod value;
mod whole;

use prost_reflect::DynamicMessage;
use serde::de::MapAccess;

use super::integer::Numbers;
use super::options::Dialect;
use crate::error::{Error, ErrorKind};
use crate::limits::MESSAGE_DEPTH;

pub(super) use message::{Builder, MessageSeed, Read};
pub(super) use value::{NOT_ALONE, ScalarVisitor};
pub(super) use whole::{FieldSeed, Whole, not_unknown};

/// What reading JSON needs to know everywhere, and where it stands.
pub(super) struct Reading {
    pub(super) dialect: Dialect,
    /// Take what upstream's crit takes.
    pub(super) lenient: bool,
    /// Take octal and binary numbers.
    pub(super) written: bool,
    /// Whether every required field was there in all messages that were read.
    pub(super) complete: bool,
    /// A message that is done with, for the outermost one, and which fields it has: where a field was
    /// set its place is used again.
    pub(super) spare: Option<(DynamicMessage, u128)>,
    /// Which fields the outermost message has; `None` when it can't be used again.
    pub(super) seen: Option<u128>,
    /// How deep messages may still nest.
    depth: usize,
    /// The field that could not be read, from the inside out.
    path: Vec<Step>,
    /// The error, since serde's carries only text.
    error: Option<Error>,
}

/// What a number with a leading zero may be.
pub(super) const OCTAL_HINT: &str =
    "numbers have no leading zeros; an octal one is a string: \"0o22\"";

/// A step of a field path.
pub(super) enum Step {
    Name(Box<str>),
    Index(usize),
}

impl Reading {
    pub(super) fn new(dialect: Dialect, lenient: bool) -> Self {
        Reading {
            dialect,
            lenient,
            written: false,
            complete: true,
            spare: None,
            seen: None,
            depth: MESSAGE_DEPTH,
            path: Vec::new(),
            error: None,
        }
    }

    /// The forms of numbers that are taken.
    pub(super) fn numbers(&self) -> Numbers {
        match (self.lenient, self.written) {
            (true, _) => Numbers::Python,
            (false, true) => Numbers::Written,
            (false, false) => Numbers::Plain,
        }
    }

    /// The error with its place. `error` is what serde made of it, `place` the line and column
    /// where the text began that it counts from.
    pub(super) fn error(&mut self, error: serde_json::Error, place: (u64, u64)) -> Error {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let mut found = self.error.take().unwrap_or_else(|| {
            let text = error.to_string();
            let suffix = format!(" at line {line} column {column}");
            let text = text.strip_suffix(&suffix).unwrap_or(&text);
            let is_number = text == "invalid number";
            let error = Error::new(ErrorKind::Json(text.to_owned()));
            match is_number {
                true => error.with_hint(OCTAL_HINT),
                false => error,
            }
        });
        for step in self.path.drain(..) {
            found = match step {
                Step::Name(name) => found.in_field(&name),
                Step::Index(index) => found.in_field(&format!("[{index}]")),
            };
        }
        match line {
            // The value did not come out of text.
            0 => found,
            1 => found.at_line(place.0, place.1 + column.saturating_sub(1)),
            _ => found.at_line(place.0 + line - 1, column),
        }
    }

    /// Forgets the outermost step of the field path.
    pub(super) fn forget_outermost(&mut self) {
        self.path.pop();
    }

    pub(super) fn fail<E: serde::de::Error>(&mut self, error: Error) -> E {
        self.error.get_or_insert(error);
        E::custom("refused")
    }

    pub(super) fn refuse<E: serde::de::Error>(&mut self, what: String) -> E {
        self.fail(Error::new(ErrorKind::Value(what)))
    }

    /// At the end of a list of so many words: an IP address in it stands for all of them, one or four.
    pub(super) fn end_of_words<E: serde::de::Error>(
        &mut self,
        addresses: usize,
        words: usize,
    ) -> Result<(), E> {
        match addresses > 0 && !matches!(words, 1 | 4) {
            true => Err(self.refuse(NOT_ALONE.to_owned())),
            false => Ok(()),
        }
    }

    /// Notes, when reading failed, in which field or element that was.
    pub(super) fn inside<T, E>(
        &mut self,
        result: Result<T, E>,
        step: impl FnOnce() -> Step,
    ) -> Result<T, E> {
        if result.is_err() {
            self.path.push(step());
        }
        result
    }

    /// Reads a member's value under its name.
    pub(super) fn member<'de, A: MapAccess<'de>, T>(
        &mut self,
        name: &str,
        map: &mut A,
        read: impl FnOnce(&mut Self, &mut A) -> Result<T, A::Error>,
    ) -> Result<T, A::Error> {
        let result = read(self, map);
        self.inside(result, || Step::Name(name.into()))
    }
}

/// Members of an entry that are no fields of its message: the payload and the raw bytes.
pub(super) trait Extras {
    /// Reads the value of this key, if it is one of them.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error>;
}

impl<X: Extras> Extras for &mut X {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        reading: &mut Reading,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        (**self).read(reading, key, map)
    }
}

/// No such members: the messages inside an entry have none.
pub(super) struct NoExtras;

impl Extras for NoExtras {
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        _: &mut Reading,
        _: &str,
        _: &mut A,
    ) -> Result<bool, A::Error> {
        Ok(false)
    }
}
