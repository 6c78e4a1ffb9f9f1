//! An attribute as an organization declares it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{compiled::CompiledAttribute, value::ValueType};
use crate::{
    decision::ReasonCode,
    fault::UNUSABLE_DESCRIPTION,
    name::{AttributeName, RoleName},
    object,
};

/// The longest text of a string attribute when its declaration does not say, in characters.
pub const DEFAULT_MAX_LENGTH: u32 = 256;
/// The longest text that a declaration can allow, in characters.
pub const MAX_LENGTH: u32 = 4096;
/// The most items of a list attribute, and what holds when its declaration does not say.
pub const MAX_ITEMS: u32 = 100;
/// The longest pattern, in characters.
pub const MAX_PATTERN_LENGTH: usize = 1024;
/// The most allowed values of one attribute.
pub const MAX_ALLOWED_VALUES: usize = 1000;

/// A row-level-security attribute that tokens may carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeDeclaration {
    /// The name, unique in the organization.
    pub name: AttributeName,
    /// The type of the value, or of each item of a list.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// Whether the value is a list.
    #[serde(default, skip_serializing_if = "is_false")]
    pub list: bool,
    /// Whether every token must carry the attribute. Roles can require it as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Whether values are kept from logs, the audit trail and lists: the database keeps a keyed hash of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// What is done to a text, or to each item, before it is judged; in this order. For strings only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize: Vec<Normalization>,
    /// Attributes that a token with this one must carry as well.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requires: BTreeSet<AttributeName>,
    /// The value of a token with this role when the request names none. Of several roles, lists are joined; single
    /// values must be equal, or the request must say.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "each_role_once"
    )]
    pub from_role: BTreeMap<RoleName, Value>,
    /// The only values allowed; in a list, for each item. `None`: any value of the type.
    #[serde(
        default,
        deserialize_with = "object::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub allowed_values: Option<Vec<Value>>,
    /// A [regular expression](https://docs.rs/regex/1/regex/#syntax) that a text, or each item, must match
    /// from its first to its last character. For strings only.
    #[serde(
        default,
        deserialize_with = "object::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub pattern: Option<String>,
    /// The longest text, in characters, up to [`MAX_LENGTH`]. Has no meaning for other types.
    #[serde(
        default = "default_max_length",
        skip_serializing_if = "is_default_length"
    )]
    pub max_length: u32,
    /// The most items of a list, up to [`MAX_ITEMS`]. Has no meaning for a scalar.
    #[serde(
        default = "default_max_items",
        skip_serializing_if = "is_default_items"
    )]
    pub max_items: u32,
    /// What the attribute restricts, in the words of who declared it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A change of a text before it is judged and granted, so that one value is written in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// White space at both ends goes.
    Trim,
    /// Letters become lower case, as Unicode defines it.
    CaseFold,
    /// A UUID in any of its usual forms becomes `8-4-4-4-12` lower-case digits (RFC 9562, section 4); anything else is
    /// refused.
    Uuid,
}

/// JSON's readers disagree about which of two values counts.
fn each_role_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<RoleName, Value>, D::Error> {
    struct EachOnce;

    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<RoleName, Value>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object with a value for each role")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut values = BTreeMap::new();
            while let Some((role, value)) = members.next_entry::<RoleName, Value>()? {
                if values.contains_key(&role) {
                    return Err(A::Error::custom(format!("role `{role}` is given twice")));
                }
                values.insert(role, value);
            }
            Ok(values)
        }
    }

    deserializer.deserialize_map(EachOnce)
}

fn default_max_length() -> u32 {
    DEFAULT_MAX_LENGTH
}

fn default_max_items() -> u32 {
    MAX_ITEMS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_length(length: &u32) -> bool {
    *length == DEFAULT_MAX_LENGTH
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_items(items: &u32) -> bool {
    *items == MAX_ITEMS
}

/// One thing wrong with an attribute's declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationFault {
    /// A pattern on an attribute that is not text.
    #[error("`pattern` is only possible for strings")]
    PatternNotForType,
    /// The pattern is longer than [`MAX_PATTERN_LENGTH`].
    #[error("`pattern` must have at most 1024 characters")]
    PatternTooLong,
    /// The pattern has control characters, or characters that show as another text. Its language has escapes for them.
    #[error("`pattern` must not contain control characters; write `\\n` or `\\x00`")]
    PatternCharacters,
    /// The pattern is no regular expression, or one that would grow too large.
    #[error("`pattern` is not a usable regular expression: {detail}")]
    PatternInvalid {
        /// What the regular expression compiler says.
        detail: String,
    },
    /// No value at all would be allowed.
    #[error("`allowed_values` must not be empty; leave it out to allow every value")]
    AllowedValuesEmpty,
    /// More than [`MAX_ALLOWED_VALUES`] values.
    #[error("`allowed_values` must have at most 1000 entries")]
    AllowedValuesTooMany,
    /// An allowed value that the rest of the declaration refuses.
    #[error("`allowed_values` entry {index} could never be granted ({code})")]
    AllowedValueUnusable {
        /// Its position, from 0.
        index: usize,
        /// Why a request with this value would be refused.
        code: ReasonCode,
    },
    /// A normalization on an attribute that is not text.
    #[error("`normalize` is only possible for strings")]
    NormalizeNotForType,
    /// A default that the rest of the declaration refuses.
    #[error("`from_role` gives role `{role}` a value that could never be granted ({code})")]
    DefaultUnusable {
        /// The role.
        role: RoleName,
        /// Why a request with this value would be refused.
        code: ReasonCode,
    },
    /// Values of a sensitive attribute stand in the policy, where everybody sees them who may read it.
    #[error(
        "`from_role` is not possible for a `sensitive` attribute: the policy would show its values"
    )]
    SensitiveDefault,
    /// The description is too long, or has control characters.
    #[error("{UNUSABLE_DESCRIPTION}")]
    Description,
    /// `max_length` is 0 or over [`MAX_LENGTH`].
    #[error("`max_length` must be between 1 and 4096")]
    MaxLengthOutOfRange,
    /// `max_items` is 0 or over [`MAX_ITEMS`].
    #[error("`max_items` must be between 1 and 100")]
    MaxItemsOutOfRange,
}

impl AttributeDeclaration {
    /// Everything wrong with the declaration; nothing when it can be used.
    pub fn check(&self) -> Vec<DeclarationFault> {
        CompiledAttribute::new(self.clone())
            .err()
            .unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "declaration_tests.rs"]
mod tests;
