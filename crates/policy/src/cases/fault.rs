//! What can be wrong with a file of cases.

use crate::document::DocumentFault;

/// Why a text is no list of cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CasesFault {
    /// The text cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentFault),
    /// There is nothing to check, which would always pass.
    #[error("there are no cases")]
    NoCases,
    /// Two cases have the same name.
    #[error("two cases are called `{name}`")]
    DuplicateName {
        /// The name used twice.
        name: String,
    },
    /// A case is about a key that the file does not describe.
    #[error("case `{case}`: there is no key `{key}` under `keys`")]
    UnknownKey {
        /// The case.
        case: String,
        /// The key that is missing.
        key: String,
    },
    /// A case expects a refusal and says what the token must be.
    #[error("case `{case}`: `token`, `access` and `rows` are for cases that expect `granted`")]
    NoToken {
        /// The case.
        case: String,
    },
    /// A case expects a grant and says why there is none.
    #[error("case `{case}`: `because` is for cases that expect `refused`")]
    NoReasons {
        /// The case.
        case: String,
    },
}
