//! Errors in the form of RFC 6749.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::middleware::CompleteAnswer;
use crate::problem::{FieldProblem, Problem};

/// What an OAuth client is told ([RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
#[derive(Clone, Debug)]
pub struct OAuthError {
    error: &'static str,
    /// Boxed, because every answer that is no error would carry its size.
    problem: Box<Problem>,
}

/// An error answer of the OAuth endpoints (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub struct OAuthErrorBody {
    /// What happened, as a stable name. For programs.
    #[schema(examples("invalid_client"))]
    error: &'static str,
    /// What happened and what to do about it. For people; it may change.
    error_description: String,
    /// What is wrong with the parameters, all of it; a pointer begins with the parameter's name. Absent when that says
    /// nothing more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldProblem>,
}

/// The errors of an endpoint that takes a token in a form.
#[derive(Debug, IntoResponses)]
pub enum FormErrors {
    /// `invalid_request`: the body lacks `token`, or has a parameter twice
    #[response(status = 400)]
    Malformed(OAuthErrorBody),
    /// `invalid_client`: the API key is missing, not valid, expired, disabled or revoked
    #[response(status = 401)]
    Unauthorized(OAuthErrorBody),
    /// `unauthorized_client`: the API key may not do this, or not from this address
    #[response(status = 403)]
    Forbidden(OAuthErrorBody),
    /// `invalid_request`: the body did not arrive in time
    #[response(status = 408)]
    Slow(OAuthErrorBody),
    /// `invalid_request`: the body is longer than 64 KiB
    #[response(status = 413)]
    TooLong(OAuthErrorBody),
    /// `invalid_request`: the body is not a form
    #[response(status = 415)]
    NoForm(OAuthErrorBody),
    /// `temporarily_unavailable`: too many requests; see `Retry-After`
    #[response(status = 429)]
    TooMany(OAuthErrorBody),
    /// `server_error`: a fault in the server
    #[response(status = 500)]
    Fault(OAuthErrorBody),
    /// `temporarily_unavailable`: the database cannot answer at the moment; see `Retry-After`
    #[response(status = 503)]
    Unavailable(OAuthErrorBody),
}

impl OAuthError {
    /// An error with one of the names that the RFCs register, in the words and with the status of a problem.
    pub fn new(error: &'static str, problem: Problem) -> Self {
        Self {
            error,
            problem: Box::new(problem),
        }
    }

    /// The request lacks a parameter, has one twice, or is otherwise malformed.
    pub fn invalid_request(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self::new(
            "invalid_request",
            Problem::new(status, "invalid_request", detail),
        )
    }
}

/// The name by the status; what is none of these endpoints' statuses becomes a 400.
impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        let error = match problem.status() {
            StatusCode::UNAUTHORIZED => "invalid_client",
            StatusCode::FORBIDDEN => "unauthorized_client",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                "temporarily_unavailable"
            }
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        };
        Self::new(error, problem)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = OAuthErrorBody {
            error: self.error,
            error_description: plain(&self.problem.body("").detail),
            errors: self.problem.fields().to_vec(),
        };
        let status = match self.problem.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        // With its headers and the problem itself, by which refusals are recorded.
        let (mut parts, _) = self.problem.into_response().into_parts();
        parts.status = status;
        parts.extensions.insert(CompleteAnswer);
        let headers = &mut parts.headers;
        headers.remove(header::CONTENT_LENGTH);
        if status == StatusCode::UNAUTHORIZED {
            let basic = HeaderValue::from_static("Basic realm=\"jeton\", charset=\"UTF-8\"");
            headers.append(header::WWW_AUTHENTICATE, basic);
        }
        let (json, body) = Json(body).into_response().into_parts();
        parts.headers.extend(json.headers);
        Response::from_parts(parts, body)
    }
}

/// The characters that an `error_description` may have; quotes and backslashes are not among them.
fn plain(detail: &str) -> String {
    let mut text = String::with_capacity(detail.len());
    for character in detail.chars() {
        match character {
            '…' => text.push_str("..."),
            '"' => text.push('\''),
            '\\' => text.push('/'),
            ' '..='~' => text.push(character),
            _ => text.push('?'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_only_the_characters_of_the_rfc() {
        assert_eq!(
            plain("Present `jtn_…`: \"a\\b\"\né"),
            "Present `jtn_...`: 'a/b'??"
        );
    }

    #[test]
    fn statuses_have_their_names_and_challenges() {
        for (status, name, shown) in [
            (401, "invalid_client", 401),
            (403, "unauthorized_client", 403),
            (413, "invalid_request", 413),
            (422, "invalid_request", 400),
            (429, "temporarily_unavailable", 429),
            (500, "server_error", 500),
            (503, "temporarily_unavailable", 503),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = OAuthError::from(Problem::new(status, "code", "Detail."));
            assert_eq!(error.error, name);
            let response = error.into_response();
            assert_eq!(response.status().as_u16(), shown);
            let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
            let basic = challenges
                .iter()
                .any(|it| it.to_str().unwrap().starts_with("Basic "));
            assert_eq!(basic, shown == 401);
        }
    }
}
