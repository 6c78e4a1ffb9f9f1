//! The token endpoint: token exchange (RFC 8693), with what the token shall carry as rich authorization details
//! (RFC 9396).

mod details;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use policy::{Denial, ReasonCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use token_issuer::exchange::Wider;
use token_issuer::{Exchange, ExchangeError, ExchangeSubject, IssueError, IssuedToken};
use utoipa::ToSchema;

use super::error::OAuthErrorBody;
use super::{OAuthClient, OAuthError, OAuthForm};
use crate::caller::RequestOrigin;
use crate::errors::refused_at;
use crate::problem::{FieldProblem, Problem};
use crate::state::ApiState;
pub use details::{DetailsType, SessionDetails};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER: &str = "urn:jeton:params:oauth:token-type:user";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The parameters of a token exchange (RFC 8693 section 2.1).
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token": "user-42",
    "subject_token_type": "urn:jeton:params:oauth:token-type:user",
    "audience": "default",
    "authorization_details": "[{\"type\":\"jeton_session\",\"roles\":[\"viewer\"],\"attributes\":{\"tenant_id\":\"t-1\"}}]",
}))]
pub struct TokenExchangeForm {
    /// Always this one.
    #[schema(value_type = GrantType)]
    grant_type: String,
    /// A user's identifier, as the client has authenticated it; or a session token, for one that may do less.
    #[schema(value_type = String, required = true, min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$")]
    subject_token: Option<String>,
    /// Which of both it is.
    #[schema(value_type = SubjectTokenType, required = true)]
    subject_token_type: Option<String>,
    /// The name of the audience. Left out: that of the session token, or `default` for a user.
    #[schema(value_type = String, required = false, pattern = "^([a-z][a-z0-9_-]{0,63})?$")]
    audience: Option<String>,
    /// The wanted scope. Left out: all that the roles allow.
    #[schema(value_type = String, required = false)]
    scope: Option<String>,
    /// What the token is called in the answer; an access token when left out.
    #[schema(value_type = RequestedTokenType, required = false)]
    requested_token_type: Option<String>,
    /// What the token shall carry, as JSON: a list of one object, see `SessionDetails`.
    #[schema(value_type = String, required = false, content_media_type = "application/json")]
    authorization_details: Option<String>,
    /// Not supported.
    #[schema(ignore)]
    resource: Option<String>,
    /// Not supported: tokens do not say who acts for the user.
    #[schema(ignore)]
    actor_token: Option<String>,
    /// Not supported.
    #[schema(ignore)]
    actor_token_type: Option<String>,
}

/// The one grant of the token endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub enum GrantType {
    /// Token exchange.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

/// What is exchanged.
#[derive(Debug, Serialize, ToSchema)]
pub enum SubjectTokenType {
    /// A user's identifier.
    #[serde(rename = "urn:jeton:params:oauth:token-type:user")]
    User,
    /// A session token.
    #[serde(rename = "urn:ietf:params:oauth:token-type:access_token")]
    AccessToken,
}

/// What an exchanged token is called.
#[derive(Debug, Serialize, ToSchema)]
pub enum RequestedTokenType {
    /// An access token.
    #[serde(rename = "urn:ietf:params:oauth:token-type:access_token")]
    AccessToken,
    /// A JWT.
    #[serde(rename = "urn:ietf:params:oauth:token-type:jwt")]
    Jwt,
}

/// An issued token (RFC 8693 section 2.2.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct ExchangedToken {
    /// The session token.
    access_token: String,
    /// What was requested, or `urn:ietf:params:oauth:token-type:access_token`.
    issued_token_type: &'static str,
    /// How clients present the token.
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Its life, in seconds.
    expires_in: i64,
    /// What it allows, for those who go by scopes.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    scope: String,
    /// What it carries (RFC 9396 section 7).
    authorization_details: [SessionDetails; 1],
}

