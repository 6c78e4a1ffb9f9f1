use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage::{
    ChangeFeed, Clock, Database, OrganizationId, StorageError, Timestamp, record_change,
};

use crate::api_keys::{self, Authenticator, RehashSettings};
use crate::hashing::{HashCost, Hasher};
use crate::random::NoRandomness;
use crate::rate_limit::RateLimit;
use crate::{
    ApiKey, ApiKeyContext, ApiKeyId, AuthenticateError, CreateKeyError, CreatedKey, MasterSecret,
    NewApiKey, PresentedKey,
};

/// What an operator may set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyAdminSettings {
    /// The most live keys one user or service account may have.
    pub max_live_keys_per_owner: u16,
    /// The cost of hashing an API key; keys hashed at another cost are rehashed when they are used.
    pub api_key_hash: HashCost,
    /// How often one client address may present a key that turns out wrong.
    pub failed_credentials: RateLimit,
}

impl Default for KeyAdminSettings {
    fn default() -> Self {
        Self {
            max_live_keys_per_owner: 50,
            api_key_hash: HashCost::API_KEY,
            failed_credentials: RateLimit {
                per_minute: 60,
                burst: 60,
            },
        }
    }
}

/// The service of this crate.
#[derive(Debug)]
pub struct KeyAdmin {
    database: Database,
    feed: Arc<ChangeFeed>,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    settings: KeyAdminSettings,
    authenticator: Authenticator,
}

impl KeyAdmin {
    /// Builds the service; nothing is read yet.
    pub fn new(
        database: Database,
        feed: Arc<ChangeFeed>,
        clock: Arc<dyn Clock>,
        master: &MasterSecret,
        settings: KeyAdminSettings,
    ) -> Result<Self, NoRandomness> {
        let hasher = Hasher::new(master);
        let rehash = RehashSettings {
            cost: settings.api_key_hash,
            failure_limit: settings.failed_credentials,
        };
        let authenticator = Authenticator::new(
            database.clone(),
            feed.clone(),
            clock.clone(),
            hasher.clone(),
            rehash,
        )?;
        Ok(Self {
            database,
            feed,
            clock,
            hasher,
            settings,
            authenticator,
        })
    }

    /// The pool that hashes passwords and keys.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Who presents this key, and may it act now? See [`AuthenticateError`] for what each caller is told.
    pub async fn authenticate(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        self.authenticator.authenticate(presented, client).await
    }

    /// Makes a key.
    pub async fn create_key(&self, new: NewApiKey) -> Result<CreatedKey, CreateKeyError> {
        let hashing = (&self.hasher, self.settings.api_key_hash);
        let limit = self.settings.max_live_keys_per_owner;
        let created = api_keys::create(&self.database, &*self.clock, hashing, limit, new).await?;
        self.feed.catch_up().await;
        Ok(created)
    }

    /// The organization's keys, newest first.
    pub async fn list_keys(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<ApiKey>, StorageError> {
        let mut read = self.database.read().await?;
        api_keys::list(read.conn(), organization).await
    }

    /// Switches a key off. `false`: there is no such key that was on.
    pub async fn disable_key(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<bool, StorageError> {
        let now: Timestamp = self.clock.now();
        let mut tx = self.database.write().await?;
        let changed = api_keys::disable(tx.conn(), organization, id, now).await?;
        record_change(&mut tx, organization).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(changed)
    }

    /// Removes a key. `false`: there is no such key.
    pub async fn delete_key(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<bool, StorageError> {
        let mut tx = self.database.write().await?;
        let deleted = api_keys::delete(tx.conn(), organization, id).await?;
        record_change(&mut tx, organization).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(deleted)
    }
}
