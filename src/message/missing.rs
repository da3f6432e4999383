//! Required fields that are not there.

use prost_reflect::{DynamicMessage, Value};

use crate::limits::WARNINGS;
use crate::schema::{FieldKind, MessageType, Shape, Types};

/// The paths of the required fields that a message, or a message inside it, lacks: the first
/// [`WARNINGS`] of them.
pub(crate) fn missing_fields(ty: &MessageType, message: &DynamicMessage) -> Vec<String> {
    let mut missing = Vec::new();
    walk(&ty.types, ty.shape(), message, "", &mut missing);
    missing
}

fn walk(
    types: &Types,
    shape: &Shape,
    message: &DynamicMessage,
    prefix: &str,
    missing: &mut Vec<String>,
) {
    for field in &shape.fields {
        if missing.len() >= WARNINGS {
            return;
        }
        if !message.has_field(&field.desc) {
            if field.required {
                missing.push(format!("{prefix}{}", field.name));
            }
            continue;
        }
        let (FieldKind::Message(index) | FieldKind::Group(index)) = &field.kind else {
            continue;
        };
        let inner = types.shape(*index);
        match &*message.get_field(&field.desc) {
            Value::Message(message) => {
                walk(
                    types,
                    inner,
                    message,
                    &format!("{prefix}{}.", field.name),
                    missing,
                );
            }
            Value::List(list) => {
                for (i, element) in list.iter().enumerate() {
                    if let Value::Message(message) = element {
                        let prefix = format!("{prefix}{}[{i}].", field.name);
                        walk(types, inner, message, &prefix, missing);
                    }
                }
            }
            _ => {}
        }
    }
}
