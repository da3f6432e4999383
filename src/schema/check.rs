//! Whether a schema holds together.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Schema;
use crate::descriptor::Family;
use crate::error::{ErrorKind, Result};

/// Something that [`Schema::examine`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Whether images can't be read because of it. The others are notes.
    pub error: bool,
    /// What was found.
    pub message: String,
}

impl Schema {
    /// Compiles every file and holds the image kinds against what is in them.
    ///
    /// Errors: a file that does not compile, a row whose payload fields its message does not have.
    /// Notes: magics without a message, messages named like entries without a magic, built-in rows
    /// whose message the schema does not have, names that two files declare.
    ///
    /// # Errors
    ///
    /// The files can't be listed.
    pub fn examine(&self) -> Result<Vec<Finding>> {
        let mut findings: Vec<Finding> = Vec::new();
        // One bad file may stand in the way of many magics; it is told of once.
        let mut find = |error, message| {
            let finding = Finding { error, message };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        };
        let contents = self.contents()?;
        for error in &contents.errors {
            find(true, error.to_string());
        }
        let mut used = BTreeSet::new();
        let mut unused = Vec::new();
        for kind in self
            .kinds()
            .iter()
            .filter(|kind| kind.family != Family::Raw)
        {
            match self.layout(kind) {
                Ok(layout) => {
                    used.extend(layout.messages().map(|message| message.name().to_owned()));
                    if kind.assumed {
                        find(
                            false,
                            format!(
                                "magic {}: no row describes it; {} is taken for plain entries",
                                kind.name,
                                layout.entry.name(),
                            ),
                        );
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::RawImage { .. }) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NoMessage(_)) => {
                    if kind.alias_of.is_none() && self.0.mapping.is_own(kind) {
                        find(false, error.to_string());
                    } else {
                        unused.push(kind.name.as_str());
                    }
                }
                // Already among the files that don't compile.
                Err(error) if matches!(error.kind(), ErrorKind::Schema(_)) => {}
                Err(error) => find(true, error.to_string()),
            }
        }
        if !unused.is_empty() {
            let message = format!("built-in rows that don't apply here: {}", unused.join(", "));
            find(false, message);
        }
        for (name, file) in &contents.doubled {
            find(
                false,
                format!("{file}: {name} is declared in another file too"),
            );
        }
        // Messages inside other messages are used by those.
        let inside = contents
            .messages
            .values()
            .flat_map(|m| m.fields.iter().map(|f| f.ty.clone()));
        used.extend(inside);
        for (name, message) in &contents.messages {
            if name.ends_with("_entry") && !used.contains(name) {
                find(
                    false,
                    format!("{}: message {name} has no magic", message.file),
                );
            }
        }
        Ok(findings)
    }
}
