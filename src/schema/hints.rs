//! Display hints: the `(criu)` option of a field, as `opts.proto` defines it.

use std::sync::Arc;

use prost_reflect::{DynamicMessage, FieldDescriptor};

use crate::descriptor::{Dictionary, FlagTable, Names};

/// How the pretty JSON shows an integer. When several options are set, upstream's order decides:
/// hex, dev, flags, dict.
#[derive(Debug, Clone, Default)]
pub(crate) enum IntegerHint {
    /// As the number that it is.
    #[default]
    None,
    /// `0x1f`.
    Hex,
    /// `major:minor` of the kernel's own device number (20 bits of minor).
    Device,
    /// `major:minor` of the device number that stat(2) gives.
    UserDevice,
    /// `A | B | 0x100`; hex when the table is not known.
    Flags(Option<Arc<FlagTable>>),
    /// The name of the value; the number when there is no table for this field.
    Dict(Option<Arc<Dictionary>>),
}

/// All hints of a field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    pub(crate) integer: IntegerHint,
    /// On a message: every integer inside it is shown in hex.
    pub(crate) hex: bool,
    /// The list is an IP address of 1 or 4 words in network byte order.
    pub(crate) ip: bool,
    /// The bytes are a unix socket's name, shown as quoted-printable text, pretty or not.
    pub(crate) unix_name: bool,
}

impl Hints {
    pub(super) fn of(field: &FieldDescriptor, names: &Names) -> Self {
        // Decoding the options of a thousand fields that have none would be most of the work.
        if field.field_descriptor_proto().options.is_none() {
            return Hints::default();
        }
        let options = field.options();
        let criu = options
            .extensions()
            .find(|(extension, _)| extension.name() == "criu")
            .and_then(|(_, value)| value.as_message());
        criu.map(|criu| Hints::from_option(criu, field.name(), names))
            .unwrap_or_default()
    }

    fn from_option(criu: &DynamicMessage, field: &str, names: &Names) -> Self {
        let flag = |name| {
            criu.get_field_by_name(name)
                .and_then(|v| v.as_bool())
                .unwrap_or(false)
        };
        let text = |name| {
            let value = criu.get_field_by_name(name)?;
            Some(value.as_str()?.to_owned()).filter(|text| !text.is_empty())
        };
        let integer = if flag("hex") {
            IntegerHint::Hex
        } else if flag("dev") && flag("odev") {
            IntegerHint::UserDevice
        } else if flag("dev") {
            IntegerHint::Device
        } else if let Some(table) = text("flags") {
            IntegerHint::Flags(names.flags(&table).cloned())
        } else if let Some(group) = text("dict") {
            IntegerHint::Dict(names.dictionary(&group, field).cloned())
        } else {
            IntegerHint::None
        };
        Hints {
            integer,
            hex: flag("hex"),
            ip: flag("ipadd"),
            unix_name: text("conv").is_some_and(|conv| conv == "unix_name"),
        }
    }
}
