//! Row-level-security attributes: what an organization declares, and the values that pass.
//!
//! An attribute always restricts rows. A value that restricts nothing (`null`, a blank text, an empty list) is
//! refused before anything else is asked, whatever the declaration says.
//!
//! * [`declaration`]: a name, a type and limits; [`AttributeDeclaration::check`] finds what is wrong with them.
//! * [`compiled`]: a declaration made ready, and the one way to an [`AttributeValue`].
//! * [`value`]: the typed value, written to the token exactly as it was given.

mod compiled;
mod declaration;
mod value;

pub(crate) use compiled::CompiledAttribute;
pub use declaration::{
    AttributeDeclaration, DEFAULT_MAX_LENGTH, DeclarationFault, MAX_ALLOWED_VALUES, MAX_ITEMS,
    MAX_LENGTH, MAX_PATTERN_LENGTH, Normalization,
};
pub use value::{AttributeValue, MAX_SAFE_INTEGER, Scalar, ValueType};
