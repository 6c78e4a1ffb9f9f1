//! The SQL of signing in. What a browser holds is looked up by its hash only.

pub(super) mod identities;
pub(super) mod second_factors;
pub(super) mod sessions;

use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, execute, fetch_optional,
};

/// A sign-in that waits for its second factor.
#[derive(sqlx::FromRow)]
pub(super) struct Pending {
    pub(super) organization_id: OrganizationId,
    pub(super) user_id: PrincipalId,
    pub(super) method: String,
    pub(super) provider: Option<String>,
}

pub(super) async fn insert_pending(
    conn: Conn<'_>,
    (secret_hash, ends_at): (&[u8], Timestamp),
    pending: &Pending,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into pending_sign_ins (secret_hash, organization_id, user_id, method, provider, tries, ends_at)
         values ($1, $2, $3, $4, $5, 0, $6)",
        secret_hash,
        pending.organization_id,
        pending.user_id,
        &pending.method,
        &pending.provider,
        ends_at,
    )?;
    Ok(())
}

pub(super) async fn find_pending(
    conn: Conn<'_>,
    secret_hash: &[u8],
    now: Timestamp,
) -> Result<Option<Pending>, StorageError> {
    fetch_optional!(
        conn,
        Pending,
        "select organization_id, user_id, method, provider from pending_sign_ins
         where secret_hash = $1 and ends_at > $2",
        secret_hash,
        now,
    )
}

/// Counts a try. `false`: there were as many as allowed, or the sign-in has ended.
pub(super) async fn count_try(
    conn: Conn<'_>,
    secret_hash: &[u8],
    max_tries: i32,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let counted = execute!(
        conn,
        "update pending_sign_ins set tries = tries + 1
         where secret_hash = $1 and tries < $2 and ends_at > $3",
        secret_hash,
        max_tries,
        now,
    )?;
    Ok(counted == 1)
}

pub(super) async fn delete_pending(
    conn: Conn<'_>,
    secret_hash: &[u8],
) -> Result<bool, StorageError> {
    let sql = "delete from pending_sign_ins where secret_hash = $1";
    Ok(execute!(conn, sql, secret_hash)? == 1)
}

pub(super) async fn delete_pending_of(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from pending_sign_ins where user_id = $1",
        user
    )
}

pub(super) async fn forget_pending(conn: Conn<'_>, now: Timestamp) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from pending_sign_ins where ends_at <= $1",
        now
    )
}

pub(super) async fn insert_attempt(
    conn: Conn<'_>,
    state_hash: &[u8],
    contents: &[u8],
    ends_at: Timestamp,
) -> Result<(), StorageError> {
    let sql = "insert into provider_attempts (state_hash, contents, ends_at) values ($1, $2, $3)";
    execute!(conn, sql, state_hash, contents, ends_at)?;
    Ok(())
}

/// Removes it. Of several takers, one gets what was in it.
pub(super) async fn take_attempt(
    conn: Conn<'_>,
    state_hash: &[u8],
) -> Result<Option<(Vec<u8>, Timestamp)>, StorageError> {
    let sql = "delete from provider_attempts where state_hash = $1 returning contents, ends_at";
    fetch_optional!(conn, (Vec<u8>, Timestamp), sql, state_hash)
}

pub(super) async fn forget_attempts(conn: Conn<'_>, now: Timestamp) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from provider_attempts where ends_at <= $1",
        now
    )
}
