//! The numbered slots that live keys hold; the module above defines what is live.

use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, Transaction, execute, fetch_all,
    fetch_optional,
};

/// Locks the owner's row until the transaction ends, so that no two choose the same slot. Is the owner active?
/// `None`: the organization has no such principal.
pub(in crate::api_keys) async fn lock_owner(
    conn: Conn<'_>,
    organization: OrganizationId,
    owner: PrincipalId,
) -> Result<Option<bool>, StorageError> {
    let row = fetch_optional!(
        conn,
        (String,),
        "update principals set state = state where id = $1 and organization_id = $2 returning state",
        owner,
        organization,
    )?;
    Ok(row.map(|(state,)| state == "active"))
}

/// Finds a slot for a key of the owner, whose row is locked. `None`: all are taken.
pub(in crate::api_keys) async fn take(
    tx: &mut Transaction,
    owner: PrincipalId,
    limit: u16,
    now: Timestamp,
) -> Result<Option<i32>, StorageError> {
    free_expired(tx.conn(), owner, now).await?;
    let taken = taken(tx.conn(), owner).await?;
    let free = |slot: &i32| taken.binary_search(slot).is_err();
    Ok((1..=i32::from(limit)).find(free))
}

/// Keys whose time is over no longer count as live.
async fn free_expired(
    conn: Conn<'_>,
    owner: PrincipalId,
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "update api_keys set live_slot = null
         where owner_id = $1 and live_slot is not null and expires_at <= $2",
        owner,
        now,
    )?;
    Ok(())
}

async fn taken(conn: Conn<'_>, owner: PrincipalId) -> Result<Vec<i32>, StorageError> {
    let rows = fetch_all!(
        conn,
        (i32,),
        "select live_slot from api_keys where owner_id = $1 and live_slot is not null order by live_slot",
        owner,
    )?;
    Ok(rows.into_iter().map(|(slot,)| slot).collect())
}
