//! API keys that are taken back for good.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use key_admin::{ApiKeyId, IssuedTokens, KeyRevocation};
use policy::operations::markers;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::types::ApiKeyView;
use super::view;
use crate::caller::{Caller, RequestOrigin, act};
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::query::{PathId, Query};
use crate::state::ApiState;

/// Why an API key is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKeyRequest {
    /// For the audit trail and the list of keys.
    #[serde(default)]
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$", default = "")]
    reason: String,
    /// Let the tokens that it asked for live on until they end. Left out, they are void.
    #[serde(default)]
    #[schema(default = false)]
    keep_sessions: bool,
}

/// How to delete an API key.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteApiKeyQuery {
    /// Let the tokens that it asked for live on until they end. Left out, they are void.
    #[serde(default)]
    #[param(required = false, default = false)]
    keep_sessions: bool,
}

/// Revoke an API key
///
/// It stops working for good, at once, on every node within two seconds. The tokens that it asked for are void, unless
/// `keep_sessions` is true. Revoking a revoked key changes nothing.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/revoke",
    operation_id = "revokeApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    request_body = RevokeApiKeyRequest,
    responses(
        (status = 200, description = "The key as it is now", body = ApiKeyView),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
        (status = 422, description = "`invalid_reason`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn revoke_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::RevokeApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<RevokeApiKeyRequest>,
) -> Result<Json<ApiKeyView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let revocation = KeyRevocation {
        reason: Some(body.reason.as_str()).filter(|reason| !reason.is_empty()),
        issued: issued(body.keep_sessions),
    };
    state
        .services
        .keys
        .revoke_key(&act, (&*caller).into(), organization, id, revocation)
        .await?;
    view(&state, organization, id).await.map(Json)
}

/// Delete an API key
///
/// Like revoking, its tokens included unless `keep_sessions` is true, and it disappears from lists. Its audit trail and its
/// counts stay.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{id}",
    operation_id = "deleteApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$"), DeleteApiKeyQuery),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
    Query(query): Query<DeleteApiKeyQuery>,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .keys
        .delete_key(
            &act,
            (&*caller).into(),
            organization,
            id,
            issued(query.keep_sessions),
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is not said voids: a key that leaked may have issued to anybody.
fn issued(keep_sessions: bool) -> IssuedTokens {
    if keep_sessions {
        IssuedTokens::Keep
    } else {
        IssuedTokens::Void
    }
}
