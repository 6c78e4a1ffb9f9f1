//! The caller's organization over HTTP.

use axum::Json;
use axum::extract::State;
use key_admin::{Edit, Organization, OrganizationPatch};
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::{Caller, RequestOrigin, act};
use crate::json::{JsonBody, present};
use crate::problem::Problem;
use crate::state::ApiState;

/// An organization with its settings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationView {
    /// Its identifier.
    id: String,
    /// Its name in URLs, which is part of the `iss` of its tokens and never changes.
    slug: String,
    /// Its name for people.
    name: String,
    /// How long its API keys may live, in seconds from their creation; `null` for no limit.
    #[schema(required = true, minimum = 1)]
    max_key_lifetime_seconds: Option<u32>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A change to the organization's settings; what is left out stays as it is.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "max_key_lifetime_seconds": 7_776_000 }))]
pub struct UpdateOrganizationRequest {
    /// Its name for people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// How long its API keys may live, in seconds from their creation; `null` for no limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, required = false, minimum = 1, maximum = 1_576_800_000)]
    max_key_lifetime_seconds: Option<Option<u32>>,
}

impl From<UpdateOrganizationRequest> for OrganizationPatch {
    fn from(request: UpdateOrganizationRequest) -> Self {
        let lifetime = request.max_key_lifetime_seconds;
        Self {
            name: request.name.map_or(Edit::Keep, Edit::Set),
            max_key_lifetime_seconds: lifetime.map_or(Edit::Keep, Edit::Set),
        }
    }
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            slug: organization.slug.into(),
            name: organization.name,
            max_key_lifetime_seconds: organization.max_key_lifetime_seconds,
            created_at: organization.created_at.to_string(),
        }
    }
}

/// Show the organization
///
/// That of the calling key, with its settings.
#[utoipa::path(
    get,
    path = "/v1/organization",
    operation_id = "getOrganization",
    tag = "Organization",
    responses(
        (status = 200, description = "The organization", body = OrganizationView),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_organization(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetOrganization>,
) -> Result<Json<OrganizationView>, Problem> {
    let keys = &state.services.keys;
    let found = keys.get_organization(caller.organization()).await?;
    Ok(Json(found.into()))
}

/// Change the organization
///
/// What is left out stays as it is. When the longest life of API keys is lowered, existing keys keep their expiry; each
/// new key, each new expiry and each rotation obeys it.
#[utoipa::path(
    patch,
    path = "/v1/organization",
    operation_id = "updateOrganization",
    tag = "Organization",
    request_body = UpdateOrganizationRequest,
    responses(
        (status = 200, description = "The organization as it is now", body = OrganizationView),
        (status = 422, description = "`invalid_name`, `invalid_max_key_lifetime`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn update_organization(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::UpdateOrganization>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<UpdateOrganizationRequest>,
) -> Result<Json<OrganizationView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let changed = state
        .services
        .keys
        .update_organization(&act, organization, body.into())
        .await?;
    Ok(Json(changed.into()))
}
