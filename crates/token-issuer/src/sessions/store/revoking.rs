use serde_json::{Map, Value};
use sqlx::types::Json;
use storage::{
    Conn, OrganizationId, SessionId, StorageError, Timestamp, Transaction, execute, fetch_all,
    fetch_optional,
};

use super::search::Needles;

/// The first session of the chain that a session of the organization belongs to.
pub(crate) async fn root_of(
    conn: Conn<'_>,
    organization: OrganizationId,
    session: SessionId,
) -> Result<Option<SessionId>, StorageError> {
    let sql = "select root_id from sessions where id = $1 and organization_id = $2";
    Ok(fetch_optional!(conn, (SessionId,), sql, session, organization)?.map(|(root,)| root))
}

/// Revokes all sessions of a chain; answers how many were not revoked yet.
pub(crate) async fn revoke_chain(
    tx: &mut Transaction,
    organization: OrganizationId,
    root: SessionId,
    now: Timestamp,
) -> Result<u64, StorageError> {
    let mut revoked = 0;
    // A renewal that was under way holds the lock of the row that it renews, and adds a row that only the next statement
    // sees. When nothing is left to revoke, nothing is left to renew.
    loop {
        let sql = "update sessions set revoked_at = $3
                   where id = $2 and organization_id = $1 and revoked_at is null";
        let mut changed = execute!(tx.conn(), sql, organization, root, now)?;
        let sql = "update sessions set revoked_at = $3
                   where root_id = $2 and root_id <> id and organization_id = $1 and revoked_at is null";
        changed += execute!(tx.conn(), sql, organization, root, now)?;
        if changed == 0 {
            return Ok(revoked);
        }
        revoked += changed;
    }
}

/// A session that stands, as far as it takes to tell whether a value is in it.
#[derive(sqlx::FromRow)]
pub(crate) struct Standing {
    pub(crate) id: SessionId,
    pub(crate) issued_at: Timestamp,
    /// Sensitive ones as hashes.
    pub(crate) attributes: Json<Map<String, Value>>,
}

/// The sessions that stand and whose attributes have these texts in them, with ids from `from` on.
pub(in crate::sessions) async fn standing_with(
    conn: Conn<'_>,
    organization: OrganizationId,
    needles: &Needles,
    from: SessionId,
    now: Timestamp,
) -> Result<Vec<Standing>, StorageError> {
    fetch_all!(
        conn,
        Standing,
        "select id, issued_at, attributes from sessions
         where organization_id = $1 and id >= $2 and expires_at > $3 and revoked_at is null
               and replace(cast(attributes as text), $4, '') <> cast(attributes as text)
               and ($5 is null or replace(cast(attributes as text), $5, '') <> cast(attributes as text)
                    or replace(cast(attributes as text), $6, '') <> cast(attributes as text)
                    or replace(cast(attributes as text), $7, '') <> cast(attributes as text))
         order by id",
        organization,
        from,
        now,
        needles.name.as_str(),
        needles.value.as_deref(),
        needles.hash.as_str(),
        needles.other_hash.as_str(),
    )
}

/// Revokes one session alone.
pub(crate) async fn revoke(
    conn: Conn<'_>,
    session: SessionId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let sql = "update sessions set revoked_at = $2 where id = $1 and revoked_at is null";
    execute!(conn, sql, session, now)?;
    Ok(())
}

/// The sessions that were revoked by themselves and whose tokens have not ended.
pub(crate) async fn revoked(
    conn: Conn<'_>,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StorageError> {
    let sql = "select id from sessions
               where organization_id = $1 and revoked_at is not null and expires_at > $2 order by id";
    let ids = fetch_all!(conn, (SessionId,), sql, organization, now)?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Forgets sessions that ended at `ended` or earlier, of those with ids less than `below` the first `limit`.
pub(crate) async fn forget(
    conn: Conn<'_>,
    ended: Timestamp,
    below: SessionId,
    limit: u32,
) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from sessions where id in (
             select id from sessions where id < $1 and expires_at <= $2 order by id limit $3)",
        below,
        ended,
        i64::from(limit),
    )
}
