//! Conditions of row rules: in words, and as the rows of a form.

use policy::{AttributeName, ColumnTest, Condition, Operator};
use serde_json::Value;

/// Every operator, as forms and documents write it, and in words.
pub(super) const OPERATORS: [(&str, Operator, &str); 7] = [
    ("=", Operator::Equal, "is"),
    ("in", Operator::In, "is one of"),
    ("<", Operator::Less, "is below"),
    ("<=", Operator::LessOrEqual, "is at most"),
    (">", Operator::Greater, "is above"),
    (">=", Operator::GreaterOrEqual, "is at least"),
    ("is null", Operator::IsNull, "is empty"),
];

/// What the source of a test is called when it is a value.
pub(super) const VALUE: &str = "value";

/// A test as the fields of a form hold it.
#[derive(Clone, Debug, Default)]
pub(super) struct TestRow {
    pub(super) column: String,
    pub(super) operator: String,
    /// [`VALUE`], or an attribute with `:` before it.
    pub(super) source: String,
    pub(super) value: String,
}

/// The condition as people say it.
pub(super) fn words(condition: &Condition) -> String {
    match condition {
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
        Condition::Test(test) => test_words(test),
    }
}

fn joined(parts: &[Condition], word: &str) -> String {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Condition::Test(test) => test_words(test),
            group => format!("({})", words(group)),
        })
        .collect();
    parts.join(word)
}

fn test_words(test: &ColumnTest) -> String {
    let said = OPERATORS.iter().find(|(_, it, _)| *it == test.operator);
    let said = said.map_or("", |(.., said)| said);
    let operand = match (&test.attribute, &test.value) {
        (Some(attribute), _) => format!(" the token's {attribute}"),
        (None, Some(Value::Array(items))) => {
            let items: Vec<_> = items.iter().map(literal_text).collect();
            format!(" {}", items.join(", "))
        }
        (None, Some(value)) => format!(" {}", literal_text(value)),
        (None, None) => String::new(),
    };
    format!("{} {said}{operand}", test.column)
}

/// The rows of a condition that is one test, or one group of tests; whether all must hold.
pub(super) fn rows(condition: &Condition) -> Option<(Vec<TestRow>, bool)> {
    let (parts, all) = match condition {
        Condition::Test(test) => return Some((vec![TestRow::of(test)], true)),
        Condition::All(parts) => (parts, true),
        Condition::Any(parts) => (parts, false),
    };
    let rows = parts.iter().map(|part| match part {
        Condition::Test(test) => Some(TestRow::of(test)),
        _ => None,
    });
    Some((rows.collect::<Option<_>>()?, all))
}

/// The condition that rows say; those that are blank do not count.
pub(super) fn condition(rows: &[TestRow], all: bool) -> Result<Condition, String> {
    let said = rows.iter().filter(|row| !row.is_blank());
    let mut tests: Vec<Condition> = said
        .map(|row| row.test().map(Condition::Test))
        .collect::<Result<_, _>>()?;
    Ok(match (tests.pop(), all) {
        (None, _) => return Err("Say which rows: a column and what it is compared with.".into()),
        (Some(only), _) if tests.is_empty() => only,
        (Some(last), all) => {
            tests.push(last);
            if all {
                Condition::All(tests)
            } else {
                Condition::Any(tests)
            }
        }
    })
}

impl TestRow {
    fn of(test: &ColumnTest) -> Self {
        let (source, value) = match (&test.attribute, &test.value) {
            (Some(attribute), _) => (format!(":{attribute}"), String::new()),
            (None, Some(value)) => (VALUE.to_owned(), literal_text(value)),
            (None, None) => (VALUE.to_owned(), String::new()),
        };
        Self {
            column: test.column.clone(),
            operator: test.operator.to_string(),
            source,
            value,
        }
    }

    fn is_blank(&self) -> bool {
        self.column.trim().is_empty() && self.value.trim().is_empty()
    }

    fn test(&self) -> Result<ColumnTest, String> {
        let operator = OPERATORS.iter().find(|(name, ..)| *name == self.operator);
        let operator = operator.map(|(_, it, _)| *it);
        let operator = operator.ok_or_else(|| format!("`{}` is no comparison.", self.operator))?;
        let mut test = ColumnTest {
            column: self.column.trim().to_owned(),
            operator,
            attribute: None,
            value: None,
        };
        match self.source.strip_prefix(':') {
            _ if operator == Operator::IsNull => {}
            Some(attribute) => {
                let attribute = AttributeName::parse(attribute);
                test.attribute = Some(attribute.map_err(|error| format!("{error}."))?);
            }
            None => test.value = Some(literal(operator, self.value.trim())),
        }
        Ok(test)
    }
}

/// A value as people type it: numbers and truth values as such, lists with commas, anything between quotes a text.
fn literal(operator: Operator, text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(list @ Value::Array(_)) => list,
        _ if operator == Operator::In => {
            let items = text.split(',').map(str::trim).filter(|it| !it.is_empty());
            Value::Array(items.map(scalar).collect())
        }
        _ => scalar(text),
    }
}

fn scalar(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_))) => value,
        _ => text.into(),
    }
}

/// What [`literal`] reads back as the same.
fn literal_text(value: &Value) -> String {
    match value {
        Value::String(text) if scalar(text) == *value && !text.contains(',') => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Condition {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn conditions_read_as_sentences() {
        let condition = read(json!({"all": [
            {"column": "tenant", "operator": "=", "attribute": "tenant_id"},
            {"any": [
                {"column": "region", "operator": "in", "attribute": "regions"},
                {"column": "level", "operator": ">=", "value": 3},
                {"column": "deleted_at", "operator": "is null"},
            ]},
        ]}));
        assert_eq!(
            words(&condition),
            "tenant is the token's tenant_id and (region is one of the token's regions or level is at least 3 or \
             deleted_at is empty)"
        );
        assert!(rows(&condition).is_none());
    }

    #[test]
    fn rows_of_a_form_are_the_condition_they_came_from() {
        for condition in [
            json!({"column": "a", "operator": "=", "value": "t-1"}),
            json!({"column": "a", "operator": "=", "value": "5"}),
            json!({"column": "a", "operator": "=", "value": "a,b"}),
            json!({"column": "a", "operator": "=", "value": "\"x\""}),
            json!({"column": "a", "operator": ">", "value": 1.5}),
            json!({"column": "a", "operator": "is null"}),
            json!({"any": [
                {"column": "a", "operator": "in", "value": ["x", "y,z", "7"]},
                {"column": "b", "operator": "=", "attribute": "tenant_id"},
            ]}),
            json!({"all": [
                {"column": "a", "operator": "in", "value": [1, 2]},
                {"column": "b", "operator": "=", "value": true},
            ]}),
        ] {
            let condition_ = read(condition.clone());
            let (mut rows, all) = rows(&condition_).unwrap();
            rows.push(TestRow::default());
            assert_eq!(super::condition(&rows, all), Ok(condition_), "{condition}");
        }
    }

    #[test]
    fn lists_are_typed_with_commas() {
        assert_eq!(literal(Operator::In, "eu, us, 3"), json!(["eu", "us", 3]));
        assert_eq!(literal(Operator::Equal, "eu, us"), json!("eu, us"));
        assert!(condition(&[TestRow::default()], true).is_err());
    }
}
