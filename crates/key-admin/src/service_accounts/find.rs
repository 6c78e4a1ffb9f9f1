//! Service accounts as lists in the console show them: with what depends on them.

use storage::{Conn, OrganizationId, StorageError, Timestamp, fetch_all};

use super::store::Row;
use super::{ServiceAccount, ServiceAccountError};
use crate::KeyAdmin;
use crate::like::anywhere;
use crate::principals::PrincipalPage;

/// A service account, and what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedServiceAccount {
    /// The account.
    pub account: ServiceAccount,
    /// How many keys of it are neither revoked nor expired.
    pub live_keys: i64,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    account: Row,
    live_keys: i64,
}

impl KeyAdmin {
    /// The organization's service accounts whose name contains a text, in any case, oldest first.
    pub async fn find_service_accounts(
        &self,
        organization: OrganizationId,
        search: Option<&str>,
        page: PrincipalPage,
    ) -> Result<Vec<ListedServiceAccount>, ServiceAccountError> {
        let now = self.clock.now();
        let mut read = self.database.read().await?;
        Ok(find(read.conn(), organization, search, page, now).await?)
    }
}

async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    search: Option<&str>,
    page: PrincipalPage,
    now: Timestamp,
) -> Result<Vec<ListedServiceAccount>, StorageError> {
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
        "select p.id, p.name, p.state, p.created_at,
                (select count(*) from api_keys k
                 where k.owner_id = p.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2))
                    as live_keys
         from principals p
         where p.organization_id = $1 and p.kind = 'service_account' and ($3 is null or p.id > $3)
           and (cast($4 as text) is null
                or lower(p.name) like $4 escape '\\' or lower(p.name) like $5 escape '\\')
         order by p.id limit $6",
        organization,
        now,
        page.after,
        &ascii,
        &folded,
        i64::from(page.limit),
    )?;
    let listed = |row: ListedRow| {
        Ok(ListedServiceAccount {
            account: row.account.try_into()?,
            live_keys: row.live_keys,
        })
    };
    rows.into_iter().map(listed).collect()
}
