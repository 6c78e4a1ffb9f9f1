//! What can be done to a value. A filter that cannot take a value refuses; none guesses.

use std::borrow::Cow;
use std::fmt::Write;

use aws_lc_rs::hmac;
use policy::MAX_SAFE_INTEGER;

use super::faults::Problem;
use super::reference::{Item, Resolved, Shape};

/// One step between the bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A scalar as text.
    String,
    /// A whole number, also one written as text.
    Integer,
    /// Any value as JSON text.
    Json,
    /// A list as a PostgreSQL array literal.
    PgArray,
    /// A list as text, with this between the items.
    Join(char),
    /// A UUID in its canonical form.
    Uuid,
    /// A scalar's HMAC-SHA-256 under the organization's key, in hexadecimal.
    Hash,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        Ok(match text {
            "string" => Self::String,
            "integer" => Self::Integer,
            "json" => Self::Json,
            "pg_array" => Self::PgArray,
            "uuid" => Self::Uuid,
            "hash" => Self::Hash,
            "" => return Err(Problem::Syntax),
            "join" => return Err(Problem::Separator),
            _ => match text.strip_prefix("join(") {
                Some(argument) => Self::Join(separator(argument).ok_or(Problem::Separator)?),
                None => {
                    return Err(Problem::UnknownFilter {
                        filter: text.to_owned(),
                    });
                }
            },
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Json => "json",
            Self::PgArray => "pg_array",
            Self::Join(_) => "join",
            Self::Uuid => "uuid",
            Self::Hash => "hash",
        }
    }

    /// What it makes of such a value; `None` when it can take none of them.
    pub(super) fn result(self, shape: Shape) -> Option<Shape> {
        use Shape::{Attribute, Integer, List, Text};
        match (self, shape) {
            (Self::Json, _)
            | (Self::String | Self::Hash, Text | Integer | Attribute)
            | (Self::PgArray | Self::Join(_), List | Attribute)
            | (Self::Uuid, Text | Attribute) => Some(Text),
            (Self::Integer, Text | Integer | Attribute) => Some(Integer),
            _ => None,
        }
    }

    /// `None`: the value is not one it takes.
    pub(super) fn apply<'a>(self, value: Resolved<'a>, key: &hmac::Key) -> Option<Resolved<'a>> {
        match (self, value) {
            (Self::Json, value) => Some(Resolved::owned(value.into_json().to_string())),
            (Self::String, Resolved::Scalar(item)) => Some(match item {
                Item::Text(_) => Resolved::Scalar(item),
                Item::Plain(value) => Resolved::owned(value.to_string()),
            }),
            (Self::Integer, Resolved::Scalar(item)) => {
                integer(&item.as_text()).map(Resolved::integer)
            }
            (Self::PgArray, Resolved::List(items)) => pg_array(&items).map(Resolved::owned),
            (Self::Join(separator), Resolved::List(items)) => {
                join(&items, separator).map(Resolved::owned)
            }
            (Self::Uuid, Resolved::Scalar(Item::Text(text))) => {
                uuid(text).map(|it| Resolved::Scalar(Item::Text(it)))
            }
            (Self::Hash, Resolved::Scalar(item)) => {
                Some(Resolved::owned(hash(&item.as_text(), key)))
            }
            _ => None,
        }
    }
}

/// Reads `",")`. Two characters could overlap with the ends of items: `a` and `b` joined by `aa` also reads as an empty
/// item and `ab`.
fn separator(argument: &str) -> Option<char> {
    let mut characters = argument.strip_prefix('"')?.strip_suffix("\")")?.chars();
    let separator = characters.next()?;
    let fits = characters.next().is_none() && !matches!(separator, '"' | '{' | '}');
    fits.then_some(separator)
}

/// Reads `-?(0|[1-9][0-9]*)` within what every JSON reader keeps exactly.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    let number: i64 = text.parse().ok()?;
    (canonical && number.abs() <= MAX_SAFE_INTEGER).then_some(number)
}

/// Quotes every item, so that `NULL`, braces, commas and spaces are what they are
/// (<https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>).
fn pg_array(items: &[Item<'_>]) -> Option<String> {
    let mut literal = String::from("{");
    for (at, item) in items.iter().enumerate() {
        literal.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in item.as_text().chars() {
            match character {
                // PostgreSQL's texts cannot have it.
                '\0' => return None,
                '"' | '\\' => literal.extend(['\\', character]),
                _ => literal.push(character),
            }
        }
        literal.push('"');
    }
    literal.push('}');
    Some(literal)
}

fn join(items: &[Item<'_>], separator: char) -> Option<String> {
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let text = item.as_text();
        if text.contains(separator) {
            return None;
        }
        if at > 0 {
            joined.push(separator);
        }
        joined.push_str(&text);
    }
    Some(joined)
}

/// The form with hyphens of [RFC 9562, section 4](https://www.rfc-editor.org/rfc/rfc9562#section-4), in lower case.
pub(super) fn uuid(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return None;
    }
    Some(if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        text
    })
}

fn hash(text: &str, key: &hmac::Key) -> String {
    let tag = hmac::sign(key, text.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in tag.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
