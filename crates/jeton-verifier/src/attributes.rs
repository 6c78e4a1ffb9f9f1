//! The row-level-security attributes of a token. What is absent cannot be read, so it cannot be mistaken for "all rows".

use serde::Serialize;
use serde_json::{Map, Value};
use time::Date;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

/// The largest whole number that every JSON reader reads exactly (RFC 8259 section 6): 2⁵³ − 1.
const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// RFC 3339's `full-date`, whose year has four digits.
const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");
const DAY_LENGTH: usize = 10;

/// An attribute cannot be used as a filter. Refuse the request: do not run the query without the filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The token does not carry it, or carries `null`.
    #[error("the token has no attribute `{0}`")]
    Absent(String),
    /// It is a blank text or an empty list, or a list with a blank text in it.
    #[error("the attribute `{0}` is empty")]
    Empty(String),
    /// It is of another type than the one asked for.
    #[error("the attribute `{0}` is of another type")]
    Type(String),
}

/// The attributes of a verified token. Debug output shows their names alone.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Attributes(Map<String, Value>);

type Result<T> = std::result::Result<T, AttributeError>;

impl Attributes {
    pub(crate) fn new(attributes: Map<String, Value>) -> Self {
        Self(attributes)
    }

    /// A text, not blank.
    pub fn string(&self, name: &str) -> Result<&str> {
        text(name, self.present(name)?)
    }

    /// A whole number between ±(2⁵³ − 1).
    pub fn integer(&self, name: &str) -> Result<i64> {
        whole(name, self.present(name)?)
    }

    /// A number, whole or not; a whole one is between ±(2⁵³ − 1).
    pub fn number(&self, name: &str) -> Result<f64> {
        number(name, self.present(name)?)
    }

    /// `true` or `false`.
    pub fn boolean(&self, name: &str) -> Result<bool> {
        self.present(name)?.as_bool().ok_or_else(|| wrong(name))
    }

    /// A day of the calendar as RFC 3339 writes it, `2026-01-31`.
    pub fn date(&self, name: &str) -> Result<&str> {
        date(name, self.present(name)?)
    }

    /// A list of texts: at least one, none of them blank.
    pub fn strings(&self, name: &str) -> Result<Vec<&str>> {
        self.list(name, text)
    }

    /// A list of whole numbers, at least one.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        self.list(name, whole)
    }

    /// A list of numbers, at least one.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        self.list(name, number)
    }

    /// A list of days, at least one.
    pub fn dates(&self, name: &str) -> Result<Vec<&str>> {
        self.list(name, date)
    }

    /// The names of the attributes that the token carries, for logs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn present(&self, name: &str) -> Result<&Value> {
        match self.0.get(name) {
            None | Some(Value::Null) => Err(AttributeError::Absent(name.to_owned())),
            Some(value) => Ok(value),
        }
    }

    fn list<'a, T>(&'a self, name: &str, item: fn(&str, &'a Value) -> Result<T>) -> Result<Vec<T>> {
        let items = self.present(name)?.as_array().ok_or_else(|| wrong(name))?;
        if items.is_empty() {
            return Err(AttributeError::Empty(name.to_owned()));
        }
        items.iter().map(|value| item(name, value)).collect()
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn wrong(name: &str) -> AttributeError {
    AttributeError::Type(name.to_owned())
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str> {
    match value.as_str() {
        None => Err(wrong(name)),
        Some(blank) if blank.trim().is_empty() => Err(AttributeError::Empty(name.to_owned())),
        Some(text) => Ok(text),
    }
}

fn whole(name: &str, value: &Value) -> Result<i64> {
    value
        .as_i64()
        .filter(|number| (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(number))
        .ok_or_else(|| wrong(name))
}

fn number(name: &str, value: &Value) -> Result<f64> {
    // A whole number beyond the safe range would be rounded to another one.
    if value.is_i64() || value.is_u64() {
        whole(name, value)?;
    }
    value
        .as_f64()
        .filter(|number| number.is_finite())
        .ok_or_else(|| wrong(name))
}

fn date<'a>(name: &str, value: &'a Value) -> Result<&'a str> {
    let date = text(name, value)?;
    if Date::parse(date, DAY).is_ok() && date.len() == DAY_LENGTH {
        Ok(date)
    } else {
        Err(wrong(name))
    }
}
