//! Renewal: pages trade a session token for the next one, without their backend.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};

use super::session_tokens::SessionToken;
use crate::caller::RequestOrigin;
use crate::errors::{origin_not_authorized, token_not_active};
use crate::json;
use crate::problem::Problem;
use crate::state::ApiState;

/// Where tokens are renewed: the one path whose answers pages of other origins may read.
pub const PATH: &str = "/v1/session-tokens/renew";

/// Renew a session token
///
/// For web pages, which have no API key: the token itself is the credential, and `Origin`, which browsers send, must be
/// one that the token's audience authorizes. The audience says whether its tokens are renewed, and for how long. A token
/// is renewed once. What it grants is decided again, with the policy and the API key as they are now; the answer's token
/// carries the same user, roles, attributes and resources, or there is none.
#[utoipa::path(
    post,
    path = "/v1/session-tokens/renew",
    operation_id = "renewSessionToken",
    tag = "Session tokens",
    params(("Origin" = Option<String>, Header, description = "The page's origin. Browsers set it, and let no page do so; without it the answer is 403 `origin_not_authorized`")),
    responses(
        (status = 201, description = "The next token", body = SessionToken),
        (status = 400, description = "`body_not_empty`"),
        (status = 401, description = "`token_not_active`"),
        (status = 403, description = "`origin_not_authorized`, `not_renewable`, `session_ended`"),
        (status = 409, description = "`already_renewed`"),
        (status = 422, description = "What the token grants would not be granted any more"),
        (status = 429, description = "`too_many_failed_attempts`"),
        (status = 503, description = "`overloaded`"),
    ),
    security(("SessionToken" = [])),
)]
pub async fn renew_session_token(
    State(state): State<ApiState>,
    HeldToken(token): HeldToken,
    PageOrigin(page): PageOrigin,
    RequestOrigin(origin): RequestOrigin,
    NoBody: NoBody,
) -> Result<(StatusCode, Json<SessionToken>), Problem> {
    let services = &state.services;
    let renewed = services
        .renew_session_token(token.expose_secret(), &page, &origin)
        .await?;
    Ok((StatusCode::CREATED, Json(SessionToken::new(&renewed)?)))
}

/// What `Authorization: Bearer …` carries. Whether it is a token is for the issuer to say.
#[derive(Debug)]
pub struct HeldToken(SecretString);

impl FromRequestParts<ApiState> for HeldToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let credential = only(&parts.headers, &header::AUTHORIZATION);
        match credential.and_then(|it| it.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => {
                Ok(Self(token.trim().into()))
            }
            _ => Err(token_not_active()),
        }
    }
}

/// The origin of the page that asks.
#[derive(Debug)]
pub struct PageOrigin(String);

impl FromRequestParts<ApiState> for PageOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let origin = only(&parts.headers, &header::ORIGIN);
        let origin = origin.ok_or_else(origin_not_authorized)?;
        Ok(Self(origin.to_owned()))
    }
}

/// The value of a header that is there once, in ASCII.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// A request without a body. One that has something to say would not be heard.
#[derive(Debug)]
pub struct NoBody;

impl FromRequest<ApiState> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        match json::body(request, state, 0).await {
            Ok(_) => Ok(Self),
            Err(problem) if problem.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "body_not_empty",
                "This request takes no body: the token in `Authorization` says everything.",
            )),
            Err(problem) => Err(problem),
        }
    }
}
