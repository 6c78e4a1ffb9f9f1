use std::collections::BTreeMap;

use policy::{AudienceLimits, AudienceName};
use sqlx::types::Json;
use storage::{
    AudienceId, Conn, OrganizationId, StorageError, Timestamp, Transaction, execute, fetch_all,
    fetch_optional,
};

use super::{Audience, AudienceSettings};
use crate::signing_keys::SigningAlgorithm;

#[derive(sqlx::FromRow)]
struct Row {
    id: AudienceId,
    organization_id: OrganizationId,
    name: String,
    aud: String,
    algorithm: String,
    default_ttl_seconds: i32,
    max_ttl_seconds: i32,
    settings: Json<AudienceSettings>,
    created_at: Timestamp,
}

impl TryFrom<Row> for Audience {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let seconds = |value: i32| {
            u32::try_from(value).map_err(|error| StorageError::corrupt("audience lifetime", error))
        };
        Ok(Self {
            id: row.id,
            organization: row.organization_id,
            name: AudienceName::parse(&row.name)
                .map_err(|error| StorageError::corrupt("audience name", error))?,
            aud: row.aud,
            algorithm: SigningAlgorithm::parse(&row.algorithm)
                .ok_or_else(|| StorageError::corrupt("signing algorithm", &row.algorithm))?,
            limits: AudienceLimits {
                default_ttl_seconds: seconds(row.default_ttl_seconds)?,
                max_ttl_seconds: seconds(row.max_ttl_seconds)?,
            },
            settings: row.settings.0,
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn insert(conn: Conn<'_>, audience: &Audience) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into audiences (id, organization_id, name, aud, algorithm, default_ttl_seconds,
                                max_ttl_seconds, settings, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        audience.id,
        audience.organization,
        audience.name.as_ref(),
        &audience.aud,
        audience.algorithm.as_str(),
        i64::from(audience.limits.default_ttl_seconds),
        i64::from(audience.limits.max_ttl_seconds),
        Json(&audience.settings),
        audience.created_at,
    )?;
    Ok(())
}

/// Stores the origins a second time, by origin.
pub(crate) async fn set_origins(
    tx: &mut Transaction,
    audience: &Audience,
) -> Result<(), StorageError> {
    forget_origins(tx.conn(), audience.id).await?;
    for origin in &audience.settings.authorized_origins {
        let sql = "insert into audience_origins (origin, audience_id) values ($1, $2)";
        execute!(tx.conn(), sql, origin.as_str(), audience.id)?;
    }
    Ok(())
}

/// The origins of a removed audience.
pub(crate) async fn forget_origins(
    conn: Conn<'_>,
    audience: AudienceId,
) -> Result<(), StorageError> {
    let sql = "delete from audience_origins where audience_id = $1";
    execute!(conn, sql, audience)?;
    Ok(())
}

/// Does any audience authorize this origin?
pub(crate) async fn is_authorized_origin(
    conn: Conn<'_>,
    origin: &str,
) -> Result<bool, StorageError> {
    let sql = "select origin from audience_origins where origin = $1 limit 1";
    Ok(fetch_optional!(conn, (String,), sql, origin)?.is_some())
}

/// Stores what can change.
pub(crate) async fn update(conn: Conn<'_>, audience: &Audience) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update audiences set aud = $3, default_ttl_seconds = $4, max_ttl_seconds = $5, settings = $6
         where organization_id = $1 and id = $2 and deleted_at is null",
        audience.organization,
        audience.id,
        &audience.aud,
        i64::from(audience.limits.default_ttl_seconds),
        i64::from(audience.limits.max_ttl_seconds),
        Json(&audience.settings),
    )?;
    Ok(changed == 1)
}

/// Sessions still name it, so its row stays; its name becomes free.
pub(crate) async fn delete(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: AudienceId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update audiences set deleted_at = $3, name = $4
         where organization_id = $1 and id = $2 and deleted_at is null",
        organization,
        id,
        now,
        id.to_string(),
    )?;
    Ok(changed == 1)
}

pub(crate) async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: AudienceId,
) -> Result<Option<Audience>, StorageError> {
    fetch_optional!(
        conn,
        Row,
        "select id, organization_id, name, aud, algorithm, default_ttl_seconds, max_ttl_seconds, settings,
                created_at
         from audiences where organization_id = $1 and id = $2 and deleted_at is null",
        organization,
        id,
    )?
    .map(Audience::try_from)
    .transpose()
}

pub(crate) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<Audience>, StorageError> {
    fetch_all!(
        conn,
        Row,
        "select id, organization_id, name, aud, algorithm, default_ttl_seconds, max_ttl_seconds, settings,
                created_at
         from audiences where organization_id = $1 and deleted_at is null order by name, id",
        organization,
    )?
    .into_iter()
    .map(Audience::try_from)
    .collect()
}

/// Name and `aud` of every audience that the organization has or had.
pub(crate) async fn names(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<BTreeMap<AudienceId, (String, String)>, StorageError> {
    let rows = fetch_all!(
        conn,
        (AudienceId, String, String),
        "select id, name, aud from audiences where organization_id = $1 order by id",
        organization,
    )?;
    let named = rows.into_iter().map(|(id, name, aud)| (id, (name, aud)));
    Ok(named.collect())
}
