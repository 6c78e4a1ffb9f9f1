//! Many exchanges in one request.

use axum::Json;
use axum::extract::State;
use policy::GrantRequest;
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use token_issuer::IssuedToken;
use utoipa::ToSchema;

use super::session_tokens::{
    SessionToken, TokenResource, TokenUser, default_audience, grant_request,
};
use crate::caller::{Caller, RequestOrigin};
use crate::json::{JsonBody, Object, present};
use crate::problem::{Problem, ProblemBody};
use crate::state::ApiState;

/// Many requests for session tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "requests": [
        { "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } },
        { "user": { "id": "user-43", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } }, "ttl_seconds": 300 },
    ],
}))]
pub struct IssueSessionTokenBatchRequest {
    /// The requests.
    #[schema(value_type = Vec<SessionTokenBatchItem>, min_items = 1, max_items = 100)]
    requests: Vec<Object<SessionTokenBatchItem>>,
}

/// One of many requests for a session token: as `POST /v1/session-tokens` takes it, without `dry_run`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionTokenBatchItem {
    /// The user, whom the calling backend has authenticated.
    #[schema(value_type = TokenUser)]
    user: Object<TokenUser>,
    /// The name of the audience that the token is for.
    #[serde(default = "default_audience")]
    #[schema(default = "default", pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    audience: String,
    /// How long the token lives, in seconds. Left out: the audience's default, or less where a limit says so.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 86400)]
    ttl_seconds: Option<i64>,
    /// The resources that the token is limited to. Left out or empty: no such limit.
    #[serde(default)]
    #[schema(value_type = Vec<TokenResource>, max_items = 100)]
    resources: Vec<Object<TokenResource>>,
}

/// What became of many requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionTokenBatch {
    /// One for each request, in their order.
    results: Vec<SessionTokenResult>,
}

/// What became of one request: either `token` or `problem` is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionTokenResult {
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<SessionToken>,
    /// Why there is none, as `POST /v1/session-tokens` answers it: pointers are those of the one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<ProblemBody>,
}

impl SessionTokenResult {
    fn new(issued: Result<IssuedToken, Problem>, request_id: &str) -> Result<Self, Problem> {
        let (token, problem) = match issued {
            Ok(issued) => (Some(SessionToken::new(&issued)?), None),
            Err(problem) => (None, Some(problem.body(request_id))),
        };
        Ok(Self { token, problem })
    }
}

impl From<Object<SessionTokenBatchItem>> for GrantRequest {
    fn from(Object(item): Object<SessionTokenBatchItem>) -> Self {
        grant_request(item.user, item.audience, item.ttl_seconds, item.resources)
    }
}

/// Issue many session tokens
///
/// Each request is decided by itself, and has its own result. The tokens that are granted are recorded together: all of
/// them, or none. Where the API key has a rate limit, each request counts as one use; a batch that is more than is left
/// is refused as a whole. A fault in the form of one request refuses the whole body.
#[utoipa::path(
    post,
    path = "/v1/session-tokens/batch",
    operation_id = "issueSessionTokenBatch",
    tag = "Session tokens",
    request_body = IssueSessionTokenBatchRequest,
    responses(
        (status = 200, description = "A result for each request", body = SessionTokenBatch),
        (status = 422, description = "`invalid_batch`, `batch_beyond_burst`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn issue_session_token_batch(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::IssueSessionTokenBatch>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<IssueSessionTokenBatchRequest>,
) -> Result<Json<SessionTokenBatch>, Problem> {
    let requests = body.requests.into_iter().map(GrantRequest::from).collect();
    let issued = state
        .services
        .issue_session_tokens(&caller.issuing(), requests, &origin)
        .await?;
    let results = issued.into_iter();
    let results = results.map(|issued| {
        let issued = issued.map_err(Problem::from);
        state.metrics.batched(issued.as_ref().err());
        SessionTokenResult::new(issued, &origin.request_id)
    });
    Ok(Json(SessionTokenBatch {
        results: results.collect::<Result<_, _>>()?,
    }))
}
