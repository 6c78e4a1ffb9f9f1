//! The audit trail over HTTP.

use axum::Json;
use axum::extract::State;
use key_admin::audit::{self, AuditEvent, AuditFilter};
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::{Query, decode_cursor, invalid, limit, next_cursor, time};
use crate::state::ApiState;

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditEventsQuery {
    /// How many, 50 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Only this action.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "api_key.create"
    )]
    action: Option<String>,
    /// Only actions with this noun.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "api_key"
    )]
    noun: Option<String>,
    /// Only what was done by actors of this kind: `api_key`, `user`, `command_line`, `server` or `finder`.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "user"
    )]
    actor_kind: Option<String>,
    /// Only what was done by this API key or user.
    #[param(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9._-]+$")]
    actor_id: Option<String>,
    /// Only what was done to this API key, user, service account or the like.
    #[param(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9._-]+$")]
    target_id: Option<String>,
    /// Only where the action, the kind of the target or its identifier contains this, in any case.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "rotate"
    )]
    search: Option<String>,
    /// Only what happened at this time or later.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    since: Option<String>,
    /// Only what happened before this time.
    #[param(format = DateTime, example = "2026-02-01T00:00:00Z")]
    until: Option<String>,
}

/// Something that was changed, or refused to whoever had proven an API key: of refusals only so many are kept per key and
/// address. Events are only ever added.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct AuditEventView {
    /// Its identifier; later events have greater ones.
    #[schema(examples("evt_01a203acc363700cb2d3af39a2eae215"))]
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// What was done: noun and verb. Refusals are `api_key.refuse` (a key whose secret is right, but which may not act),
    /// `operation.refuse` (an operation that the key or its owner may not do) and `session_token.refuse`.
    #[schema(examples("api_key.create"))]
    action: String,
    /// Who did it: `api_key`, `user`, `command_line` for somebody on the server's machine, `server` for the server itself
    /// by its schedule, `finder` for whoever reported a leaked key, or `stranger` for a refused sign-in to the console.
    actor_kind: String,
    /// Which API key or user; absent for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("key_0Hq3VbN8tRzA"))]
    actor_id: Option<String>,
    /// The kind of thing it was done to.
    #[schema(examples("api_key"))]
    target_kind: String,
    /// Which one. It need not exist any more.
    target_id: String,
    /// What changed, for people: mostly `before` and `after`; of a refusal its `reasons`, each with a `code`. Its shape
    /// depends on the action; it holds no secrets.
    #[schema(value_type = Object)]
    detail: Value,
    /// The address that the request came from; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_address: Option<String>,
    /// The `x-request-id` of the request; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEventList {
    /// The events.
    data: Vec<AuditEventView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// List what happened
///
/// Newest first: who changed what, or was refused, when, and from where.
#[utoipa::path(
    get,
    path = "/v1/audit-events",
    operation_id = "listAuditEvents",
    tag = "Audit",
    params(ListAuditEventsQuery),
    responses(
        (status = 200, description = "A page of events", body = AuditEventList),
        (status = 422, description = "`invalid_filter`, `invalid_time`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_audit_events(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListAuditEvents>,
    Query(query): Query<ListAuditEventsQuery>,
) -> Result<Json<AuditEventList>, Problem> {
    let limit = limit(query.limit)?;
    let before = decode_cursor(query.cursor.as_deref(), |text| text.parse().ok())?;
    let filter = AuditFilter {
        action: wanted("/action", query.action)?,
        noun: wanted("/noun", query.noun)?,
        actor_kind: wanted("/actor_kind", query.actor_kind)?,
        actor_id: wanted("/actor_id", query.actor_id)?,
        target_id: wanted("/target_id", query.target_id)?,
        text: wanted("/search", query.search)?,
        since: time("/since", query.since.as_deref())?,
        until: time("/until", query.until.as_deref())?,
    };
    let database = &state.services.database;
    let mut found =
        audit::list(database, caller.organization(), &filter, before, limit + 1).await?;
    let next_cursor = next_cursor(&mut found, limit, |event| event.id.to_string());
    Ok(Json(AuditEventList {
        data: found.into_iter().map(AuditEventView::from).collect(),
        next_cursor,
    }))
}

/// What no event can have is a mistake of the caller, and some of it is no text for a database.
fn wanted(pointer: &'static str, text: Option<String>) -> Result<Option<String>, Problem> {
    let fits = |text: &String| (1..=100).contains(&text.len()) && text.bytes().all(is_plain);
    if text.as_ref().is_none_or(fits) {
        return Ok(text);
    }
    let detail = "A filter has 1 to 100 letters, digits, dots, hyphens and underscores.";
    Err(invalid(pointer, "invalid_filter", detail))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl From<AuditEvent> for AuditEventView {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.to_string(),
            action: event.action,
            actor_kind: event.actor_kind,
            actor_id: Some(event.actor_id).filter(|id| !id.is_empty()),
            target_kind: event.target_kind,
            target_id: event.target_id,
            detail: event.detail,
            client_address: event.client_address,
            request_id: event.request_id,
        }
    }
}
