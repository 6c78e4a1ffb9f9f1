//! Roles over HTTP.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use policy::{EditError, PolicyDocument, PolicyFault, Role, RoleName};
use serde::Serialize;
use utoipa::ToSchema;

use super::ListNamesQuery;
use super::schema::RoleSchema;
use crate::caller::{Caller, RequestOrigin, act};
use crate::errors::edit;
use crate::json::JsonBody;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::{PathId, Query, invalid, next_cursor};
use crate::state::ApiState;

/// A page of roles, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleList {
    /// The roles.
    #[schema(value_type = Vec<RoleSchema>)]
    data: Vec<Role>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Why a role was not changed. Faults have places where the request's body is at fault, and not another part of the
/// policy.
fn refused(sent: Role) -> impl FnOnce(EditError) -> Problem {
    let sent = PolicyDocument {
        roles: vec![sent],
        ..PolicyDocument::default()
    };
    move |error| {
        let place = |fault: &PolicyFault| {
            let pointer = fault.pointer(&sent)?;
            pointer.strip_prefix("/roles/0").map(str::to_owned)
        };
        edit(error, place)
    }
}

/// List roles
///
/// In the order of their names.
#[utoipa::path(
    get,
    path = "/v1/roles",
    operation_id = "listRoles",
    tag = "Policy",
    params(ListNamesQuery),
    responses(
        (status = 200, description = "A page of roles", body = RoleList),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_roles(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListRoles>,
    Query(query): Query<ListNamesQuery>,
) -> Result<Json<RoleList>, Problem> {
    let (limit, after) = query.page::<RoleName>()?;
    let (policies, organization) = (&state.services.policy, caller.organization());
    let mut data = policies
        .list_roles(organization, after.as_ref(), limit + 1)
        .await?;
    let next_cursor = next_cursor(&mut data, limit, |it| it.name.to_string());
    Ok(Json(RoleList { data, next_cursor }))
}

/// Declare a role
///
/// The next token can carry it. What it inherits and requires must be declared already.
#[utoipa::path(
    post,
    path = "/v1/roles",
    operation_id = "createRole",
    tag = "Policy",
    request_body = RoleSchema,
    responses(
        (status = 201, description = "The role", body = RoleSchema),
        (status = 409, description = "`already_exists`"),
        (status = 422, description = "`invalid_policy`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_role(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateRole>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(role): JsonBody<Role>,
) -> Result<(StatusCode, Json<Role>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .policy
        .create_role(&act, organization, role.clone())
        .await
        .map_err(refused(role.clone()))?;
    Ok((StatusCode::CREATED, Json(role)))
}

/// Show a role
///
/// As it was declared, without what it inherits.
#[utoipa::path(
    get,
    path = "/v1/roles/{name}",
    operation_id = "getRole",
    tag = "Policy",
    params(("name" = String, Path, description = "The role's name", pattern = "^[a-z][a-z0-9_-]{0,63}$")),
    responses(
        (status = 200, description = "The role", body = RoleSchema),
        (status = 404, description = "The organization has no such role: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_role(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetRole>,
    PathId(name): PathId<RoleName>,
) -> Result<Json<Role>, Problem> {
    let policies = &state.services.policy;
    let found = policies.get_role(caller.organization(), &name).await?;
    found.map(Json).ok_or_else(not_found)
}

/// Declare a role anew
///
/// Replaces all of it: what is left out is gone. The name stays.
#[utoipa::path(
    put,
    path = "/v1/roles/{name}",
    operation_id = "replaceRole",
    tag = "Policy",
    params(("name" = String, Path, description = "The role's name", pattern = "^[a-z][a-z0-9_-]{0,63}$")),
    request_body = RoleSchema,
    responses(
        (status = 200, description = "The role as it is now", body = RoleSchema),
        (status = 404, description = "The organization has no such role: `not_found`"),
        (status = 422, description = "`invalid_policy`, `name_mismatch`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn replace_role(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ReplaceRole>,
    PathId(name): PathId<RoleName>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(role): JsonBody<Role>,
) -> Result<Json<Role>, Problem> {
    if role.name != name {
        let detail = "`name` is not the name in the path; a role is not renamed.";
        return Err(invalid("/name", "name_mismatch", detail));
    }
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .policy
        .update_role(&act, organization, role.clone())
        .await
        .map_err(refused(role.clone()))?;
    Ok(Json(role))
}

/// Remove a role
///
/// One that other parts of the policy name stays: they come first.
#[utoipa::path(
    delete,
    path = "/v1/roles/{name}",
    operation_id = "deleteRole",
    tag = "Policy",
    params(("name" = String, Path, description = "The role's name", pattern = "^[a-z][a-z0-9_-]{0,63}$")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "The organization has no such role: `not_found`"),
        (status = 422, description = "Other parts of the policy name it: `invalid_policy`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_role(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteRole>,
    PathId(name): PathId<RoleName>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let policies = &state.services.policy;
    policies.delete_role(&act, organization, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
