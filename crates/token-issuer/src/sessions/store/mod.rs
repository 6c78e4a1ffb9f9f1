mod recording;
pub(crate) mod revoking;
pub(super) mod search;

use key_admin::ApiKeyId;
use policy::Resource;
use serde_json::{Map, Value};
use sqlx::types::Json;
use storage::{
    AudienceId, Conn, OrganizationId, SessionId, StorageError, Timestamp, execute, fetch_all,
    fetch_one, fetch_optional,
};

use super::Session;

pub(super) use recording::record;

/// Is there a row of this session in this organization?
pub async fn exists(
    conn: Conn<'_>,
    organization: OrganizationId,
    session: SessionId,
) -> Result<bool, StorageError> {
    let sql = "select subject from sessions where id = $1 and organization_id = $2";
    Ok(fetch_optional!(conn, (String,), sql, session, organization)?.is_some())
}

/// A session of the organization.
pub(crate) async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    session: SessionId,
) -> Result<Option<Session>, StorageError> {
    fetch_optional!(
        conn,
        SessionRecord,
        "select id, organization_id, root_id, api_key_id, audience_id, kid, subject, roles, attributes, resources,
                request_id, client_address, issued_at, expires_at, ends_at, renewed_at, revoked_at
         from sessions where id = $1 and organization_id = $2",
        session,
        organization,
    )?
    .map(Session::try_from)
    .transpose()
}

/// The organization of a session, by its slug.
pub(crate) async fn organization_of(
    conn: Conn<'_>,
    session: SessionId,
) -> Result<Option<String>, StorageError> {
    let sql = "select o.slug from sessions s join organizations o on o.id = s.organization_id where s.id = $1";
    Ok(fetch_optional!(conn, (String,), sql, session)?.map(|(slug,)| slug))
}

/// The session whose token is recognized by this hash, with its organization's slug and the sealed claims.
pub(crate) async fn find_reference(
    conn: Conn<'_>,
    reference: &[u8; 32],
) -> Result<Option<(SessionId, String, Vec<u8>)>, StorageError> {
    fetch_optional!(
        conn,
        (SessionId, String, Vec<u8>),
        "select s.id, o.slug, s.payload_ciphertext from sessions s join organizations o on o.id = s.organization_id
         where s.reference_hash = $1",
        reference.as_slice(),
    )
}

/// Marks a session as renewed, if it has not been, and has not been revoked.
pub(super) async fn mark_renewed(
    conn: Conn<'_>,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update sessions set renewed_at = $2 where id = $1 and renewed_at is null and revoked_at is null",
        session,
        now,
    )?;
    Ok(changed == 1)
}

/// Keeps a session from being revoked until the transaction ends, if it has not been.
pub(super) async fn hold_standing(
    conn: Conn<'_>,
    session: SessionId,
) -> Result<bool, StorageError> {
    let sql = "update sessions set renewed_at = renewed_at where id = $1 and revoked_at is null";
    Ok(execute!(conn, sql, session)? == 1)
}

#[derive(sqlx::FromRow)]
struct SessionRecord {
    id: SessionId,
    organization_id: OrganizationId,
    root_id: SessionId,
    api_key_id: String,
    audience_id: AudienceId,
    kid: String,
    subject: String,
    roles: Json<Vec<String>>,
    attributes: Json<Map<String, Value>>,
    resources: Json<Vec<Resource>>,
    request_id: String,
    client_address: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    ends_at: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl TryFrom<SessionRecord> for Session {
    type Error = StorageError;

    fn try_from(row: SessionRecord) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            organization: row.organization_id,
            root: row.root_id,
            api_key: ApiKeyId::from_characters(&row.api_key_id)
                .ok_or_else(|| StorageError::corrupt("API key of a session", &row.api_key_id))?,
            audience: row.audience_id,
            kid: row.kid,
            subject: row.subject,
            roles: row.roles.0,
            attributes: row.attributes.0,
            resources: row.resources.0,
            request_id: row.request_id,
            client_address: row.client_address,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            ends_at: row.ends_at,
            renewed_at: row.renewed_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// What a recorded session tells of its request.
#[derive(sqlx::FromRow)]
pub(crate) struct RecordedSession {
    pub(crate) id: SessionId,
    pub(crate) api_key_id: String,
    pub(crate) audience_id: AudienceId,
    pub(crate) subject: String,
    pub(crate) roles: Json<Vec<String>>,
    /// Sensitive ones as hashes.
    pub(crate) attributes: Json<Map<String, Value>>,
    pub(crate) resources: Json<Vec<Resource>>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Which sessions to read.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    /// Issued at this time or later.
    pub(crate) since: Timestamp,
    /// Issued before this time.
    pub(crate) until: Timestamp,
    /// Only those of this API key; empty for any.
    pub(crate) api_key: String,
}

/// A session's id is made just before its token's time is read. Generous: the time itself is compared as well.
const ID_SLACK_SECONDS: i64 = 60;

impl Period {
    /// The id that the first page begins before.
    pub(crate) fn end(&self) -> SessionId {
        SessionId::first_at(self.until.plus_seconds(ID_SLACK_SECONDS))
    }
}

/// Sessions of the period, the latest first, with ids less than `before`; at most `limit`. Ids are ordered by time, and
/// so the index on them serves.
pub(crate) async fn page(
    conn: Conn<'_>,
    organization: OrganizationId,
    period: &Period,
    before: SessionId,
    limit: u32,
) -> Result<Vec<RecordedSession>, StorageError> {
    fetch_all!(
        conn,
        RecordedSession,
        "select id, api_key_id, audience_id, subject, roles, attributes, resources, issued_at, expires_at
         from sessions
         where organization_id = $1 and id >= $2 and id < $3 and issued_at >= $4 and issued_at < $5
               and ($6 = '' or api_key_id = $6)
         order by id desc limit $7",
        organization,
        SessionId::first_at(period.since.plus_seconds(-ID_SLACK_SECONDS)),
        before,
        period.since,
        period.until,
        &period.api_key,
        i64::from(limit),
    )
}

/// How many sessions the key has begun since a time.
pub(super) async fn count_of_key(
    conn: Conn<'_>,
    organization: OrganizationId,
    key: ApiKeyId,
    since: Timestamp,
) -> Result<u64, StorageError> {
    let (sessions,) = fetch_one!(
        conn,
        (i64,),
        "select count(*) from sessions
         where organization_id = $1 and id >= $2 and issued_at >= $3 and api_key_id = $4",
        organization,
        SessionId::first_at(since.plus_seconds(-ID_SLACK_SECONDS)),
        since,
        key.as_str(),
    )?;
    Ok(sessions.unsigned_abs())
}
