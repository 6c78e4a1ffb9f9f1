//! What users and service accounts have in common: both own API keys, have a name, are active or suspended, and are
//! removed in the same way.
//!
//! Everything that changes a principal or its keys takes locks in one order, here and in `api_keys`: the principal's
//! row, rows of keys, and the change lock (`storage::record_change`) last. Whoever makes or changes a key locks its
//! owner first, so a principal that is being removed gets no new key.

mod store;

use serde::{Deserialize, Serialize};
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp, Transaction, record_change};

pub(crate) use store::{NewPrincipal, insert, lock, set_name, set_state};

use crate::api_keys::void_issued;
use crate::audit::{self, Act, Deed};
use crate::{ApiKeyId, KeyAdmin, sign_in};

/// Whether a user or service account, and with it its keys, may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalState {
    /// It may.
    Active,
    /// It may not until somebody makes it active again; its keys are refused meanwhile.
    Suspended,
}

impl PrincipalState {
    /// The name in requests, answers and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(crate) fn decode(text: &str) -> Result<Self, StorageError> {
        match text {
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            other => Err(StorageError::corrupt("state", other)),
        }
    }
}

impl std::fmt::Display for PrincipalState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How to remove a user or service account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Its live keys are revoked with it. Without this, live keys keep it from being removed.
    pub revoke_keys: bool,
}

/// One page of a list, by identifier, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrincipalPage {
    /// Begin after this one, which need not exist any more.
    pub after: Option<PrincipalId>,
    /// At most this many.
    pub limit: u32,
}

/// A name of 1 to 100 characters, without the white space around it. `None`: it is none.
pub(crate) fn checked_name(name: &str) -> Option<String> {
    let trimmed = name.trim();
    let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    (fits && !trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Why a principal stays.
pub(crate) enum Kept {
    /// It has this many live keys.
    LiveKeys(usize),
    /// The database failed.
    Storage(StorageError),
}

impl From<StorageError> for Kept {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// The keys that went with their owner.
#[derive(Debug, Default)]
pub(crate) struct RemovedKeys {
    /// Those that were neither revoked nor expired.
    pub(crate) live: Vec<ApiKeyId>,
    /// All of them.
    pub(crate) all: Vec<ApiKeyId>,
}

/// Removes a principal that [`lock`] found, with its keys.
pub(crate) async fn remove(
    tx: &mut Transaction,
    (organization, id): (OrganizationId, PrincipalId),
    deletion: Deletion,
    now: Timestamp,
) -> Result<RemovedKeys, Kept> {
    let keys = store::keys_of(tx.conn(), organization, id, now).await?;
    if !deletion.revoke_keys && !keys.live.is_empty() {
        return Err(Kept::LiveKeys(keys.live.len()));
    }
    // First its own keys: whoever makes a key with one of them holds it, and has finished when it is gone.
    store::delete_keys_of(tx.conn(), organization, id).await?;
    store::forget_creator(tx.conn(), organization, id).await?;
    sign_in::forget_user(tx, id).await?;
    store::delete_login(tx.conn(), organization, id).await?;
    store::delete(tx.conn(), organization, id).await?;
    // Last, for the change lock that it takes.
    for &key in &keys.all {
        void_issued(tx, organization, key, now).await?;
    }
    Ok(keys)
}

impl KeyAdmin {
    /// What a user or service account of the organization is called; `None` when there is none.
    pub async fn principal_name(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<Option<String>, StorageError> {
        let mut read = self.database.read().await?;
        store::name(read.conn(), organization, id).await
    }

    /// Ends a change: its event, its version, the commit, and this node's knowledge of it.
    pub(crate) async fn commit_deed(
        &self,
        mut tx: Transaction,
        organization: OrganizationId,
        act: &Act,
        deed: Deed,
    ) -> Result<(), StorageError> {
        audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
        record_change(&mut tx, organization).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_100_characters() {
        assert_eq!(checked_name("  ci "), Some("ci".into()));
        assert_eq!(checked_name(&"é".repeat(100)), Some("é".repeat(100)));
        for bad in ["", "  ", "a\nb", "ci\n", "\u{7f}x", &"x".repeat(101)] {
            assert_eq!(checked_name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn states_have_one_spelling() {
        for state in [PrincipalState::Active, PrincipalState::Suspended] {
            assert_eq!(PrincipalState::decode(state.as_str()).unwrap(), state);
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
        }
        assert!(PrincipalState::decode("Active").is_err());
    }
}
