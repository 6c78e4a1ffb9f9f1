use storage::{
    Conn, OrganizationId, SessionId, StorageError, Timestamp, Transaction, execute, fetch_all,
    fetch_optional,
};

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

/// The sessions that stand and whose attributes have this hash, with ids from `from` on: each with the time of issuance.
pub(crate) async fn hashed(
    conn: Conn<'_>,
    organization: OrganizationId,
    hash: &str,
    from: SessionId,
    now: Timestamp,
) -> Result<Vec<(SessionId, Timestamp)>, StorageError> {
    fetch_all!(
        conn,
        (SessionId, Timestamp),
        "select id, issued_at from sessions
         where organization_id = $1 and id >= $2 and expires_at > $4 and revoked_at is null
               and replace(cast(attributes as text), $3, '') <> cast(attributes as text)
         order by id",
        organization,
        from,
        hash,
        now,
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
