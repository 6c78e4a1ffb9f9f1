use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, execute, fetch_optional,
};

use super::{Email, UserRole};

pub(super) async fn insert_principal(
    conn: Conn<'_>,
    id: PrincipalId,
    organization: OrganizationId,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into principals (id, organization_id, kind, name, state, created_at)
         values ($1, $2, 'user', $3, 'active', $4)",
        id,
        organization,
        name,
        now,
    )?;
    Ok(())
}

pub(super) async fn insert_user(
    conn: Conn<'_>,
    id: PrincipalId,
    organization: OrganizationId,
    email: &Email,
    password_hash: &str,
    role: UserRole,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into users (principal_id, organization_id, email, password_hash, role)
         values ($1, $2, $3, $4, $5)",
        id,
        organization,
        email.as_str(),
        password_hash,
        role.as_str(),
    )?;
    Ok(())
}

pub(super) async fn first_owner(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Option<PrincipalId>, StorageError> {
    let row = fetch_optional!(
        conn,
        (PrincipalId,),
        "select principal_id from users where organization_id = $1 and role = 'owner'
         order by principal_id limit 1",
        organization,
    )?;
    Ok(row.map(|(id,)| id))
}

pub(super) async fn set_password(
    conn: Conn<'_>,
    organization: OrganizationId,
    user: PrincipalId,
    password_hash: &str,
) -> Result<bool, StorageError> {
    let sql =
        "update users set password_hash = $3 where principal_id = $1 and organization_id = $2";
    Ok(execute!(conn, sql, user, organization, password_hash)? == 1)
}
