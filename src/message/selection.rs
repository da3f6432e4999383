//! Which fields of a message are wanted: the others are stepped over, not decoded.
//!
//! Explorers read a few fields of very many messages. What a message costs is what is put into it.

use crate::schema::{Field, MessageType, Types};

/// The wanted fields of one message type, with those of the messages inside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// By the index of the field in its shape: `None` is not wanted.
    fields: Vec<Option<Part>>,
}

#[derive(Debug, Clone)]
enum Part {
    Whole,
    Some(Selection),
}

impl Selection {
    /// The fields at these paths (`id`, `reg.name`), as far as the schema has them.
    pub(crate) fn of(ty: &MessageType, paths: &[&str]) -> Self {
        let mut selection = Selection::default();
        for path in paths {
            selection.add(&ty.types, ty.index, path);
        }
        selection
    }

    /// The selection for the elements of the list `list` of a message.
    pub(crate) fn of_elements(ty: &MessageType, list: &str, paths: &[&str]) -> Option<Self> {
        let field = ty.shape().field_named(list)?;
        let mut selection = Selection::default();
        for path in paths {
            selection.add(&ty.types, field.kind.message()?, path);
        }
        Some(selection)
    }

    /// The fields of these numbers that are no lists.
    pub(crate) fn of_numbers(ty: &MessageType, numbers: &[u32]) -> Self {
        let wanted = |field: &Field| !field.repeated && numbers.contains(&field.number);
        let fields = ty.shape().fields.iter();
        Selection {
            fields: fields
                .map(|field| wanted(field).then_some(Part::Whole))
                .collect(),
        }
    }

    fn add(&mut self, types: &Types, shape: usize, path: &str) {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let shape = types.shape(shape);
        let Some(index) = shape.index_named(name) else {
            return;
        };
        if self.fields.len() <= index {
            self.fields.resize(index + 1, None);
        }
        let Some(slot) = self.fields.get_mut(index) else {
            return;
        };
        let inner = shape
            .fields
            .get(index)
            .and_then(|field| field.kind.message());
        match (rest, inner) {
            (Some(rest), Some(inner)) => {
                let part = slot.get_or_insert_with(|| Part::Some(Selection::default()));
                if let Part::Some(selection) = part {
                    selection.add(types, inner, rest);
                }
            }
            _ => *slot = Some(Part::Whole),
        }
    }

    /// Whether the field at this index is wanted; if so, what of a message in it: `None` is all.
    #[inline]
    pub(super) fn wants(&self, index: usize) -> Option<Option<&Selection>> {
        match self.fields.get(index)?.as_ref()? {
            Part::Whole => Some(None),
            Part::Some(selection) => Some(Some(selection)),
        }
    }
}
