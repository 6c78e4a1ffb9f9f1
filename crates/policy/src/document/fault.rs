//! What can be wrong with a text that should be a policy.

use std::fmt;

/// The longest text that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 32 * 1024 * 1024;
/// The deepest nesting of objects and lists in YAML: the deepest policy has 22 levels.
pub(super) const MAX_DEPTH: usize = 48;

/// Where in a text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters for YAML and in bytes for JSON.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no document. What a document means is judged later, by compiling it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentFault {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the text is longer than 32 MiB")]
    TooLarge,
    /// YAML's shorthands, which make small texts mean large documents.
    #[error("{at}: anchors, aliases and merge keys (`&`, `*`, `<<`) are not possible here")]
    Shorthand {
        /// Where.
        at: Position,
    },
    /// More nesting, or more of anything, than a document needs.
    #[error("{at}: the text is nested too deeply, or has too many parts")]
    TooMuch {
        /// Where.
        at: Position,
    },
    /// Not the format, or not what a document has there: an unknown field, one given twice, a wrong type.
    #[error("{at}{}: {detail}", in_path(.path))]
    Unreadable {
        /// Where.
        at: Position,
        /// The same as names and indices, such as `roles[0].permissions`; empty where none is known.
        path: String,
        /// What is wrong there.
        detail: String,
    },
    /// A field of a YAML text without a value: somebody was interrupted, and "no limit" would be a guess.
    #[error("`{path}` has no value: give it one, or leave the field out")]
    NoValue {
        /// Names and indices, such as `attributes[0].allowed_values`.
        path: String,
    },
}

fn in_path(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(", `{path}`")
    }
}

/// Refuses what is too long to be looked at.
pub(super) fn check_length(text: &str) -> Result<(), DocumentFault> {
    if text.len() > MAX_DOCUMENT_BYTES {
        Err(DocumentFault::TooLarge)
    } else {
        Ok(())
    }
}

/// `.` means that nothing was entered yet, or that nobody knows.
pub(super) fn known_path(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}
