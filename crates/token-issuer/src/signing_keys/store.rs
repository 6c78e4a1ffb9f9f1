use jsonwebtoken::jwk::Jwk;
use sqlx::types::Json;
use storage::{AudienceId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all};

use super::{KeyState, RingId, SigningAlgorithm, StoredKey};

#[derive(sqlx::FromRow)]
struct Row {
    kid: String,
    organization_id: OrganizationId,
    audience_id: AudienceId,
    algorithm: String,
    state: String,
    public_jwk: Json<Option<Jwk>>,
    sealed_private_key: Vec<u8>,
    created_at: Timestamp,
    activated_at: Option<Timestamp>,
}

impl TryFrom<Row> for StoredKey {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            state: KeyState::parse(&row.state)
                .ok_or_else(|| StorageError::corrupt("signing key state", &row.state))?,
            ring: RingId {
                organization: row.organization_id,
                audience: row.audience_id,
                algorithm: SigningAlgorithm::parse(&row.algorithm)
                    .ok_or_else(|| StorageError::corrupt("signing algorithm", &row.algorithm))?,
            },
            kid: row.kid,
            public_jwk: row.public_jwk.0,
            sealed_private_key: row.sealed_private_key,
            created_at: row.created_at,
            activated_at: row.activated_at,
        })
    }
}

pub(crate) async fn insert(conn: Conn<'_>, key: &StoredKey) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into signing_keys (kid, organization_id, audience_id, state, public_jwk,
                                   sealed_private_key, created_at, activated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &key.kid,
        key.ring.organization,
        key.ring.audience,
        key.state.as_str(),
        Json(&key.public_jwk),
        &key.sealed_private_key,
        key.created_at,
        key.activated_at,
    )?;
    Ok(())
}

/// The organization's published keys: all but the retired.
pub(crate) async fn published(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Vec<StoredKey>, StorageError> {
    fetch_all!(
        conn,
        Row,
        "select k.kid, k.organization_id, k.audience_id, a.algorithm, k.state, k.public_jwk,
                k.sealed_private_key, k.created_at, k.activated_at
         from signing_keys k join audiences a on a.id = k.audience_id
         where k.organization_id = $1 and k.state <> 'retired' order by k.created_at, k.kid",
        organization,
    )?
    .into_iter()
    .map(StoredKey::try_from)
    .collect()
}
