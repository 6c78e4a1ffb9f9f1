//! Request bodies.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use policy::MAX_DOCUMENT_BYTES;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::problem::{FieldProblem, Problem};
use crate::state::ApiState;
use crate::strict_json::{self, JsonFault};

/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON body, checked strictly (see [`strict_json`]) and read into `T`.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = body(request, state, MAX_BODY_BYTES).await?;
        parse(&body).map(Self)
    }
}

/// Does what takes its time on a thread that may block.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// The whole body, if it arrives in time and has at most `max` bytes.
pub(crate) async fn body(request: Request, state: &ApiState, max: usize) -> Result<Bytes, Problem> {
    let read = read_limited(request.into_body(), max);
    match tokio::time::timeout(state.settings.request_timeout, read).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The request's body did not arrive in time.",
        )),
    }
}

/// A JSON object, checked strictly and read into `T`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = strict_json::check(body).map_err(not_json)?;
    read(text)
}

/// A JSON body with a whole policy in it. A large one takes its time, on a thread that may block.
#[derive(Debug)]
pub struct LargeJsonBody<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<ApiState> for LargeJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = body(request, state, MAX_DOCUMENT_BYTES).await?;
        aside(move || parse(&body)).await.map(Self)
    }
}

/// A JSON object read into the struct `T`. serde's derived structs would also take a list of their fields' values, which
/// no description of the API mentions and which means something else as soon as a field is added.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer
            .deserialize_map(OnlyMaps(PhantomData))
            .map(Self)
    }
}

impl<T: Serialize> Serialize for Object<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// For a field that can be left out: where it is there, it is a `T`, and `null` only if `T` knows that.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    if media_type(headers)? == "application/json" {
        return Ok(());
    }
    Err(unsupported(
        "Send the body as `Content-Type: application/json`, in UTF-8.",
    ))
}

/// The body's media type in lower case, if it is in UTF-8 and not encoded further.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            return Err(unsupported("Send the body without a content encoding."));
        }
        _ => {}
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_utf8 = parts.all(|parameter| {
        ["charset=utf-8", "charset=\"utf-8\""]
            .iter()
            .any(|utf8| parameter.eq_ignore_ascii_case(utf8))
    });
    if is_utf8 {
        Ok(media)
    } else {
        Err(unsupported(
            "Send the body in UTF-8, without other parameters.",
        ))
    }
}

/// The body is in a form that is not read here.
pub(crate) fn unsupported(detail: &'static str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
}

async fn read_limited(body: Body, max: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is longer than {max} bytes."),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "The body ended early.",
        )),
    }
}

fn not_json(fault: JsonFault) -> Problem {
    let (code, detail) = match fault {
        JsonFault::Utf8 => ("invalid_utf8", "The body is not UTF-8.".to_owned()),
        JsonFault::Syntax { line, column } => (
            "invalid_json",
            format!("The body is not JSON: see line {line}, column {column}."),
        ),
        JsonFault::DuplicateKey => (
            "duplicate_json_key",
            "An object in the body names a member twice.".to_owned(),
        ),
        JsonFault::TooDeep => (
            "json_too_deep",
            format!(
                "The body is nested deeper than {} levels.",
                strict_json::MAX_DEPTH
            ),
        ),
    };
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    // Where the fault lies is asked only when there is one: following the path costs as much as reading.
    if let Ok(Object(value)) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object: Result<Object<T>, _> = serde_path_to_error::deserialize(&mut deserializer);
    object.map(|Object(value)| value).map_err(|error| {
        let (code, detail) = explain(&error.inner().to_string());
        let field = FieldProblem {
            pointer: pointer(error.path()),
            code: code.to_owned(),
            detail: detail.clone(),
        };
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).errors(vec![field])
    })
}

/// How the messages of our own types begin that say what they take and repeat nothing of the input.
const OUR_WORDS: [&str; 9] = [
    "a role name must be",
    "an audience name must be",
    "an attribute name must be",
    "an identifier must be",
    "an origin is",
    "a pattern of resources is",
    "an action is",
    "a condition has",
    "a resource is",
];

/// serde says what is wrong only in words. Its sentences are kept apart by their first words, and whatever it quotes
/// from the input is dropped.
fn explain(message: &str) -> (&'static str, String) {
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field") {
        ("unknown_field", "There is no such field.".to_owned())
    } else if message.starts_with("missing field") {
        (
            "missing_field",
            format!("The field `{}` is missing.", quoted()),
        )
    } else if is_ours(message) {
        let detail = message.split(" at line").next().unwrap_or_default();
        (
            "invalid_field",
            format!("The value is not usable: {detail}."),
        )
    } else {
        let expected = message
            .rsplit_once("expected ")
            .map_or("", |(_, expected)| expected);
        let expected = expected.split(" at line").next().unwrap_or_default();
        let detail = match in_json_words(expected) {
            None if message.starts_with("unknown variant") => {
                format!(
                    "The value is not {}.",
                    expected.trim_start_matches("one of ")
                )
            }
            Some(words) => format!("The value is not {words}."),
            None => "The value is not usable here.".to_owned(),
        };
        ("invalid_field", detail)
    }
}

fn is_ours(message: &str) -> bool {
    let reserved = message.starts_with('`') && message.contains("` is reserved: it already");
    reserved || OUR_WORDS.iter().any(|ours| message.starts_with(ours))
}

fn in_json_words(expected: &str) -> Option<&'static str> {
    Some(match expected {
        "a string" | "a borrowed string" => "a string",
        "a boolean" => "true or false",
        "i64" | "u64" | "u32" | "i32" => "an integer in range",
        "a sequence" => "a list",
        "a map" => "an object",
        _ => return None,
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Seq { index } => index.to_string(),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&token);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read into")]
    struct Outer {
        inner: Object<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read into")]
    struct Inner {
        names: Vec<String>,
        ttl: Option<i64>,
    }

    #[test]
    fn names_the_place_and_the_kind_but_not_the_value() {
        for (text, code, at, detail) in [
            (
                r#"{"inner":{"names":[],"a/b":1}}"#,
                "unknown_field",
                "/inner/a~1b",
                "There is no such field.",
            ),
            (
                r#"{"inner":{}}"#,
                "missing_field",
                "/inner",
                "The field `names` is missing.",
            ),
            (
                r#"{"inner":{"names":["x",7]}}"#,
                "invalid_field",
                "/inner/names/1",
                "The value is not a string.",
            ),
            (
                r#"{"inner":{"names":"s3cret"}}"#,
                "invalid_field",
                "/inner/names",
                "The value is not a list.",
            ),
            (
                r#"{"inner":[["x"],7]}"#,
                "invalid_field",
                "/inner",
                "The value is not an object.",
            ),
            (
                r#"{"inner":{"names":[],"ttl":9223372036854775808}}"#,
                "invalid_field",
                "/inner/ttl",
                "The value is not an integer in range.",
            ),
            (
                r#"{"inner":{"names":[],"ttl":0.5}}"#,
                "invalid_field",
                "/inner/ttl",
                "The value is not an integer in range.",
            ),
            ("7", "invalid_field", "", "The value is not an object."),
        ] {
            let problem = read::<Outer>(text).unwrap_err();
            let body = problem.body("");
            assert_eq!(
                (
                    body.code.as_str(),
                    body.errors[0].pointer.as_str(),
                    body.detail.as_str()
                ),
                (code, at, detail),
                "{text}"
            );
        }
    }
}
