//! API keys over HTTP.

pub mod leaks;
pub mod revocation;
pub mod types;
pub mod usage;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use key_admin::{ApiKeyId, CreatedKey, KeyFilter, KeyState, ListedKey};
use policy::operations::markers;
use serde::Deserialize;
use storage::{OrganizationId, PrincipalId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use self::types::{
    ApiKeyList, ApiKeyView, CreateApiKeyRequest, CreatedApiKey, KeyStateView, UpdateApiKeyRequest,
};
use crate::caller::{Caller, RequestOrigin, act};
use crate::json::JsonBody;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::{PathId, Query, decode_cursor, invalid, limit, next_cursor};
use crate::state::ApiState;

/// Which API keys to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApiKeysQuery {
    /// How many, 50 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Part of the name, in any case, or the first characters.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    search: Option<String>,
    /// Only those of this user or service account.
    #[param(value_type = Option<String>, pattern = "^own_[0-9a-f]{32}$")]
    owner_id: Option<PrincipalId>,
    /// Only those in this state.
    #[param(value_type = Option<KeyStateView>, inline)]
    state: Option<String>,
}

/// How to rotate an API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKeyRequest {
    /// How long the old secret works beside the new one, never longer than the key itself.
    #[serde(default)]
    #[schema(default = 0, minimum = 0, maximum = 604_800)]
    grace_seconds: u32,
}

