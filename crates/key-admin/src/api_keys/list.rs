use std::collections::BTreeMap;

use serde::Serialize;
use storage::{Conn, OrganizationId, PrincipalId, StorageError, Timestamp};

use super::{ApiKey, ApiKeyId, KeyState, store};
use crate::KeyAdmin;

/// The most keys of one page.
pub const MAX_PAGE: u32 = 101;

/// Which keys to list; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Part of the name, in any case, or the first characters of the id with or without `jtn_` or `key_`.
    pub search: Option<String>,
    /// Whose keys.
    pub owner: Option<PrincipalId>,
    /// In which state they are now.
    pub state: Option<KeyState>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOrder {
    /// By the time at which they were made, the newest first.
    #[default]
    Newest,
    /// By name, without regard to case.
    Name,
    /// By the time of their last use, the latest first; those never used last.
    LastUsed,
    /// By the end of their life, the soonest first; those without an end last.
    Expiry,
}

impl KeyOrder {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Name => "name",
            Self::LastUsed => "last_used",
            Self::Expiry => "expiry",
        }
    }
}

/// A key as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Whether it works now.
    pub state: KeyState,
    /// Its owner's name for people.
    pub owner_name: String,
    /// `user` or `service_account`.
    pub owner_kind: String,
    /// The name of whoever made it.
    pub created_by_name: Option<String>,
    /// When a token was last issued with it, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From where that was.
    pub last_used_address: Option<String>,
    /// How many tokens were issued with it.
    pub tokens_issued: TokenCounts,
}

impl ListedKey {
    /// A key of which nothing more is known, for who has just made it.
    pub fn of(key: ApiKey, now: Timestamp) -> Self {
        Self {
            state: key.state(now),
            key,
            owner_name: String::new(),
            owner_kind: String::new(),
            created_by_name: None,
            last_used_at: None,
            last_used_address: None,
            tokens_issued: TokenCounts::default(),
        }
    }
}

/// A key that works, and will soon end by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpiringKey {
    /// The key.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Its owner's name for people.
    pub owner_name: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How many tokens were issued. Days are UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenCounts {
    /// Since midnight.
    pub today: i64,
    /// Today and on the 29 days before.
    pub last_30_days: i64,
    /// Since the key was made.
    pub ever: i64,
}

/// One key of the organization, without its use.
pub async fn find_key(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
) -> Result<Option<ApiKey>, StorageError> {
    let found = store::find(conn, organization, id).await?;
    Ok(found.map(|stored| stored.key))
}

impl KeyAdmin {
    /// One key; `None` when the organization has no such key.
    pub async fn get_key(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<Option<ListedKey>, StorageError> {
        let now = self.clock.now();
        let mut read = self.database.read_settled().await?;
        store::listing::get(read.conn(), organization, id, now).await
    }

    /// These keys of the organization, as far as it has them.
    pub async fn get_keys(
        &self,
        organization: OrganizationId,
        ids: impl IntoIterator<Item = ApiKeyId> + Send,
    ) -> Result<BTreeMap<ApiKeyId, ListedKey>, StorageError> {
        let now = self.clock.now();
        let ids: Vec<ApiKeyId> = ids.into_iter().collect();
        let mut found = BTreeMap::new();
        let mut read = self.database.read_settled().await?;
        for id in ids {
            if found.contains_key(&id) {
                continue;
            }
            if let Some(key) = store::listing::get(read.conn(), organization, id, now).await? {
                found.insert(id, key);
            }
        }
        Ok(found)
    }

    /// The organization's keys that work now and end by themselves until a time, the next to end first.
    pub async fn expiring_keys(
        &self,
        organization: OrganizationId,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ExpiringKey>, StorageError> {
        let now = self.clock.now();
        let mut read = self.database.read().await?;
        store::listing::expiring(read.conn(), organization, until, limit, now).await
    }

    /// The organization's keys, newest first: at most `limit` (1 to [`MAX_PAGE`]; other numbers are brought there),
    /// and only those after `before` in this order, the creation time and id of the last key of the page before.
    pub async fn list_keys(
        &self,
        organization: OrganizationId,
        filter: &KeyFilter,
        before: Option<(Timestamp, ApiKeyId)>,
        limit: u32,
    ) -> Result<Vec<ListedKey>, StorageError> {
        let now = self.clock.now();
        let page = (before, limit.clamp(1, MAX_PAGE));
        let mut read = self.database.read_settled().await?;
        store::listing::list(read.conn(), organization, filter, page, now).await
    }

    /// The organization's keys in any order: after the first `skipped` ones, at most `limit` (1 to [`MAX_PAGE`]). Every
    /// call sorts all that match.
    pub async fn list_keys_ordered(
        &self,
        organization: OrganizationId,
        filter: &KeyFilter,
        order: KeyOrder,
        (skipped, limit): (u32, u32),
    ) -> Result<Vec<ListedKey>, StorageError> {
        let now = self.clock.now();
        let page = (skipped, limit.clamp(1, MAX_PAGE));
        let mut read = self.database.read_settled().await?;
        store::listing::list_ordered(read.conn(), organization, filter, (order, page), now).await
    }
}
