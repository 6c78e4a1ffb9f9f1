use jsonwebtoken::jwk::Jwk;
use sqlx::types::Json;
use storage::{AudienceId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all};

use super::{KeyState, StoredKey};

#[derive(sqlx::FromRow)]
struct Row {
    kid: String,
    organization_id: OrganizationId,
    audience_id: AudienceId,
    state: String,
    public_jwk: Json<Jwk>,
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
            kid: row.kid,
            organization: row.organization_id,
            audience: row.audience_id,
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
        key.organization,
        key.audience,
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
        "select kid, organization_id, audience_id, state, public_jwk, sealed_private_key, created_at,
                activated_at
         from signing_keys where organization_id = $1 and state <> 'retired' order by created_at, kid",
        organization,
    )?
    .into_iter()
    .map(StoredKey::try_from)
    .collect()
}
