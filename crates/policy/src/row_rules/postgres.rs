//! Row-level security of PostgreSQL: policies that read the token's claims in the database.

use std::collections::BTreeMap;

use super::{
    filter::{AttributeKind, CompiledRowRules, CompiledRule, Operand},
    name::{IdentifierQuote::Ansi, SqlName, TableName},
    render::{Dialect, NO_ROWS, condition, joined},
};
use crate::{
    attributes::{Scalar, ValueType},
    name::{AttributeName, RoleName},
};

/// The functions that read the claims.
const HELPERS: &str = include_str!("postgres_helpers.sql");

/// A script that makes PostgreSQL (14 or later) show each token only its rows. It can run again at any time; run it
/// in one transaction, as the owner of the tables.
///
/// The application verifies the token, then hands the payload over for one transaction, as PostgREST does:
///
/// ```sql
/// begin;
/// set local role app_reader;                              -- neither superuser nor bypassrls
/// select set_config('request.jwt.claims', $1, true);      -- the payload, as JSON
/// select * from orders;                                   -- the token's rows only
/// commit;
/// ```
///
/// The database trusts that setting, so a token's holder must not be able to send SQL of their own.
///
/// The policies are for `select` only: the rules say what a token may see. Row-level security refuses all other
/// commands as long as no policy allows them, to the table's owner as well.
///
/// Attributes are cast to the column's type (`text`, `bigint`, `numeric`, `boolean`, `date`), columns are not, so a
/// plain index on the column stays usable. Calls stand in `(select …)`, which PostgreSQL evaluates once per query
/// and not once per row.
pub fn postgres_ddl(rules: &CompiledRowRules) -> String {
    let mut script = HELPERS.to_owned();
    for (_, part) in postgres_tables(rules) {
        script.push_str(&part);
    }
    script
}

/// The parts of [`postgres_ddl`] that are about one table each. They need the functions that the whole script begins with.
pub fn postgres_tables(rules: &CompiledRowRules) -> impl Iterator<Item = (&TableName, String)> {
    rules
        .rules_by_table()
        .map(|(table, rules)| (table, table_ddl(table, rules)))
}

fn table_ddl(table: &TableName, rules: &[CompiledRule]) -> String {
    let table = table.quoted(Ansi);
    let conditions: Vec<_> = rules.iter().filter_map(rule_condition).collect();
    // One rule a line: people read this.
    let rules = if conditions.is_empty() {
        NO_ROWS.to_owned()
    } else {
        conditions.join("\n  or ")
    };
    format!(
        "\nalter table {table} enable row level security;\n\
         alter table {table} force row level security;\n\
         drop policy if exists jeton_rows on {table};\n\
         create policy jeton_rows on {table} for select using (\n  {rules}\n);\n"
    )
}

/// The rule counts when the token has a role and every attribute; then its condition decides. In parentheses, as
/// there are always several parts.
fn rule_condition(rule: &CompiledRule) -> Option<String> {
    let roles = array(rule.roles.iter().map(RoleName::as_str).map(quoted), "text");
    let mut parts = vec![format!("(select jeton.has_role({roles}))")];
    let mut attributes: BTreeMap<&AttributeName, AttributeKind> = BTreeMap::new();
    rule.filter.for_each_operand(&mut |operand| {
        if let Operand::Attribute(name, kind) = operand {
            attributes.insert(name, *kind);
        }
    });
    parts.extend(
        attributes
            .iter()
            .map(|(name, kind)| format!("{} is not null", attribute(name, *kind))),
    );
    parts.push(condition(&rule.filter, &mut Postgres)?);
    Some(joined(&parts, "and"))
}

struct Postgres;

impl Dialect<Operand> for Postgres {
    fn column(&self, column: &SqlName) -> Option<String> {
        Some(column.quoted(Ansi))
    }

    fn value(&mut self, operand: &Operand) -> Option<String> {
        match operand {
            Operand::Attribute(name, kind) => Some(attribute(name, *kind)),
            Operand::Literal(value_type, values) => values
                .first()
                .map(|value| format!("{}::{}", literal(value), type_name(*value_type))),
        }
    }

    /// The cast keeps `any` from reading `(select …)` as a set of rows to compare with, which no index serves.
    fn one_of(&mut self, operand: &Operand) -> Option<String> {
        Some(match operand {
            Operand::Attribute(name, kind) => {
                let type_name = type_name(kind.value_type);
                format!("= any ({}::{type_name}[])", attribute(name, *kind))
            }
            Operand::Literal(value_type, values) => {
                let array = array(values.iter().map(literal), type_name(*value_type));
                format!("= any ({array})")
            }
        })
    }
}

/// The value of an attribute; null when the token has none that can be used.
fn attribute(name: &AttributeName, kind: AttributeKind) -> String {
    let type_name = type_name(kind.value_type);
    let list = if kind.list { "_list" } else { "" };
    format!("(select jeton.attribute_{type_name}{list}('{name}'))")
}

fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::String => "text",
        ValueType::Integer => "bigint",
        ValueType::Number => "numeric",
        ValueType::Boolean => "boolean",
        ValueType::Date => "date",
    }
}

fn array(items: impl Iterator<Item = String>, type_name: &str) -> String {
    let items: Vec<_> = items.collect();
    format!("array[{}]::{type_name}[]", items.join(", "))
}

/// Every literal is a quoted text before its cast: `'-1'::bigint` has no operator that could bind otherwise.
fn literal(value: &Scalar) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => quoted(&text),
        json => quoted(&json.to_string()),
    }
}

/// The `E` form when there is a backslash: it means the same whatever `standard_conforming_strings` says.
fn quoted(text: &str) -> String {
    let text = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\"))
    } else {
        format!("'{text}'")
    }
}
