//! Attribute values as people type them. What a value must be is for the policy to say; a text that does not look like its
//! type is handed on as text, and refused there.

use policy::{AttributeDeclaration, ValueType};
use serde_json::{Number, Value};

/// The value that a text stands for; nothing where there is no text. Lists have an item on each line.
pub(crate) fn value(declaration: &AttributeDeclaration, text: &str) -> Option<Value> {
    if declaration.list {
        let items = items(declaration, text);
        return (!items.is_empty()).then_some(Value::Array(items));
    }
    (!text.is_empty()).then(|| scalar(declaration.value_type, text))
}

/// A value for each line.
pub(crate) fn items(declaration: &AttributeDeclaration, text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| scalar(declaration.value_type, line))
        .collect()
}

/// A value as one would type it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A value that the declaration takes, for examples.
pub(crate) fn sample(declaration: &AttributeDeclaration) -> Value {
    let allowed = declaration.allowed_values.as_ref();
    let scalar = allowed.and_then(|values| values.first().cloned());
    let scalar = scalar.unwrap_or_else(|| match declaration.value_type {
        ValueType::String => "t-1".into(),
        ValueType::Integer | ValueType::Number => 1.into(),
        ValueType::Boolean => true.into(),
        ValueType::Date => "2026-01-31".into(),
    });
    if declaration.list {
        Value::Array(vec![scalar])
    } else {
        scalar
    }
}

fn scalar(value_type: ValueType, text: &str) -> Value {
    let trimmed = text.trim();
    match value_type {
        ValueType::String => text.into(),
        ValueType::Date => trimmed.into(),
        ValueType::Integer | ValueType::Number => match trimmed.parse::<Number>() {
            Ok(number) => Value::Number(number),
            Err(_) => text.into(),
        },
        ValueType::Boolean => match trimmed {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
    }
}
