use storage::{
    Conn, ConsoleSessionId, OrganizationId, PrincipalId, StorageError, Timestamp, execute,
    fetch_all, fetch_optional,
};

use crate::sign_in::sessions::{ConsoleSession, Live, NewRow, SignInMethod};

pub(in crate::sign_in) async fn insert(
    conn: Conn<'_>,
    row: &NewRow<'_>,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into console_sessions (id, organization_id, user_id, secret_hash, method, provider, address,
                                       user_agent, created_at, last_seen_at, ends_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
        row.id,
        row.user.0,
        row.user.1,
        &row.secret_hash,
        row.method.as_str(),
        row.provider,
        row.browser.address.to_string(),
        row.browser.user_agent(),
        row.created_at,
        row.ends_at,
    )?;
    Ok(())
}

/// A session that has not ended.
#[derive(sqlx::FromRow)]
pub(in crate::sign_in) struct Found {
    pub(in crate::sign_in) id: ConsoleSessionId,
    pub(in crate::sign_in) organization_id: OrganizationId,
    pub(in crate::sign_in) user_id: PrincipalId,
    pub(in crate::sign_in) last_seen_at: Timestamp,
}

pub(in crate::sign_in) async fn find(
    conn: Conn<'_>,
    secret_hash: &[u8],
    live: &Live,
) -> Result<Option<Found>, StorageError> {
    fetch_optional!(
        conn,
        Found,
        "select id, organization_id, user_id, last_seen_at from console_sessions
         where secret_hash = $1 and ends_at > $2 and last_seen_at > $3 and created_at > $4",
        secret_hash,
        live.now,
        live.seen_after,
        live.made_after,
    )
}

/// Moves the time of the last use forward, unless somebody else just has.
pub(in crate::sign_in) async fn touch(
    conn: Conn<'_>,
    id: ConsoleSessionId,
    now: Timestamp,
    seen_until: Timestamp,
) -> Result<(), StorageError> {
    let sql = "update console_sessions set last_seen_at = $2 where id = $1 and last_seen_at <= $3";
    execute!(conn, sql, id, now, seen_until)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ConsoleSessionId,
    method: String,
    provider: Option<String>,
    address: String,
    user_agent: String,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    ends_at: Timestamp,
}

/// The user's sessions, newest first.
pub(in crate::sign_in) async fn list(
    conn: Conn<'_>,
    user: PrincipalId,
    live: &Live,
    current: ConsoleSessionId,
) -> Result<Vec<ConsoleSession>, StorageError> {
    let rows = fetch_all!(
        conn,
        Row,
        "select id, method, provider, address, user_agent, created_at, last_seen_at, ends_at
         from console_sessions
         where user_id = $1 and ends_at > $2 and last_seen_at > $3 and created_at > $4
         order by id desc",
        user,
        live.now,
        live.seen_after,
        live.made_after,
    )?;
    let session = |row: Row| {
        Ok(ConsoleSession {
            id: row.id,
            method: SignInMethod::decode(&row.method)?,
            provider: row.provider,
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            ends_at: row.ends_at,
            current: row.id == current,
        })
    };
    rows.into_iter().map(session).collect()
}

pub(in crate::sign_in) async fn delete(
    conn: Conn<'_>,
    user: PrincipalId,
    id: ConsoleSessionId,
) -> Result<bool, StorageError> {
    let sql = "delete from console_sessions where id = $1 and user_id = $2";
    Ok(execute!(conn, sql, id, user)? == 1)
}

/// Deletes the user's sessions, all or all but one. Answers how many.
pub(in crate::sign_in) async fn delete_of(
    conn: Conn<'_>,
    user: PrincipalId,
    but: Option<ConsoleSessionId>,
) -> Result<u64, StorageError> {
    let sql = "delete from console_sessions where user_id = $1 and ($2 is null or id <> $2)";
    execute!(conn, sql, user, but)
}

pub(in crate::sign_in) async fn forget(conn: Conn<'_>, live: &Live) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from console_sessions where ends_at <= $1 or last_seen_at <= $2 or created_at <= $3",
        live.now,
        live.seen_after,
        live.made_after,
    )
}
