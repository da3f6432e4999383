//! Messages: protobuf bytes to dynamic messages and back, without losing anything.
//!
//! `DynamicMessage`'s own decode and encode follow protobuf's rules, under which a checkpoint would
//! not always survive: unknown fields move behind the known ones, a wire type that contradicts the
//! schema is an error without a place, a missing required field goes unnoticed. So the bytes are
//! walked here, by the schema's types, and the dynamic message is filled and emptied field by field.

mod canonical;
mod decode;
mod element;
mod encode;
mod missing;
mod places;
mod record;
mod selection;
mod sift;
mod unknown;

pub(crate) use canonical::canonical;
pub(crate) use decode::{Decoded, NO_VALUE, decode, decode_into, decode_selected, scalar};
pub(crate) use element::Element;
pub(crate) use encode::{begin_delimited, encode, encode_as, end_delimited, put_scalar};
pub(crate) use missing::missing_fields;
pub(crate) use places::Places;
pub(crate) use record::{Record, present};
pub(crate) use selection::Selection;
pub(crate) use sift::{Sift, decode_sifting};
pub(crate) use unknown::{Unknown, UnknownPath, UnknownValue, unknown_fields, unknown_paths};

use prost_reflect::DynamicMessage;

/// An integer field's value, 0 when it is absent or no integer.
pub(crate) fn integer(message: &DynamicMessage, number: u32) -> u64 {
    let Some(value) = message.get_field_by_number(number) else {
        return 0;
    };
    match &*value {
        prost_reflect::Value::U32(v) => u64::from(*v),
        prost_reflect::Value::U64(v) => *v,
        prost_reflect::Value::I32(v) => u64::try_from(*v).unwrap_or(0),
        prost_reflect::Value::I64(v) => u64::try_from(*v).unwrap_or(0),
        _ => 0,
    }
}

/// A bool field's value, false when it is absent.
pub(crate) fn boolean(message: &DynamicMessage, number: u32) -> bool {
    let value = message.get_field_by_number(number);
    value.and_then(|v| v.as_bool()).unwrap_or(false)
}
