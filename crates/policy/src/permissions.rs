//! What a role allows or forbids: actions on resources, both as patterns.
//!
//! A resource is a kind (`dashboard`) or one of its kind (`dashboard/sales`). A pattern names
//!
//! | pattern | what it covers |
//! |---|---|
//! | `dashboard` | the kind and every one of it |
//! | `dashboard/sales` | this one |
//! | `dashboard/eu-*`, `dashboard/*` | those of the kind whose id begins so, but not the kind as such |
//! | `*` | everything |
//!
//! An action is a word, or `*` for all. Where one permission allows and another denies, the denial wins, whichever
//! role of the token holds it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    decision::MAX_RESOURCE_ID_BYTES,
    name::is_identifier,
    text::{is_blank, misleads},
};

/// What a permission does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It allows.
    #[default]
    Allow,
    /// It forbids what other permissions allow.
    Deny,
}

impl Effect {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// An action on resources, allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolePermission {
    /// Which resources.
    pub resource: ResourcePattern,
    /// Which action on them.
    pub action: ActionPattern,
    /// Whether it allows or denies.
    #[serde(default, skip_serializing_if = "Effect::is_allow")]
    pub effect: Effect,
}

impl fmt::Display for RolePermission {
    /// `dashboard:view`; a denial begins with `!`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.effect == Effect::Deny {
            formatter.write_str("!")?;
        }
        write!(formatter, "{}:{}", self.resource, self.action)
    }
}

/// Why a text names no resources or actions. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a pattern of resources.
    #[error(
        "a pattern of resources is `*`, a kind like `dashboard`, one like `dashboard/sales`, or `dashboard/eu-*`"
    )]
    Resource,
    /// Not a resource.
    #[error("a resource is a kind like `dashboard`, or one of a kind like `dashboard/sales`")]
    ResourceName,
    /// Not an action, and not `*`.
    #[error(
        "an action is `*`, or 1 to 64 characters: a lower-case letter, then lower-case letters, digits, `_` and `-`"
    )]
    Action,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:path, $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it.
            pub fn parse(text: impl Into<String>) -> Result<Self, PatternError> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err($error) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = PatternError;

            fn try_from(text: String) -> Result<Self, PatternError> {
                Self::parse(text)
            }
        }
    };
}

checked_text! {
    /// A pattern of resources.
    ResourcePattern, is_resource_pattern, PatternError::Resource
}
checked_text! {
    /// A resource that somebody asks about: a kind, or one of its kind.
    ResourceName, is_resource_name, PatternError::ResourceName
}
checked_text! {
    /// An action, or `*` for all.
    ActionPattern, is_action_pattern, PatternError::Action
}

const ANY: &str = "*";

fn is_resource_pattern(text: &str) -> bool {
    if text == ANY {
        return true;
    }
    match text.split_once('/') {
        None => is_identifier(text),
        Some((kind, id)) => {
            let literal = id.strip_suffix('*').unwrap_or(id);
            is_identifier(kind) && is_id(id) && !literal.contains('*')
        }
    }
}

fn is_resource_name(text: &str) -> bool {
    match text.split_once('/') {
        None => is_identifier(text),
        Some((kind, id)) => is_identifier(kind) && is_id(id),
    }
}

fn is_action_pattern(text: &str) -> bool {
    text == ANY || is_identifier(text)
}

fn is_id(id: &str) -> bool {
    id.len() <= MAX_RESOURCE_ID_BYTES && !is_blank(id) && !misleads(id)
}

