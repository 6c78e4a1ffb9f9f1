use sqlx::types::Json;
use storage::{Conn, OrganizationId, StorageError, execute};

use crate::api_keys::{ApiKey, ApiKeyId};

/// Locks a key's row until the transaction ends.
pub(in crate::api_keys) async fn lock(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<bool, StorageError> {
    let sql = "update api_keys set name = name where id = $1 and organization_id = $2";
    Ok(execute!(conn, sql, id.as_str(), organization)? == 1)
}

pub(in crate::api_keys) async fn insert(
    conn: Conn<'_>,
    key: &ApiKey,
    secret_hash: &str,
    live_slot: i32,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into api_keys (id, organization_id, owner_id, created_by, live_slot, name, name_folded, secret_hash,
                               permissions, ceiling, allowed_networks, rate_limit, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        key.id.as_str(),
        key.organization,
        key.owner,
        key.created_by,
        live_slot,
        &key.name,
        folded(&key.name),
        secret_hash,
        Json(&key.permissions),
        Json(&key.ceiling),
        Json(&key.allowed_networks),
        key.rate_limit.map(Json),
        key.created_at,
        key.expires_at,
    )?;
    Ok(())
}

/// Writes everything that can change about a key, but its secrets.
pub(in crate::api_keys) async fn save(
    conn: Conn<'_>,
    key: &ApiKey,
    live_slot: Option<i32>,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "update api_keys
         set live_slot = $3, name = $4, name_folded = $5, permissions = $6, ceiling = $7, allowed_networks = $8,
             rate_limit = $9, expires_at = $10, disabled_at = $11, revoked_at = $12, revoked_reason = $13
         where id = $1 and organization_id = $2",
        key.id.as_str(),
        key.organization,
        live_slot,
        &key.name,
        folded(&key.name),
        Json(&key.permissions),
        Json(&key.ceiling),
        Json(&key.allowed_networks),
        key.rate_limit.map(Json),
        key.expires_at,
        key.disabled_at,
        key.revoked_at,
        &key.revoked_reason,
    )?;
    Ok(())
}

/// Makes the current secret the previous one, unless another has become current meanwhile.
pub(in crate::api_keys) async fn rotate(
    conn: Conn<'_>,
    key: &ApiKey,
    (old, new): (&str, &str),
) -> Result<bool, StorageError> {
    let previous = key.previous_secret_until.map(|_| old);
    let changed = execute!(
        conn,
        "update api_keys
         set secret_hash = $4, previous_secret_hash = $5, previous_secret_until = $6
         where id = $1 and organization_id = $2 and secret_hash = $3 and revoked_at is null",
        key.id.as_str(),
        key.organization,
        old,
        new,
        previous,
        key.previous_secret_until,
    )?;
    Ok(changed == 1)
}

/// Replaces a hash by one of another cost, unless it has been replaced meanwhile.
pub(in crate::api_keys) async fn replace_hash(
    conn: Conn<'_>,
    id: ApiKeyId,
    (old, new): (&str, &str),
) -> Result<bool, StorageError> {
    let sql = "update api_keys set secret_hash = $3 where id = $1 and secret_hash = $2";
    Ok(execute!(conn, sql, id.as_str(), old, new)? == 1)
}

/// Removes a key for good.
pub(in crate::api_keys) async fn delete(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<bool, StorageError> {
    let sql = "delete from api_keys where id = $1 and organization_id = $2";
    Ok(execute!(conn, sql, id.as_str(), organization)? == 1)
}

/// As names are compared when they are searched.
pub(in crate::api_keys) fn folded(name: &str) -> String {
    name.to_lowercase()
}