/// List API keys
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    operation_id = "listApiKeys",
    tag = "API keys",
    params(ListApiKeysQuery),
    responses(
        (status = 200, description = "A page of keys", body = ApiKeyList),
        (status = 422, description = "`invalid_filter`, `invalid_state`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_api_keys(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListApiKeys>,
    Query(query): Query<ListApiKeysQuery>,
) -> Result<Json<ApiKeyList>, Problem> {
    let limit = limit(query.limit)?;
    let before = decode_cursor(query.cursor.as_deref(), position)?;
    if query
        .search
        .as_ref()
        .is_some_and(|search| !is_searchable(search))
    {
        let detail = "`search` has 1 to 100 characters, none of them control characters.";
        return Err(invalid("/search", "invalid_filter", detail));
    }
    let filter = KeyFilter {
        search: query.search,
        owner: query.owner_id,
        state: query.state.as_deref().map(key_state).transpose()?,
    };
    let keys = &state.services.keys;
    let mut found = keys
        .list_keys(caller.organization(), &filter, before, limit + 1)
        .await?;
    let next_cursor = next_cursor(&mut found, limit, |listed| {
        format!("{} {}", listed.key.created_at.unix_micros(), listed.key.id)
    });
    Ok(Json(ApiKeyList {
        data: found.into_iter().map(ApiKeyView::from).collect(),
        next_cursor,
    }))
}

fn is_searchable(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn position(text: &str) -> Option<(Timestamp, ApiKeyId)> {
    let (micros, id) = text.split_once(' ')?;
    Some((
        Timestamp::from_unix_micros(micros.parse().ok()?),
        id.parse().ok()?,
    ))
}

fn key_state(name: &str) -> Result<KeyState, Problem> {
    let found = KeyState::ALL
        .iter()
        .copied()
        .find(|state| state.as_str() == name);
    found.ok_or_else(|| {
        invalid(
            "/state",
            "invalid_state",
            "`state` is active, disabled, expired or revoked.",
        )
    })
}

/// Create an API key
///
/// The secret is in this answer and nowhere else, ever. The new key is no stronger than the one that asks for it.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    operation_id = "createApiKey",
    tag = "API keys",
    request_body = CreateApiKeyRequest,
    responses(
        (status = 201, description = "The key, with its secret", body = CreatedApiKey),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 409, description = "`key_limit_reached`"),
        (status = 422, description = "`invalid_name`, `unknown_permission`, `conflicting_fields`, `expiry_in_the_past`, `lifetime_too_long`, `invalid_ceiling`, `invalid_rate_limit`, `too_many_networks`, `no_such_owner`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateApiKey>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<CreateApiKeyRequest>,
) -> Result<Response, Problem> {
    let services = &state.services;
    let new = body.into_new(caller.organization(), caller.owner(), services.clock.now())?;
    let created = services
        .create_api_key(&act(&caller, origin), (&*caller).into(), new)
        .await?;
    let created = with_secret(&state, caller.organization(), created).await;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Show an API key
///
/// Everything but its secret, which nobody can see again.
#[utoipa::path(
    get,
    path = "/v1/api-keys/{id}",
    operation_id = "getApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    responses(
        (status = 200, description = "The key", body = ApiKeyView),
        (status = 404, description = "The organization has no such API key: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetApiKey>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Json<ApiKeyView>, Problem> {
    view(&state, caller.organization(), id).await.map(Json)
}

/// Change an API key
///
/// What is left out stays as it is. The changed key is no stronger than the one that asks, the fields that stay included.
#[utoipa::path(
    patch,
    path = "/v1/api-keys/{id}",
    operation_id = "updateApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    request_body = UpdateApiKeyRequest,
    responses(
        (status = 200, description = "The key as it is now", body = ApiKeyView),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
        (status = 409, description = "`api_key_is_revoked`, `key_limit_reached`"),
        (status = 422, description = "`invalid_name`, `unknown_permission`, `conflicting_fields`, `expiry_in_the_past`, `lifetime_too_long`, `invalid_ceiling`, `invalid_rate_limit`, `too_many_networks`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn update_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::UpdateApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<UpdateApiKeyRequest>,
) -> Result<Json<ApiKeyView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let patch = body.into_patch()?;
    state
        .services
        .update_api_key(&act, (&*caller).into(), organization, id, patch)
        .await?;
    view(&state, organization, id).await.map(Json)
}

/// Rotate an API key
///
/// Gives it a new secret. The old one works for the grace period, and no longer than the key itself. A key that outlives
/// the organization's longest life of keys needs an earlier expiry first.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/rotate",
    operation_id = "rotateApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    request_body = RotateApiKeyRequest,
    responses(
        (status = 200, description = "The key, with its new secret", body = CreatedApiKey),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
        (status = 409, description = "`api_key_is_revoked`, `api_key_is_expired`, `key_limit_reached`"),
        (status = 422, description = "`invalid_grace`, `lifetime_too_long`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn rotate_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::RotateApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<RotateApiKeyRequest>,
) -> Result<Json<CreatedApiKey>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let keys = &state.services.keys;
    let rotated = keys
        .rotate_key(
            &act,
            (&*caller).into(),
            organization,
            id,
            body.grace_seconds,
        )
        .await?;
    Ok(Json(with_secret(&state, organization, rotated).await))
}

/// Disable an API key
///
/// It stops working at once, on every node within two seconds, and can be enabled again.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/disable",
    operation_id = "disableApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    responses(
        (status = 200, description = "The key as it is now", body = ApiKeyView),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
        (status = 409, description = "`api_key_is_revoked`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn disable_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DisableApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<Json<ApiKeyView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .keys
        .disable_key(&act, (&*caller).into(), organization, id)
        .await?;
    view(&state, organization, id).await.map(Json)
}

/// Enable an API key
///
/// Undoes disabling. The key is no stronger than the one that asks.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/enable",
    operation_id = "enableApiKey",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    responses(
        (status = 200, description = "The key as it is now", body = ApiKeyView),
        (status = 403, description = "`stronger_than_caller`"),
        (status = 404, description = "The organization has no such API key: `not_found`"),
        (status = 409, description = "`api_key_is_revoked`, `key_limit_reached`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn enable_api_key(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::EnableApiKey>,
    PathId(id): PathId<ApiKeyId>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<Json<ApiKeyView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .keys
        .enable_key(&act, (&*caller).into(), organization, id)
        .await?;
    view(&state, organization, id).await.map(Json)
}

async fn view(
    state: &ApiState,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<ApiKeyView, Problem> {
    let found = state.services.keys.get_key(organization, id).await?;
    found.map(ApiKeyView::from).ok_or_else(not_found)
}

/// The key is made, and its secret exists only here: it is answered also when the key cannot be read back just now.
async fn with_secret(
    state: &ApiState,
    organization: OrganizationId,
    created: CreatedKey,
) -> CreatedApiKey {
    let read_back = state
        .services
        .keys
        .get_key(organization, created.key.id)
        .await
        .ok()
        .flatten();
    let now = state.services.clock.now();
    let listed = read_back.unwrap_or_else(|| ListedKey::of(created.key, now));
    CreatedApiKey::new(listed.into(), &created.secret)
}
