pub(crate) mod revoking;
pub(super) mod search;

use key_admin::ApiKeyId;
use policy::Resource;
use serde_json::{Map, Value};
use sqlx::types::Json;
use storage::{
    AudienceId, Conn, GroupSql, GroupWriter, OrganizationId, SessionId, StorageError, Timestamp,
    execute, execute_group, fetch_all, fetch_one, fetch_optional,
};

use super::Session;

/// For SQLite: the rows of `$1`, then what they add to the counts of their keys and of the keys' days, `$2` and `$3`.
macro_rules! record_on_sqlite {
    () => {
        // Materialized, because SQLite would otherwise render the row's JSON anew for each column.
        "with rows as materialized (select value as row from json_each($1))
         insert into sessions (id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes,
                               resources, request_id, client_address, issued_at, expires_at, root_id, ends_at,
                               reference_hash, payload_ciphertext)
         select unhex(row ->> 'id'), unhex(row ->> 'organization_id'), unhex(row ->> 'audience_id'),
                row ->> 'api_key_id', row ->> 'kid', row ->> 'subject', row -> 'roles', row -> 'attributes',
                row -> 'resources', row ->> 'request_id', row ->> 'client_address',
                (row ->> 'issued_at') * 1000000, (row ->> 'expires_at') * 1000000,
                unhex(row ->> 'root_id'), (row ->> 'ends_at') * 1000000, unhex(row ->> 'reference_hash'),
                unhex(row ->> 'payload_ciphertext')
         from rows;
         insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at, last_used_address)
         select value ->> 'api_key_id', unhex(value ->> 'organization_id'), value ->> 'tokens_issued',
                (value ->> 'last_used_at') * 1000000, value ->> 'last_used_address'
         from json_each($2) where true
         on conflict (api_key_id) do update set
             tokens_issued = api_key_usage.tokens_issued + excluded.tokens_issued,
             last_used_at = max(api_key_usage.last_used_at, excluded.last_used_at),
             last_used_address = case when excluded.last_used_at >= api_key_usage.last_used_at
                 then excluded.last_used_address else api_key_usage.last_used_address end;
         insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)
         select value ->> 'api_key_id', value ->> 'day', unhex(value ->> 'organization_id'),
                value ->> 'tokens_issued'
         from json_each($3) where true
         on conflict (api_key_id, day) do update set
             tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued"
    };
}

/// The time of last use only moves forward.
const RECORD: GroupSql = GroupSql {
    sqlite: record_on_sqlite!(),
    postgres: "with recorded as (
                   insert into sessions (id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes,
                                         resources, request_id, client_address, issued_at, expires_at, root_id,
                                         ends_at, reference_hash, payload_ciphertext)
                   select r.id, r.organization_id, r.audience_id, r.api_key_id, r.kid, r.subject, r.roles,
                          r.attributes, r.resources, r.request_id, r.client_address, to_timestamp(r.issued_at),
                          to_timestamp(r.expires_at), r.root_id, to_timestamp(r.ends_at),
                          decode(r.reference_hash, 'hex'), decode(r.payload_ciphertext, 'hex')
                   from jsonb_to_recordset($1::jsonb) as r(
                       id uuid, organization_id uuid, audience_id uuid, api_key_id text, kid text, subject text,
                       roles jsonb, attributes jsonb, resources jsonb, request_id text, client_address text,
                       issued_at bigint, expires_at bigint, root_id uuid, ends_at bigint,
                       reference_hash text, payload_ciphertext text)
               ), counted as (
                   insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at,
                                              last_used_address)
                   select r.api_key_id, r.organization_id, r.tokens_issued, to_timestamp(r.last_used_at),
                          r.last_used_address
                   from jsonb_to_recordset($2::jsonb) as r(
                       api_key_id text, organization_id uuid, tokens_issued bigint, last_used_at bigint,
                       last_used_address text)
                   on conflict (api_key_id) do update set
                       tokens_issued = api_key_usage.tokens_issued + excluded.tokens_issued,
                       last_used_at = greatest(api_key_usage.last_used_at, excluded.last_used_at),
                       last_used_address = case when excluded.last_used_at >= api_key_usage.last_used_at
                           then excluded.last_used_address else api_key_usage.last_used_address end
               )
               insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)
               select r.api_key_id, r.day, r.organization_id, r.tokens_issued
               from jsonb_to_recordset($3::jsonb) as r(
                   api_key_id text, day text, organization_id uuid, tokens_issued bigint)
               on conflict (api_key_id, day) do update set
                   tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued",
};

const RECORD_AT_ONCE: GroupSql = GroupSql {
    sqlite: concat!("begin immediate;", record_on_sqlite!(), ";commit"),
    postgres: RECORD.postgres,
};

/// Writes sessions, and adds them to the counts of their keys: three JSON lists.
pub(super) async fn record(conn: Conn<'_>, lists: [String; 3]) -> Result<(), StorageError> {
    execute_group(conn, RECORD, lists.into()).await
}

/// The same as a transaction of its own.
pub(super) async fn record_at_once(
    writer: &mut GroupWriter,
    lists: [String; 3],
) -> Result<(), StorageError> {
    writer.write(RECORD_AT_ONCE, lists.into()).await
}

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
