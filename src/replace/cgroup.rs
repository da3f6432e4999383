//! Cgroups: the paths that tasks are in, and the directories that are made for them.
//!
//! CRIU's `criu/cgroup.c`: a member of a set has a path, and where the root of a cgroup namespace is the
//! number of bytes of the path up to it. A tree of directories has names from the root of the hierarchy
//! at its top, and from the directory above it further down.

use prost_reflect::{DynamicMessage, Value};

use super::change::{Replacement, path};
use super::{Walk, inside_of};
use crate::edit::Changed;
use crate::error::{Error, ErrorKind, Result};
use crate::message::present;
use crate::schema::Shape;

/// A cgroup that has another path.
struct Move {
    old: String,
    new: String,
}

impl Move {
    /// The other path of a cgroup that moves.
    fn applied(&self, cgroup: &[u8]) -> Option<Vec<u8>> {
        path(cgroup, &self.old, &self.new)
    }

    /// Whether a cgroup is where it moves to.
    fn is_done(&self, cgroup: &[u8]) -> bool {
        path(cgroup, &self.new, &self.old).is_some()
    }
}

impl Walk<'_> {
    /// Replaces in an entry of `cgroup.img`.
    pub(super) fn cgroups(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        way: &str,
    ) -> Result<()> {
        for number in 0..self.replacer.replacements.len() {
            let Some(Replacement::Cgroup { old, new }) = self.replacer.replacements.get(number)
            else {
                continue;
            };
            let moved = Move {
                old: old.clone(),
                new: new.clone(),
            };
            let before = self.changed.len();
            self.each(
                shape,
                message,
                "sets",
                way,
                &mut |walk, shape, message, way| {
                    walk.each(
                        shape,
                        message,
                        "ctls",
                        way,
                        &mut |walk, shape, message, way| walk.member(shape, message, way, &moved),
                    )
                },
            )?;
            self.each(
                shape,
                message,
                "controllers",
                way,
                &mut |walk, shape, message, way| {
                    walk.directories(shape, message, "dirs", "", way, &moved)
                },
            )?;
            if let Some(found) = self.replacer.found.get_mut(number) {
                *found += (self.changed.len() - before) as u64;
            }
            if let Some(done) = self.replacer.done.get_mut(number) {
                *done += u64::from(std::mem::take(&mut self.is_done));
            }
        }
        Ok(())
    }

    /// The messages of a list.
    fn each(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        list: &str,
        way: &str,
        each: &mut dyn FnMut(&mut Self, &Shape, &mut DynamicMessage, &str) -> Result<()>,
    ) -> Result<()> {
        let Some((field, inner)) = shape
            .field_named(list)
            .and_then(|field| Some((field, field.kind.message()?)))
        else {
            return Ok(());
        };
        if present(message, field).is_none() {
            return Ok(());
        }
        let inner = self.types.shape(inner);
        if let Value::List(elements) = message.get_field_mut(&field.desc) {
            for (place, element) in elements.iter_mut().enumerate() {
                if let Value::Message(message) = element {
                    each(self, inner, message, &format!("{way}.{list}[{place}]"))?;
                }
            }
        }
        Ok(())
    }

    /// Where the tasks of a set are in one hierarchy.
    fn member(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        way: &str,
        moved: &Move,
    ) -> Result<()> {
        let Some(before) = text(shape, message, "path") else {
            return Ok(());
        };
        let Some(after) = moved.applied(&before) else {
            self.is_done |= moved.is_done(&before);
            return Ok(());
        };
        let prefix = shape.field_named("cgns_prefix");
        let root = prefix.and_then(|field| present(message, field)?.as_u32());
        if let (Some(field), Some(root)) = (prefix, root.filter(|root| *root > 0)) {
            let old_root = before.get(..root as usize).unwrap_or(&before);
            let new_root = match moved.applied(old_root) {
                Some(replaced) => replaced,
                // The root is above what is replaced: it must stay above.
                None if after.starts_with(old_root) => old_root.to_vec(),
                None => {
                    let what = format!(
                        "the root of a cgroup namespace, {}, would not be above {}",
                        String::from_utf8_lossy(old_root),
                        String::from_utf8_lossy(&after)
                    );
                    return Err(Error::new(ErrorKind::Value(what)).in_field(inside_of(way)));
                }
            };
            let length = u32::try_from(new_root.len()).unwrap_or(u32::MAX);
            if length != root {
                message.set_field(&field.desc, Value::U32(length));
                self.note(format!("{way}.cgns_prefix"), root, length);
            }
        }
        set_text(shape, message, "path", &after);
        self.note(format!("{way}.path"), lossy(&before), lossy(&after));
        Ok(())
    }

    /// The directories of a list below a directory.
    fn directories(
        &mut self,
        shape: &Shape,
        message: &mut DynamicMessage,
        list: &str,
        above: &str,
        way: &str,
        moved: &Move,
    ) -> Result<()> {
        self.each(
            shape,
            message,
            list,
            way,
            &mut |walk, shape, message, way| {
                let Some(name) = text(shape, message, "dir_name") else {
                    return Ok(());
                };
                let name = lossy(&name);
                let whole = format!("{above}/{name}");
                let mut below = whole.clone();
                if let Some(after) = moved.applied(whole.as_bytes()) {
                    let after = lossy(&after);
                    let below_it = after
                        .strip_prefix(above)
                        .and_then(|rest| rest.strip_prefix('/'));
                    let Some(name_now) = below_it.filter(|name| !name.is_empty()) else {
                        let what = format!(
                            "the cgroup {whole} can't become {after}, which is not below {above}/"
                        );
                        return Err(Error::new(ErrorKind::Value(what)).in_field(inside_of(way)));
                    };
                    set_text(shape, message, "dir_name", name_now.as_bytes());
                    walk.note(format!("{way}.dir_name"), name, name_now.to_owned());
                    // What is below has its name from here on.
                    below = String::from("\0");
                }
                walk.directories(shape, message, "children", &below, way, moved)
            },
        )
    }

    fn note(
        &mut self,
        path: String,
        before: impl Into<serde_json::Value>,
        after: impl Into<serde_json::Value>,
    ) {
        self.changed.push(Changed::new(path, before, after));
    }
}

fn text(shape: &Shape, message: &DynamicMessage, name: &str) -> Option<Vec<u8>> {
    match present(message, shape.field_named(name)?)? {
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

fn set_text(shape: &Shape, message: &mut DynamicMessage, name: &str, value: &[u8]) {
    if let Some(field) = shape.field_named(name) {
        message.set_field(&field.desc, Value::Bytes(value.to_vec().into()));
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
