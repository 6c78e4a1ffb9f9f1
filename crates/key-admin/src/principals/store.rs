use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, execute, fetch_all, fetch_optional,
};

use super::{PrincipalState, RemovedKeys};
use crate::ApiKeyId;

/// A row of `principals`.
pub(crate) struct NewPrincipal<'a> {
    pub(crate) id: PrincipalId,
    pub(crate) organization: OrganizationId,
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    pub(crate) created_at: Timestamp,
}

/// `false`: there is no such organization.
pub(crate) async fn insert(conn: Conn<'_>, new: &NewPrincipal<'_>) -> Result<bool, StorageError> {
    let added = execute!(
        conn,
        "insert into principals (id, organization_id, kind, name, state, created_at)
         select $1, id, $3, $4, 'active', $5 from organizations where id = $2",
        new.id,
        new.organization,
        new.kind,
        new.name,
        new.created_at,
    )?;
    Ok(added == 1)
}

/// Locks the row until the transaction ends. `false`: the organization has no such principal.
pub(crate) async fn lock(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<bool, StorageError> {
    let sql = "update principals set state = state where id = $1 and organization_id = $2";
    Ok(execute!(conn, sql, id, organization)? == 1)
}

pub(super) async fn name(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<Option<String>, StorageError> {
    let sql = "select name from principals where id = $1 and organization_id = $2";
    let found = fetch_optional!(conn, (String,), sql, id, organization)?;
    Ok(found.map(|(name,)| name))
}

pub(crate) async fn set_name(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
    name: &str,
) -> Result<(), StorageError> {
    let sql = "update principals set name = $3 where id = $1 and organization_id = $2";
    execute!(conn, sql, id, organization, name)?;
    Ok(())
}

pub(crate) async fn set_state(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
    state: PrincipalState,
) -> Result<(), StorageError> {
    let sql = "update principals set state = $3 where id = $1 and organization_id = $2";
    execute!(conn, sql, id, organization, state.as_str())?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// The keys it owns. A disabled key is live: it can be enabled again.
pub(super) async fn keys_of(
    conn: Conn<'_>,
    organization: OrganizationId,
    owner: PrincipalId,
    now: Timestamp,
) -> Result<RemovedKeys, StorageError> {
    let rows = fetch_all!(
        conn,
        KeyRow,
        "select id, expires_at, revoked_at from api_keys
         where owner_id = $1 and organization_id = $2 order by id",
        owner,
        organization,
    )?;
    let mut keys = RemovedKeys::default();
    for row in rows {
        let id = ApiKeyId::from_characters(&row.id)
            .ok_or_else(|| StorageError::corrupt("API key id", "it is not 12 base62 characters"))?;
        keys.all.push(id);
        if row.revoked_at.is_none() && row.expires_at.is_none_or(|expiry| expiry > now) {
            keys.live.push(id);
        }
    }
    Ok(keys)
}

pub(super) async fn delete_keys_of(
    conn: Conn<'_>,
    organization: OrganizationId,
    owner: PrincipalId,
) -> Result<(), StorageError> {
    let sql = "delete from api_keys where owner_id = $1 and organization_id = $2";
    execute!(conn, sql, owner, organization)?;
    Ok(())
}

/// Keys that it made for others stay, made by nobody known.
pub(super) async fn forget_creator(
    conn: Conn<'_>,
    organization: OrganizationId,
    creator: PrincipalId,
) -> Result<(), StorageError> {
    let sql =
        "update api_keys set created_by = null where created_by = $1 and organization_id = $2";
    execute!(conn, sql, creator, organization)?;
    Ok(())
}

/// A service account has none.
pub(super) async fn delete_login(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<(), StorageError> {
    let sql = "delete from users where principal_id = $1 and organization_id = $2";
    execute!(conn, sql, id, organization)?;
    Ok(())
}

pub(super) async fn delete(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<(), StorageError> {
    let sql = "delete from principals where id = $1 and organization_id = $2";
    execute!(conn, sql, id, organization)?;
    Ok(())
}
