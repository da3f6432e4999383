//! The meanings of fields under a schema, and which messages have fields of a meaning somewhere inside.

use crate::descriptor::{FieldMeanings, Meaning};
use crate::schema::{Field, Types};

/// Returns the meaning of a field: the schema's own word for addresses, or that of the table.
pub(crate) fn meaning(meanings: &FieldMeanings, message: &str, field: &Field) -> Option<Meaning> {
    match field.hints.ip {
        true => Some(Meaning::Address),
        false => meanings.of_field(message, &field.name),
    }
}

/// Returns which messages of a schema lead to fields of these meanings, by their indexes.
pub(crate) fn reach(meanings: &FieldMeanings, types: &Types, wanted: &[Meaning]) -> Vec<bool> {
    let shapes = types.shapes();
    let is_wanted = |meaning: Option<Meaning>| meaning.is_some_and(|m| wanted.contains(&m));
    let mut reaches = vec![false; shapes.len()];
    // The messages that a message is inside of.
    let mut outside: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
    let mut todo = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        let name = shape.desc.name();
        let mut fields = shape.fields.iter();
        if is_wanted(meanings.of_message(name))
            || fields.any(|field| is_wanted(self::meaning(meanings, name, field)))
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