impl ResourcePattern {
    /// The same as patterns of which each is one text, or a beginning followed by `*`: all that casbin's `keyMatch`
    /// knows.
    pub(crate) fn simple(&self) -> Vec<SimplePattern<'_>> {
        let text = self.0.as_str();
        match text.strip_suffix('*') {
            Some(beginning) => vec![SimplePattern::BeginsWith(beginning.into())],
            None if text.contains('/') => vec![SimplePattern::Is(text)],
            None => vec![
                SimplePattern::Is(text),
                SimplePattern::BeginsWith(format!("{text}/").into()),
            ],
        }
    }

    /// Is there a resource that both cover?
    fn overlaps(&self, other: &Self) -> bool {
        let (left, right) = (self.simple(), other.simple());
        left.iter()
            .any(|left| right.iter().any(|right| left.overlaps(right)))
    }

    /// Does it cover every resource that the other does?
    fn covers(&self, other: &Self) -> bool {
        let (own, others) = (self.simple(), other.simple());
        others
            .iter()
            .all(|other| own.iter().any(|own| own.covers(other)))
    }
}

/// One text, or all that begin with one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SimplePattern<'a> {
    /// This text.
    Is(&'a str),
    /// Every text that begins so.
    BeginsWith(std::borrow::Cow<'a, str>),
}

impl SimplePattern<'_> {
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(left), Self::Is(right)) => left == right,
            (Self::Is(text), Self::BeginsWith(beginning))
            | (Self::BeginsWith(beginning), Self::Is(text)) => text.starts_with(&**beginning),
            (Self::BeginsWith(left), Self::BeginsWith(right)) => {
                left.starts_with(&**right) || right.starts_with(&**left)
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(own), Self::Is(other)) => own == other,
            (Self::Is(_), Self::BeginsWith(_)) => false,
            (Self::BeginsWith(own), Self::Is(other)) => other.starts_with(&**own),
            (Self::BeginsWith(own), Self::BeginsWith(other)) => other.starts_with(&**own),
        }
    }
}

impl ActionPattern {
    fn overlaps(&self, other: &Self) -> bool {
        self == other || self.0 == ANY || other.0 == ANY
    }

    fn covers(&self, other: &Self) -> bool {
        self == other || self.0 == ANY
    }
}

