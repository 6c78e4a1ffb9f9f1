use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, execute, fetch_all, fetch_one,
    fetch_optional,
};

use super::{Email, HashedPassword, User, UserRole};
use crate::Slug;
use crate::principals::{PrincipalPage, PrincipalState};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: PrincipalId,
    email: String,
    name: String,
    role: String,
    state: String,
    created_at: Timestamp,
}

impl TryFrom<Row> for User {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            email: Email::parse(&row.email)
                .map_err(|error| StorageError::corrupt("e-mail address", error))?,
            name: row.name,
            role: UserRole::parse(&row.role)
                .ok_or_else(|| StorageError::corrupt("user role", &row.role))?,
            state: PrincipalState::decode(&row.state)?,
            created_at: row.created_at,
        })
    }
}

pub(super) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
    page: PrincipalPage,
) -> Result<Vec<User>, StorageError> {
    fetch_all!(
        conn,
        Row,
        "select p.id, u.email, p.name, u.role, p.state, p.created_at
         from principals p
         join users u on u.principal_id = p.id
         where p.organization_id = $1 and ($2 is null or p.id > $2)
         order by p.id limit $3",
        organization,
        page.after,
        i64::from(page.limit),
    )?
    .into_iter()
    .map(User::try_from)
    .collect()
}

pub(crate) async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<Option<User>, StorageError> {
    fetch_optional!(
        conn,
        Row,
        "select p.id, u.email, p.name, u.role, p.state, p.created_at
         from principals p
         join users u on u.principal_id = p.id
         where p.organization_id = $1 and p.id = $2",
        organization,
        id,
    )?
    .map(User::try_from)
    .transpose()
}

pub(crate) async fn organization_slug(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Option<Slug>, StorageError> {
    let sql = "select slug from organizations where id = $1";
    let row = fetch_optional!(conn, (String,), sql, organization)?;
    row.map(|(slug,)| Slug::parse(&slug).map_err(|error| StorageError::corrupt("slug", error)))
        .transpose()
}

pub(super) async fn insert_login(
    conn: Conn<'_>,
    organization: OrganizationId,
    user: &User,
    password_hash: &str,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "insert into users (principal_id, organization_id, email, password_hash, role)
         values ($1, $2, $3, $4, $5)",
        user.id,
        organization,
        user.email.as_str(),
        password_hash,
        user.role.as_str(),
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

/// Is there an owner who can act?
pub(crate) async fn has_active_owner(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<bool, StorageError> {
    let (count,) = fetch_one!(
        conn,
        (i64,),
        "select count(*)
         from users u
         join principals p on p.id = u.principal_id
         where u.organization_id = $1 and u.role = 'owner' and p.state = 'active'",
        organization,
    )?;
    Ok(count > 0)
}

pub(crate) async fn set_role(
    conn: Conn<'_>,
    organization: OrganizationId,
    user: PrincipalId,
    role: UserRole,
) -> Result<(), StorageError> {
    let sql = "update users set role = $3 where principal_id = $1 and organization_id = $2";
    execute!(conn, sql, user, organization, role.as_str())?;
    Ok(())
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

/// Replaces the password, if it still is the one that was checked.
pub(crate) async fn replace_password(
    conn: Conn<'_>,
    user: PrincipalId,
    (checked, new): (&str, &HashedPassword),
) -> Result<bool, StorageError> {
    let sql = "update users set password_hash = $3 where principal_id = $1 and password_hash = $2";
    Ok(execute!(conn, sql, user, checked, new.as_str())? == 1)
}

/// What a sign-in is checked against.
#[derive(sqlx::FromRow)]
pub(crate) struct Login {
    pub(crate) user_id: PrincipalId,
    pub(crate) organization_id: OrganizationId,
    pub(crate) password_hash: String,
    state: String,
}

impl Login {
    pub(crate) fn is_active(&self) -> bool {
        self.state == PrincipalState::Active.as_str()
    }
}

pub(crate) async fn find_login(
    conn: Conn<'_>,
    email: &Email,
) -> Result<Option<Login>, StorageError> {
    fetch_optional!(
        conn,
        Login,
        "select u.principal_id as user_id, u.organization_id, u.password_hash, p.state
         from users u
         join principals p on p.id = u.principal_id
         where u.email = $1",
        email.as_str(),
    )
}

pub(crate) async fn login_of(
    conn: Conn<'_>,
    user: PrincipalId,
) -> Result<Option<Login>, StorageError> {
    fetch_optional!(
        conn,
        Login,
        "select u.principal_id as user_id, u.organization_id, u.password_hash, p.state
         from users u
         join principals p on p.id = u.principal_id
         where u.principal_id = $1",
        user,
    )
}
