//! Revocation (RFC 7009): a client that has done with a token says so.

use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::FormErrors;
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
        FormErrors,
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
