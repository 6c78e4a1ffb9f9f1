//! Why a request would be granted or refused.

use axum::Json;
use axum::extract::State;
use key_admin::ApiKeyId;
use policy::operations::markers;
use policy::{Outcome, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::explain::{Explained, ExplainedEffective, ExplainedReason};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::json::{JsonBody, Object, present};
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::routes::session_tokens::{TokenResource, TokenUser, default_audience, grant_request};
use crate::state::ApiState;

/// A request to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
}))]
pub struct ExplainPolicyRequest {
    /// The API key that would ask. Left out: the calling key.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^key_[0-9A-Za-z]{12}$", examples("key_0Hq3VbN8tRzA"))]
    api_key_id: Option<String>,
    /// The user.
    #[schema(value_type = TokenUser)]
    user: Object<TokenUser>,
    /// The name of the audience.
    #[serde(default = "default_audience")]
    #[schema(default = "default", pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    audience: String,
    /// How long the token shall live, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 86400)]
    ttl_seconds: Option<i64>,
    /// The resources that the token is limited to.
    #[serde(default)]
    #[schema(value_type = Vec<TokenResource>, max_items = 100)]
    resources: Vec<Object<TokenResource>>,
}

/// A decision and all that led to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyExplanation {
    /// Would a token be issued?
    granted: bool,
    /// What stands against it; empty when granted.
    reasons: Vec<RefusalReason>,
    /// Every rule that took part, in the order in which it was asked. Empty when the key's limits are not usable.
    steps: Vec<PolicyStep>,
    /// What the request comes to, as far as it could be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    effective: Option<EffectiveGrant>,
    /// The claims that the token would have; `jti`, `iat`, `nbf` and `exp` are those of this moment. A sensitive value
    /// that the request does not send itself is shown as `[hidden]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false, nullable = false)]
    claims: Option<Map<String, Value>>,
    /// The length of the claims as JSON, in bytes, with all values as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claims_bytes: Option<usize>,
    /// The version of the policy that decided.
    policy_version: i64,
}

/// One thing that stands against a token.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalReason {
    /// What it is, as `POST /v1/session-tokens` says it.
    #[schema(examples("missing_attribute"))]
    code: &'static str,
    /// Where in the request, as a JSON pointer.
    pointer: String,
    /// The same in words.
    detail: String,
}

/// One rule that took part in a decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyStep {
    /// Where the rule stands: in the policy, the key's ceiling, the audience, or the form of requests.
    #[schema(examples("roles.viewer.required_attributes"))]
    rule: String,
    /// What it did: `allowed`, `refused`, `added` or `narrowed`.
    #[schema(value_type = String, examples("allowed"))]
    outcome: Outcome,
    /// The same in words, without values.
    detail: String,
}

/// What a request comes to.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectiveGrant {
    /// The requested roles that exist, and all they inherit.
    roles: Vec<String>,
    /// The attributes, with those that the key fixes and the roles give. A sensitive value that the request does not
    /// send itself is shown as `[hidden]`.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// What the roles allow.
    scope: Vec<String>,
    /// The lifetime in seconds; absent when it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ttl_seconds: Option<u32>,
}

/// Explain a decision
///
/// Decides a request for a session token as the exchange would, and shows every rule that took part. Nothing is signed
/// or recorded.
#[utoipa::path(
    post,
    path = "/v1/policy/explain",
    operation_id = "explainPolicy",
    tag = "Policy",
    request_body = ExplainPolicyRequest,
    responses(
        (status = 200, description = "The decision", body = PolicyExplanation),
        (status = 404, description = "The organization has no such API key: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn explain_policy(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ExplainPolicy>,
    JsonBody(body): JsonBody<ExplainPolicyRequest>,
) -> Result<Json<PolicyExplanation>, Problem> {
    let key = body.api_key_id.map(|id| id.parse::<ApiKeyId>());
    let key = key.transpose().map_err(|_| not_found())?;
    let request = grant_request(body.user, body.audience, body.ttl_seconds, body.resources);
    let issuer = &state.services.issuer;
    let explained = issuer.explain(&caller, key, request).await?;
    Ok(Json(explained.into()))
}

impl From<Explained> for PolicyExplanation {
    fn from(explained: Explained) -> Self {
        let granted = explained.is_granted();
        let (claims, claims_bytes) = explained
            .claims
            .map(|claims| (claims.claims, claims.bytes))
            .unzip();
        Self {
            granted,
            reasons: explained.reasons.into_iter().map(Into::into).collect(),
            steps: explained.steps.into_iter().map(Into::into).collect(),
            effective: explained.effective.map(Into::into),
            claims,
            claims_bytes,
            policy_version: explained.policy_version,
        }
    }
}

impl From<ExplainedReason> for RefusalReason {
    fn from(reason: ExplainedReason) -> Self {
        Self {
            code: reason.code,
            pointer: reason.pointer,
            detail: reason.detail,
        }
    }
}

impl From<Step> for PolicyStep {
    fn from(step: Step) -> Self {
        Self {
            rule: step.rule,
            outcome: step.outcome,
            detail: step.detail,
        }
    }
}

impl From<ExplainedEffective> for EffectiveGrant {
    fn from(effective: ExplainedEffective) -> Self {
        Self {
            roles: effective.roles,
            attributes: effective.attributes,
            scope: effective.scope,
            ttl_seconds: effective.ttl_seconds,
        }
    }
}
