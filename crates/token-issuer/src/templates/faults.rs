//! What can be wrong: with a template, when it is compiled; with a token, when it is rendered.

use policy::NameError;

use super::{MAX_DEPTH, MAX_FILTERS, MAX_NODES, MAX_TEMPLATE_BYTES};

/// One thing wrong with a template. Names only what its author wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TemplateFault {
    /// Where, within the template: a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)).
    pub pointer: String,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The template is not a JSON object.
    #[error("a claim template is a JSON object")]
    NotAnObject,
    /// More than [`MAX_TEMPLATE_BYTES`].
    #[error("a claim template has at most {MAX_TEMPLATE_BYTES} bytes")]
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("a claim template has at most {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_NODES`] values and references.
    #[error("a claim template has at most {MAX_NODES} values and references")]
    TooManyNodes,
    /// The claim is set by the issuer.
    #[error("`{claim}` is set by the issuer, never by a template")]
    Reserved {
        /// The claim.
        claim: &'static str,
    },
    /// A member's name has braces: names are not templates.
    #[error("names of members are literal and cannot have references in them")]
    ReferenceInName,
    /// `{{` without `}}`, or the other way round.
    #[error("`{{{{` and `}}}}` come in pairs")]
    Braces,
    /// Nothing where a reference or a filter should be, or characters that neither has.
    #[error("not of the form `reference | filter | filter`")]
    Syntax,
    /// There is nothing of that name.
    #[error("there is no `{reference}`")]
    UnknownReference {
        /// As it was written.
        reference: String,
    },
    /// No attribute, or kind of resource, can have that name.
    #[error("`{reference}`: {reason}")]
    Name {
        /// As it was written.
        reference: String,
        /// Why not.
        reason: NameError,
    },
    /// There is no such filter.
    #[error("there is no filter `{filter}`")]
    UnknownFilter {
        /// As it was written.
        filter: String,
    },
    /// The separator of `join` is not one character in quotes.
    #[error(
        "`join` takes one character in quotes, such as `join(\",\")`, which is not a quote or a brace"
    )]
    Separator,
    /// More than [`MAX_FILTERS`] filters on one reference.
    #[error("a reference has at most {MAX_FILTERS} filters")]
    TooManyFilters,
    /// The filter cannot take what it is given.
    #[error("`{filter}` cannot be applied to `{reference}`")]
    FilterType {
        /// The reference.
        reference: String,
        /// The filter.
        filter: &'static str,
    },
    /// A list or an object inside a text.
    #[error("`{reference}` is not a scalar; in a text it needs a filter that makes one of it")]
    NotScalar {
        /// The reference.
        reference: String,
    },
    /// `?` where no member could be left out.
    #[error(
        "`{reference}?`: only a member of an object can be left out, not an item or a part of a text"
    )]
    NotOptional {
        /// The reference.
        reference: String,
    },
}

/// Why a token cannot be made from a template. Names references and filters, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The token has nothing to put there. For a row filter this is what keeps every row from being shown.
    #[error("the audience's claim template needs `{reference}`, which this token does not have")]
    Missing {
        /// The reference.
        reference: String,
    },
    /// The template needs exactly one role or resource, and the token has more.
    #[error(
        "the audience's claim template needs exactly one `{reference}`, and this token has more"
    )]
    NotOne {
        /// The reference.
        reference: String,
    },
    /// The value is of a type, or has characters, that the filter does not take.
    #[error("`{reference}` does not pass the filter `{filter}` of the audience's claim template")]
    Filter {
        /// The reference.
        reference: String,
        /// The filter.
        filter: &'static str,
    },
    /// A list inside a text.
    #[error("`{reference}` is a list, and the audience's claim template has it inside a text")]
    NotScalar {
        /// The reference.
        reference: String,
    },
}
