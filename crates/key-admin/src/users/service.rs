//! What can be done with users.

use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{OrganizationId, PrincipalId, Transaction, record_change};

use super::role::Reach;
use super::{Email, HashedPassword, User, UserError, UserRole, insert, store};
use crate::audit::{Act, Deed};
use crate::principals::{self, Deletion, PrincipalPage, PrincipalState, checked_name};
use crate::{ApiKeyId, KeyAdmin, sign_in};

/// What a new user shall be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address to log in with.
    pub email: Email,
    /// 1 to 100 characters; `None` for the address.
    pub name: Option<String>,
    /// What the user may do.
    pub role: UserRole,
    /// The first password.
    pub password: SecretString,
}

/// What shall change about a user; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// What the user may do from now on.
    pub role: Option<UserRole>,
    /// Suspending stops the user's keys at once, and ends its console sessions.
    pub state: Option<PrincipalState>,
    /// The new password. It ends the user's console sessions.
    pub password: Option<SecretString>,
}

/// In these functions `by` is the actor's own role, `None` for who has none: the command line, which may do
/// everything, and keys of service accounts, which may do what an admin may.
impl KeyAdmin {
    /// Makes an active user.
    pub async fn create_user(
        &self,
        act: &Act,
        by: Option<UserRole>,
        organization: OrganizationId,
        new: NewUser,
    ) -> Result<User, UserError> {
        Reach::of(act, by).check(new.role)?;
        let name = match new.name {
            Some(name) => checked_name(&name).ok_or(UserError::InvalidName)?,
            None => new.email.as_str().to_owned(),
        };
        let password = new.password;
        let password = self
            .hash_password(organization, &new.email, password)
            .await?;
        let user = User {
            id: PrincipalId::new(&*self.clock),
            email: new.email,
            name,
            role: new.role,
            state: PrincipalState::Active,
            created_at: self.clock.now(),
        };

        let mut tx = self.database.write().await?;
        insert(&mut tx, organization, &user, &password).await?;
        self.commit_deed(tx, organization, act, creation(&user))
            .await?;
        Ok(user)
    }

    /// The organization's users, oldest first.
    pub async fn list_users(
        &self,
        organization: OrganizationId,
        page: PrincipalPage,
    ) -> Result<Vec<User>, UserError> {
        let mut read = self.database.read().await?;
        Ok(store::list(read.conn(), organization, page).await?)
    }

