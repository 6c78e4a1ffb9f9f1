//! JSON read as a declared type.

use serde_json::{Number, Value};
use time::{Date, Month};

use super::filter::AttributeKind;
use crate::{
    attributes::{MAX_SAFE_INTEGER, Scalar, ValueType},
    text::{is_blank, misleads},
};

/// The values of an attribute as declared: exactly one, or the items of a list.
///
/// `None` when `json` is of another type, or would not have been issued: null, a blank text, an empty list, control
/// characters. `postgres_helpers.sql` says the same in SQL.
pub(super) fn read_attribute(kind: AttributeKind, json: &Value) -> Option<Vec<Scalar>> {
    let items = match json {
        Value::Array(items) if kind.list && !items.is_empty() => items.as_slice(),
        single if !kind.list => std::slice::from_ref(single),
        _ => return None,
    };
    items
        .iter()
        .map(|item| {
            let blank = matches!(item, Value::String(text) if is_blank(text));
            read(kind.value_type, item).filter(|_| !blank)
        })
        .collect()
}

/// Reads one value. `None`: it is of another type, outside the type's range, or a text with control characters.
pub(super) fn read(value_type: ValueType, json: &Value) -> Option<Scalar> {
    match (value_type, json) {
        (ValueType::String, Value::String(text)) if !misleads(text) => {
            Some(Scalar::String(text.clone()))
        }
        (ValueType::Integer, Value::Number(number)) => number
            .as_i64()
            .filter(|whole| is_safe(*whole))
            .map(Scalar::Integer),
        (ValueType::Number, Value::Number(number)) => {
            is_portable(number).then(|| Scalar::Number(number.clone()))
        }
        (ValueType::Boolean, Value::Bool(flag)) => Some(Scalar::Boolean(*flag)),
        (ValueType::Date, Value::String(text)) => read_date(text).map(Scalar::Date),
        _ => None,
    }
}

fn is_safe(number: i64) -> bool {
    (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&number)
}

/// A whole number that every JSON reader keeps exactly, or a fraction of that size.
fn is_portable(number: &Number) -> bool {
    const TOO_LARGE: f64 = 9_007_199_254_740_992.0;
    if number.is_i64() || number.is_u64() {
        number.as_i64().is_some_and(is_safe)
    } else {
        number
            .as_f64()
            .is_some_and(|number| number.abs() < TOO_LARGE)
    }
}

/// `YYYY-MM-DD`, from year 1: PostgreSQL knows no year 0.
fn read_date(text: &str) -> Option<Date> {
    let digits_and_dashes = text
        .bytes()
        .enumerate()
        .all(|(index, byte)| match (index, byte) {
            (4 | 7, byte) => byte == b'-',
            (_, byte) => byte.is_ascii_digit(),
        });
    if text.len() != 10 || !digits_and_dashes {
        return None;
    }
    let year = text.get(..4)?.parse().ok().filter(|year| *year >= 1)?;
    let month = Month::try_from(text.get(5..7)?.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year, month, text.get(8..)?.parse().ok()?).ok()
}
