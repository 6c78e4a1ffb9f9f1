//! What another policy would change.

use axum::Json;
use axum::extract::State;
use key_admin::ApiKeyId;
use policy::operations::markers;
use policy::{PolicyDocument, PolicyFault};
use serde::{Deserialize, Serialize};
use storage::Timestamp;
use token_issuer::simulation::{
    DEFAULT_SESSIONS, Group, MAX_SESSIONS, SimulationReport, SimulationRequest,
};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::errors::simulation;
use crate::json::{LargeJsonBody, Object, present};
use crate::problem::Problem;
use crate::query::invalid;
use crate::routes::policy::schema::PolicySchema;
use crate::state::ApiState;

/// A policy to try, and on which sessions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "policy": { "roles": [{ "name": "viewer" }], "attributes": [{ "name": "tenant_id", "type": "string", "required": true }] },
    "last": 1000,
}))]
pub struct SimulatePolicyRequest {
    /// The policy as a whole, as it would replace the current one.
    #[schema(value_type = PolicySchema)]
    policy: Object<PolicyDocument>,
    /// Only sessions issued at this time or later.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    since: Option<Timestamp>,
    /// Only sessions issued before this time.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    until: Option<Timestamp>,
    /// How many sessions at most, the latest.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, default = 1000, minimum = 1, maximum = 10000)]
    last: Option<u32>,
    /// Only sessions of this API key.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^key_[0-9A-Za-z]{12}$", examples("key_0Hq3VbN8tRzA"))]
    api_key_id: Option<String>,
}

/// What would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicySimulation {
    /// How many sessions were decided again.
    replayed: u64,
    /// Of how many nothing would change.
    unchanged: u64,
    /// Of how many it cannot be told: their API key is gone, or it depends on a sensitive value of which only a hash is
    /// kept.
    undetermined: u64,
    /// Granted now, refused by the other policy. At most 200 groups, the largest first; so the other lists.
    newly_refused: Vec<SessionGroup>,
    /// Refused now, granted by the other policy.
    newly_granted: Vec<SessionGroup>,
    /// Granted by both, with other attributes or another scope.
    changed: Vec<SessionGroup>,
}

/// Sessions of one API key, with the same roles, that would change in the same way.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionGroup {
    /// The API key.
    #[schema(examples("key_0Hq3VbN8tRzA"))]
    api_key_id: String,
    /// The roles.
    roles: Vec<String>,
    /// How many sessions.
    count: u64,
    /// Why they are refused, by the policy that does: codes of `POST /v1/session-tokens`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reasons: Vec<&'static str>,
    /// The attributes that come, go or get another value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    attributes: Vec<String>,
    /// Would the scope be another one? Absent: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    scope_changed: bool,
    /// The latest of the sessions.
    #[schema(format = Uuid)]
    example_session_id: String,
}

/// Try out a policy
///
/// Decides recorded sessions again, under the current policy and under another one, with the limits that their API keys
/// have now, and tells what would change. Nothing is written.
#[utoipa::path(
    post,
    path = "/v1/policy/simulate",
    operation_id = "simulatePolicy",
    tag = "Policy",
    request_body = SimulatePolicyRequest,
    responses(
        (status = 200, description = "What would change", body = PolicySimulation),
        (status = 422, description = "`invalid_policy`, `invalid_limit`, `invalid_filter`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn simulate_policy(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::SimulatePolicy>,
    LargeJsonBody(body): LargeJsonBody<SimulatePolicyRequest>,
) -> Result<Json<PolicySimulation>, Problem> {
    let request = request(body)?;
    let sent = request.candidate.clone();
    let report = state.services.issuer.simulate(&caller, request).await;
    let place = |fault: &PolicyFault| Some(format!("/policy{}", fault.pointer(&sent)?));
    let report = report.map_err(|error| simulation(error, place))?;
    Ok(Json(report.into()))
}

fn request(body: SimulatePolicyRequest) -> Result<SimulationRequest, Problem> {
    let last = body.last.unwrap_or(DEFAULT_SESSIONS);
    if !(1..=MAX_SESSIONS).contains(&last) {
        let detail = "`last` is from 1 to 10000.";
        return Err(invalid("/last", "invalid_limit", detail));
    }
    let api_key = body.api_key_id.map(|id| id.parse::<ApiKeyId>());
    let api_key = api_key.transpose().map_err(|_| {
        let detail = "An API key's identifier is `key_` and 12 letters and digits.";
        invalid("/api_key_id", "invalid_filter", detail)
    })?;
    let Object(candidate) = body.policy;
    Ok(SimulationRequest {
        candidate,
        since: body.since,
        until: body.until,
        last,
        api_key,
    })
}

impl From<SimulationReport> for PolicySimulation {
    fn from(report: SimulationReport) -> Self {
        let views = |groups: Vec<Group>| groups.into_iter().map(SessionGroup::from).collect();
        Self {
            replayed: report.replayed,
            unchanged: report.unchanged,
            undetermined: report.undetermined,
            newly_refused: views(report.newly_refused),
            newly_granted: views(report.newly_granted),
            changed: views(report.changed),
        }
    }
}

impl From<Group> for SessionGroup {
    fn from(group: Group) -> Self {
        Self {
            api_key_id: group.api_key.to_string(),
            roles: group.roles,
            count: group.count,
            reasons: group.reasons,
            attributes: group.attributes,
            scope_changed: group.scope_changed,
            example_session_id: group.example.to_string(),
        }
    }
}
