//! The names a policy is written in, parsed once.
//!
//! Every name is a lower-case ASCII word that needs no quoting in a URL, a JSON pointer, a scope string or a
//! casbin rule. A value of one of these types has been checked; deserialization checks too.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
pub const MAX_NAME_LENGTH: usize = 64;

/// Attribute names that would collide with a claim once a claim template lifts the attribute to the top of
/// the token, or with JavaScript's object machinery in the consumer that reads it. `__proto__` needs no entry:
/// no name starts with an underscore.
const RESERVED_ATTRIBUTES: &[&str] = &[
    // RFC 7519, registered claims
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    // RFC 9068, access tokens
    "client_id",
    "scope",
    "auth_time",
    "acr",
    "amr",
    "groups",
    "roles",
    "entitlements",
    // RFC 8693, RFC 7800, RFC 9396 and OpenID Connect
    "act",
    "may_act",
    "cnf",
    "authorization_details",
    "azp",
    "nonce",
    "sid",
    // our own
    "attributes",
    "resources",
    // JavaScript
    "constructor",
    "prototype",
];

/// Why a text is not a name. Never repeats the text, which may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has the wrong length or characters.
    #[error("{what} must be 1 to 64 characters: a lower-case letter, then {alphabet}")]
    Syntax {
        /// What the text was meant to be, with its article.
        what: &'static str,
        /// The characters allowed after the first one.
        alphabet: &'static str,
    },
    /// The name already means something else in a token.
    #[error("`{name}` is reserved: it already has a meaning in a token")]
    Reserved {
        /// The reserved name.
        name: &'static str,
    },
}

/// Whether `text` is `[a-z][a-z0-9_-]{0,63}`, the syntax of every name but an attribute's.
pub(crate) fn is_identifier(text: &str) -> bool {
    is_word(text, |byte| byte == b'_' || byte == b'-')
}

fn is_word(text: &str, is_joiner: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_NAME_LENGTH
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_joiner(byte))
}

fn check_identifier(text: &str, what: &'static str) -> Result<(), NameError> {
    let alphabet = "lower-case letters, digits, `_` and `-`";
    if is_identifier(text) {
        Ok(())
    } else {
        Err(NameError::Syntax { what, alphabet })
    }
}

fn check_attribute(text: &str, what: &'static str) -> Result<(), NameError> {
    if !is_word(text, |byte| byte == b'_') {
        return Err(NameError::Syntax {
            what,
            alphabet: "lower-case letters, digits and `_`",
        });
    }
    match RESERVED_ATTRIBUTES
        .iter()
        .find(|reserved| **reserved == text)
    {
        Some(name) => Err(NameError::Reserved { name }),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and makes it a name.
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check(&text, $what).map(|()| Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
    };
}

name_type!(
    /// The name of a role, as tokens carry it: `[a-z][a-z0-9_-]{0,63}`.
    RoleName,
    "a role name",
    check_identifier
);
name_type!(
    /// The name of an audience (`aud`): `[a-z][a-z0-9_-]{0,63}`.
    AudienceName,
    "an audience name",
    check_identifier
);
name_type!(
    /// The name of a row-level-security attribute: `[a-z][a-z0-9_]{0,63}`, and not the name of a claim.
    AttributeName,
    "an attribute name",
    check_attribute
);
name_type!(
    /// A kind of resource, or an action on it, in a role's permission: `[a-z][a-z0-9_-]{0,63}`.
    Identifier,
    "an identifier",
    check_identifier
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_lower_case_word() {
        let longest = "a".repeat(MAX_NAME_LENGTH);
        for good in ["a", "viewer", "data-team_2", longest.as_str()] {
            assert_eq!(RoleName::parse(good).unwrap().as_str(), good);
            assert!(AudienceName::parse(good).is_ok());
        }
        let too_long = "a".repeat(MAX_NAME_LENGTH + 1);
        let bad = [
            "",
            "A",
            "1a",
            "_a",
            "-a",
            "a b",
            "a\nb",
            "a,b",
            "rôle",
            "a:b",
            "*",
            too_long.as_str(),
        ];
        for text in bad {
            assert!(RoleName::parse(text).is_err(), "{text:?}");
            assert!(AttributeName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_attribute_name_has_no_dash_and_is_not_a_claim() {
        assert!(AttributeName::parse("tenant_id").is_ok());
        for text in [
            "tenant-id",
            "__proto__",
            "iss",
            "scope",
            "roles",
            "attributes",
            "resources",
            "jti",
        ] {
            assert!(AttributeName::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            AttributeName::parse("sub"),
            Err(NameError::Reserved { name: "sub" })
        );
    }

    #[test]
    fn deserialization_checks_the_name() {
        assert_eq!(
            serde_json::from_str::<RoleName>(r#""viewer""#)
                .unwrap()
                .as_str(),
            "viewer"
        );
        assert!(serde_json::from_str::<RoleName>(r#""Viewer\ng, a, b""#).is_err());
        assert_eq!(
            serde_json::to_string(&RoleName::parse("viewer").unwrap()).unwrap(),
            r#""viewer""#
        );
    }
}
