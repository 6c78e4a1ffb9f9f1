//! Audiences and their signing keys over HTTP.

pub mod presets;
pub mod schema;
pub mod signing_keys;
pub mod types;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::AudienceName;
use policy::operations::markers;
use storage::AudienceId;

use self::types::{AudienceList, AudienceView, CreateAudienceRequest, UpdateAudienceRequest};
use super::policy::ListNamesQuery;
use crate::caller::{Caller, RequestOrigin, act};
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::query::{PathId, Query, next_cursor};
use crate::state::ApiState;

/// List audiences
///
/// In the order of their names; an organization has at most 100.
#[utoipa::path(
    get,
    path = "/v1/audiences",
    operation_id = "listAudiences",
    tag = "Audiences",
    params(ListNamesQuery),
    responses(
        (status = 200, description = "A page of audiences", body = AudienceList),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_audiences(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListAudiences>,
    Query(query): Query<ListNamesQuery>,
) -> Result<Json<AudienceList>, Problem> {
    let issuer = &state.services.issuer;
    let (limit, after) = query.page::<AudienceName>()?;
    let mut found = issuer
        .list_audiences(caller.organization(), after.as_ref(), limit + 1)
        .await?;
    let next_cursor = next_cursor(&mut found, limit, |it| it.name.to_string());
    let view = |audience| AudienceView::new(audience, issuer, caller.organization_slug());
    Ok(Json(AudienceList {
        data: found.into_iter().map(view).collect(),
        next_cursor,
    }))
}

/// Create an audience
///
/// With a key that signs from now on, and one that will. Name and algorithm stay what they are. A `preset` fills in what is
/// left out; what its consumer gives out has to be there.
#[utoipa::path(
    post,
    path = "/v1/audiences",
    operation_id = "createAudience",
    tag = "Audiences",
    request_body = CreateAudienceRequest,
    responses(
        (status = 201, description = "The audience", body = AudienceView),
        (status = 409, description = "`already_exists`, `too_many_audiences`"),
        (status = 422, description = "`invalid_audience`, `unknown_preset`, `conflicting_fields`, `unusable_key`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_audience(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateAudience>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<CreateAudienceRequest>,
) -> Result<(StatusCode, Json<AudienceView>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let issuer = &state.services.issuer;
    let made = issuer
        .create_audience(&act, organization, body.complete()?)
        .await?;
    let view = AudienceView::new(made, issuer, caller.organization_slug());
    Ok((StatusCode::CREATED, Json(view)))
}

/// Show an audience
///
/// Its algorithm, its lifetimes and where its keys are.
#[utoipa::path(
    get,
    path = "/v1/audiences/{id}",
    operation_id = "getAudience",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The audience", body = AudienceView),
        (status = 404, description = "The organization has no such audience: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_audience(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetAudience>,
    PathId(id): PathId<AudienceId>,
) -> Result<Json<AudienceView>, Problem> {
    let issuer = &state.services.issuer;
    let found = issuer.audience(caller.organization(), id).await?;
    let view = AudienceView::new(found, issuer, caller.organization_slug());
    Ok(Json(view))
}

/// Change an audience
///
/// What is left out stays as it is, within `claims` and `claims.registered`, too; `renewal` and `claims.template` are replaced
/// as a whole. Tokens that exist stay what they are.
#[utoipa::path(
    patch,
    path = "/v1/audiences/{id}",
    operation_id = "updateAudience",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    request_body = UpdateAudienceRequest,
    responses(
        (status = 200, description = "The audience as it is now", body = AudienceView),
        (status = 404, description = "The organization has no such audience: `not_found`"),
        (status = 422, description = "`invalid_audience`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn update_audience(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::UpdateAudience>,
    PathId(id): PathId<AudienceId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<UpdateAudienceRequest>,
) -> Result<Json<AudienceView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let issuer = &state.services.issuer;
    let changed = issuer
        .update_audience(&act, organization, id, body.into())
        .await?;
    let view = AudienceView::new(changed, issuer, caller.organization_slug());
    Ok(Json(view))
}

/// Delete an audience
///
/// Its keys are retired at once: no token of it verifies any more where the JWKS is read anew. `default` stays.
#[utoipa::path(
    delete,
    path = "/v1/audiences/{id}",
    operation_id = "deleteAudience",
    tag = "Audiences",
    params(("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "The organization has no such audience: `not_found`"),
        (status = 409, description = "`default_audience`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_audience(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteAudience>,
    PathId(id): PathId<AudienceId>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let issuer = &state.services.issuer;
    issuer.delete_audience(&act, organization, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
