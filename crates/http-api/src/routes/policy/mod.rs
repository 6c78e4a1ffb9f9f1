//! The policy over HTTP: as a whole here, its parts in the modules below.

pub mod attributes;
pub mod formats;
pub mod roles;
pub mod row_filters;
pub mod schema;

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use policy::operations::markers;
use policy::{Change, Edited, PolicyDocument};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use self::formats::{SentPolicy, entity_tag, expected_version, show};
use self::schema::PolicySchema;
use super::verifiers::is_known;
use crate::caller::{Caller, RequestOrigin, act};
use crate::errors::edit;
use crate::problem::Problem;
use crate::query::{Query, decode_cursor, limit};
use crate::state::ApiState;

/// Which page of named things to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListNamesQuery {
    /// How many, 50 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// How to replace the policy.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReplacePolicyQuery {
    /// Check and compare only; write nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    dry_run: bool,
}

/// What a replacement changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyChanges {
    /// The policy's version now; with `dry_run`, that of the policy as it stands.
    version: i64,
    /// What changed, in the order of the paths; empty when nothing did.
    changes: Vec<PolicyChange>,
}

/// One thing that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyChange {
    /// Where: `roles/viewer` for a role that comes or goes, `roles/viewer/permissions` for a field.
    #[schema(examples("roles/viewer/permissions"))]
    path: String,
    /// What it was; absent for what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// What it becomes; absent for what goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

impl ListNamesQuery {
    /// How many to answer with, and behind which name.
    pub(super) fn page<N: FromStr>(&self) -> Result<(u32, Option<N>), Problem> {
        let limit = limit(self.limit)?;
        let after = decode_cursor(self.cursor.as_deref(), |text| text.parse().ok())?;
        Ok((limit, after))
    }
}

impl From<Edited> for PolicyChanges {
    fn from(edited: Edited) -> Self {
        let changes = edited.diff.changes().iter().cloned();
        Self {
            version: edited.version,
            changes: changes.map(PolicyChange::from).collect(),
        }
    }
}

impl From<Change> for PolicyChange {
    fn from(change: Change) -> Self {
        Self {
            path: change.path,
            before: change.before,
            after: change.after,
        }
    }
}

/// Show the policy
///
/// As a whole, with its version as `ETag`. Roles, attributes and row rules are in the order of their names.
#[utoipa::path(
    get,
    path = "/v1/policy",
    operation_id = "getPolicy",
    tag = "Policy",
    params(("If-None-Match" = inline(Option<String>), Header, nullable = false, description = "The `ETag` of the version that the client has")),
    responses(
        (status = 200, description = "The policy", content((PolicySchema = "application/json"), (String = "application/yaml")), headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 304, description = "Unchanged since the version named in `If-None-Match`"),
        (status = 406, description = "`not_acceptable`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_policy(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetPolicy>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let policies = &state.services.policy;
    let (document, version) = policies.document(caller.organization()).await?;
    if is_known(&headers, &entity_tag(version)) {
        let tag = [(header::ETAG, entity_tag(version))];
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    show(&headers, document, version)
}

/// Replace the policy
///
/// All or nothing: what the document does not hold is gone afterwards, and a policy with any fault changes nothing.
/// Tokens that were issued keep what they carry; the next issuance goes by the new policy, on every node within two
/// seconds. With `If-Match`, only if the policy is still at that version. `text/csv` takes casbin's rules: it replaces what
/// roles allow, deny and inherit, and keeps everything else.
#[utoipa::path(
    put,
    path = "/v1/policy",
    operation_id = "replacePolicy",
    tag = "Policy",
    params(
        ReplacePolicyQuery,
        ("If-Match" = inline(Option<String>), Header, nullable = false, description = "The `ETag` of the version that the client has seen; one, or `*`"),
    ),
    request_body(
        content((PolicySchema = "application/json"), (PolicySchema = "application/yaml"), (String = "text/csv")),
        description = "The policy, or casbin's rules",
    ),
    responses(
        (status = 200, description = "What changed", body = PolicyChanges, headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 412, description = "`policy_changed`"),
        (status = 422, description = "`invalid_document`, `invalid_policy`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn replace_policy(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ReplacePolicy>,
    RequestOrigin(origin): RequestOrigin,
    Query(query): Query<ReplacePolicyQuery>,
    headers: HeaderMap,
    sent: SentPolicy,
) -> Result<Response, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let (policies, expected) = (&state.services.policy, expected_version(&headers));
    let (current, expected) = if sent.is_partial() {
        let (current, version) = policies.document(organization).await?;
        (current, expected.or(Some(version)))
    } else {
        (PolicyDocument::default(), expected)
    };
    let sent = sent.document(current).await?;
    let document = sent.clone();
    let edited = if query.dry_run {
        policies.dry_run(organization, expected, document).await
    } else {
        let edited = policies.replace(&act, organization, expected, document);
        edited.await
    };
    let edited = edited.map_err(|error| edit(error, |fault| fault.pointer(&sent)))?;
    let tag = [(header::ETAG, entity_tag(edited.version))];
    Ok((tag, Json(PolicyChanges::from(edited))).into_response())
}
