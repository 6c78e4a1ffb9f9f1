//! Service accounts: programs that own API keys and cannot log in.

mod find;
mod service;
mod store;
#[cfg(test)]
mod tests;

use serde::Serialize;
use storage::{PrincipalId, StorageError, Timestamp};

pub use find::ListedServiceAccount;
pub use service::ServiceAccountChange;

use crate::principals::{Kept, PrincipalState};

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceAccount {
    /// Its identifier.
    pub id: PrincipalId,
    /// Its name for people; not unique.
    pub name: String,
    /// Whether its keys may act.
    pub state: PrincipalState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why nothing was done about a service account.
#[derive(Debug, thiserror::Error)]
pub enum ServiceAccountError {
    /// The organization has no such service account.
    #[error("the organization has no such service account")]
    NotFound,
    /// The organization that it should belong to does not exist.
    #[error("there is no such organization")]
    NoSuchOrganization,
    /// Empty, blank, longer than 100 characters, or with control characters.
    #[error("a service account's name has 1 to 100 characters, none of them control characters")]
    InvalidName,
    /// Live keys keep it from being removed.
    #[error(
        "the service account has {count} live API keys: revoke them first, or together with it"
    )]
    LiveKeys {
        /// How many.
        count: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<Kept> for ServiceAccountError {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::LiveKeys(count) => Self::LiveKeys { count },
            Kept::Storage(error) => Self::Storage(error),
        }
    }
}
