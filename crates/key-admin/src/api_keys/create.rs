use secrecy::SecretString;
use serde_json::json;
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp};

use super::change::{
    InvalidKey, NotCovered, Owners, caller_strength, check_expiry, check_networks,
    check_rate_limit, checked_name, seen,
};
use super::{ApiKey, KeyCeiling, Strength, format, store};
use crate::audit::Act;
use crate::hashing::HashError;
use crate::random::NoRandomness;
use crate::rate_limit::RateLimit;
use crate::{Asker, KeyAdmin, Permission};

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The user or service account that it belongs to.
    pub owner: PrincipalId,
    /// Who makes it, when that is known. Where a key or a person asks, it is that key's owner or that person, whatever is
    /// said here.
    pub created_by: Option<PrincipalId>,
    /// 1 to 100 characters; not unique.
    pub name: String,
    /// When it stops working; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// What it may grant at most. The `policy` crate checks that it names what is declared.
    pub ceiling: KeyCeiling,
    /// The networks it may be used from; empty for any.
    pub allowed_networks: Vec<ipnet::IpNet>,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
}

/// A key that was just made or rotated, with the only copy of its secret.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// The whole key, `jtn_…`. It cannot be shown again.
    pub secret: SecretString,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// A value is not usable.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// Who asks is too weak.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// The owner does not exist in this organization, or is suspended.
    #[error("the organization has no active owner of this name")]
    NoSuchOwner,
    /// The owner has as many live keys as allowed.
    #[error("the owner has {limit} live keys, the most allowed: revoke or delete one first")]
    LimitReached {
        /// The limit.
        limit: u16,
    },
    /// The secret could not be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The secret could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl KeyAdmin {
    /// Makes a key that is no stronger than whoever asks for it.
    pub async fn create_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        new: NewApiKey,
    ) -> Result<CreatedKey, CreateKeyError> {
        let (id, secret) = format::generate()?;
        let key = ApiKey {
            id,
            organization: new.organization,
            owner: new.owner,
            created_by: by.principal().or(new.created_by),
            name: checked_name(&new.name)?,
            permissions: new.permissions,
            ceiling: new.ceiling,
            allowed_networks: new.allowed_networks,
            rate_limit: new.rate_limit,
            created_at: self.clock.now(),
            expires_at: new.expires_at,
            disabled_at: None,
            revoked_at: None,
            revoked_reason: None,
            previous_secret_until: None,
        };
        check_networks(&key.allowed_networks)?;
        check_rate_limit(key.rate_limit)?;
        check_expiry(&key, key.created_at, None)?;
        let cost = self.settings.api_key_hash;
        let secret_hash = self.hasher.hash(secret.clone(), cost).await?;
        self.insert(act, by, &key, &secret_hash).await?;
        Ok(CreatedKey { key, secret })
    }

    async fn insert(
        &self,
        act: &Act,
        by: Asker<'_>,
        key: &ApiKey,
        secret_hash: &str,
    ) -> Result<(), CreateKeyError> {
        let (organization, now) = (key.organization, key.created_at);
        let mut tx = self.database.write().await?;
        if store::slots::lock_owner(tx.conn(), organization, key.owner).await? != Some(true) {
            return Err(CreateKeyError::NoSuchOwner);
        }
        if let Some(key) = by.key() {
            store::changes::lock(tx.conn(), organization, key).await?;
        }
        if let Some(caller) = caller_strength(&mut tx, by, organization, now).await?? {
            caller
                .covers(&Strength::of(key))
                .map_err(NotCovered::from)?;
        }
        if let Some(owners) = Owners::read(&mut tx, by, key.owner).await? {
            owners.check_covered()?;
        }
        let max_lifetime = store::max_lifetime(tx.conn(), organization).await?;
        check_expiry(key, now, max_lifetime)?;
        let limit = self.settings.max_live_keys_per_owner;
        let slot = store::slots::take(&mut tx, key.owner, limit, now)
            .await?
            .ok_or(CreateKeyError::LimitReached { limit })?;
        store::changes::insert(tx.conn(), key, secret_hash, slot).await?;
        let detail = json!({ "after": seen(key) });
        self.commit(act, tx, key, ("api_key.create", detail))
            .await?;
        Ok(())
    }
}
