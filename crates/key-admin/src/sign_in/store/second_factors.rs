use storage::{
    Conn, PrincipalId, StorageError, Timestamp, Transaction, execute, fetch_all, fetch_one,
    fetch_optional,
};

use crate::SignedIn;
use crate::sealing::SealedRow;
use crate::sign_in::totp;

/// A second factor as it is stored.
#[derive(sqlx::FromRow)]
pub(in crate::sign_in) struct Stored {
    pub(in crate::sign_in) sealed_secret: Vec<u8>,
    pub(in crate::sign_in) confirmed_at: Option<Timestamp>,
}

pub(in crate::sign_in) async fn find(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<Option<Stored>, StorageError> {
    let sql = "select sealed_secret, confirmed_at from second_factors where user_id = $1";
    fetch_optional!(conn, Stored, sql, user)
}

/// Stores a secret that is not confirmed yet, in the place of one that never was. `false`: there is a confirmed one.
pub(in crate::sign_in) async fn begin(
    conn: Conn<'_>,
    person: &SignedIn,
    sealed_secret: &[u8],
    now: Timestamp,
) -> Result<bool, StorageError> {
    let stored = execute!(
        conn,
        "insert into second_factors (user_id, organization_id, sealed_secret, last_step, created_at)
         values ($1, $2, $3, 0, $4)
         on conflict (user_id) do update
             set sealed_secret = excluded.sealed_secret, created_at = excluded.created_at, last_step = 0
             where second_factors.confirmed_at is null",
        person.user().id,
        person.organization_id(),
        sealed_secret,
        now,
    )?;
    Ok(stored == 1)
}

/// Puts it in force. `false`: it is already.
pub(in crate::sign_in) async fn confirm(
    conn: Conn<'_>,
    user: PrincipalId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let sql =
        "update second_factors set confirmed_at = $2 where user_id = $1 and confirmed_at is null";
    Ok(execute!(conn, sql, user, now)? == 1)
}

/// Uses the code of a step up. `false`: it, or a later one, was used before.
pub(in crate::sign_in) async fn use_step(
    conn: Conn<'_>,
    user: PrincipalId,
    step: i64,
) -> Result<bool, StorageError> {
    let sql = "update second_factors set last_step = $2 where user_id = $1 and last_step < $2";
    Ok(execute!(conn, sql, user, step)? == 1)
}

/// Uses a recovery code up. `false`: there is no such code, or it was used before.
pub(in crate::sign_in) async fn use_recovery_code(
    conn: Conn<'_>,
    user: PrincipalId,
    code_hash: &[u8],
    now: Timestamp,
) -> Result<bool, StorageError> {
    let used = execute!(
        conn,
        "update recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null",
        user,
        code_hash,
        now,
    )?;
    Ok(used == 1)
}

pub(in crate::sign_in) async fn recovery_codes_left(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<u32, StorageError> {
    let sql = "select count(*) from recovery_codes where user_id = $1 and used_at is null";
    let (count,) = fetch_one!(conn, (i64,), sql, user)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(in crate::sign_in) async fn insert_recovery_code(
    conn: Conn<'_>,
    person: &SignedIn,
    code_hash: &[u8],
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into recovery_codes (user_id, code_hash, organization_id) values ($1, $2, $3)",
        person.user().id,
        code_hash,
        person.organization_id(),
    )?;
    Ok(())
}

pub(in crate::sign_in) async fn delete_recovery_codes(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<(), StorageError> {
    execute!(conn, "delete from recovery_codes where user_id = $1", user)?;
    Ok(())
}

/// Removes the factor with its recovery codes.
pub(in crate::sign_in) async fn delete(
    tx: &mut Transaction,
    user: PrincipalId,
) -> Result<bool, StorageError> {
    delete_recovery_codes(tx.conn(), user).await?;
    let sql = "delete from second_factors where user_id = $1";
    Ok(execute!(tx.conn(), sql, user)? == 1)
}

pub(in crate::sign_in) async fn forget_unconfirmed(
    conn: Conn<'_>,
    until: Timestamp,
) -> Result<u64, StorageError> {
    let sql = "delete from second_factors where confirmed_at is null and created_at <= $1";
    execute!(conn, sql, until)
}

/// The next sealed secrets by user, for the change of the master secret.
pub async fn sealed(
    conn: Conn<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<SealedRow>, StorageError> {
    let rows = fetch_all!(
        conn,
        (PrincipalId, Vec<u8>),
        "select user_id, sealed_secret from second_factors
         where $1 is null or user_id > $1 order by user_id limit $2",
        after.parse::<PrincipalId>().ok(),
        limit,
    )?;
    let row = |(user, sealed): (PrincipalId, Vec<u8>)| SealedRow {
        key: user.to_string(),
        identity: totp::identity(user),
        sealed,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Puts a secret that was sealed anew in the place of the same one, if it still is as it was read.
pub async fn replace_sealed(
    conn: Conn<'_>,
    row: &SealedRow,
    anew: &[u8],
) -> Result<bool, StorageError> {
    let Ok(user) = row.key.parse::<PrincipalId>() else {
        return Ok(false);
    };
    let changed = execute!(
        conn,
        "update second_factors set sealed_secret = $3 where user_id = $1 and sealed_secret = $2",
        user,
        &row.sealed,
        anew,
    )?;
    Ok(changed == 1)
}
