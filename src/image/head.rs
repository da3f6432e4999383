//! The words in front of an image.

use crate::descriptor::{Family, ImageKind};

/// What stands before an image's own magic.
///
/// Nearly always what its kind says; images written before CRIU 1.6 ("V1") have nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The family of the first word; [`Family::None`] when the image's own magic is the first.
    pub family: Family,
}

impl Head {
    /// The head that CRIU writes today for this kind.
    #[must_use]
    pub fn of(kind: &ImageKind) -> Self {
        Head {
            family: kind.family,
        }
    }

    /// The word for it in JSON (`"@head"`), when it is not what the kind says.
    #[must_use]
    pub fn name(self, kind: &ImageKind) -> Option<&'static str> {
        (self != Head::of(kind)).then_some(match self.family {
            Family::Common => "common",
            Family::Service => "service",
            Family::None | Family::Raw => "v1",
        })
    }

    /// The head of this name; the names are those of [`Head::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let family = match name {
            "common" => Family::Common,
            "service" => Family::Service,
            "v1" => Family::None,
            _ => return None,
        };
        Some(Head { family })
    }
}
