//! What can be done with service accounts.

use serde_json::{Value, json};
use storage::{OrganizationId, PrincipalId, Transaction};

use super::{ServiceAccount, ServiceAccountError, store};
use crate::audit::{Act, Deed};
use crate::principals::{
    self, Deletion, NewPrincipal, PrincipalPage, PrincipalState, checked_name,
};
use crate::{ApiKeyId, KeyAdmin};

/// What shall change about a service account; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountChange {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// Suspending stops its keys at once.
    pub state: Option<PrincipalState>,
}

impl KeyAdmin {
    /// Makes an active service account. The name has 1 to 100 characters.
    pub async fn create_service_account(
        &self,
        act: &Act,
        organization: OrganizationId,
        name: &str,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        let account = ServiceAccount {
            id: PrincipalId::new(&*self.clock),
            name: checked_name(name).ok_or(ServiceAccountError::InvalidName)?,
            state: PrincipalState::Active,
            created_at: self.clock.now(),
        };
        let principal = NewPrincipal {
            id: account.id,
            organization,
            kind: "service_account",
            name: &account.name,
            created_at: account.created_at,
        };

        let mut tx = self.database.write().await?;
        if !principals::insert(tx.conn(), &principal).await? {
            return Err(ServiceAccountError::NoSuchOrganization);
        }
        let detail = json!({ "after": shown(&account) });
        let deed = deed("service_account.create", account.id, detail);
        self.commit_deed(tx, organization, act, deed).await?;
        Ok(account)
    }

    /// The organization's service accounts, oldest first.
    pub async fn list_service_accounts(
        &self,
        organization: OrganizationId,
        page: PrincipalPage,
    ) -> Result<Vec<ServiceAccount>, ServiceAccountError> {
        let mut read = self.database.read().await?;
        Ok(store::list(read.conn(), organization, page).await?)
    }

    /// One service account.
    pub async fn get_service_account(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        let mut read = self.database.read().await?;
        let account = store::find(read.conn(), organization, id).await?;
        account.ok_or(ServiceAccountError::NotFound)
    }

    /// Changes a service account. What is asked for and true already is no change and leaves no event.
    pub async fn update_service_account(
        &self,
        act: &Act,
        organization: OrganizationId,
        id: PrincipalId,
        change: ServiceAccountChange,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        let name = match &change.name {
            Some(name) => Some(checked_name(name).ok_or(ServiceAccountError::InvalidName)?),
            None => None,
        };

        let mut tx = self.database.write().await?;
        let before = locked(&mut tx, organization, id).await?;
        let after = ServiceAccount {
            name: name.unwrap_or_else(|| before.name.clone()),
            state: change.state.unwrap_or(before.state),
            ..before.clone()
        };
        if before == after {
            return Ok(after);
        }
        if before.name != after.name {
            principals::set_name(tx.conn(), organization, id, &after.name).await?;
        }
        if before.state != after.state {
            principals::set_state(tx.conn(), organization, id, after.state).await?;
        }
        let detail = json!({ "before": shown(&before), "after": shown(&after) });
        let deed = deed("service_account.update", id, detail);
        self.commit_deed(tx, organization, act, deed).await?;
        Ok(after)
    }

    /// Removes a service account and its keys; the answer names the keys.
    pub async fn delete_service_account(
        &self,
        act: &Act,
        organization: OrganizationId,
        id: PrincipalId,
        deletion: Deletion,
    ) -> Result<Vec<ApiKeyId>, ServiceAccountError> {
        let mut tx = self.database.write().await?;
        let account = locked(&mut tx, organization, id).await?;
        let which = (organization, id);
        let keys = principals::remove(&mut tx, which, deletion, self.clock.now()).await?;
        let detail = json!({
            "before": shown(&account),
            "revoked_keys": keys.live,
            "removed_keys": keys.all,
        });
        let deed = deed("service_account.delete", id, detail);
        self.commit_deed(tx, organization, act, deed).await?;
        Ok(keys.all)
    }
}

/// Found, and locked until the transaction ends.
async fn locked(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<ServiceAccount, ServiceAccountError> {
    if !principals::lock(tx.conn(), organization, id).await? {
        return Err(ServiceAccountError::NotFound);
    }
    let found = store::find(tx.conn(), organization, id).await?;
    found.ok_or(ServiceAccountError::NotFound)
}

/// What the audit trail keeps of a service account.
fn shown(account: &ServiceAccount) -> Value {
    json!({ "name": account.name, "state": account.state })
}

fn deed(action: &'static str, id: PrincipalId, detail: Value) -> Deed {
    Deed {
        action,
        target_kind: "service_account",
        target_id: id.to_string(),
        detail,
    }
}
