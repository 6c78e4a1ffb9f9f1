use serde_json::Value;
use sqlx::types::Json;
use storage::{AuditEventId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all};

use super::{AuditEvent, AuditFilter};

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
    let rows = fetch_all!(
        conn,
        Row,
        "select id, at, actor_kind, actor_id, action, target_kind, target_id, detail, client_address,
                request_id
         from audit_events
         where organization_id = $1
           and ($2 is null or id < $2)
           and ($3 is null or action = $3)
           and ($4 is null or actor_id = $4)
           and ($5 is null or target_id = $5)
         order by id desc limit $6",
        organization,
        before,
        &filter.action,
        &filter.actor_id,
        &filter.target_id,
        i64::from(limit),
    )?;
    Ok(rows.into_iter().map(AuditEvent::from).collect())
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
