//! Attribute values with their types.

use std::{fmt, fmt::Write};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};
use time::{Date, Month};

/// The largest integer that every JSON reader keeps exactly (2^53 − 1, RFC 8259 section 6); its negative is
/// the smallest.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The type of an attribute, or of each item when the attribute is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// Text without control characters.
    String,
    /// A whole number between ±[`MAX_SAFE_INTEGER`], written without fraction or exponent.
    Integer,
    /// A finite number; whole ones within ±[`MAX_SAFE_INTEGER`].
    Number,
    /// `true` or `false`.
    Boolean,
    /// A day of the calendar as RFC 3339 writes it, `2026-01-31`.
    Date,
}

/// One value. Numbers that differ only in how they were written (`1`, `1.0`) are equal.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A finite number, as it was written.
    Number(Number),
    /// A truth value.
    Boolean(bool),
    /// A day.
    Date(Date),
}

/// The value of one attribute in a grant: a scalar, or a list of scalars of one type.
///
/// Only a declaration that the value passed can make one. It serializes as it was given.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AttributeValue(Shape);

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Shape {
    Scalar(Scalar),
    List(Vec<Scalar>),
}

impl ValueType {
    /// Reads `json` as this type. `None`: it is of another type, or outside the type's range.
    pub(super) fn read(self, json: &Value) -> Option<Scalar> {
        match (self, json) {
            (Self::String, Value::String(text)) => Some(Scalar::String(text.clone())),
            (Self::Integer, Value::Number(number)) => number
                .as_i64()
                .filter(|whole| is_safe(*whole))
                .map(Scalar::Integer),
            (Self::Number, Value::Number(number)) => {
                is_portable(number).then(|| Scalar::Number(number.clone()))
            }
            (Self::Boolean, Value::Bool(flag)) => Some(Scalar::Boolean(*flag)),
            (Self::Date, Value::String(text)) => parse_full_date(text).map(Scalar::Date),
            _ => None,
        }
    }
}

impl fmt::Display for ValueType {
    /// What a value must be, with its article: "a string", "an integer between …".
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("a string"),
            Self::Integer => {
                write!(
                    formatter,
                    "an integer between -{MAX_SAFE_INTEGER} and {MAX_SAFE_INTEGER}"
                )
            }
            Self::Number => formatter.write_str("a number that every JSON reader keeps exactly"),
            Self::Boolean => formatter.write_str("a boolean"),
            Self::Date => formatter.write_str("a calendar date written YYYY-MM-DD"),
        }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(left), Self::String(right)) => left == right,
            (Self::Integer(left), Self::Integer(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left.as_f64() == right.as_f64(),
            (Self::Boolean(left), Self::Boolean(right)) => left == right,
            (Self::Date(left), Self::Date(right)) => left == right,
            _ => false,
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Number(number) => number.serialize(serializer),
            Self::Boolean(flag) => serializer.serialize_bool(*flag),
            Self::Date(date) => serializer.serialize_str(&full_date(*date)),
        }
    }
}

impl AttributeValue {
    pub(super) fn scalar(value: Scalar) -> Self {
        Self(Shape::Scalar(value))
    }

    pub(super) fn list(items: Vec<Scalar>) -> Self {
        Self(Shape::List(items))
    }

    /// The value, when the attribute is not a list.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.0 {
            Shape::Scalar(value) => Some(value),
            Shape::List(_) => None,
        }
    }

    /// The items, when the attribute is a list. Never empty.
    pub fn as_list(&self) -> Option<&[Scalar]> {
        match &self.0 {
            Shape::Scalar(_) => None,
            Shape::List(items) => Some(items),
        }
    }

    /// Two values of one attribute as one: lists are joined, each item once; single values must be equal.
    pub(crate) fn join(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Shape::List(left), Shape::List(right)) => {
                let mut items = Vec::with_capacity(left.len() + right.len());
                for item in left.iter().chain(right) {
                    if !items.contains(item) {
                        items.push(item.clone());
                    }
                }
                Some(Self::list(items))
            }
            (left, right) if left == right => Some(self.clone()),
            _ => None,
        }
    }

    /// The items of a list, or the one value.
    pub fn items(&self) -> &[Scalar] {
        match &self.0 {
            Shape::Scalar(value) => std::slice::from_ref(value),
            Shape::List(items) => items,
        }
    }

    /// The value as JSON, as it was given.
    pub fn to_json(&self) -> Value {
        match &self.0 {
            Shape::Scalar(value) => value.to_json(),
            Shape::List(items) => Value::Array(items.iter().map(Scalar::to_json).collect()),
        }
    }
}

impl Scalar {
    /// The value as JSON, as it was given.
    pub fn to_json(&self) -> Value {
        match self {
            Self::String(text) => Value::String(text.clone()),
            Self::Integer(number) => Value::from(*number),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Boolean(flag) => Value::Bool(*flag),
            Self::Date(date) => Value::String(full_date(*date)),
        }
    }
}

fn is_safe(number: i64) -> bool {
    (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&number)
}

