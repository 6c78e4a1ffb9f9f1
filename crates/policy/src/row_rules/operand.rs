//! What an operator can compare a column with.

use serde_json::Value;

use super::{
    fault::ConditionFault,
    filter::Operand,
    rule::{MAX_LITERAL_ITEMS, Operator},
    value::read,
};
use crate::{attributes::ValueType, text::misleads};

/// A literal with its type.
pub(super) fn literal(operator: Operator, value: &Value) -> Result<Operand, ConditionFault> {
    check_list(operator, value.is_array())?;
    let items = match value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    if items.is_empty() {
        return Err(ConditionFault::EmptyList);
    }
    if items.len() > MAX_LITERAL_ITEMS {
        return Err(ConditionFault::TooManyItems);
    }
    if items.iter().filter_map(Value::as_str).any(misleads) {
        return Err(ConditionFault::LiteralCharacters);
    }
    // The first type that all items have: `1` alone is an integer, beside `1.5` a number.
    let typed = types_of(operator).iter().find_map(|value_type| {
        let values: Option<Vec<_>> = items.iter().map(|item| read(*value_type, item)).collect();
        values.map(|values| Operand::Literal(*value_type, values))
    });
    typed.ok_or(match value {
        Value::String(_) | Value::Bool(_) => ConditionFault::NotOrdered { operator },
        _ => ConditionFault::LiteralType,
    })
}

/// Only `in` takes a list, and nothing else.
pub(super) fn check_list(operator: Operator, list: bool) -> Result<(), ConditionFault> {
    match (operator, list) {
        (Operator::In, false) => Err(ConditionFault::ListNeeded),
        (Operator::In, true) | (_, false) => Ok(()),
        (_, true) => Err(ConditionFault::SingleValueNeeded { operator }),
    }
}

/// The types an operator compares. A literal text is a date where only dates have an order, and a text elsewhere:
/// databases order texts differently, and compare a date with a text in ways of their own.
pub(super) fn types_of(operator: Operator) -> &'static [ValueType] {
    match operator {
        Operator::Equal | Operator::In | Operator::IsNull => &[
            ValueType::String,
            ValueType::Boolean,
            ValueType::Integer,
            ValueType::Number,
            ValueType::Date,
        ],
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            &[ValueType::Integer, ValueType::Number, ValueType::Date]
        }
    }
}
