//! How filters become SQL, written once for all outputs.

use super::{
    filter::{Comparison, Filter},
    name::SqlName,
};

/// What is true for no row, in every SQL dialect.
pub(super) const NO_ROWS: &str = "1 = 0";

/// What the outputs write differently. `None` makes the whole rule count for nothing.
pub(super) trait Dialect<O> {
    /// A column.
    fn column(&self, column: &SqlName) -> Option<String>;

    /// A single value.
    fn value(&mut self, operand: &O) -> Option<String>;

    /// The end of a comparison with a list, such as `in (1, 2)`.
    fn one_of(&mut self, operand: &O) -> Option<String>;
}

/// The condition of one rule.
pub(super) fn condition<O>(filter: &Filter<O>, dialect: &mut impl Dialect<O>) -> Option<String> {
    Some(match filter {
        Filter::All(parts) => group(parts, "and", dialect)?,
        Filter::Any(parts) => group(parts, "or", dialect)?,
        Filter::Compare {
            column,
            comparison,
            operand,
        } => compare(
            &dialect.column(column)?,
            *comparison,
            &dialect.value(operand)?,
        ),
        Filter::OneOf { column, operand } => {
            format!("{} {}", dialect.column(column)?, dialect.one_of(operand)?)
        }
        Filter::IsNull { column } => format!("{} is null", dialect.column(column)?),
    })
}

fn group<O>(parts: &[Filter<O>], word: &str, dialect: &mut impl Dialect<O>) -> Option<String> {
    let parts: Option<Vec<_>> = parts.iter().map(|part| condition(part, dialect)).collect();
    Some(joined(&parts?, word))
}

fn compare(column: &str, comparison: Comparison, value: &str) -> String {
    format!("{column} {} {value}", comparison.as_sql())
}

/// The rows of a table: those of any of its rules that count.
pub(super) fn any_rule(rules: &[String]) -> String {
    if rules.is_empty() {
        NO_ROWS.to_owned()
    } else {
        joined(rules, "or")
    }
}

/// `parts` joined by `and` or `or`, in parentheses when there are several: what stands beside them cannot tear them
/// apart.
pub(super) fn joined(parts: &[String], word: &str) -> String {
    if parts.len() == 1 {
        parts.concat()
    } else {
        format!("({})", parts.join(&format!(" {word} ")))
    }
}
