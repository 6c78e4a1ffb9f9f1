//! Why a request is refused: stable codes, and where in the request each applies.

use std::fmt;

use serde::{Serialize, Serializer};

/// The most reasons one denial lists. A request with more faults is refused with the first of them, so that a
/// small hostile document cannot make a large answer.
pub const MAX_REASONS: usize = 256;

/// What stands against a grant. The text form is stable and part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// The subject is empty, too long, or has control characters.
    InvalidSubject,
    /// No role was requested.
    RolesEmpty,
    /// More roles than one token can carry.
    TooManyRoles,
    /// A role was requested twice.
    DuplicateRole,
    /// The organization has no such role.
    UnknownRole,
    /// The API key may not grant the role.
    RoleNotAllowed,
    /// The role is not for the requested audience.
    RoleNotForAudience,
    /// The organization has no such attribute.
    UndeclaredAttribute,
    /// A required attribute is missing.
    MissingAttribute,
    /// The value is of another type than declared, or outside the type's range.
    AttributeType,
    /// The value is `null`, which would restrict nothing.
    AttributeNull,
    /// The value is blank or an empty list, which would restrict nothing.
    AttributeEmpty,
    /// The value is not one of the declared values.
    AttributeValueNotAllowed,
    /// The text does not match the declared pattern.
    AttributePattern,
    /// The text is longer than declared.
    AttributeTooLong,
    /// The list is longer than declared.
    AttributeTooManyItems,
    /// The roles give different values, and the request names none.
    AttributeAmbiguous,
    /// The text has control characters.
    AttributeCharacters,
    /// The API key fixes another value.
    AttributeFixed,
    /// The API key may not grant this value, or this item.
    AttributeBeyondKey,
    /// The organization has no such audience.
    UnknownAudience,
    /// The API key may not issue for the audience.
    AudienceNotAllowed,
    /// The lifetime is not positive, or longer than a limit allows.
    TtlOutOfRange,
    /// More resources than one token can carry.
    TooManyResources,
    /// The type or id of a resource is not well-formed.
    InvalidResource,
    /// Nothing can be decided with the policy and the limits of this key as they are.
    PolicyUnusable,
}

/// Whose fault a refusal is. Ordered by what an answer should speak about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonKind {
    /// The request is wrong; a corrected one may pass.
    Invalid,
    /// The request is well-formed, and beyond what the API key may grant.
    Forbidden,
    /// The policy is wrong; no request will pass until it is put right.
    Internal,
}

impl ReasonCode {
    /// Every code, in the order of the request document.
    pub const ALL: &[Self] = &[
        Self::InvalidSubject,
        Self::RolesEmpty,
        Self::TooManyRoles,
        Self::DuplicateRole,
        Self::UnknownRole,
        Self::RoleNotAllowed,
        Self::RoleNotForAudience,
        Self::UndeclaredAttribute,
        Self::MissingAttribute,
        Self::AttributeType,
        Self::AttributeNull,
        Self::AttributeEmpty,
        Self::AttributeValueNotAllowed,
        Self::AttributePattern,
        Self::AttributeTooLong,
        Self::AttributeTooManyItems,
        Self::AttributeAmbiguous,
        Self::AttributeCharacters,
        Self::AttributeFixed,
        Self::AttributeBeyondKey,
        Self::UnknownAudience,
        Self::AudienceNotAllowed,
        Self::TtlOutOfRange,
        Self::TooManyResources,
        Self::InvalidResource,
        Self::PolicyUnusable,
    ];

    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSubject => "invalid_subject",
            Self::RolesEmpty => "roles_empty",
            Self::TooManyRoles => "too_many_roles",
            Self::DuplicateRole => "duplicate_role",
            Self::UnknownRole => "unknown_role",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::UndeclaredAttribute => "undeclared_attribute",
            Self::MissingAttribute => "missing_attribute",
            Self::AttributeType => "attribute_type",
            Self::AttributeNull => "attribute_null",
            Self::AttributeEmpty => "attribute_empty",
            Self::AttributeValueNotAllowed => "attribute_value_not_allowed",
            Self::AttributePattern => "attribute_pattern",
            Self::AttributeTooLong => "attribute_too_long",
            Self::AttributeTooManyItems => "attribute_too_many_items",
            Self::AttributeCharacters => "attribute_characters",
            Self::AttributeAmbiguous => "attribute_ambiguous",
            Self::RoleNotForAudience => "role_not_for_audience",
            Self::AttributeFixed => "attribute_fixed",
            Self::AttributeBeyondKey => "attribute_beyond_key",
            Self::UnknownAudience => "unknown_audience",
            Self::AudienceNotAllowed => "audience_not_allowed",
            Self::TtlOutOfRange => "ttl_out_of_range",
            Self::TooManyResources => "too_many_resources",
            Self::InvalidResource => "invalid_resource",
            Self::PolicyUnusable => "policy_unusable",
        }
    }

    /// Whether the request, the key's limits or the policy is at fault.
    pub fn kind(self) -> ReasonKind {
        match self {
            Self::RoleNotAllowed
            | Self::AudienceNotAllowed
            | Self::AttributeFixed
            | Self::AttributeBeyondKey => ReasonKind::Forbidden,
            Self::PolicyUnusable => ReasonKind::Internal,
            _ => ReasonKind::Invalid,
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that stands against a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What it is.
    pub code: ReasonCode,
    /// Where in the body of `POST /v1/session-tokens`, as a JSON pointer
    /// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)). Empty: the request as a whole.
    pub pointer: String,
    /// The same in English, for a developer. Never repeats the subject or the value of an attribute.
    pub detail: String,
}

/// A negative decision with its reasons, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    reasons: Vec<Reason>,
}

