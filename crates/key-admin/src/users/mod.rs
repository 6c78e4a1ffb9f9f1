//! Users: people with a console login, a role in the organization, and API keys of their own.
//!
//! | file | what it gives |
//! |---|---|
//! | `role` | [`UserRole`], and who may give which |
//! | `email`, `password` | [`Email`]; [`HashedPassword`] and the rules a password must fit |
//! | `find` | [`ListedUser`]: users with what depends on them |
//! | `service` | what can be done with users, on [`KeyAdmin`](crate::KeyAdmin) |
//!
//! An organization always has an active owner. Every change that could take the last one away looks for another one
//! while it holds the change lock (`storage::record_change`), so that two of them never decide side by side.

mod email;
mod error;
mod find;
mod password;
mod role;
mod service;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use serde::Serialize;
use storage::{Clock, OrganizationId, PrincipalId, StorageError, Timestamp, Transaction};

pub use email::Email;
pub use error::UserError;
pub use find::ListedUser;
pub(crate) use password::NO_PASSWORD;
pub use password::{HashedPassword, generated_password};
pub(crate) use role::Reach;
pub use role::UserRole;
pub use service::{NewUser, UserChange};
pub(crate) use service::{creation, deed, is_active_owner, shown};

use crate::PrincipalState;
use crate::audit::{self, Act};
use crate::principals::{self, NewPrincipal};

/// What [`create_user`] fails with.
pub type CreateUserError = UserError;

/// A user as people see it: everything but the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its identifier.
    pub id: PrincipalId,
    /// The address it logs in with; no two users of the installation have the same.
    pub email: Email,
    /// Its name for people; the address where none was given.
    pub name: String,
    /// What it may do.
    pub role: UserRole,
    /// Whether it and its keys may act.
    pub state: PrincipalState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Adds an active user within `tx`, named like its address, with its audit event.
pub async fn create_user(
    tx: &mut Transaction,
    clock: &dyn Clock,
    (act, organization): (&Act, OrganizationId),
    (email, password): (&Email, &HashedPassword),
    role: UserRole,
) -> Result<PrincipalId, UserError> {
    let user = User {
        id: PrincipalId::new(clock),
        email: email.clone(),
        name: email.as_str().to_owned(),
        role,
        state: PrincipalState::Active,
        created_at: clock.now(),
    };
    insert(tx, organization, &user, password).await?;
    audit::record(tx, clock, organization, act, service::creation(&user)).await?;
    Ok(user.id)
}

/// Adds a new, active user.
pub(crate) async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    user: &User,
    password: &HashedPassword,
) -> Result<(), UserError> {
    let principal = NewPrincipal {
        id: user.id,
        organization,
        kind: "user",
        name: &user.name,
        created_at: user.created_at,
    };
    if !principals::insert(tx.conn(), &principal).await? {
        return Err(UserError::NoSuchOrganization);
    }
    match store::insert_login(tx.conn(), organization, user, password.as_str()).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_unique_violation() => Err(UserError::EmailTaken),
        Err(error) => Err(error.into()),
    }
}

/// The first owner of the organization; every organization has one.
pub async fn first_owner(
    database: &storage::Database,
    organization: OrganizationId,
) -> Result<Option<PrincipalId>, StorageError> {
    let mut read = database.read().await?;
    store::first_owner(read.conn(), organization).await
}