    /// One user.
    pub async fn get_user(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<User, UserError> {
        let mut read = self.database.read().await?;
        let user = store::find(read.conn(), organization, id).await?;
        user.ok_or(UserError::NotFound)
    }

    /// Changes a user. What is asked for and true already is no change and leaves no event.
    pub async fn update_user(
        &self,
        act: &Act,
        by: Option<UserRole>,
        organization: OrganizationId,
        id: PrincipalId,
        change: UserChange,
    ) -> Result<User, UserError> {
        let name = match &change.name {
            Some(name) => Some(checked_name(name).ok_or(UserError::InvalidName)?),
            None => None,
        };
        let reach = Reach::of(act, by);
        let password = match change.password {
            Some(password) => {
                let user = self.get_user(organization, id).await?;
                reach.check(user.role)?;
                let hashed = self.hash_password(organization, &user.email, password);
                Some(hashed.await?)
            }
            None => None,
        };

        let mut tx = self.database.write().await?;
        let before = locked(&mut tx, organization, id).await?;
        let after = User {
            name: name.unwrap_or_else(|| before.name.clone()),
            role: change.role.unwrap_or(before.role),
            state: change.state.unwrap_or(before.state),
            ..before.clone()
        };
        reach.check(before.role)?;
        reach.check(after.role)?;
        if before == after && password.is_none() {
            return Ok(after);
        }
        store_change(&mut tx, organization, (&before, &after), password.as_ref()).await?;
        if is_active_owner(&before) && !is_active_owner(&after) {
            check_owner_left(&mut tx, organization).await?;
        }
        let detail = changed(&before, &after, password.is_some());
        let deed = deed("user.update", id, detail);
        self.commit_deed(tx, organization, act, deed).await?;
        Ok(after)
    }

    /// Removes a user and its keys; the answer names the keys. Keys that the user made for others stay.
    pub async fn delete_user(
        &self,
        act: &Act,
        by: Option<UserRole>,
        organization: OrganizationId,
        id: PrincipalId,
        deletion: Deletion,
    ) -> Result<Vec<ApiKeyId>, UserError> {
        let mut tx = self.database.write().await?;
        let user = locked(&mut tx, organization, id).await?;
        Reach::of(act, by).check(user.role)?;
        let which = (organization, id);
        let keys = principals::remove(&mut tx, which, deletion, self.clock.now()).await?;
        if is_active_owner(&user) {
            check_owner_left(&mut tx, organization).await?;
        }
        let detail = json!({
            "before": shown(&user),
            "revoked_keys": keys.live,
            "removed_keys": keys.all,
        });
        let deed = deed("user.delete", id, detail);
        self.commit_deed(tx, organization, act, deed).await?;
        Ok(keys.all)
    }

    pub(crate) async fn hash_password(
        &self,
        organization: OrganizationId,
        email: &Email,
        password: SecretString,
    ) -> Result<HashedPassword, UserError> {
        let slug = {
            let mut read = self.database.read().await?;
            store::organization_slug(read.conn(), organization).await?
        };
        let slug = slug.ok_or(UserError::NoSuchOrganization)?;
        HashedPassword::for_login(&self.hasher, password, email, &slug).await
    }
}

async fn store_change(
    tx: &mut Transaction,
    organization: OrganizationId,
    (before, after): (&User, &User),
    password: Option<&HashedPassword>,
) -> Result<(), UserError> {
    let id = after.id;
    if before.name != after.name {
        principals::set_name(tx.conn(), organization, id, &after.name).await?;
    }
    if before.role != after.role {
        store::set_role(tx.conn(), organization, id, after.role).await?;
    }
    if before.state != after.state {
        principals::set_state(tx.conn(), organization, id, after.state).await?;
    }
    if let Some(password) = password {
        store::set_password(tx.conn(), organization, id, password.as_str()).await?;
    }
    // Whoever made the change wants nobody in who came in before it.
    if password.is_some() || after.state == PrincipalState::Suspended {
        sign_in::end_all(tx, id).await?;
    }
    Ok(())
}

pub(crate) fn is_active_owner(user: &User) -> bool {
    user.role == UserRole::Owner && user.state == PrincipalState::Active
}

/// Comes after the change and takes the change lock: of two changes that could each take the last owner but one, the
/// second sees what the first has done.
async fn check_owner_left(
    tx: &mut Transaction,
    organization: OrganizationId,
) -> Result<(), UserError> {
    record_change(tx, organization).await?;
    if store::has_active_owner(tx.conn(), organization).await? {
        Ok(())
    } else {
        Err(UserError::LastOwner)
    }
}

/// Found, and locked until the transaction ends.
async fn locked(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<User, UserError> {
    if !principals::lock(tx.conn(), organization, id).await? {
        return Err(UserError::NotFound);
    }
    let found = store::find(tx.conn(), organization, id).await?;
    found.ok_or(UserError::NotFound)
}

/// What the audit trail keeps of a user.
pub(crate) fn shown(user: &User) -> Value {
    json!({ "email": user.email, "name": user.name, "role": user.role, "state": user.state })
}

/// The event of a new user.
pub(crate) fn creation(user: &User) -> Deed {
    deed("user.create", user.id, json!({ "after": shown(user) }))
}

fn changed(before: &User, after: &User, password: bool) -> Value {
    let mut detail = json!({ "before": shown(before), "after": shown(after) });
    if password {
        detail["password"] = "changed".into();
    }
    detail
}

pub(crate) fn deed(action: &'static str, id: PrincipalId, detail: Value) -> Deed {
    Deed {
        action,
        target_kind: "user",
        target_id: id.to_string(),
        detail,
    }
}