impl Denial {
    /// The denial of last resort, when nothing can be decided at all.
    pub(crate) fn policy_unusable(detail: impl Into<String>) -> Self {
        let (code, pointer) = (ReasonCode::PolicyUnusable, String::new());
        Self {
            reasons: vec![Reason {
                code,
                pointer,
                detail: detail.into(),
            }],
        }
    }

    /// `None` without a reason.
    pub(super) fn new(reasons: Vec<Reason>) -> Option<Self> {
        (!reasons.is_empty()).then_some(Self { reasons })
    }

    /// Every reason, in the order of the request document. Never empty.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The code of the first of the gravest reasons: the one that an answer has.
    pub fn code(&self) -> ReasonCode {
        let kind = self.kind();
        let mut codes = self.reasons.iter().map(|reason| reason.code);
        codes
            .find(|code| code.kind() == kind)
            .unwrap_or(ReasonCode::PolicyUnusable)
    }

    /// The gravest kind among the reasons, which decides how the refusal is answered.
    pub fn kind(&self) -> ReasonKind {
        let kinds = self.reasons.iter().map(|reason| reason.code.kind());
        kinds.max().unwrap_or(ReasonKind::Internal)
    }
}

/// Joins `path` to a JSON pointer, escaping `~` and `/` as RFC 6901 section 3 says.
pub(super) fn pointer(path: &[&str]) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        for character in segment.chars() {
            match character {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                other => pointer.push(other),
            }
        }
        pointer
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_snake_case_words() {
        let texts: BTreeSet<_> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), 26);
        for text in texts {
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{text}"
            );
        }
        assert_eq!(
            serde_json::to_string(&ReasonCode::UnknownRole).unwrap(),
            r#""unknown_role""#
        );
    }

    #[test]
    fn a_code_knows_whose_fault_it_is() {
        let of = |kind| {
            ReasonCode::ALL
                .iter()
                .filter(move |code| code.kind() == kind)
                .count()
        };
        let kinds = [
            ReasonKind::Forbidden,
            ReasonKind::Internal,
            ReasonKind::Invalid,
        ];
        assert_eq!(kinds.map(of), [4, 1, 21]);
        assert_eq!(ReasonCode::AttributeFixed.kind(), ReasonKind::Forbidden);
        assert_eq!(ReasonCode::PolicyUnusable.kind(), ReasonKind::Internal);
    }

    #[test]
    fn a_pointer_escapes_what_would_mislead() {
        assert_eq!(
            pointer(&["user", "attributes", "a/b~c"]),
            "/user/attributes/a~1b~0c"
        );
        assert_eq!(pointer(&[]), "");
    }

    #[test]
    fn a_denial_speaks_of_the_gravest_reason_first() {
        let reason = |code| Reason {
            code,
            pointer: String::new(),
            detail: String::new(),
        };
        let codes = [ReasonCode::RolesEmpty, ReasonCode::AudienceNotAllowed];
        let denial = Denial::new(codes.map(reason).into()).unwrap();
        assert_eq!(denial.kind(), ReasonKind::Forbidden);
        assert_eq!(Denial::policy_unusable("").kind(), ReasonKind::Internal);
        assert!(Denial::new(Vec::new()).is_none());
    }
}
