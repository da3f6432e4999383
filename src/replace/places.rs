//! Where in messages what can be replaced is: `descriptors/places.json`, and the schema's own word for
//! addresses.

use std::collections::HashMap;

use once_cell::sync::OnceCell;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Field, Types};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Meaning {
    /// A path, where it begins with `/`.
    Path,
    /// Several things, paths among them, between `,`, `:` and `=`: the options of a mount.
    PathList,
    /// The words of an IP address.
    #[serde(skip)]
    Address,
    Hostname,
    Comm,
    Uid,
    Gid,
    /// The cgroups of all tasks: sets of paths, and trees of directories.
    Cgroup,
    /// A unix socket, whose path may be its name behind that of the directory that it was bound from.
    Socket,
}

/// What each field, by `message.field`, or each message holds.
#[derive(Debug)]
pub(super) struct Places(HashMap<String, Meaning>);

impl Places {
    pub(super) fn bundled() -> Result<&'static Places> {
        static PLACES: OnceCell<Places> = OnceCell::new();
        PLACES.get_or_try_init(|| Places::parse(include_str!("../../descriptors/places.json")))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: HashMap<Meaning, Vec<String>> = serde_json::from_str(text)
            .map_err(|error| Error::new(ErrorKind::Json(error.to_string())))?;
        let places = table
            .into_iter()
            .flat_map(|(meaning, places)| places.into_iter().map(move |place| (place, meaning)));
        Ok(Places(places.collect()))
    }

    /// What a field holds that can be replaced.
    pub(super) fn of_field(&self, message: &str, field: &Field) -> Option<Meaning> {
        if field.hints.ip {
            return Some(Meaning::Address);
        }
        self.0.get(&format!("{message}.{}", field.name)).copied()
    }

    /// What a message as a whole holds.
    pub(super) fn of_message(&self, message: &str) -> Option<Meaning> {
        self.0.get(message).copied()
    }
}

/// Which messages of a schema lead to something that is wanted: by their indexes.
pub(super) fn reach(places: &Places, types: &Types, wanted: &[Meaning]) -> Vec<bool> {
    let shapes = types.shapes();
    let is_wanted = |meaning: Option<Meaning>| meaning.is_some_and(|m| wanted.contains(&m));
    let mut reaches = vec![false; shapes.len()];
    // The messages that a message is inside of.
    let mut outside: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
    let mut todo = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        let name = shape.desc.name();
        let mut fields = shape.fields.iter();
        if is_wanted(places.of_message(name))
            || fields.any(|field| is_wanted(places.of_field(name, field)))
        {
            todo.push(index);
        }
        for inner in shape.fields.iter().filter_map(|field| field.kind.message()) {
            if let Some(outside) = outside.get_mut(inner) {
                outside.push(index);
            }
        }
    }
    while let Some(index) = todo.pop() {
        if let Some(reached) = reaches.get_mut(index)
            && !std::mem::replace(reached, true)
        {
            todo.extend(outside.get(index).into_iter().flatten());
        }
    }
    reaches
}
