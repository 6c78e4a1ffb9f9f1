//! Questions of resource servers, over HTTP.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use policy::{
    Bearer, Identifier, MAX_RESOURCES, MAX_ROLES_PER_REQUEST, PolicySnapshot, Resource,
    ResourceName,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::presented::Presented;
use super::session_tokens::TokenResource;
use crate::caller::Caller;
use crate::errors::sentence;
use crate::json::{JsonBody, Object, present};
use crate::problem::{FieldProblem, Problem};
use crate::query::invalid;
use crate::state::ApiState;

/// The most questions of one request.
const MAX_CHECKS: usize = 100;

/// Who wants to do what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "claims": { "roles": ["viewer"] }, "checks": [{ "resource": "dashboard/sales", "action": "view" }] }))]
pub struct AuthorizeRequest {
    /// The session token; instead of `claims`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, examples("eyJ…"))]
    token: Option<String>,
    /// What a token says that the caller has verified; instead of `token`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = AuthorizeClaims, required = false)]
    claims: Option<Object<AuthorizeClaims>>,
    /// The questions.
    #[schema(value_type = Vec<AuthorizeCheck>, min_items = 1, max_items = 100)]
    checks: Vec<Object<AuthorizeCheck>>,
}

/// What a token says, as far as permissions go by it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeClaims {
    /// The claim `roles`.
    #[schema(max_items = 50)]
    roles: Vec<String>,
    /// The claim `resources`. Left out or empty: no such limit.
    #[serde(default)]
    #[schema(value_type = Vec<TokenResource>, required = false, max_items = 100)]
    resources: Vec<Object<TokenResource>>,
}

/// One question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeCheck {
    /// The resource: a kind, or one of its kind.
    #[schema(
        examples("dashboard/sales"),
        min_length = 1,
        max_length = 320,
        pattern = r"^[a-z][a-z0-9_-]{0,63}(/[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*)?$"
    )]
    resource: String,
    /// The action.
    #[schema(examples("view"), pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    action: String,
}

/// The answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Authorization {
    /// The version of the policy that they come from.
    policy_version: i64,
    /// One for each question, in their order.
    results: Vec<AuthorizeResult>,
}

/// One answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorizeResult {
    /// The resource.
    resource: String,
    /// The action.
    action: String,
    /// May it be done?
    allowed: bool,
    /// Why: `allowed`, `denied` by a role, `not_allowed` by any, `other_resource` than the token is limited to, or
    /// `unknown_role` in the token.
    #[schema(value_type = AuthorizeReason)]
    reason: policy::AccessReason,
    /// The role of the token that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<String>,
}

/// Why something is allowed or not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizeReason {
    /// A role allows it, and none denies it.
    Allowed,
    /// The token carries a role that is not declared any more.
    UnknownRole,
    /// The token is limited to other resources.
    OtherResource,
    /// A role denies it, whatever others allow.
    Denied,
    /// No role allows it.
    NotAllowed,
}

/// A question that can be asked.
type Check = (ResourceName, Identifier);

/// Every question, or everything that is wrong with them.
fn parse(checks: Vec<Object<AuthorizeCheck>>) -> Result<Vec<Check>, Problem> {
    if !(1..=MAX_CHECKS).contains(&checks.len()) {
        let detail = "There are 1 to 100 checks.";
        return Err(invalid("/checks", "invalid_checks", detail));
    }
    let mut parsed = Vec::with_capacity(checks.len());
    let mut errors = Vec::new();
    for (index, Object(check)) in checks.into_iter().enumerate() {
        let mut wrong = |field, code: &str, error: &dyn std::fmt::Display| {
            errors.push(FieldProblem {
                pointer: format!("/checks/{index}/{field}"),
                code: code.to_owned(),
                detail: sentence(error),
            });
        };
        let resource = ResourceName::parse(check.resource)
            .map_err(|error| wrong("resource", "invalid_resource", &error));
        let action = Identifier::parse(check.action)
            .map_err(|error| wrong("action", "invalid_action", &error));
        if let (Ok(resource), Ok(action)) = (resource, action) {
            parsed.push((resource, action));
        }
    }
    if errors.is_empty() {
        return Ok(parsed);
    }
    let detail = "A check asks about what can be no resource, or no action.";
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Err(Problem::new(status, "invalid_checks", detail).errors(errors))
}

impl AuthorizeClaims {
    /// The roles and resources, no more than a token can carry.
    fn into_bearer(self) -> Result<(Vec<String>, Vec<Resource>), Problem> {
        if self.roles.len() > MAX_ROLES_PER_REQUEST {
            let detail = "A token carries at most 50 roles.";
            return Err(invalid("/claims/roles", "too_many_roles", detail));
        }
        if self.resources.len() > MAX_RESOURCES {
            let detail = "A token is limited to at most 100 resources.";
            return Err(invalid("/claims/resources", "too_many_resources", detail));
        }
        let resources = self.resources.into_iter().map(|Object(it)| it.into());
        let resources: Vec<Resource> = resources.collect();
        if !resources.iter().all(Resource::is_usable) {
            let detail = "A token is limited to resources that have a type and an id.";
            return Err(invalid("/claims/resources", "invalid_resource", detail));
        }
        Ok((self.roles, resources))
    }
}

impl AuthorizeResult {
    fn new(policy: &PolicySnapshot, bearer: Bearer<'_>, (resource, action): Check) -> Self {
        let access = policy.access(bearer, &resource, &action);
        Self {
            allowed: access.is_allowed(),
            reason: access.reason(),
            role: access.role().map(ToString::to_string),
            resource: resource.to_string(),
            action: action.to_string(),
        }
    }
}

/// Ask what a token allows
///
/// By the policy as it stands: what its roles allow and deny, within the resources that the token is limited to. A denial
/// wins over whatever other roles allow. A token is checked as far as this server can; claims are taken as they are given,
/// and must come from a verified token.
#[utoipa::path(
    post,
    path = "/v1/authorize",
    operation_id = "authorize",
    tag = "Policy",
    request_body = AuthorizeRequest,
    responses(
        (status = 200, description = "One answer for each check", body = Authorization),
        (status = 422, description = "`invalid_checks`, `invalid_resource`, `invalid_action`, `too_many_roles`, `too_many_resources`, `token_not_active`, `conflicting_fields`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn authorize(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::Authorize>,
    JsonBody(body): JsonBody<AuthorizeRequest>,
) -> Result<Json<Authorization>, Problem> {
    let checks = parse(body.checks)?;
    let slug = caller.organization_slug();
    let (roles, resources) = match Presented::read(&state, slug, body.token, body.claims).await? {
        Presented::Token(token) => (token.roles, token.resources),
        Presented::Claims(Object(claims)) => claims.into_bearer()?,
    };
    let policy = state
        .services
        .policy
        .snapshot(caller.organization())
        .await?;
    let bearer = Bearer {
        roles: &roles,
        resources: &resources,
    };
    let results = checks.into_iter();
    let results = results.map(|check| AuthorizeResult::new(&policy, bearer, check));
    Ok(Json(Authorization {
        policy_version: policy.version(),
        results: results.collect(),
    }))
}
