use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use sqlx::types::Json;
use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, Versioned, execute, fetch_all,
    fetch_optional,
};

use super::{ApiKey, ApiKeyId, KeyCeiling, Permission};
use crate::Slug;
use crate::rate_limit::RateLimit;

/// A key with what authentication needs to know around it.
pub(crate) struct KeyRecord {
    pub(crate) key: ApiKey,
    pub(crate) secret_hash: Arc<str>,
    pub(crate) owner_active: bool,
    pub(crate) owner_name: String,
    pub(crate) owner_kind: String,
    pub(crate) organization_slug: Slug,
    pub(crate) organization_name: String,
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    organization_id: OrganizationId,
    owner_id: PrincipalId,
    name: String,
    permissions: Json<Vec<Permission>>,
    ceiling: Json<KeyCeiling>,
    allowed_networks: Json<Vec<IpNet>>,
    rate_limit: Option<Json<RateLimit>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StorageError;

    fn try_from(row: KeyRow) -> Result<Self, StorageError> {
        let id = ApiKeyId::from_characters(&row.id)
            .ok_or_else(|| StorageError::corrupt("API key id", "it is not 12 base62 characters"))?;
        Ok(Self {
            id,
            organization: row.organization_id,
            owner: row.owner_id,
            name: row.name,
            permissions: row.permissions.0,
            ceiling: row.ceiling.0,
            allowed_networks: row.allowed_networks.0,
            rate_limit: row.rate_limit.map(|limit| limit.0),
            created_at: row.created_at,
            expires_at: row.expires_at,
            disabled_at: row.disabled_at,
            revoked_at: row.revoked_at,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RecordRow {
    #[sqlx(flatten)]
    key: KeyRow,
    secret_hash: String,
    owner_state: String,
    owner_name: String,
    owner_kind: String,
    organization_slug: String,
    organization_name: String,
    organization_version: i64,
}

/// Everything authentication needs, in one query, so that the version belongs to the row.
pub(super) async fn find_record(
    conn: Conn<'_>,
    id: ApiKeyId,
) -> Result<Option<Versioned<KeyRecord>>, StorageError> {
    let row = fetch_optional!(
        conn,
        RecordRow,
        "select k.id, k.organization_id, k.owner_id, k.name, k.permissions, k.ceiling, k.allowed_networks,
                k.rate_limit, k.created_at, k.expires_at, k.disabled_at, k.revoked_at, k.secret_hash,
                p.state as owner_state, p.name as owner_name, p.kind as owner_kind,
                o.slug as organization_slug, o.name as organization_name, o.version as organization_version
         from api_keys k
         join principals p on p.id = k.owner_id
         join organizations o on o.id = k.organization_id
         where k.id = $1",
        id.as_str(),
    )?;
    let Some(row) = row else { return Ok(None) };
    let slug = Slug::parse(&row.organization_slug)
        .map_err(|error| StorageError::corrupt("slug", error))?;
    Ok(Some(Versioned {
        organization: row.key.organization_id,
        version: row.organization_version,
        value: KeyRecord {
            key: row.key.try_into()?,
            secret_hash: row.secret_hash.into(),
            owner_active: row.owner_state == "active",
            owner_name: row.owner_name,
            owner_kind: row.owner_kind,
            organization_slug: slug,
            organization_name: row.organization_name,
        },
    }))
}

/// The organization's keys, newest first.
pub(crate) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<ApiKey>, StorageError> {
    fetch_all!(
        conn,
        KeyRow,
        "select id, organization_id, owner_id, name, permissions, ceiling, allowed_networks, rate_limit,
                created_at, expires_at, disabled_at, revoked_at
         from api_keys where organization_id = $1 order by created_at desc, id",
        organization,
    )?
    .into_iter()
    .map(ApiKey::try_from)
    .collect()
}

/// Locks the owner's row until the transaction ends, so that two creations cannot choose the same slot, and says
/// whether the owner is an active principal of the organization.
pub(super) async fn lock_owner(
    conn: Conn<'_>,
    organization: OrganizationId,
    owner: PrincipalId,
) -> Result<bool, StorageError> {
    let locked = execute!(
        conn,
        "update principals set state = state where id = $1 and organization_id = $2 and state = 'active'",
        owner,
        organization,
    )?;
    Ok(locked == 1)
}

/// Keys whose time is over no longer count as live.
pub(super) async fn free_expired_slots(
    conn: Conn<'_>,
    owner: PrincipalId,
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "update api_keys set live_slot = null
         where owner_id = $1 and live_slot is not null and expires_at <= $2",
        owner,
        now,
    )?;
    Ok(())
}

/// The numbers that live keys of the owner hold.
pub(super) async fn taken_slots(
    conn: Conn<'_>,
    owner: PrincipalId,
) -> Result<Vec<i32>, StorageError> {
    let rows = fetch_all!(
        conn,
        (i32,),
        "select live_slot from api_keys where owner_id = $1 and live_slot is not null order by live_slot",
        owner,
    )?;
    Ok(rows.into_iter().map(|(slot,)| slot).collect())
}

pub(super) async fn insert(
    conn: Conn<'_>,
    key: &ApiKey,
    secret_hash: &str,
    live_slot: i32,
    created_by: Option<PrincipalId>,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into api_keys (id, organization_id, owner_id, created_by, live_slot, name, secret_hash,
                               permissions, ceiling, allowed_networks, rate_limit, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        key.id.as_str(),
        key.organization,
        key.owner,
        created_by,
        live_slot,
        &key.name,
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

/// Replaces a hash by one of another cost, unless it has been replaced meanwhile.
pub(super) async fn replace_hash(
    conn: Conn<'_>,
    id: ApiKeyId,
    (old, new): (&str, &str),
) -> Result<bool, StorageError> {
    let sql = "update api_keys set secret_hash = $3 where id = $1 and secret_hash = $2";
    Ok(execute!(conn, sql, id.as_str(), old, new)? == 1)
}

/// Switches a key off.
pub(crate) async fn disable(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update api_keys set disabled_at = $3
         where id = $1 and organization_id = $2 and disabled_at is null and revoked_at is null",
        id.as_str(),
        organization,
        now,
    )?;
    Ok(changed == 1)
}

/// Removes a key for good.
pub(crate) async fn delete(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<bool, StorageError> {
    let sql = "delete from api_keys where id = $1 and organization_id = $2";
    Ok(execute!(conn, sql, id.as_str(), organization)? == 1)
}
