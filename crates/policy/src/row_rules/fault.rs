//! What can be wrong with row rules.

use super::rule::Operator;
use crate::name::{AttributeName, Identifier, RoleName};

/// One thing wrong with a policy's row rules. Names only what the policy's author wrote, and no text that is not a
/// checked name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowRuleFault {
    /// More rules than [`MAX_ROW_RULES`](super::MAX_ROW_RULES).
    #[error("{count} row rules; at most 1000 are possible")]
    TooManyRules {
        /// How many there are.
        count: usize,
    },
    /// Two rules have the same name.
    #[error("row rule `{rule}` is declared twice")]
    DuplicateRule {
        /// The name used twice.
        rule: Identifier,
    },
    /// A rule is for no role, so it would never count.
    #[error("row rule `{rule}` has no roles")]
    NoRoles {
        /// The rule.
        rule: Identifier,
    },
    /// A rule is for a role that is not declared.
    #[error("row rule `{rule}` is for role `{role}`, which is not declared")]
    UnknownRole {
        /// The rule.
        rule: Identifier,
        /// The role that is missing.
        role: RoleName,
    },
    /// The schema or table of a rule is no SQL name.
    #[error(
        "row rule `{rule}`: `schema` and `table` must be SQL names: a letter or `_`, then letters, digits, `_` and \
         `$`, 63 at most"
    )]
    TableName {
        /// The rule.
        rule: Identifier,
    },
    /// One rule gives the table's schema, another does not: in one database they may mean the same table, in another
    /// two.
    #[error("row rule `{rule}`: table `{table}` stands with a schema here and without one there")]
    SchemaGivenNowAndThen {
        /// The first rule that differs from those before it.
        rule: Identifier,
        /// The table.
        table: String,
    },
    /// Groups within groups, deeper than [`MAX_CONDITION_DEPTH`](super::MAX_CONDITION_DEPTH).
    #[error("row rule `{rule}` has more than 8 levels of groups")]
    TooDeep {
        /// The rule.
        rule: Identifier,
    },
    /// More tests than [`MAX_TESTS`](super::MAX_TESTS).
    #[error("row rule `{rule}` has {count} tests; at most 100 are possible")]
    TooManyTests {
        /// The rule.
        rule: Identifier,
        /// How many there are.
        count: usize,
    },
    /// A part of the condition is wrong.
    #[error("row rule `{rule}`, `{at}`: {fault}")]
    Condition {
        /// The rule.
        rule: Identifier,
        /// Where in the rule, such as `where.any[1]`.
        at: String,
        /// What is wrong there.
        fault: ConditionFault,
    },
}

/// One thing wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFault {
    /// `all` or `any` of nothing.
    #[error("a group needs at least one condition")]
    EmptyGroup,
    /// The column is no SQL name.
    #[error(
        "`column` must be a SQL name: a letter or `_`, then letters, digits, `_` and `$`, 63 at most"
    )]
    ColumnName,
    /// Neither an attribute nor a literal, or both.
    #[error("`{operator}` needs either an `attribute` or a `value`")]
    OneOperandNeeded {
        /// The operator.
        operator: Operator,
    },
    /// `is null` with something to compare with.
    #[error("`is null` takes neither an `attribute` nor a `value`")]
    NoOperandTaken,
    /// The attribute is not declared.
    #[error("attribute `{attribute}` is not declared")]
    UnknownAttribute {
        /// The attribute that is missing.
        attribute: AttributeName,
    },
    /// `in` with a single value.
    #[error("`in` needs a list")]
    ListNeeded,
    /// Another operator with a list.
    #[error("`{operator}` needs a single value; use `in` for a list")]
    SingleValueNeeded {
        /// The operator.
        operator: Operator,
    },
    /// An order between values that have none, or not the same in every database.
    #[error("`{operator}` compares integers, numbers and dates (`YYYY-MM-DD`) only")]
    NotOrdered {
        /// The operator.
        operator: Operator,
    },
    /// `in` with an empty literal list, which no row would pass.
    #[error("`value` must not be an empty list")]
    EmptyList,
    /// More items than [`MAX_LITERAL_ITEMS`](super::MAX_LITERAL_ITEMS).
    #[error("`value` must have at most 1000 items")]
    TooManyItems,
    /// A literal that is null, an object, a list in a list, or a number that not every reader keeps exactly; or a
    /// list of several types.
    #[error(
        "`value` must be a string, integer, number or boolean; a list must hold one of these types"
    )]
    LiteralType,
    /// A literal text with control characters, or with characters that show as another text.
    #[error("`value` must not contain control characters")]
    LiteralCharacters,
}
