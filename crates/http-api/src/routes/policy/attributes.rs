//! Attributes over HTTP.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use policy::{AttributeDeclaration, AttributeName, EditError, PolicyDocument, PolicyFault};
use serde::Serialize;
use utoipa::ToSchema;

use super::ListNamesQuery;
use super::schema::AttributeSchema;
use crate::caller::{Caller, RequestOrigin, act};
use crate::errors::edit;
use crate::json::JsonBody;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::{PathId, Query, invalid, next_cursor};
use crate::state::ApiState;

/// A page of attributes, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeList {
    /// The attributes.
    #[schema(value_type = Vec<AttributeSchema>)]
    data: Vec<AttributeDeclaration>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Why an attribute was not changed. Faults have places where the request's body is at fault, and not another part of the
/// policy.
fn refused(sent: AttributeDeclaration) -> impl FnOnce(EditError) -> Problem {
    let sent = PolicyDocument {
        attributes: vec![sent],
        ..PolicyDocument::default()
    };
    move |error| {
        let place = |fault: &PolicyFault| {
            let pointer = fault.pointer(&sent)?;
            pointer.strip_prefix("/attributes/0").map(str::to_owned)
        };
        edit(error, place)
    }
}

/// List attributes
///
/// In the order of their names.
#[utoipa::path(
    get,
    path = "/v1/attributes",
    operation_id = "listAttributes",
    tag = "Policy",
    params(ListNamesQuery),
    responses(
        (status = 200, description = "A page of attributes", body = AttributeList),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_attributes(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListAttributes>,
    Query(query): Query<ListNamesQuery>,
) -> Result<Json<AttributeList>, Problem> {
    let (limit, after) = query.page::<AttributeName>()?;
    let (policies, organization) = (&state.services.policy, caller.organization());
    let mut data = policies
        .list_attributes(organization, after.as_ref(), limit + 1)
        .await?;
    let next_cursor = next_cursor(&mut data, limit, |it| it.name.to_string());
    Ok(Json(AttributeList { data, next_cursor }))
}

/// Declare an attribute
///
/// The next token can carry it, and must where it is required. What it refers to must be declared already.
#[utoipa::path(
    post,
    path = "/v1/attributes",
    operation_id = "createAttribute",
    tag = "Policy",
    request_body = AttributeSchema,
    responses(
        (status = 201, description = "The attribute", body = AttributeSchema),
        (status = 409, description = "`already_exists`"),
        (status = 422, description = "`invalid_policy`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_attribute(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateAttribute>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(attribute): JsonBody<AttributeDeclaration>,
) -> Result<(StatusCode, Json<AttributeDeclaration>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .policy
        .create_attribute(&act, organization, attribute.clone())
        .await
        .map_err(refused(attribute.clone()))?;
    Ok((StatusCode::CREATED, Json(attribute)))
}

/// Show an attribute
///
/// As it was declared.
#[utoipa::path(
    get,
    path = "/v1/attributes/{name}",
    operation_id = "getAttribute",
    tag = "Policy",
    params(("name" = String, Path, description = "The attribute's name", pattern = "^[a-z][a-z0-9_]{0,63}$")),
    responses(
        (status = 200, description = "The attribute", body = AttributeSchema),
        (status = 404, description = "The organization has no such attribute: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_attribute(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetAttribute>,
    PathId(name): PathId<AttributeName>,
) -> Result<Json<AttributeDeclaration>, Problem> {
    let policies = &state.services.policy;
    let found = policies.get_attribute(caller.organization(), &name).await?;
    found.map(Json).ok_or_else(not_found)
}

/// Declare an attribute anew
///
/// Replaces all of it: what is left out is gone. The name stays.
#[utoipa::path(
    put,
    path = "/v1/attributes/{name}",
    operation_id = "replaceAttribute",
    tag = "Policy",
    params(("name" = String, Path, description = "The attribute's name", pattern = "^[a-z][a-z0-9_]{0,63}$")),
    request_body = AttributeSchema,
    responses(
        (status = 200, description = "The attribute as it is now", body = AttributeSchema),
        (status = 404, description = "The organization has no such attribute: `not_found`"),
        (status = 422, description = "`invalid_policy`, `name_mismatch`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn replace_attribute(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ReplaceAttribute>,
    PathId(name): PathId<AttributeName>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(attribute): JsonBody<AttributeDeclaration>,
) -> Result<Json<AttributeDeclaration>, Problem> {
    if attribute.name != name {
        let detail = "`name` is not the name in the path; an attribute is not renamed.";
        return Err(invalid("/name", "name_mismatch", detail));
    }
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .policy
        .update_attribute(&act, organization, attribute.clone())
        .await
        .map_err(refused(attribute.clone()))?;
    Ok(Json(attribute))
}

/// Remove an attribute
///
/// One that other parts of the policy name stays: they come first.
#[utoipa::path(
    delete,
    path = "/v1/attributes/{name}",
    operation_id = "deleteAttribute",
    tag = "Policy",
    params(("name" = String, Path, description = "The attribute's name", pattern = "^[a-z][a-z0-9_]{0,63}$")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "The organization has no such attribute: `not_found`"),
        (status = 422, description = "Other parts of the policy name it: `invalid_policy`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_attribute(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteAttribute>,
    PathId(name): PathId<AttributeName>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let policies = &state.services.policy;
    policies.delete_attribute(&act, organization, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
