//! Introspection (RFC 7662): is this token active, and what does it say?

use axum::Json;
use axum::extract::State;
use policy::Resource;
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::{CheckTokenError, CheckedToken};
use utoipa::ToSchema;

use super::error::OAuthErrorBody;
use super::{OAuthClient, OAuthError, OAuthForm};
use crate::problem::Problem;
use crate::state::ApiState;

/// The token in question.
#[derive(Deserialize, ToSchema)]
pub struct IntrospectTokenRequest {
    /// The session token.
    #[schema(min_length = 1)]
    token: String,
    /// What kind of token it may be; it does not matter here.
    #[serde(rename = "token_type_hint")]
    #[schema(value_type = String, required = false, examples("access_token"))]
    _token_type_hint: Option<String>,
}

/// The answer: for a token that is not active, `active` alone.
#[derive(Debug, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten)]
    token: Option<IntrospectedToken>,
}

/// What an active token says.
#[derive(Debug, Serialize)]
pub struct IntrospectedToken {
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    client_id: String,
    token_type: &'static str,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<Value>,
    jti: String,
    session_id: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<Value>,
    exp: i64,
    roles: Vec<String>,
    attributes: Map<String, Value>,
    resources: Vec<Resource>,
}

/// The answer: for a token that is not active, `active` alone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Introspection)]
pub struct IntrospectionSchema {
    /// Is it a token of the organization that holds now?
    active: bool,
    /// What the roles allow, separated by spaces.
    #[schema(value_type = String, required = false)]
    scope: Option<String>,
    /// The API key that asked.
    #[schema(value_type = String, required = false)]
    client_id: Option<String>,
    /// Always `Bearer`.
    #[schema(value_type = String, required = false)]
    token_type: Option<String>,
    /// Whom the token speaks for.
    #[schema(value_type = String, required = false)]
    sub: Option<String>,
    /// The audience.
    #[schema(value_type = String, required = false)]
    aud: Option<String>,
    /// The issuer.
    #[schema(value_type = String, required = false)]
    iss: Option<String>,
    /// The session.
    #[schema(value_type = String, required = false)]
    jti: Option<String>,
    /// The session again, under the name that the rest of the API has for it.
    #[schema(value_type = String, format = Uuid, required = false)]
    session_id: Option<String>,
    /// When the token was issued, in seconds since the Unix epoch.
    #[schema(value_type = i64, required = false)]
    iat: Option<i64>,
    /// When the token begins.
    #[schema(value_type = i64, required = false)]
    nbf: Option<i64>,
    /// When the token ends.
    #[schema(value_type = i64, required = false)]
    exp: Option<i64>,
    /// The roles.
    #[schema(value_type = Vec<String>, required = false)]
    roles: Option<Vec<String>>,
    /// The attributes. Of a token in the form of a claim template without the sensitive ones.
    #[schema(value_type = std::collections::HashMap<String, Value>, required = false)]
    attributes: Option<Map<String, Value>>,
    /// The resources that the token is limited to; empty for no such limit.
    #[schema(value_type = Vec<crate::routes::session_tokens::TokenResource>, required = false)]
    resources: Option<Vec<Resource>>,
}

impl From<CheckedToken> for IntrospectedToken {
    fn from(mut token: CheckedToken) -> Self {
        let id = token.session.id.to_string();
        let mut claim = |name| token.claims.remove(name);
        Self {
            scope: claim("scope").and_then(|it| it.as_str().map(ToOwned::to_owned)),
            client_id: token.session.api_key.to_string(),
            token_type: "Bearer",
            aud: claim("aud"),
            iss: claim("iss"),
            nbf: claim("nbf"),
            sub: token.session.subject,
            jti: id.clone(),
            session_id: id,
            iat: token.session.issued_at.unix_seconds(),
            exp: token.expires_at.unix_seconds(),
            roles: token.roles,
            attributes: token.attributes,
            resources: token.resources,
        }
    }
}

/// Ask whether a token is active
///
/// RFC 7662. Active is what the caller's organization issued, has not ended and is not revoked. Why another token is not
/// active is not told.
#[utoipa::path(
    post,
    path = "/oauth2/introspect",
    operation_id = "introspectToken",
    tag = "OAuth",
    request_body(content = IntrospectTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The answer", body = IntrospectionSchema),
        (status = 400, description = "The body is malformed", body = OAuthErrorBody),
        (status = 401, description = "The API key is missing, not valid, expired, disabled or revoked", body = OAuthErrorBody),
        (status = 403, description = "The API key may not do this, or not from this address", body = OAuthErrorBody),
        (status = 408, description = "The body did not arrive in time", body = OAuthErrorBody),
        (status = 413, description = "The body is longer than 64 KiB", body = OAuthErrorBody),
        (status = 415, description = "The body is not a form", body = OAuthErrorBody),
        (status = 429, description = "Too many requests; see `Retry-After`", body = OAuthErrorBody),
        (status = 500, description = "A fault in the server", body = OAuthErrorBody),
        (status = 503, description = "The database cannot answer at the moment; see `Retry-After`", body = OAuthErrorBody),
    ),
    security(("Basic" = []), ("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn introspect_token(
    State(state): State<ApiState>,
    OAuthClient(client): OAuthClient<markers::IntrospectToken>,
    OAuthForm(form): OAuthForm<IntrospectTokenRequest>,
) -> Result<Json<Introspection>, OAuthError> {
    let issuer = &state.services.issuer;
    let checked = issuer.check_token(client.organization_slug(), &form.token);
    let token = match checked.await {
        Ok(token) => Some(token.into()),
        Err(CheckTokenError::Inactive(_)) => None,
        Err(CheckTokenError::Rings(error)) => return Err(Problem::from(error).into()),
        Err(CheckTokenError::Storage(error)) => return Err(Problem::from(error).into()),
    };
    Ok(Json(Introspection {
        active: token.is_some(),
        token,
    }))
}
