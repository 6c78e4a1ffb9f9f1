//! Error answers: RFC 9457 `application/problem+json`.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use key_admin::rate_limit::Limited;
use serde::Serialize;
use utoipa::ToSchema;

/// What the client is told. It becomes a body in [`crate::middleware::surround`], which knows the request's id.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldProblem>,
    retry_after: Option<Duration>,
    limited: Option<Box<Limited>>,
    wants_bearer_token: bool,
}

/// How an API key can be presented.
const API_KEYS: &[&str] = &["ApiKey realm=\"jeton\"", "Bearer realm=\"jeton\""];
/// How a session token, or that of an operator, is presented (RFC 6750 section 3).
const BEARER_TOKENS: &[&str] = &["Bearer realm=\"jeton\", error=\"invalid_token\""];

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Where in the request body: a JSON pointer (RFC 6901). Empty for the body as a whole.
    #[schema(examples("/user/attributes/tenant_id"))]
    pub pointer: String,
    /// What is wrong, as a stable name.
    #[schema(examples("missing_attribute"))]
    pub code: String,
    /// The same in words.
    pub detail: String,
}

/// An error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The kind of problem, `urn:jeton:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(examples("urn:jeton:problem:invalid_api_key"))]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened and what to do about it. For people; it may change.
    pub detail: String,
    /// What happened, as a stable name. For programs.
    #[schema(examples("invalid_api_key"))]
    pub code: String,
    /// The request, as the server's logs know it.
    pub request_id: String,
    /// What is wrong with the input, all of it, in the order of the input. Absent when the problem is not the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            title: status.canonical_reason().unwrap_or("Error"),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            limited: None,
            wants_bearer_token: false,
        }
    }

    /// An internal fault: the client learns nothing but the request id, the log gets the error.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something failed inside the server. Its log names the cause under this request id.",
        )
    }

    /// The server cannot answer now, and will be able to later.
    pub fn unavailable(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(Duration::from_secs(1))
    }

    /// Adds what is wrong with the input.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Says when a try can succeed again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says which limit was reached, and when a try can succeed again.
    #[must_use]
    pub fn limited(mut self, limited: Limited) -> Self {
        let retry_after = limited.retry_after;
        self.limited = Some(Box::new(limited));
        self.retry_after(retry_after)
    }

    /// Says that the operation wants a bearer token and no API key: a session token, or that of an operator.
    #[must_use]
    pub fn wants_bearer_token(mut self) -> Self {
        self.wants_bearer_token = true;
        self
    }

    /// The stable name.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong with the input, as far as it is at fault.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, for the request of this id.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:jeton:problem:{}", self.code),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone().into_owned(),
            code: self.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, whole_seconds(after).into());
        }
        if let Some(limited) = &self.limited {
            limit_headers(headers, **limited);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let schemes = if self.wants_bearer_token {
                BEARER_TOKENS
            } else {
                API_KEYS
            };
            for scheme in schemes {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Rounded up: an early retry would be refused again.
fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}

/// The fields of draft-ietf-httpapi-ratelimit-headers: the policy, and that nothing is left of it for now.
fn limit_headers(headers: &mut HeaderMap, Limited { limit, retry_after }: Limited) {
    let policy = format!("\"default\";q={};w=60", limit.per_minute);
    let left = format!("\"default\";r=0;t={}", whole_seconds(retry_after));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
