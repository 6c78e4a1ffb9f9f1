//! Service accounts over HTTP.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use key_admin::{ServiceAccount, ServiceAccountChange};
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use storage::PrincipalId;
use utoipa::ToSchema;

use super::principals::{DeletePrincipalQuery, ListPrincipalsQuery, StateView, principal_state};
use crate::caller::{Caller, RequestOrigin, act};
use crate::json::{JsonBody, present};
use crate::problem::Problem;
use crate::query::{PathId, Query, next_cursor};
use crate::state::ApiState;

/// A service account: a program that owns API keys and cannot log in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServiceAccount)]
pub struct ServiceAccountView {
    /// Its identifier.
    #[schema(examples("own_01a203acc363700cb2d3af39a2eae215"))]
    id: String,
    /// Its name; not unique.
    name: String,
    /// Whether its API keys may act.
    state: StateView,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A service account to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "ci" }))]
pub struct CreateServiceAccountRequest {
    /// Its name; not unique.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
}

/// A change to a service account; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "state": "suspended" }))]
pub struct UpdateServiceAccountRequest {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// Whether its API keys may act.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = StateView, required = false)]
    state: Option<String>,
}

/// A page of service accounts, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceAccountList {
    /// The service accounts.
    data: Vec<ServiceAccountView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

impl UpdateServiceAccountRequest {
    fn into_change(self) -> Result<ServiceAccountChange, Problem> {
        Ok(ServiceAccountChange {
            name: self.name,
            state: self.state.as_deref().map(principal_state).transpose()?,
        })
    }
}

impl From<ServiceAccount> for ServiceAccountView {
    fn from(account: ServiceAccount) -> Self {
        Self {
            id: account.id.to_string(),
            name: account.name,
            state: account.state.into(),
            created_at: account.created_at.to_string(),
        }
    }
}

/// List service accounts
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/service-accounts",
    operation_id = "listServiceAccounts",
    tag = "Service accounts",
    params(ListPrincipalsQuery),
    responses(
        (status = 200, description = "A page of service accounts", body = ServiceAccountList),
        (status = 422, description = "`invalid_filter`, `invalid_state`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_service_accounts(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListServiceAccounts>,
    Query(query): Query<ListPrincipalsQuery>,
) -> Result<Json<ServiceAccountList>, Problem> {
    let (limit, page) = query.page()?;
    let mut found = state
        .services
        .keys
        .list_service_accounts(caller.organization(), page)
        .await?;
    let next_cursor = next_cursor(&mut found, limit, |account| account.id.to_string());
    Ok(Json(ServiceAccountList {
        data: found.into_iter().map(ServiceAccountView::from).collect(),
        next_cursor,
    }))
}

/// Create a service account
///
/// A program that owns API keys and cannot log in. Give it keys with `owner_id`.
#[utoipa::path(
    post,
    path = "/v1/service-accounts",
    operation_id = "createServiceAccount",
    tag = "Service accounts",
    request_body = CreateServiceAccountRequest,
    responses(
        (status = 201, description = "The service account", body = ServiceAccountView),
        (status = 422, description = "`invalid_name`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_service_account(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateServiceAccount>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<CreateServiceAccountRequest>,
) -> Result<(StatusCode, Json<ServiceAccountView>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let account = state
        .services
        .keys
        .create_service_account(&act, organization, &body.name)
        .await?;
    Ok((StatusCode::CREATED, Json(ServiceAccountView::from(account))))
}

/// Show a service account
///
/// Its name and whether its keys may act.
#[utoipa::path(
    get,
    path = "/v1/service-accounts/{id}",
    operation_id = "getServiceAccount",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The service account", body = ServiceAccountView),
        (status = 404, description = "The organization has no such service account: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_service_account(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetServiceAccount>,
    PathId(id): PathId<PrincipalId>,
) -> Result<Json<ServiceAccountView>, Problem> {
    let found = state
        .services
        .keys
        .get_service_account(caller.organization(), id)
        .await?;
    Ok(Json(found.into()))
}

/// Change a service account
///
/// What is left out stays as it is. Suspending stops its API keys at once, on every node within two seconds.
#[utoipa::path(
    patch,
    path = "/v1/service-accounts/{id}",
    operation_id = "updateServiceAccount",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$")),
    request_body = UpdateServiceAccountRequest,
    responses(
        (status = 200, description = "The service account as it is now", body = ServiceAccountView),
        (status = 404, description = "The organization has no such service account: `not_found`"),
        (status = 422, description = "`invalid_name`, `invalid_state`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn update_service_account(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::UpdateServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<UpdateServiceAccountRequest>,
) -> Result<Json<ServiceAccountView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let change = body.into_change()?;
    let changed = state
        .services
        .keys
        .update_service_account(&act, organization, id, change)
        .await?;
    Ok(Json(changed.into()))
}

/// Delete a service account
///
/// Its API keys go with it. Live ones keep it here, unless `revoke_keys` is true. Its audit trail stays.
#[utoipa::path(
    delete,
    path = "/v1/service-accounts/{id}",
    operation_id = "deleteServiceAccount",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$"), DeletePrincipalQuery),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "The organization has no such service account: `not_found`"),
        (status = 409, description = "`live_keys`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_service_account(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    RequestOrigin(origin): RequestOrigin,
    Query(query): Query<DeletePrincipalQuery>,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .keys
        .delete_service_account(&act, organization, id, query.into())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
