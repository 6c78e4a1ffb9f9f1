//! Users as lists in the console show them: with what depends on them.

use storage::{Conn, OrganizationId, PrincipalId, StorageError, Timestamp, fetch_all, fetch_one};

use super::store::Row;
use super::{User, UserError};
use crate::KeyAdmin;
use crate::like::anywhere;
use crate::principals::PrincipalPage;

/// A user, and what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user.
    pub user: User,
    /// How many keys of the user are neither revoked nor expired.
    pub live_keys: i64,
    /// Does the user need a code to sign in?
    pub has_second_factor: bool,
    /// When the user was last here, as far as a session in the console still tells.
    pub last_seen_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    user: Row,
    live_keys: i64,
    second_factors: i64,
    last_seen_at: Option<Timestamp>,
}

impl KeyAdmin {
    /// The organization's users whose name or address contains a text, in any case, oldest first.
    pub async fn find_users(
        &self,
        organization: OrganizationId,
        search: Option<&str>,
        page: PrincipalPage,
    ) -> Result<Vec<ListedUser>, UserError> {
        let now = self.clock.now();
        let mut read = self.database.read().await?;
        Ok(find(read.conn(), organization, search, page, now).await?)
    }

    /// Does a user of the organization need a code to sign in?
    pub async fn has_second_factor(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<bool, StorageError> {
        let mut read = self.database.read().await?;
        let (factors,) = fetch_one!(
            read.conn(),
            (i64,),
            "select count(*) from second_factors
             where user_id = $1 and organization_id = $2 and confirmed_at is not null",
            user,
            organization,
        )?;
        Ok(factors > 0)
    }
}

async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    search: Option<&str>,
    page: PrincipalPage,
    now: Timestamp,
) -> Result<Vec<ListedUser>, StorageError> {
    // SQLite's lower() knows only ASCII, PostgreSQL's all letters: one of the two patterns fits.
    let (ascii, folded) = search
        .map(|text| {
            (
                anywhere(&text.to_ascii_lowercase()),
                anywhere(&text.to_lowercase()),
            )
        })
        .unzip();
    let rows = fetch_all!(
        conn,
        ListedRow,
        "select p.id, u.email, p.name, u.role, p.state, p.created_at,
                (select count(*) from api_keys k
                 where k.owner_id = p.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2))
                    as live_keys,
                (select count(*) from second_factors f
                 where f.user_id = p.id and f.confirmed_at is not null) as second_factors,
                (select max(s.last_seen_at) from console_sessions s where s.user_id = p.id) as last_seen_at
         from principals p
         join users u on u.principal_id = p.id
         where p.organization_id = $1 and ($3 is null or p.id > $3)
           and (cast($4 as text) is null
                or lower(p.name) like $4 escape '\\' or lower(p.name) like $5 escape '\\'
                or lower(u.email) like $4 escape '\\')
         order by p.id limit $6",
        organization,
        now,
        page.after,
        &ascii,
        &folded,
        i64::from(page.limit),
    )?;
    let listed = |row: ListedRow| {
        Ok(ListedUser {
            user: row.user.try_into()?,
            live_keys: row.live_keys,
            has_second_factor: row.second_factors > 0,
            last_seen_at: row.last_seen_at,
        })
    };
    rows.into_iter().map(listed).collect()
}