impl RolePermission {
    /// Is there an action on a resource that both speak of?
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.action.overlaps(&other.action) && self.resource.overlaps(&other.resource)
    }

    /// Does it speak of everything that the other speaks of?
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.action.covers(&other.action) && self.resource.covers(&other.resource)
    }

    /// Reads a value of the `scope` claim; `None` for what cannot be one of ours.
    pub(crate) fn from_scope(text: &str) -> Option<Self> {
        let (resource, action) = text.rsplit_once(':')?;
        let permission = Self {
            resource: ResourcePattern::parse(resource).ok()?,
            action: ActionPattern::parse(action).ok()?,
            effect: Effect::Allow,
        };
        permission.fits_scope().then_some(permission)
    }

    /// Can it stand in the `scope` claim (RFC 6749, section 3.3: visible ASCII but `"` and `\`)?
    pub(crate) fn fits_scope(&self) -> bool {
        let text = self.resource.as_str();
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        text.bytes().all(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(text: &str) -> RolePermission {
        let (resource, action) = text.rsplit_once(':').unwrap();
        RolePermission {
            resource: ResourcePattern::parse(resource).unwrap(),
            action: ActionPattern::parse(action).unwrap(),
            effect: Effect::Allow,
        }
    }

    #[test]
    fn patterns_are_checked() {
        for text in [
            "*",
            "dashboard",
            "dashboard/sales",
            "dashboard/*",
            "dashboard/eu-*",
            "file/a/b",
        ] {
            assert!(ResourcePattern::parse(text).is_ok(), "{text}");
        }
        let long = format!("file/{}", "x".repeat(MAX_RESOURCE_ID_BYTES + 1));
        for text in [
            "",
            "**",
            "*/x",
            "Dashboard",
            "dashboard/",
            "dashboard*",
            "dashboard/a*b",
            "dashboard/**",
            "d/\n",
            "d/\u{202e}",
            " d",
            &long,
        ] {
            assert_eq!(
                ResourcePattern::parse(text),
                Err(PatternError::Resource),
                "{text}"
            );
        }
        assert!(ResourceName::parse("dashboard/a*b").is_ok());
        for text in ["", "*", "dashboard/", "dashboard/\0"] {
            assert_eq!(
                ResourceName::parse(text),
                Err(PatternError::ResourceName),
                "{text}"
            );
        }
        for text in ["", "View", "**", "a:b"] {
            assert_eq!(
                ActionPattern::parse(text),
                Err(PatternError::Action),
                "{text}"
            );
        }
    }

    #[test]
    fn patterns_overlap_where_one_resource_is_in_both() {
        let table = [
            ("*:*", "dashboard/x:view", true),
            ("dashboard:view", "dashboard/x:view", true),
            ("dashboard:view", "dashboard:edit", false),
            ("dashboard:*", "dashboard:edit", true),
            ("dashboard:view", "dashboards:view", false),
            ("dashboard/*:view", "dashboard:view", true),
            ("dashboard/eu-*:view", "dashboard/eu-1*:view", true),
            ("dashboard/eu-*:view", "dashboard/us-*:view", false),
            ("dashboard/eu-*:view", "dashboard/eu-:view", true),
        ];
        for (left, right, expected) in table {
            let (left, right) = (permission(left), permission(right));
            assert_eq!(left.overlaps(&right), expected, "{left} {right}");
            assert_eq!(right.overlaps(&left), expected, "{right} {left}");
        }
    }

    #[test]
    fn a_pattern_covers_what_is_wholly_in_it() {
        let table = [
            ("*:*", "dashboard/x:view", true),
            ("*:view", "*:*", false),
            ("dashboard:*", "dashboard:view", true),
            ("dashboard:view", "dashboard:*", false),
            ("dashboard:view", "dashboard/x:view", true),
            ("dashboard:view", "dashboard/*:view", true),
            ("dashboard/*:view", "dashboard:view", false),
            ("dashboard/*:view", "dashboard/eu-*:view", true),
            ("dashboard/eu-*:view", "dashboard/*:view", false),
            ("dashboard/x:view", "dashboard/x:view", true),
            ("dashboard/x:view", "dashboard/x*:view", false),
            ("dashboard:view", "dashboards:view", false),
            ("dashboard:view", "*:view", false),
        ];
        for (left, right, expected) in table {
            let covers = permission(left).covers(&permission(right));
            assert_eq!(covers, expected, "{left} {right}");
        }
    }

    #[test]
    fn only_what_can_stand_in_a_scope_is_read_from_one() {
        for text in ["dashboard:view", "*:*", "file/a:b:view"] {
            assert_eq!(RolePermission::from_scope(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "openid",
            "dashboard:",
            ":view",
            "!dashboard:view",
            "dashboard/a\\b:view",
        ] {
            assert_eq!(RolePermission::from_scope(text), None, "{text}");
        }
    }

    #[test]
    fn a_permission_reads_as_a_scope_value() {
        let json = r#"{"resource":"dashboard","action":"view"}"#;
        let allow: RolePermission = serde_json::from_str(json).unwrap();
        assert_eq!(allow.to_string(), "dashboard:view");
        assert_eq!(serde_json::to_string(&allow).unwrap(), json);
        let json = r#"{"resource":"dashboard/x","action":"*","effect":"deny"}"#;
        let deny: RolePermission = serde_json::from_str(json).unwrap();
        assert_eq!(deny.to_string(), "!dashboard/x:*");
        assert_eq!(serde_json::to_string(&deny).unwrap(), json);
        for json in [
            r#"{"resource":"a:b","action":"*"}"#,
            r#"{"resource":"a","action":"v","effect":"Deny"}"#,
            r#"{"resource":"a","action":"v","role":"x"}"#,
        ] {
            assert!(
                serde_json::from_str::<RolePermission>(json).is_err(),
                "{json}"
            );
        }
        assert!(permission("dashboard/*:view").fits_scope());
        assert!(!permission("dashboard/Sales 2026:view").fits_scope());
    }
}
