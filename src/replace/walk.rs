//! The way through the messages of an entry, field by field.

use prost_reflect::{DynamicMessage, Value};

use super::{Replacement, Replacer};
use crate::descriptor::Meaning;
use crate::edit::{Changed, longest_path, meaning};
use crate::error::{Error, ErrorKind, Result};
use crate::json::json_value;
use crate::message::present;
use crate::schema::{Field, Shape, Types};

/// Goes through the messages of an entry.
pub(super) struct Walk<'a> {
    pub(super) replacer: &'a mut Replacer,
    /// The index of the entry.
    pub(super) index: u64,
    pub(super) types: &'a Types,
    pub(super) reaches: &'a [bool],
    pub(super) changed: Vec<Changed>,
    /// What a replacement of cgroups makes is there already.
    pub(super) is_done: bool,
}

impl Walk<'_> {
    pub(super) fn message(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        let name = shape.desc.name();
        match self.replacer.meanings.of_message(name) {
            Some(Meaning::Cgroup) => self.cgroups(shape, message, way)?,
            Some(Meaning::Mount) => self.root(shape, message, way)?,
            Some(Meaning::Socket) => self.relative_name(shape, message, way)?,
            _ => {}
        }
        for field in &shape.fields {
            let meaning = meaning(self.replacer.meanings, name, field);
            let inner = field.kind.message();
            let inner = inner.filter(|inner| self.reaches.get(*inner) == Some(&true));
            if (meaning.is_none() && inner.is_none()) || present(message, field).is_none() {
                continue;
            }
            let way = format!("{way}.{}", field.name);
            if let Some(meaning) = meaning {
                let changed = self.changed.len();
                self.field(field, message, meaning, &way)?;
                if meaning == Meaning::Path && self.changed.len() == changed {
                    self.by_mount(shape, field, message, &way)?;
                }
            } else if let Some(inner) = inner {
                let inner = self.types.shape(inner);
                match message.get_field_mut(&field.desc) {
                    Value::Message(message) => self.message(inner, message, &way)?,
                    Value::List(list) => {
                        for (place, element) in list.iter_mut().enumerate() {
                            if let Value::Message(message) = element {
                                self.message(inner, message, &format!("{way}[{place}]"))?;
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The name of a unix socket that was bound from a directory: both together are its path. Where the
    /// directory stays and the path does not, the name is a whole path from then on.
    fn relative_name(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        let bytes = |message: &DynamicMessage, name: &str| {
            let field = shape.field_named(name)?;
            let value = present(message, field)?.as_bytes()?.to_vec();
            Some((field, value))
        };
        let (Some((field, name)), Some((_, folder))) =
            (bytes(message, "name"), bytes(message, "name_dir"))
        else {
            return Ok(());
        };
        if matches!(name.first(), None | Some(b'/' | 0)) {
            return Ok(());
        }
        let folder = folder.strip_suffix(b"/").unwrap_or(&folder);
        let whole = [folder, b"/", &name].concat();
        let replacer = &mut *self.replacer;
        let about = replacer.replacements.iter().zip(&mut replacer.found);
        for (replacement, found) in about {
            let text = |text: &[u8]| match replacement {
                Replacement::Path { .. } => replacement.text(Meaning::Path, text),
                _ => None,
            };
            // A directory that changes takes the socket with it.
            if text(folder).is_some() {
                return Ok(());
            }
            let Some(after) = text(&whole) else {
                continue;
            };
            *found += 1;
            let inside = after.strip_prefix([folder, b"/"].concat().as_slice());
            let after = Value::Bytes(inside.unwrap_or(&after).to_vec().into());
            let way = format!("{way}.{}", field.name);
            return self.put(field, message, after, &way);
        }
        Ok(())
    }

    /// Gives a mount its new root.
    fn root(&mut self, shape: &Shape, message: &mut DynamicMessage, path: &str) -> Result<()> {
        let Some((number, new)) = self.replacer.roots.get(&self.index).cloned() else {
            return Ok(());
        };
        let Some(field) = shape
            .field_named("root")
            .filter(|field| present(message, field).is_some())
        else {
            return Ok(());
        };
        if let Some(found) = self.replacer.found.get_mut(number) {
            *found += 1;
        }
        let path = format!("{path}.root");
        self.put(field, message, Value::Bytes(new.into()), &path)
    }

    /// Gives a field another value, and notes it.
    pub(super) fn put(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        after: Value,
        way: &str,
    ) -> Result<()> {
        check_length(field, &after).map_err(|error| error.in_field(inside_of(way)))?;
        let before = message.get_field(&field.desc).into_owned();
        self.changed.push(Changed::new(
            way.to_owned(),
            json_value(self.types, field, &before, true)?,
            json_value(self.types, field, &after, true)?,
        ));
        message.set_field(&field.desc, after);
        Ok(())
    }

    /// A field that may hold something that is replaced.
    fn field(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        meaning: Meaning,
        way: &str,
    ) -> Result<()> {
        let before = message.get_field(&field.desc);
        // A peer of no address is none: only where a socket listens is that a choice.
        if meaning == Meaning::Address && &*field.name == "dst_addr" && is_unspecified(&before) {
            return Ok(());
        }
        match self.value(&before, meaning) {
            Some(after) => self.put(field, message, after, way),
            None => Ok(()),
        }
    }

    /// A path that is reached by a mount: the directory that moves may be mounted there.
    fn by_mount(
        &mut self,
        shape: &Shape,
        field: &Field,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        let mount = shape
            .field_named("mnt_id")
            .and_then(|field| present(message, field)?.as_i32())
            .and_then(|mount| u64::try_from(mount).ok());
        let (Some(mount), Some(Value::Bytes(path))) = (mount, present(message, field)) else {
            return Ok(());
        };
        // Names of sockets end with a zero.
        let (path, end) = match path.strip_suffix(b"\0") {
            Some(path) => (path, &b"\0"[..]),
            None => (&path[..], &b""[..]),
        };
        let replacer = &*self.replacer;
        let renamed = replacer
            .mounts
            .renamed_file(mount, path, &replacer.translations, replacer.paths())
            .map_err(|error| error.in_field(inside_of(way)))?;
        let Some((number, new)) = renamed else {
            return Ok(());
        };
        self.replacer.count(number);
        let new = [new.as_slice(), end].concat();
        self.put(field, message, Value::Bytes(new.into()), way)
    }

    /// The new value: that of the first replacement that is about it; of options of a mount, several may
    /// be.
    fn value(&mut self, value: &Value, meaning: Meaning) -> Option<Value> {
        let replacer = &mut *self.replacer;
        let mut new = None;
        let about = replacer.replacements.iter().zip(&mut replacer.found);
        for (replacement, found) in about.filter(|(r, _)| r.is_about(meaning)) {
            let value = new.as_ref().unwrap_or(value);
            if let Some(next) = replaced(replacement, value, meaning) {
                *found += 1;
                new = Some(next);
                if meaning != Meaning::MountOptions {
                    break;
                }
            }
        }
        if new.is_some() {
            return new;
        }
        let about = replacer.replacements.iter().zip(&mut replacer.done);
        for (replacement, done) in about.filter(|(r, _)| r.is_about(meaning)) {
            *done += u64::from(is_made_by(replacement, value, meaning));
        }
        None
    }
}

/// Whether the words of an address are all zero.
fn is_unspecified(value: &Value) -> bool {
    let words = value.as_list().unwrap_or_default();
    words.iter().all(|word| word.as_u32() == Some(0))
}

/// The way in an entry, of a way in an image.
pub(super) fn inside_of(way: &str) -> &str {
    way.split_once('.').map_or(way, |(_, inside)| inside)
}

/// Whether a value is what a replacement makes.
fn is_made_by(replacement: &Replacement, value: &Value, meaning: Meaning) -> bool {
    match (replacement.inverse(), replacement, value) {
        (Some(inverse), ..) => replaced(&inverse, value, meaning).is_some(),
        (None, Replacement::Hostname { new, .. }, Value::Bytes(bytes)) => new.as_bytes() == bytes,
        _ => false,
    }
}

/// A value with something replaced in it.
fn replaced(replacement: &Replacement, value: &Value, meaning: Meaning) -> Option<Value> {
    match value {
        Value::Bytes(bytes) => {
            let text = replacement.text(meaning, bytes)?;
            Some(Value::Bytes(text.into()))
        }
        Value::U32(number) => replacement.number(u64::from(*number)).map(Value::U32),
        Value::I32(number) => {
            let new = replacement.number(u64::try_from(*number).ok()?)?;
            i32::try_from(new).ok().map(Value::I32)
        }
        Value::List(list) if meaning == Meaning::Address => {
            let words: Option<Vec<u32>> = list.iter().map(Value::as_u32).collect();
            let words = replacement.address(&words?)?;
            Some(Value::List(words.into_iter().map(Value::U32).collect()))
        }
        Value::List(list) => {
            let mut any = false;
            let elements = list.iter().map(|element| {
                let new = replaced(replacement, element, meaning);
                any |= new.is_some();
                new.unwrap_or_else(|| element.clone())
            });
            let elements = elements.collect();
            any.then_some(Value::List(elements))
        }
        _ => None,
    }
}

/// A path has no more bytes than Linux takes.
fn check_length(field: &Field, value: &Value) -> Result<()> {
    let most = longest_path(field);
    match value {
        Value::Bytes(bytes) if bytes.len() > most => {
            let what = format!("it would have {} bytes, more than {most}", bytes.len());
            Err(Error::new(ErrorKind::Value(what)))
        }
        _ => Ok(()),
    }
}
