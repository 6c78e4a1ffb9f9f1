use secrecy::SecretString;
use storage::{
    Clock, Database, OrganizationId, PrincipalId, StorageError, Timestamp, record_change,
};

use super::{ApiKey, KeyCeiling, Permission, format, store};
use crate::hashing::{HashCost, HashError, Hasher};
use crate::random::NoRandomness;
use crate::rate_limit::RateLimit;

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The user or service account that it belongs to.
    pub owner: PrincipalId,
    /// Who makes it, when that is known.
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

/// A key that was just made, with the only copy of its secret.
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
    /// Empty, blank, longer than 100 characters, or with control characters.
    #[error("a key's name has 1 to 100 characters, none of them control characters")]
    InvalidName,
    /// The expiry is not in the future.
    #[error("the expiry is not in the future")]
    ExpiryInThePast,
    /// A rate limit of zero.
    #[error("a rate limit allows at least one use")]
    InvalidRateLimit,
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

/// Makes a key. A live key is one that is neither revoked nor deleted nor expired; each holds one of the owner's
/// numbered slots, and the database keeps the pair of owner and slot unique.
pub(crate) async fn create(
    database: &Database,
    clock: &dyn Clock,
    (hasher, cost): (&Hasher, HashCost),
    limit: u16,
    new: NewApiKey,
) -> Result<CreatedKey, CreateKeyError> {
    let now = clock.now();
    let name = checked_name(&new.name)?;
    if new.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(CreateKeyError::ExpiryInThePast);
    }
    if new
        .rate_limit
        .is_some_and(|limit| limit.burst == 0 || limit.per_minute == 0)
    {
        return Err(CreateKeyError::InvalidRateLimit);
    }
    let (id, secret) = format::generate()?;
    let secret_hash = hasher.hash(secret.clone(), cost).await?;

    let key = ApiKey {
        id,
        organization: new.organization,
        owner: new.owner,
        name,
        permissions: new.permissions,
        ceiling: new.ceiling,
        allowed_networks: new.allowed_networks,
        rate_limit: new.rate_limit,
        created_at: now,
        expires_at: new.expires_at,
        disabled_at: None,
        revoked_at: None,
    };
    let mut tx = database.write().await?;
    if !store::lock_owner(tx.conn(), key.organization, key.owner).await? {
        return Err(CreateKeyError::NoSuchOwner);
    }
    store::free_expired_slots(tx.conn(), key.owner, now).await?;
    let taken = store::taken_slots(tx.conn(), key.owner).await?;
    let slot = (1..=i32::from(limit))
        .find(|slot| taken.binary_search(slot).is_err())
        .ok_or(CreateKeyError::LimitReached { limit })?;
    store::insert(tx.conn(), &key, &secret_hash, slot, new.created_by).await?;
    record_change(&mut tx, key.organization).await?;
    tx.commit().await?;
    Ok(CreatedKey { key, secret })
}

fn checked_name(name: &str) -> Result<String, CreateKeyError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(CreateKeyError::InvalidName);
    }
    Ok(name.to_owned())
}
