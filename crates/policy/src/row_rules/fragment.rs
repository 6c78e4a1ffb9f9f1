//! A condition with bound values, for the queries of an application.

use super::{
    claims::TokenClaims,
    filter::CompiledRowRules,
    name::{IdentifierQuote, SqlName, TableName},
    render::{Dialect, NO_ROWS, any_rule, condition},
};
use crate::attributes::Scalar;

/// How a fragment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentStyle {
    /// How bound values are written.
    pub placeholder: Placeholder,
    /// How columns are quoted.
    pub quote: IdentifierQuote,
    /// What the query calls the table. `None`: by its name.
    pub alias: Option<SqlName>,
}

/// How a bound value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `$1`, `$2`, …: PostgreSQL, SQLite.
    Dollar {
        /// The first number: 1, or more when parameters of the query come before.
        first: usize,
    },
    /// `?`, in the order of the values: MySQL, SQLite, JDBC.
    Question,
    /// `:jeton_1`, `:jeton_2`, …: SQLAlchemy, Oracle, SQLite. The values are named `jeton_1`, `jeton_2`, … in their
    /// order.
    Colon,
}

/// A condition for a `where`, safe to stand beside `and`, `or` and `not`.
#[derive(Clone, Debug, PartialEq)]
pub struct WhereFragment {
    /// The SQL. It contains no value, neither of the token nor of the rules.
    pub sql: String,
    /// The values, in the order of their placeholders. They serialize as JSON; bind each as its own type, a date as
    /// a date where the database has such a type.
    pub binds: Vec<Scalar>,
}

impl WhereFragment {
    /// Is there no row that meets it, whatever the table holds?
    pub fn shows_nothing(&self) -> bool {
        self.sql == NO_ROWS
    }
}

/// Which rows of `table` the token may see; `1 = 0` when none.
///
/// Columns are qualified with the table's name or alias. An unqualified `"name"` is a text to MySQL, and to SQLite
/// when there is no such column, and a comparison between texts could be true for every row.
pub fn where_fragment(
    rules: &CompiledRowRules,
    table: &TableName,
    claims: &TokenClaims,
    style: &FragmentStyle,
) -> WhereFragment {
    let mut fragment = Fragment {
        style,
        qualifier: style.alias.as_ref().unwrap_or(&table.table),
        binds: Vec::new(),
    };
    let filters = claims.filters(rules.rules_of(table));
    let conditions: Vec<_> = filters
        .iter()
        .filter_map(|filter| condition(filter, &mut fragment))
        .collect();
    WhereFragment {
        sql: any_rule(&conditions),
        binds: fragment.binds,
    }
}

/// Refuses nothing, so no value is ever bound without its placeholder.
struct Fragment<'a> {
    style: &'a FragmentStyle,
    qualifier: &'a SqlName,
    binds: Vec<Scalar>,
}

impl Fragment<'_> {
    fn placeholders(&mut self, values: &[Scalar]) -> String {
        let placeholders = values.iter().map(|value| {
            let before = self.binds.len();
            self.binds.push(value.clone());
            match self.style.placeholder {
                Placeholder::Dollar { first } => format!("${}", before.saturating_add(first)),
                Placeholder::Question => "?".to_owned(),
                Placeholder::Colon => format!(":jeton_{}", before + 1),
            }
        });
        placeholders.collect::<Vec<_>>().join(", ")
    }
}

impl Dialect<Vec<Scalar>> for Fragment<'_> {
    fn column(&self, column: &SqlName) -> Option<String> {
        let quote = self.style.quote;
        Some(format!(
            "{}.{}",
            self.qualifier.quoted(quote),
            column.quoted(quote)
        ))
    }

    fn value(&mut self, values: &Vec<Scalar>) -> Option<String> {
        Some(self.placeholders(values))
    }

    fn one_of(&mut self, values: &Vec<Scalar>) -> Option<String> {
        Some(format!("in ({})", self.placeholders(values)))
    }
}
