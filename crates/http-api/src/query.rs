//! Query strings, identifiers in paths, and pages of lists.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use storage::Timestamp;

use crate::middleware::not_found;
use crate::problem::{FieldProblem, Problem};

/// A query string read into `T`; unknown parameters are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(_) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_query",
                "The query string has a parameter that is not known here, twice, or not of its type.",
            )),
        }
    }
}

/// An identifier in the path. Whatever is none names nothing.
#[derive(Debug)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

/// Two identifiers in the path, one below the other. Whatever is none names nothing.
#[derive(Debug)]
pub struct PathPair<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr + Send, B: FromStr + Send> FromRequestParts<S> for PathPair<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((outer, inner)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_found())?;
        let outer = outer.parse().map_err(|_| not_found())?;
        let inner = inner.parse().map_err(|_| not_found())?;
        Ok(Self(outer, inner))
    }
}

/// The most items of a page, and how many there are when nothing is asked.
pub const MAX_LIMIT: u32 = 100;
const DEFAULT_LIMIT: u32 = 50;

/// How many items to answer with.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(invalid(
            "/limit",
            "invalid_limit",
            "`limit` is from 1 to 100.",
        )),
    }
}

/// One input that is wrong.
pub fn invalid(pointer: &'static str, code: &'static str, detail: &str) -> Problem {
    let field = FieldProblem {
        pointer: pointer.into(),
        code: code.into(),
        detail: detail.into(),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.to_owned()).errors(vec![field])
}

/// A time in a query string.
pub fn time(pointer: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parsed = text.map(Timestamp::parse).transpose();
    let detail = "A time is written like 2026-01-01T00:15:00Z.";
    parsed.map_err(|_| invalid(pointer, "invalid_time", detail))
}

/// Where a page begins: what the last item of the page before sorts by, opaque to clients.
pub fn encode_cursor(position: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(position)
}

/// Reads a cursor back. One that this list never gave is refused.
pub fn decode_cursor<T>(
    cursor: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let position = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| read(&text));
    match position {
        Some(position) => Ok(Some(position)),
        None => Err(invalid(
            "/cursor",
            "invalid_cursor",
            "`cursor` is none that this list gave.",
        )),
    }
}

/// Takes the one item more than a page that was asked for off again; it tells whether there is a next page.
pub fn next_cursor<T>(
    items: &mut Vec<T>,
    limit: u32,
    position: impl Fn(&T) -> String,
) -> Option<String> {
    if items.len() <= limit as usize {
        return None;
    }
    items.truncate(limit as usize);
    items.last().map(|last| encode_cursor(&position(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_others_are_refused() {
        let read = |text: &str| text.parse::<u8>().ok();
        assert_eq!(decode_cursor(None, read).unwrap(), None);
        assert_eq!(
            decode_cursor(Some(&encode_cursor("7")), read).unwrap(),
            Some(7)
        );
        for bad in ["", "7", "!", &encode_cursor("300"), &encode_cursor("x")] {
            assert_eq!(
                decode_cursor(Some(bad), read).unwrap_err().code(),
                "invalid_cursor",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_page_has_a_next_one_only_if_there_is_more() {
        let mut items = vec![1, 2, 3];
        assert_eq!(next_cursor(&mut items, 3, ToString::to_string), None);
        assert_eq!(
            next_cursor(&mut items, 2, ToString::to_string),
            Some(encode_cursor("2"))
        );
        assert_eq!(items, [1, 2]);
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(100)).unwrap(), 100);
        for bad in [0, 101, u32::MAX] {
            assert_eq!(limit(Some(bad)).unwrap_err().code(), "invalid_limit");
        }
    }
}
