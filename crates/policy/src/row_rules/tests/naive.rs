//! The meaning of rules in the plainest words, to compare the outputs with: no types of `row_rules` but the rule.

use serde_json::Value;

use super::*;
use crate::row_rules::{ColumnTest, Condition, Operator};

/// One row by column name; a column that is missing is null.
pub(super) type Row = serde_json::Map<String, Value>;

/// Whether a token with this payload sees `row` of the only table of `rules`.
pub(super) fn visible(rules: &[RowRule], payload: &Value, row: &Row) -> bool {
    rules
        .iter()
        .any(|rule| counts(rule, payload) && is_true(&rule.condition, payload, row))
}

fn counts(rule: &RowRule, payload: &Value) -> bool {
    let Some(carried) = payload["roles"].as_array() else {
        return false;
    };
    let inherited = |role: &str| match role {
        "editor" => vec!["editor", "viewer"],
        other => vec![match other {
            "viewer" => "viewer",
            "auditor" => "auditor",
            _ => "",
        }],
    };
    carried.iter().all(Value::is_string)
        && carried
            .iter()
            .filter_map(Value::as_str)
            .flat_map(inherited)
            .any(|role| rule.roles.contains(role))
        && tests(&rule.condition)
            .iter()
            .filter_map(|test| test.attribute.as_ref())
            .all(|name| attribute(payload, name.as_str()).is_some())
}

fn tests(condition: &Condition) -> Vec<&ColumnTest> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(tests).collect(),
        Condition::Test(test) => vec![test],
    }
}

fn is_true(condition: &Condition, payload: &Value, row: &Row) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| is_true(part, payload, row)),
        Condition::Any(parts) => parts.iter().any(|part| is_true(part, payload, row)),
        Condition::Test(test) => passes(test, payload, row),
    }
}

fn passes(test: &ColumnTest, payload: &Value, row: &Row) -> bool {
    let column = row.get(&test.column).filter(|value| !value.is_null());
    let Some(column) = column else {
        return test.operator == Operator::IsNull;
    };
    let operand = match (&test.attribute, &test.value) {
        (Some(name), _) => attribute(payload, name.as_str()),
        (None, value) => value.as_ref(),
    };
    let Some(operand) = operand else {
        return false;
    };
    match test.operator {
        Operator::IsNull => false,
        Operator::Equal => same(column, operand),
        Operator::In => operand
            .as_array()
            .unwrap()
            .iter()
            .any(|item| same(column, item)),
        Operator::Less => less(column, operand),
        Operator::LessOrEqual => !less(operand, column),
        Operator::Greater => less(operand, column),
        Operator::GreaterOrEqual => !less(column, operand),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() == 0.0,
        _ => left == right,
    }
}

/// Dates order as their texts do.
fn less(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left < right,
        _ => left.as_str().unwrap() < right.as_str().unwrap(),
    }
}

/// The attribute, when it is there and as declared. Knows the values that the generator makes, no others.
fn attribute<'a>(payload: &'a Value, name: &str) -> Option<&'a Value> {
    let value = payload["attributes"].get(name)?;
    let one = |value: &Value| match name {
        "tenant_id" | "regions" => value.as_str().is_some_and(|text| {
            !text.trim_matches([' ', '\u{3000}']).is_empty() && !text.contains('\n')
        }),
        "level" | "levels" => value.is_i64(),
        "score" | "scores" => value.is_number(),
        "active" | "flags" => value.is_boolean(),
        _ => value
            .as_str()
            .is_some_and(|text| text.starts_with("2026-") && text != "2026-02-29"),
    };
    let list = ["regions", "levels", "scores", "flags", "days"].contains(&name);
    let usable = match value.as_array() {
        Some(items) => list && !items.is_empty() && items.iter().all(one),
        None => !list && one(value),
    };
    usable.then_some(value)
}