impl TokenExchangeForm {
    /// What is asked for, and the type of token that it is asked as.
    fn read(self) -> Result<(Exchange, &'static str), OAuthError> {
        if self.grant_type != GRANT_TYPE {
            let detail = format!("The only `grant_type` here is `{GRANT_TYPE}`.");
            return Err(error("unsupported_grant_type", detail));
        }
        if self.actor_token.is_some() || self.actor_token_type.is_some() {
            let detail = "`actor_token` is not supported: tokens do not say who acts for the user.";
            return Err(OAuthError::invalid_request(detail));
        }
        if self.resource.is_some() {
            let detail = "`resource` is not supported: name an `audience`.";
            return Err(error("invalid_target", detail));
        }
        let issued_as = match self.requested_token_type.as_deref() {
            None | Some(ACCESS_TOKEN) => ACCESS_TOKEN,
            Some(JWT) => JWT,
            Some(_) => {
                let detail = format!("`requested_token_type` is `{ACCESS_TOKEN}` or `{JWT}`.");
                return Err(OAuthError::invalid_request(detail));
            }
        };
        let subject = subject(self.subject_token, self.subject_token_type.as_deref())?;
        let details = self.authorization_details.as_deref();
        let details = details.map(SessionDetails::read).transpose()?;
        let scope = self.scope.map(|scope| {
            let values = scope.split_ascii_whitespace();
            values.map(ToOwned::to_owned).collect()
        });
        let details = details.unwrap_or_default();
        Ok((details.exchange(subject, self.audience, scope), issued_as))
    }
}

fn subject(token: Option<String>, kind: Option<&str>) -> Result<ExchangeSubject, OAuthError> {
    let missing = |name| OAuthError::invalid_request(format!("The parameter `{name}` is missing."));
    let token = token.ok_or_else(|| missing("subject_token"))?;
    match kind {
        Some(USER) => Ok(ExchangeSubject::User(token)),
        Some(ACCESS_TOKEN) => Ok(ExchangeSubject::Token(token.into())),
        Some(_) => {
            let detail = format!("`subject_token_type` is `{USER}` or `{ACCESS_TOKEN}`.");
            Err(OAuthError::invalid_request(detail))
        }
        None => Err(missing("subject_token_type")),
    }
}

fn error(name: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(name, Problem::new(StatusCode::BAD_REQUEST, name, detail))
}

impl From<ExchangeError> for OAuthError {
    fn from(refused: ExchangeError) -> Self {
        use ExchangeError as E;
        match refused {
            E::Token(_) => {
                let detail =
                    "The subject token is not an active session token of this organization.";
                Self::invalid_request(detail)
            }
            E::Form => {
                let detail = "A token whose audience has a claim template is not exchanged, nor exchanged for.";
                error("invalid_target", detail)
            }
            E::Wider(wider) => wider_than_token(&wider),
            E::Issue(IssueError::Refused(denial)) => denied(&denial),
            E::Issue(refused @ (IssueError::Scope(_) | IssueError::NoScopeInToken)) => {
                Self::new("invalid_scope", refused.into())
            }
            E::Issue(error) => Problem::from(error).into(),
            E::Check(token_issuer::CheckTokenError::Rings(error)) => Problem::from(error).into(),
            E::Check(token_issuer::CheckTokenError::Storage(error)) => Problem::from(error).into(),
            E::Check(error) => Problem::internal(&error).into(),
        }
    }
}

/// As RFC 8693 section 2.2.2 has it: what policy does not accept is an invalid request, or an invalid target.
fn denied(denial: &Denial) -> OAuthError {
    let problem = refused_at(denial, place);
    if problem.status().is_server_error() {
        return problem.into();
    }
    let mut reasons = denial.reasons().iter();
    let is_target = reasons.any(|reason| {
        matches!(
            reason.code,
            ReasonCode::UnknownAudience | ReasonCode::AudienceNotAllowed
        )
    });
    let name = if is_target {
        "invalid_target"
    } else {
        "invalid_request"
    };
    all_reasons(name, problem.fields().to_vec())
}

