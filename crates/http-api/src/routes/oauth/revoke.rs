//! Revocation (RFC 7009): a client that has done with a token says so.

use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::OAuthErrorBody;
use super::{OAuthClient, OAuthError, OAuthForm};
use crate::caller::{RequestOrigin, act};
use crate::problem::Problem;
use crate::state::ApiState;

/// The token that shall be void.
#[derive(Deserialize, ToSchema)]
pub struct RevokeTokenRequest {
    /// The session token.
    #[schema(min_length = 1)]
    token: String,
    /// What kind of token it may be; it does not matter here.
    #[serde(rename = "token_type_hint")]
    #[schema(value_type = String, required = false, examples("access_token"))]
    _token_type_hint: Option<String>,
}

/// Revoke a token
///
/// RFC 7009. The token's session is revoked, and with it all that renew it or that it renewed. Whatever is no token of the
/// caller's organization is answered in the same way.
#[utoipa::path(
    post,
    path = "/oauth2/revoke",
    operation_id = "revokeToken",
    tag = "OAuth",
    request_body(content = RevokeTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is void, or was none"),
        (status = 400, description = "`invalid_request`: the body lacks `token`, or has a parameter twice", body = OAuthErrorBody),
        (status = 401, description = "`invalid_client`: the API key is missing, not valid, expired, disabled or revoked", body = OAuthErrorBody),
        (status = 403, description = "`unauthorized_client`: the API key may not do this, or not from this address", body = OAuthErrorBody),
        (status = 408, description = "`invalid_request`: the body did not arrive in time", body = OAuthErrorBody),
        (status = 413, description = "`invalid_request`: the body is longer than 64 KiB", body = OAuthErrorBody),
        (status = 415, description = "`invalid_request`: the body is not a form", body = OAuthErrorBody),
        (status = 429, description = "`temporarily_unavailable`: too many requests; see `Retry-After`", body = OAuthErrorBody),
        (status = 500, description = "`server_error`: a fault in the server", body = OAuthErrorBody),
        (status = 503, description = "`temporarily_unavailable`: the database cannot answer at the moment; see `Retry-After`", body = OAuthErrorBody),
    ),
    security(("Basic" = []), ("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn revoke_token(
    State(state): State<ApiState>,
    OAuthClient(client): OAuthClient<markers::RevokeToken>,
    RequestOrigin(origin): RequestOrigin,
    OAuthForm(form): OAuthForm<RevokeTokenRequest>,
) -> Result<StatusCode, OAuthError> {
    let organization = (client.organization(), client.organization_slug());
    let act = act(&client, origin);
    let issuer = &state.services.issuer;
    let revoked = issuer.revoke_token(&act, organization, &form.token).await;
    revoked.map_err(Problem::from)?;
    Ok(StatusCode::OK)
}
