//! Row filters: which rows of a table a token may see, declared once and enforced where the rows are.
//!
//! A [`RowRule`] names a table, the roles it is for and a [`Condition`] over columns, attributes of the token and
//! literals. A row is visible when at least one rule of its table, for a role of the token, is true for it.
//!
//! ```text
//! RowRule ──compile──▶ CompiledRowRules ──▶ postgres_ddl     policies that read the claims in the database
//!                            │
//!                      TokenClaims ───────▶ superset_rls     one SQL clause per table, for guest tokens
//!                            └────────────▶ where_fragment   SQL with bound values, for an application's queries
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `rule` | rules as they are written |
//! | `name` | names of tables and columns, parsed once |
//! | `compile`, `operand`, `fault` | the checks against the declarations, and what can be wrong |
//! | `filter` | checked rules |
//! | `claims`, `value` | a token's roles and attributes, read as declared; which rules count for it |
//! | `render` | how a checked rule becomes SQL: the one walk that all three outputs share |
//! | `postgres`, `superset`, `fragment` | the three outputs |
//!
//! Everything fails closed: a table with rules, but none that counts, has no visible row, and a rule whose attribute
//! is missing, empty or of another type than declared does not count, wherever in the rule the attribute stands.

mod claims;
mod compile;
mod fault;
mod filter;
mod fragment;
mod name;
mod operand;
mod postgres;
mod render;
mod rule;
mod superset;
#[cfg(test)]
mod tests;
mod value;

pub use claims::TokenClaims;
pub use compile::RowRuleDeclarations;
pub use fault::{ConditionFault, RowRuleFault};
pub use filter::{AttributeKind, CompiledRowRules};
pub use fragment::{FragmentStyle, Placeholder, WhereFragment, where_fragment};
pub use name::{IdentifierQuote, MAX_SQL_NAME_LENGTH, SqlName, SqlNameError, TableName};
pub use postgres::{postgres_ddl, postgres_tables};
pub use rule::{
    ColumnTest, Condition, ConditionFormError, MAX_CONDITION_DEPTH, MAX_LITERAL_ITEMS,
    MAX_ROW_RULES, MAX_TESTS, Operator, RowRule,
};
pub use superset::{SupersetClause, superset_rls};