fn wider_than_token(wider: &[Wider]) -> OAuthError {
    let fields = wider.iter().map(|it| FieldProblem {
        pointer: place(&it.pointer),
        code: it.code.as_str().to_owned(),
        detail: it.code.detail().to_owned(),
    });
    all_reasons("invalid_request", fields.collect())
}

/// The most reasons that a description tells; `errors` has all of them.
const MAX_TOLD: usize = 10;

fn all_reasons(name: &'static str, fields: Vec<FieldProblem>) -> OAuthError {
    let mut told: Vec<&str> = Vec::new();
    for field in &fields {
        if told.len() < MAX_TOLD && !told.contains(&field.detail.as_str()) {
            told.push(&field.detail);
        }
    }
    let problem = Problem::new(StatusCode::BAD_REQUEST, name, told.join(" "));
    OAuthError::new(name, problem.errors(fields))
}

/// Where in this request's parameters something is that has this place in the body of `POST /v1/session-tokens`.
fn place(pointer: &str) -> String {
    let details = "/authorization_details/0";
    match pointer {
        "" | "/audience" => pointer.to_owned(),
        "/user/id" => "/subject_token".to_owned(),
        _ => format!(
            "{details}{}",
            pointer.strip_prefix("/user").unwrap_or(pointer)
        ),
    }
}

impl ExchangedToken {
    fn new(issued: &IssuedToken, issued_token_type: &'static str) -> Self {
        let claims = issued.claims();
        Self {
            access_token: issued.token().expose_secret().to_owned(),
            issued_token_type,
            token_type: "Bearer",
            expires_in: claims.lifetime_seconds(),
            scope: claims.scope().join(" "),
            authorization_details: [SessionDetails::of(claims)],
        }
    }
}

/// Exchange a token (RFC 8693)
///
/// The client authenticates with its API key: as the password of HTTP Basic, or in a header as everywhere. It exchanges a
/// user whom it has authenticated for a session token, or a session token for one that may do less. There is no refresh
/// token. Errors are those of RFC 6749, RFC 8693 and RFC 9396; `errors` points at each thing that is wrong.
#[utoipa::path(
    post,
    path = "/oauth2/token",
    operation_id = "exchangeToken",
    tag = "OAuth",
    request_body(content = TokenExchangeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = ExchangedToken),
        (status = 400, description = "The request is refused: `invalid_request`, `invalid_target`, `invalid_scope`, `invalid_authorization_details`, `unsupported_grant_type`", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`: the API key is missing or does not work", body = OAuthErrorBody),
        (status = 403, description = "`unauthorized_client`: the API key may not issue tokens, or not from this address", body = OAuthErrorBody),
        (status = 408, description = "`invalid_request`: the body did not arrive in time", body = OAuthErrorBody),
        (status = 413, description = "`invalid_request`: the body is longer than 64 KiB", body = OAuthErrorBody),
        (status = 415, description = "`invalid_request`: the body is not `application/x-www-form-urlencoded`", body = OAuthErrorBody),
        (status = 429, description = "`temporarily_unavailable`: too many requests; see `Retry-After`", body = OAuthErrorBody),
        (status = 500, description = "`server_error`: a fault in the server", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`: the database cannot answer at the moment; see `Retry-After`", body = OAuthErrorBody),
    ),
    security(("Basic" = []), ("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn exchange_token(
    State(state): State<ApiState>,
    OAuthClient(client): OAuthClient<markers::ExchangeToken>,
    RequestOrigin(origin): RequestOrigin,
    OAuthForm(form): OAuthForm<TokenExchangeForm>,
) -> Result<Json<ExchangedToken>, OAuthError> {
    let (exchange, issued_as) = form.read()?;
    let issuer = &state.services.issuer;
    let issued = issuer.exchange(&client.issuing(), exchange, origin).await?;
    Ok(Json(ExchangedToken::new(&issued, issued_as)))
}
