use jsonwebtoken::jwk::Jwk;
use key_admin::sealing::SealedRow;
use sqlx::types::Json;
use storage::{
    AudienceId, Conn, OrganizationId, StorageError, Timestamp, execute, fetch_all, fetch_optional,
};

use super::{KeyState, RingId, SigningAlgorithm, StoredKey, identity};

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
    retired_at: Option<Timestamp>,
}

impl TryFrom<Row> for StoredKey {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            state: KeyState::parse(&row.state)
                .ok_or_else(|| StorageError::corrupt("signing key state", &row.state))?,
            ring: ring(row.organization_id, row.audience_id, &row.algorithm)?,
            kid: row.kid,
            public_jwk: row.public_jwk.0,
            sealed_private_key: row.sealed_private_key,
            created_at: row.created_at,
            activated_at: row.activated_at,
            left_at: row.retired_at,
        })
    }
}

fn ring(
    organization: OrganizationId,
    audience: AudienceId,
    algorithm: &str,
) -> Result<RingId, StorageError> {
    Ok(RingId {
        organization,
        audience,
        algorithm: SigningAlgorithm::parse(algorithm)
            .ok_or_else(|| StorageError::corrupt("signing algorithm", algorithm))?,
    })
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

/// Takes every key of an audience out of use, for good.
pub(crate) async fn retire_all(
    conn: Conn<'_>,
    organization: OrganizationId,
    audience: AudienceId,
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "update signing_keys set state = 'retired', retired_at = $3
         where organization_id = $1 and audience_id = $2 and state <> 'retired'",
        organization,
        audience,
        now,
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
                k.sealed_private_key, k.created_at, k.activated_at, k.retired_at
         from signing_keys k join audiences a on a.id = k.audience_id
         where k.organization_id = $1 and k.state <> 'retired' order by k.created_at, k.kid",
        organization,
    )?
    .into_iter()
    .map(StoredKey::try_from)
    .collect()
}

/// Moves a key on in its life, if it still is where it was read.
pub(crate) async fn change_state(
    conn: Conn<'_>,
    key: &StoredKey,
    state: KeyState,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let activated_at = if state == KeyState::Active {
        Some(now)
    } else {
        key.activated_at
    };
    let left_at = matches!(state, KeyState::Previous | KeyState::Retired).then_some(now);
    let changed = execute!(
        conn,
        "update signing_keys set state = $4, activated_at = $5, retired_at = $6
         where kid = $1 and organization_id = $2 and state = $3",
        &key.kid,
        key.ring.organization,
        key.state.as_str(),
        state.as_str(),
        activated_at,
        left_at,
    )?;
    Ok(changed == 1)
}

/// Is there a key of this name in any ring, of any organization?
pub(crate) async fn is_known(conn: Conn<'_>, kid: &str) -> Result<bool, StorageError> {
    let sql = "select kid from signing_keys where kid = $1";
    Ok(fetch_optional!(conn, (String,), sql, kid)?.is_some())
}

/// The rings whose key began to sign before this time.
pub(crate) async fn due(
    conn: Conn<'_>,
    before: Timestamp,
) -> Result<Vec<(OrganizationId, AudienceId)>, StorageError> {
    fetch_all!(
        conn,
        (OrganizationId, AudienceId),
        "select k.organization_id, k.audience_id
         from signing_keys k join audiences a on a.id = k.audience_id
         where k.state = 'active' and k.activated_at < $1 and a.deleted_at is null and a.algorithm <> 'HS256'
         order by k.kid",
        before,
    )
}

/// Keys that stopped signing before this time, each with its audience.
pub(crate) async fn left_before(
    conn: Conn<'_>,
    before: Timestamp,
) -> Result<Vec<(OrganizationId, AudienceId, String)>, StorageError> {
    fetch_all!(
        conn,
        (OrganizationId, AudienceId, String),
        "select organization_id, audience_id, kid from signing_keys
         where state = 'previous' and retired_at < $1 order by kid",
        before,
    )
}

/// The next private keys of all organizations by `kid`, whatever their state.
pub(crate) async fn sealed(
    conn: Conn<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<SealedRow>, StorageError> {
    let rows = fetch_all!(
        conn,
        (String, OrganizationId, AudienceId, String, Vec<u8>),
        "select k.kid, k.organization_id, k.audience_id, a.algorithm, k.sealed_private_key
         from signing_keys k join audiences a on a.id = k.audience_id
         where k.kid > $1 order by k.kid limit $2",
        after,
        limit,
    )?;
    rows.into_iter()
        .map(|(kid, organization, audience, algorithm, sealed)| {
            Ok(SealedRow {
                identity: identity(ring(organization, audience, &algorithm)?, &kid),
                key: kid,
                sealed,
            })
        })
        .collect()
}

/// Puts a private key that was sealed anew in the place of the same one, if it still is as it was read.
pub(crate) async fn replace_sealed(
    conn: Conn<'_>,
    row: &SealedRow,
    anew: &[u8],
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update signing_keys set sealed_private_key = $3 where kid = $1 and sealed_private_key = $2",
        &row.key,
        &row.sealed,
        anew,
    )?;
    Ok(changed == 1)
}
