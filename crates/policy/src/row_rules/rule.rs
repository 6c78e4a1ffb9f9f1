//! Rules as an organization writes them.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{AttributeName, Identifier, RoleName};
use crate::object::{Object, present};

/// The most rules of one policy.
pub const MAX_ROW_RULES: usize = 1000;
/// The most levels of groups in one condition.
pub const MAX_CONDITION_DEPTH: usize = 8;
/// The most tests in one condition.
pub const MAX_TESTS: usize = 100;
/// The most items of a literal list.
pub const MAX_LITERAL_ITEMS: usize = 1000;

/// Some rows of one table, made visible to tokens with one of some roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// The name, unique among the policy's rules.
    pub name: Identifier,
    /// The table's schema. `None`: where the database looks for tables by itself.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub schema: Option<String>,
    /// The table, or what stands for one: a view, a data set.
    pub table: String,
    /// Whom the rule is for: tokens that carry one of these roles, or one that inherits one of them.
    pub roles: BTreeSet<RoleName>,
    /// Which rows.
    #[serde(rename = "where")]
    pub condition: Condition,
}

/// Which rows: a test of one column, or a group of conditions. Written as an object with `all`, with `any`, or with
/// the fields of a [`ColumnTest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Object<Form>", into = "Form")]
pub enum Condition {
    /// Every one of these is true.
    All(Vec<Condition>),
    /// At least one of these is true.
    Any(Vec<Condition>),
    /// A column passes a test.
    Test(ColumnTest),
}

/// One column against an attribute of the token, or against a literal. A column that is null passes `is null` only.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnTest {
    /// The column.
    pub column: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with: the value of this attribute.
    pub attribute: Option<AttributeName>,
    /// What it is compared with: this literal; a list for `in`.
    pub value: Option<Value>,
}

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// Equal to a single value.
    #[serde(rename = "=")]
    Equal,
    /// Equal to one item of a list.
    #[serde(rename = "in")]
    In,
    /// Below an integer, number or date.
    #[serde(rename = "<")]
    Less,
    /// At most an integer, number or date.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Above an integer, number or date.
    #[serde(rename = ">")]
    Greater,
    /// At least an integer, number or date.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Null; compared with nothing.
    #[serde(rename = "is null")]
    IsNull,
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Equal => "=",
            Self::In => "in",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::IsNull => "is null",
        })
    }
}

/// A condition's object is neither a group nor a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a condition has exactly one of `all`, `any`, or `column` with `operator`")]
pub struct ConditionFormError;

/// All fields that a condition's object can have. An untagged enum would answer every mistake with "did not match
/// any variant", and would let unknown fields pass. A field of null is a mistake to report, not one left out.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Form {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Condition>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Condition>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    operator: Option<Operator>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    attribute: Option<AttributeName>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    value: Option<Value>,
}

impl TryFrom<Object<Form>> for Condition {
    type Error = ConditionFormError;

    fn try_from(Object(form): Object<Form>) -> Result<Self, ConditionFormError> {
        let no_operand = form.attribute.is_none() && form.value.is_none();
        match (form.all, form.any, form.column, form.operator) {
            (Some(all), None, None, None) if no_operand => Ok(Self::All(all)),
            (None, Some(any), None, None) if no_operand => Ok(Self::Any(any)),
            (None, None, Some(column), Some(operator)) => Ok(Self::Test(ColumnTest {
                column,
                operator,
                attribute: form.attribute,
                value: form.value,
            })),
            _ => Err(ConditionFormError),
        }
    }
}

impl From<Condition> for Form {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::All(all) => Self {
                all: Some(all),
                ..Self::default()
            },
            Condition::Any(any) => Self {
                any: Some(any),
                ..Self::default()
            },
            Condition::Test(test) => Self {
                column: Some(test.column),
                operator: Some(test.operator),
                attribute: test.attribute,
                value: test.value,
                ..Self::default()
            },
        }
    }
}
