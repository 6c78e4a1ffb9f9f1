//! The SQL of keys. Here: reading one; `changes` writes one, `slots` keeps the limit, `listing` finds many.

pub(super) mod changes;
pub(super) mod listing;
pub(super) mod slots;

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use sqlx::types::Json;
use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, Versioned, fetch_one,
    fetch_optional,
};

use super::{ApiKey, ApiKeyId, KeyCeiling};
use crate::Permission;
use crate::Slug;
use crate::rate_limit::RateLimit;
use crate::users::UserRole;

/// A key with what authentication needs to know around it.
pub(crate) struct KeyRecord {
    pub(crate) key: ApiKey,
    pub(crate) secret_hash: Arc<str>,
    /// Of the secret before the last rotation, which works until [`ApiKey::previous_secret_until`].
    pub(crate) previous_secret_hash: Option<Arc<str>>,
    pub(crate) owner_active: bool,
    pub(crate) owner_name: String,
    pub(crate) owner_kind: String,
    /// `None` for a service account.
    pub(crate) owner_role: Option<UserRole>,
    pub(crate) organization_slug: Slug,
    pub(crate) organization_name: String,
}

impl KeyRecord {
    /// The hash of the previous secret, while it still works.
    pub(crate) fn previous_in_grace(&self, now: Timestamp) -> Option<&Arc<str>> {
        let in_grace = self.key.previous_secret_until.is_some_and(|end| now < end);
        self.previous_secret_hash.as_ref().filter(|_| in_grace)
    }
}

/// A key with what a change of it needs to know.
pub(super) struct StoredKey {
    pub(super) key: ApiKey,
    pub(super) secret_hash: String,
    pub(super) live_slot: Option<i32>,
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
    created_by: Option<PrincipalId>,
    name: String,
    permissions: Json<Vec<Permission>>,
    ceiling: Json<KeyCeiling>,
    allowed_networks: Json<Vec<IpNet>>,
    rate_limit: Option<Json<RateLimit>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    revoked_reason: Option<String>,
    previous_secret_until: Option<Timestamp>,
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
            created_by: row.created_by,
            name: row.name,
            permissions: row.permissions.0,
            ceiling: row.ceiling.0,
            allowed_networks: row.allowed_networks.0,
            rate_limit: row.rate_limit.map(|limit| limit.0),
            created_at: row.created_at,
            expires_at: row.expires_at,
            disabled_at: row.disabled_at,
            revoked_at: row.revoked_at,
            revoked_reason: row.revoked_reason,
            previous_secret_until: row.previous_secret_until,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RecordRow {
    #[sqlx(flatten)]
    key: KeyRow,
    secret_hash: String,
    previous_secret_hash: Option<String>,
    owner_state: String,
    owner_name: String,
    owner_kind: String,
    owner_role: Option<String>,
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
        "select k.id, k.organization_id, k.owner_id, k.created_by, k.name, k.permissions, k.ceiling,
                k.allowed_networks, k.rate_limit, k.created_at, k.expires_at, k.disabled_at, k.revoked_at,
                k.revoked_reason, k.previous_secret_until, k.secret_hash, k.previous_secret_hash,
                p.state as owner_state, p.name as owner_name, p.kind as owner_kind,
                u.role as owner_role,
                o.slug as organization_slug, o.name as organization_name, o.version as organization_version
         from api_keys k
         join principals p on p.id = k.owner_id
         join organizations o on o.id = k.organization_id
         left join users u on u.principal_id = p.id
         where k.id = $1",
        id.as_str(),
    )?;
    let Some(row) = row else { return Ok(None) };
    let slug = Slug::parse(&row.organization_slug)
        .map_err(|error| StorageError::corrupt("slug", error))?;
    let owner_role = match row.owner_role.as_deref() {
        Some(role) => {
            Some(UserRole::parse(role).ok_or_else(|| StorageError::corrupt("user role", role))?)
        }
        None => None,
    };
    Ok(Some(Versioned {
        organization: row.key.organization_id,
        version: row.organization_version,
        value: KeyRecord {
            key: row.key.try_into()?,
            secret_hash: row.secret_hash.into(),
            previous_secret_hash: row.previous_secret_hash.map(Arc::from),
            owner_active: row.owner_state == "active",
            owner_name: row.owner_name,
            owner_kind: row.owner_kind,
            owner_role,
            organization_slug: slug,
            organization_name: row.organization_name,
        },
    }))
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    #[sqlx(flatten)]
    key: KeyRow,
    secret_hash: String,
    live_slot: Option<i32>,
}

/// A key of the organization, for changing it.
pub(super) async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<Option<StoredKey>, StorageError> {
    let row = fetch_optional!(
        conn,
        StoredRow,
        "select id, organization_id, owner_id, created_by, name, permissions, ceiling, allowed_networks, rate_limit,
                created_at, expires_at, disabled_at, revoked_at, revoked_reason, previous_secret_until, secret_hash,
                live_slot
         from api_keys where id = $1 and organization_id = $2",
        id.as_str(),
        organization,
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredKey {
        key: row.key.try_into()?,
        secret_hash: row.secret_hash,
        live_slot: row.live_slot,
    }))
}

/// Whose key of the organization this is.
pub(super) async fn owner_of(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<Option<PrincipalId>, StorageError> {
    let sql = "select owner_id from api_keys where id = $1 and organization_id = $2";
    let row = fetch_optional!(conn, (PrincipalId,), sql, id.as_str(), organization)?;
    Ok(row.map(|(owner,)| owner))
}

/// How long a key of the organization may live, in seconds, where that is limited.
pub(super) async fn max_lifetime(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Option<u32>, StorageError> {
    let sql = "select max_key_lifetime_seconds from organizations where id = $1";
    let (seconds,) = fetch_one!(conn, (Option<i32>,), sql, organization)?;
    seconds
        .map(|seconds| {
            u32::try_from(seconds)
                .map_err(|_| StorageError::corrupt("maximum lifetime", "it is negative"))
        })
        .transpose()
}

/// The role of a user; `None` for a service account.
pub(super) async fn role_of(
    conn: Conn<'_>,
    principal: PrincipalId,
) -> Result<Option<UserRole>, StorageError> {
    let sql = "select role from users where principal_id = $1";
    let Some((role,)) = fetch_optional!(conn, (String,), sql, principal)? else {
        return Ok(None);
    };
    UserRole::parse(&role)
        .map(Some)
        .ok_or_else(|| StorageError::corrupt("user role", &role))
}
