use serde_json::Value;
use sqlx::types::Json;
use storage::{
    AuditEventId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all, fetch_one,
};

use super::{AuditEvent, AuditFilter};
use crate::like::anywhere;

pub(super) async fn insert(
    conn: Conn<'_>,
    organization: OrganizationId,
    event: &AuditEvent,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into audit_events (id, organization_id, at, actor_kind, actor_id, action, target_kind,
                                   target_id, detail, client_address, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        event.id,
        organization,
        event.at,
        &event.actor_kind,
        &event.actor_id,
        &event.action,
        &event.target_kind,
        &event.target_id,
        Json(&event.detail),
        &event.client_address,
        &event.request_id,
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: AuditEventId,
    at: Timestamp,
    actor_kind: String,
    actor_id: String,
    action: String,
    target_kind: String,
    target_id: String,
    detail: Json<Value>,
    client_address: Option<String>,
    request_id: Option<String>,
}

pub(super) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
    filter: &AuditFilter,
    before: Option<AuditEventId>,
    limit: u32,
) -> Result<Vec<AuditEvent>, StorageError> {
    let patterns = Patterns::of(filter);
    let rows = fetch_all!(
        conn,
        Row,
        "select id, at, actor_kind, actor_id, action, target_kind, target_id, detail, client_address,
                request_id
         from audit_events
         where organization_id = $1
           and ($2 is null or id < $2)
           and ($3 is null or at >= $3)
           and ($4 is null or at < $4)
           and ($5 is null or action = $5)
           and ($6 is null or substr(action, 1, length($6)) = $6)
           and ($7 is null or actor_kind = $7)
           and ($8 is null or actor_id = $8)
           and ($9 is null or target_id = $9)
           and ($10 is null or lower(action) like $10 escape '\\' or lower(target_kind) like $10 escape '\\'
                or lower(target_id) like $10 escape '\\')
         order by id desc limit $11",
        organization,
        before,
        filter.since,
        filter.until,
        &filter.action,
        &patterns.noun,
        &filter.actor_kind,
        &filter.actor_id,
        &filter.target_id,
        &patterns.text,
        i64::from(limit),
    )?;
    Ok(rows.into_iter().map(AuditEvent::from).collect())
}

/// How many events the filter lets through.
pub(super) async fn count(
    conn: Conn<'_>,
    organization: OrganizationId,
    filter: &AuditFilter,
) -> Result<u64, StorageError> {
    let patterns = Patterns::of(filter);
    let (events,) = fetch_one!(
        conn,
        (i64,),
        "select count(*) from audit_events
         where organization_id = $1
           and ($2 is null or id < $2)
           and ($3 is null or at >= $3)
           and ($4 is null or at < $4)
           and ($5 is null or action = $5)
           and ($6 is null or substr(action, 1, length($6)) = $6)
           and ($7 is null or actor_kind = $7)
           and ($8 is null or actor_id = $8)
           and ($9 is null or target_id = $9)
           and ($10 is null or lower(action) like $10 escape '\\' or lower(target_kind) like $10 escape '\\'
                or lower(target_id) like $10 escape '\\')",
        organization,
        None::<AuditEventId>,
        filter.since,
        filter.until,
        &filter.action,
        &patterns.noun,
        &filter.actor_kind,
        &filter.actor_id,
        &filter.target_id,
        &patterns.text,
    )?;
    Ok(events.unsigned_abs())
}

/// What the names in the filter are looked for by.
struct Patterns {
    noun: Option<String>,
    text: Option<String>,
}

impl Patterns {
    fn of(filter: &AuditFilter) -> Self {
        let folded = filter.text.as_ref().map(|text| text.to_ascii_lowercase());
        Self {
            noun: filter.noun.as_ref().map(|noun| format!("{noun}.")),
            text: folded.as_deref().map(anywhere),
        }
    }
}

impl From<Row> for AuditEvent {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            action: row.action,
            target_kind: row.target_kind,
            target_id: row.target_id,
            detail: row.detail.0,
            client_address: row.client_address,
            request_id: row.request_id,
        }
    }
}
