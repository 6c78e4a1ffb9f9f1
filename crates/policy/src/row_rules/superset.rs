//! Clauses for the guest tokens of Apache Superset, whose `rls` takes SQL as text.
//!
//! The text passes through Superset's Jinja templates and through SQLAlchemy before a database of any kind reads it.
//! So names stand without quotes, since `"name"` is a text in some dialects, and a literal holds only characters
//! that none of these readers treats in a way of its own.

use super::{
    claims::TokenClaims,
    filter::CompiledRowRules,
    name::{SqlName, TableName},
    render::{Dialect, any_rule, condition},
};
use crate::attributes::Scalar;

/// The rows of one table that a token may see. Pair it with the id of the table's Superset dataset: a rule of a
/// guest token without `dataset` would go for all datasets, whatever their columns mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersetClause {
    /// The table that the rules name.
    pub table: TableName,
    /// The SQL; `1 = 0` when no row is visible.
    pub clause: String,
}

/// One clause for every table that has rules, in the order of their names.
///
/// A rule counts for nothing when it needs a text that cannot be written safely, or a column whose name SQL
/// evaluates by itself, such as `user`.
pub fn superset_rls(rules: &CompiledRowRules, claims: &TokenClaims) -> Vec<SupersetClause> {
    rules
        .rules_by_table()
        .map(|(table, rules)| {
            let filters = claims.filters(rules);
            let conditions: Vec<_> = filters
                .iter()
                .filter_map(|filter| condition(filter, &mut Superset))
                .collect();
            SupersetClause {
                table: table.clone(),
                clause: any_rule(&conditions),
            }
        })
        .collect()
}

struct Superset;

impl Dialect<Vec<Scalar>> for Superset {
    fn column(&self, column: &SqlName) -> Option<String> {
        let name = column.as_str();
        let evaluated = EVALUATED.iter().any(|word| word.eq_ignore_ascii_case(name));
        // `$1` inside a word is nothing special, but some templates expand it.
        let plain = !name.contains('$');
        (plain && !evaluated).then(|| name.to_owned())
    }

    fn value(&mut self, values: &Vec<Scalar>) -> Option<String> {
        let literals: Option<Vec<_>> = values.iter().map(literal).collect();
        literals.map(|literals| literals.join(", "))
    }

    fn one_of(&mut self, values: &Vec<Scalar>) -> Option<String> {
        self.value(values).map(|values| format!("in ({values})"))
    }
}

/// Words that are values without being columns in some dialect. Other reserved words are errors where no column can
/// have their name, and an error shows no rows.
const EVALUATED: &[&str] = &[
    "current_catalog",
    "current_database",
    "current_date",
    "current_path",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "false",
    "level",
    "localtime",
    "localtimestamp",
    "null",
    "rowid",
    "rownum",
    "session_user",
    "sysdate",
    "system_user",
    "systimestamp",
    "true",
    "uid",
    "unknown",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
];

fn literal(value: &Scalar) -> Option<String> {
    match value {
        Scalar::String(text) => is_plain(text).then(|| format!("'{}'", text.replace('\'', "''"))),
        Scalar::Integer(number) => Some(number.to_string()),
        // Without an exponent: `1e-7` is no exact number in every dialect.
        Scalar::Number(number) => match number.as_i64() {
            Some(whole) => Some(whole.to_string()),
            None => number.as_f64().map(|number| number.to_string()),
        },
        Scalar::Boolean(flag) => Some(flag.to_string()),
        // Not `date '…'`, which SQLite turns into the number of the year when it is rewritten as a cast.
        Scalar::Date(_) => value.to_json().as_str().map(|date| format!("'{date}'")),
    }
}

/// Whether every dialect reads `text` between quotes as itself.
///
/// Among what is left out: `\`, an escape in MySQL and BigQuery; `{`, `}` and `%`, which start templates and Python
/// placeholders; `:` before a word, a SQLAlchemy parameter; `"` and `` ` ``; signs that some character sets turn
/// into `'`, such as U+02BC and U+FF07.
fn is_plain(text: &str) -> bool {
    let mut previous = ' ';
    text.chars().all(|c| {
        let plain = match c {
            ':' => previous.is_ascii_alphanumeric(),
            c if c.is_ascii() => c.is_ascii_alphanumeric() || " _-.,@/+#&()'".contains(c),
            c => c.is_alphanumeric() && !('\u{2b0}'..='\u{2ff}').contains(&c),
        };
        previous = c;
        plain
    })
}
