//! The forms that a policy is sent and shown in, and its versions as entity tags.
//!
//! `SentPolicy::document` and `show` are the two places that know the forms.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use policy::{MAX_DOCUMENT_BYTES, PolicyDocument};

use crate::errors::sentence;
use crate::json::{aside, body, media_type, parse, unsupported};
use crate::problem::Problem;
use crate::query::invalid;
use crate::state::ApiState;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// casbin's policy files: roles' permissions and what they inherit.
const CSV: &str = "text/csv";

/// A policy as it was sent.
#[derive(Debug)]
pub struct SentPolicy {
    media_type: String,
    body: Bytes,
}

impl FromRequest<ApiState> for SentPolicy {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let media_type = media_type(request.headers())?;
        if ![JSON, YAML, CSV].contains(&media_type.as_str()) {
            return Err(unreadable());
        }
        let body = body(request, state, MAX_DOCUMENT_BYTES).await?;
        Ok(Self { media_type, body })
    }
}

impl SentPolicy {
    /// Is it only a part of a policy, which takes the rest from the current one?
    pub(super) fn is_partial(&self) -> bool {
        self.media_type == CSV
    }

    /// The document in it, as a change of `current` if it is partial. A large one takes its time, on a thread that may
    /// block.
    pub(super) async fn document(self, current: PolicyDocument) -> Result<PolicyDocument, Problem> {
        aside(move || match self.media_type.as_str() {
            JSON => parse(&self.body),
            YAML => PolicyDocument::from_yaml(text(&self.body)?).map_err(|fault| wrong(&fault)),
            _ => {
                let csv = current.with_casbin_csv(text(&self.body)?);
                csv.map_err(|fault| wrong(&fault))
            }
        })
        .await
    }
}

fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|_| wrong(&"the text is not UTF-8"))
}

/// The text is not what its media type says; the place in it is part of the sentence.
fn wrong(fault: &dyn std::fmt::Display) -> Problem {
    invalid("", "invalid_document", &sentence(fault))
}

fn unreadable() -> Problem {
    unsupported(
        "Send the policy as `application/json` or `application/yaml`, or casbin's rules as `text/csv`, in UTF-8.",
    )
}

/// The policy in the form that the client likes best.
pub(super) fn show(
    headers: &HeaderMap,
    document: PolicyDocument,
    version: i64,
) -> Result<Response, Problem> {
    let tag = [
        (header::ETAG, entity_tag(version)),
        (header::VARY, "accept".to_owned()),
    ];
    let (json, yaml) = (quality(headers, JSON), quality(headers, YAML));
    if json == 0 && yaml == 0 {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "The policy is shown as `application/json` or `application/yaml`.",
        ));
    }
    if json >= yaml {
        return Ok((tag, Json(document)).into_response());
    }
    let plain = [(header::CONTENT_TYPE, YAML)];
    Ok((tag, plain, document.to_commented_yaml()).into_response())
}

/// The policy's version as an entity tag.
pub(super) fn entity_tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version that `If-Match` names; none when there is no such header, or it is `*`. What is no version matches none
/// (RFC 9110 section 13.1.1).
pub(super) fn expected_version(headers: &HeaderMap) -> Option<i64> {
    const NEVER: i64 = -1;
    let mut given = headers.get_all(header::IF_MATCH).iter();
    let tag = given.next()?.to_str().unwrap_or_default().trim();
    if tag == "*" && given.next().is_none() {
        return None;
    }
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let version = inner.and_then(|text| text.parse().ok());
    Some(version.filter(|_| given.next().is_none()).unwrap_or(NEVER))
}

/// How much the client likes answers of this type, in thousandths; 0 for not at all (RFC 9110 section 12.5.1).
fn quality(headers: &HeaderMap, media_type: &str) -> u32 {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    if accept.is_empty() {
        return 1000;
    }
    let ranges = accept.iter().flat_map(|value| value.split(','));
    let fitting = ranges.filter_map(|range| fit(range, media_type));
    // The most specific range that fits counts.
    fitting.max().map_or(0, |(_, quality)| quality)
}

/// How specific a range is and what it is worth, if it fits.
fn fit(range: &str, media_type: &str) -> Option<(u8, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let range = parts.next()?.to_ascii_lowercase();
    let kind = media_type.split('/').next().unwrap_or_default();
    let specific = match range.as_str() {
        "*/*" => 0,
        range if range.strip_suffix("/*") == Some(kind) => 1,
        range if range == media_type => 2,
        _ => return None,
    };
    let weight = parts.find_map(|it| it.strip_prefix("q=").or(it.strip_prefix("Q=")));
    Some((specific, weight.map_or(1000, thousandths)))
}

/// `0.5` as 500. What is no weight is none.
fn thousandths(weight: &str) -> u32 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" if digits(fraction) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_most_specific_range_counts() {
        assert_eq!(quality(&HeaderMap::new(), JSON), 1000);
        for (accept, expected) in [
            ("*/*", 1000),
            ("application/json", 1000),
            ("Application/*; Q=0.25", 250),
            ("text/html, application/json;q=0.5, */*;q=0.9", 500),
            ("application/json;q=0, */*", 0),
            ("text/csv", 0),
            ("application/*;q=0.0001", 0),
            ("application/*;q=x", 0),
            ("", 0),
        ] {
            assert_eq!(
                quality(&headers(header::ACCEPT, accept), JSON),
                expected,
                "{accept}"
            );
        }
    }

    #[test]
    fn only_our_own_tags_match() {
        assert_eq!(expected_version(&HeaderMap::new()), None);
        for (tag, expected) in [
            ("*", None),
            ("\"7\"", Some(7)),
            (" \"7\" ", Some(7)),
            ("W/\"7\"", Some(-1)),
            ("7", Some(-1)),
            ("\"x\"", Some(-1)),
            ("\"7\", \"8\"", Some(-1)),
            ("", Some(-1)),
        ] {
            assert_eq!(
                expected_version(&headers(header::IF_MATCH, tag)),
                expected,
                "{tag}"
            );
        }
    }
}
