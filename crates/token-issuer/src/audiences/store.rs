use policy::{AudienceLimits, AudienceName};
use storage::{AudienceId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all};

use super::Audience;
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
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn insert(conn: Conn<'_>, audience: &Audience) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into audiences (id, organization_id, name, aud, algorithm, default_ttl_seconds,
                                max_ttl_seconds, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        audience.id,
        audience.organization,
        audience.name.as_ref(),
        &audience.aud,
        audience.algorithm.as_str(),
        i64::from(audience.limits.default_ttl_seconds),
        i64::from(audience.limits.max_ttl_seconds),
        audience.created_at,
    )?;
    Ok(())
}

pub(crate) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<Audience>, StorageError> {
    fetch_all!(
        conn,
        Row,
        "select id, organization_id, name, aud, algorithm, default_ttl_seconds, max_ttl_seconds, created_at
         from audiences where organization_id = $1 order by name, id",
        organization,
    )?
    .into_iter()
    .map(Audience::try_from)
    .collect()
}