/// 2^53. Every whole number beyond it becomes at least this much as a float, every smaller one itself.
const UNSAFE: f64 = 9_007_199_254_740_992.0;

/// A whole number within the safe range however it is written, or a finite fraction.
fn is_portable(number: &Number) -> bool {
    number.as_f64().is_some_and(|number| number.abs() < UNSAFE)
}

/// Reads `full-date` of [RFC 3339, section 5.6](https://www.rfc-editor.org/rfc/rfc3339#section-5.6).
fn parse_full_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let shape_fits = parts.next().is_none() && (year.len(), month.len(), day.len()) == (4, 2, 2);
    let digits_only = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !(shape_fits && digits_only) {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

fn full_date(date: Date) -> String {
    let mut text = String::with_capacity(10);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    );
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepts(value_type: ValueType, json: &Value) -> bool {
        value_type.read(json).is_some()
    }

    #[test]
    fn every_type_takes_its_own_values_only() {
        let types = [
            ValueType::String,
            ValueType::Integer,
            ValueType::Number,
            ValueType::Boolean,
            ValueType::Date,
        ];
        let table = [
            (json!("eu"), [true, false, false, false, false]),
            (json!("2026-02-28"), [true, false, false, false, true]),
            (json!(7), [false, true, true, false, false]),
            (json!(1.0), [false, false, true, false, false]),
            (json!(true), [false, false, false, true, false]),
            (json!({"a": 1}), [false; 5]),
            (json!(["eu"]), [false; 5]),
            (json!(null), [false; 5]),
        ];
        for (json, expected) in table {
            assert_eq!(
                types.map(|value_type| accepts(value_type, &json)),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn a_whole_number_must_be_exact_in_every_reader() {
        for value_type in [ValueType::Integer, ValueType::Number] {
            for number in [9_007_199_254_740_991_i64, -9_007_199_254_740_991, 0] {
                assert!(accepts(value_type, &json!(number)), "{number}");
            }
            for number in [
                json!(9_007_199_254_740_992_i64),
                json!(-9_007_199_254_740_992_i64),
                json!(9_007_199_254_740_993_i64),
                json!(-9_007_199_254_740_993_i64),
                json!(i64::MIN),
                json!(u64::MAX),
                json!(9_007_199_254_740_992.0),
                json!(-9_007_199_254_740_992.0),
            ] {
                assert!(!accepts(value_type, &number), "{number}");
            }
        }
        assert!(accepts(ValueType::Number, &json!(9_007_199_254_740_991.0)));
    }

    #[test]
    fn a_value_is_a_list_or_a_scalar() {
        let item = Scalar::Integer(1);
        let (one, list) = (
            AttributeValue::scalar(item.clone()),
            AttributeValue::list(vec![item.clone()]),
        );
        assert_eq!((one.as_scalar(), one.as_list()), (Some(&item), None));
        let items = [item.clone()];
        assert_eq!((list.as_scalar(), list.as_list()), (None, Some(&items[..])));
    }

    #[test]
    fn a_date_is_a_real_day_written_in_full() {
        for text in ["2024-02-29", "0001-01-01", "9999-12-31"] {
            let date = ValueType::Date.read(&json!(text)).unwrap();
            assert_eq!(date.to_json(), json!(text));
        }
        let bad = [
            "2023-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-01",
            "+026-01-01",
            "2026-01-01T00:00:00Z",
            "20260101",
            "2026-01-01-",
            "2026-01-0١",
            "",
        ];
        for text in bad {
            assert!(!accepts(ValueType::Date, &json!(text)), "{text}");
        }
    }

    #[test]
    fn a_value_is_written_as_it_was_given() {
        let table = [
            (ValueType::Number, "5"),
            (ValueType::Number, "5.0"),
            (ValueType::Number, "0.1"),
            (ValueType::Integer, "-3"),
            (ValueType::Date, r#""2026-01-31""#),
            (ValueType::Boolean, "false"),
        ];
        for (value_type, text) in table {
            let scalar = value_type
                .read(&serde_json::from_str(text).unwrap())
                .unwrap();
            let value = AttributeValue::scalar(scalar.clone());
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(value.to_json().to_string(), text);
            assert_eq!(
                AttributeValue::list(vec![scalar]).to_json().to_string(),
                format!("[{text}]")
            );
        }
    }

    #[test]
    fn one_is_one_however_it_is_written() {
        let [whole, fraction] = [json!(1), json!(1.0)].map(|json| ValueType::Number.read(&json));
        assert_eq!(whole, fraction);
    }

    #[test]
    fn lists_are_joined_with_each_item_once() {
        let list = |texts: &[&str]| {
            let items = texts.iter().map(|text| Scalar::String((*text).to_owned()));
            AttributeValue::list(items.collect())
        };
        let joined = list(&["a", "a", "b"]).join(&list(&["b", "c"]));
        assert_eq!(joined, Some(list(&["a", "b", "c"])));
        let [one, two] = [1, 2].map(|it| AttributeValue::scalar(Scalar::Integer(it)));
        assert_eq!(one.join(&one), Some(one.clone()));
        assert_eq!(one.join(&two), None);
    }
}
