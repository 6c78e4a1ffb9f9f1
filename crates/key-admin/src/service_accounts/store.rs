use storage::{
    Conn, OrganizationId, PrincipalId, StorageError, Timestamp, fetch_all, fetch_optional,
};

use super::ServiceAccount;
use crate::principals::{PrincipalPage, PrincipalState};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: PrincipalId,
    name: String,
    state: String,
    created_at: Timestamp,
}

impl TryFrom<Row> for ServiceAccount {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            state: PrincipalState::decode(&row.state)?,
            created_at: row.created_at,
        })
    }
}

pub(super) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
    page: PrincipalPage,
) -> Result<Vec<ServiceAccount>, StorageError> {
    fetch_all!(
        conn,
        Row,
        "select id, name, state, created_at from principals
         where organization_id = $1 and kind = 'service_account' and ($2 is null or id > $2)
         order by id limit $3",
        organization,
        page.after,
        i64::from(page.limit),
    )?
    .into_iter()
    .map(ServiceAccount::try_from)
    .collect()
}

pub(super) async fn find(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<Option<ServiceAccount>, StorageError> {
    fetch_optional!(
        conn,
        Row,
        "select id, name, state, created_at from principals
         where organization_id = $1 and kind = 'service_account' and id = $2",
        organization,
        id,
    )?
    .map(ServiceAccount::try_from)
    .transpose()
}
