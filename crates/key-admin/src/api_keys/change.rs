//! What every change of a key shares.
//!
//! A change locks, in this order on every path so that none waits for another in a circle: the owner, the keys that
//! are involved (in the order of their ids), the change counter. What is read after that stays true until the commit,
//! so deciding by it is safe; SQLite, with its one writer, needs none of it.

use serde_json::{Value, json};
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp, Transaction, record_change};

use super::store::{self, StoredKey};
use super::strength::KeyOwner;
use super::{ApiKey, ApiKeyId, KeyState, Strength, Stronger};
use crate::audit::{self, Act, Deed};
use crate::hashing::HashError;
use crate::random::NoRandomness;
use crate::rate_limit::RateLimit;
use crate::{Asker, KeyAdmin, Permission};

/// A value that no key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Empty, blank, longer than 100 characters, or with control characters.
    #[error("a key's name has 1 to 100 characters, none of them control characters")]
    Name,
    /// The expiry is not in the future.
    #[error("the expiry is not in the future")]
    ExpiryInThePast,
    /// The expiry is later than the organization allows, or there is none although the organization asks for one.
    #[error("keys of this organization live for at most {max_seconds} seconds from their creation")]
    LifetimeTooLong {
        /// The organization's maximum.
        max_seconds: u32,
    },
    /// More than 100 networks.
    #[error("a key has at most {MAX_NETWORKS} networks")]
    TooManyNetworks,
    /// A rate limit of zero.
    #[error("a rate limit allows at least one use")]
    RateLimit,
    /// Longer than 500 characters, or with control characters.
    #[error("a reason has at most 500 characters, none of them control characters")]
    Reason,
    /// A grace period of more than [`MAX_GRACE_SECONDS`](super::MAX_GRACE_SECONDS).
    #[error("a grace period lasts at most 7 days")]
    Grace,
}

/// Why whoever asks may not do this to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCovered {
    /// The result would be stronger than the caller.
    #[error(transparent)]
    Stronger(#[from] Stronger),
    /// The calling key has stopped working since it was authenticated.
    #[error("the API key that asks does not work any more")]
    CallerGone,
}

/// Why a key was not changed. Nothing of the change remains.
#[derive(Debug, thiserror::Error)]
pub enum ChangeKeyError {
    /// The organization has no such key.
    #[error("there is no such API key")]
    NotFound,
    /// A revoked key stays as it is; it can only be deleted.
    #[error("the API key has been revoked")]
    Revoked,
    /// An expired key gets no new secret: give it a new expiry first.
    #[error("the API key has expired")]
    Expired,
    /// The new value is not usable.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// Who asks is too weak.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// The key would become live again, and the owner has as many live keys as allowed.
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

/// A key that is about to change, in the transaction of the change. Dropped, nothing happens.
pub(super) struct Opened {
    pub(super) tx: Transaction,
    pub(super) now: Timestamp,
    pub(super) before: StoredKey,
    /// `None` for the machine itself.
    pub(super) caller: Option<Strength>,
    /// `None` for the machine itself.
    owners: Option<Owners>,
}

impl Opened {
    /// May the caller have a key like this?
    pub(super) fn check_covered(&self, key: &ApiKey) -> Result<(), NotCovered> {
        match &self.caller {
            Some(caller) => {
                caller.covers(&Strength::of(key))?;
                self.owners.map_or(Ok(()), Owners::check_covered)
            }
            None => Ok(()),
        }
    }

    /// May the caller switch the key off or take it back? That needs no strength.
    pub(super) fn check_may_stop(&self) -> Result<(), NotCovered> {
        match self.owners {
            Some(owners) => Ok(owners.caller.may_stop_keys_of(owners.target)?),
            None => Ok(()),
        }
    }

    pub(super) fn check_not_revoked(&self) -> Result<(), ChangeKeyError> {
        if self.before.key.revoked_at.is_some() {
            return Err(ChangeKeyError::Revoked);
        }
        Ok(())
    }
}

impl KeyAdmin {
    /// Finds and locks a key of the organization, and a calling key with it.
    pub(super) async fn open(
        &self,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<Opened, ChangeKeyError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        let owner = store::owner_of(tx.conn(), organization, id)
            .await?
            .ok_or(ChangeKeyError::NotFound)?;
        store::slots::lock_owner(tx.conn(), organization, owner).await?;
        let mut involved = vec![id];
        involved.extend(by.key());
        involved.sort_unstable();
        involved.dedup();
        for key in involved {
            store::changes::lock(tx.conn(), organization, key).await?;
        }
        let caller = caller_strength(&mut tx, by, organization, now).await??;
        let before = store::find(tx.conn(), organization, id)
            .await?
            .ok_or(ChangeKeyError::NotFound)?;
        let owners = Owners::read(&mut tx, by, owner).await?;
        Ok(Opened {
            tx,
            now,
            before,
            caller,
            owners,
        })
    }

    /// Stores what the key is now, with a slot exactly when it is live, and commits it with its audit event.
    pub(super) async fn save(
        &self,
        act: &Act,
        mut opened: Opened,
        action: &'static str,
        after: ApiKey,
    ) -> Result<ApiKey, ChangeKeyError> {
        let slot = match opened.before.live_slot {
            Some(slot) if after.revoked_at.is_none() => Some(slot),
            None if after.is_live(opened.now) => {
                let limit = self.settings.max_live_keys_per_owner;
                let slot =
                    store::slots::take(&mut opened.tx, after.owner, limit, opened.now).await?;
                Some(slot.ok_or(ChangeKeyError::LimitReached { limit })?)
            }
            _ => None,
        };
        store::changes::save(opened.tx.conn(), &after, slot).await?;
        let detail = json!({ "before": seen(&opened.before.key), "after": seen(&after) });
        self.commit(act, opened.tx, &after, (action, detail))
            .await?;
        Ok(after)
    }

    /// The end of every change: its event, its version, the commit, and this node's knowledge of it.
    pub(super) async fn commit(
        &self,
        act: &Act,
        mut tx: Transaction,
        key: &ApiKey,
        (action, detail): (&'static str, Value),
    ) -> Result<(), StorageError> {
        let deed = Deed {
            action,
            target_kind: "api_key",
            target_id: key.id.to_string(),
            detail,
        };
        audit::record(&mut tx, &*self.clock, key.organization, act, deed).await?;
        record_change(&mut tx, key.organization).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(())
    }
}

/// Who asks, or the owner of the key that does, and the owner of the key it is about, with the roles that they have now.
#[derive(Clone, Copy)]
pub(super) struct Owners {
    caller: KeyOwner,
    target: KeyOwner,
}

impl Owners {
    /// `None` for the machine itself.
    pub(super) async fn read(
        tx: &mut Transaction,
        by: Asker<'_>,
        target: PrincipalId,
    ) -> Result<Option<Self>, StorageError> {
        let Some(principal) = by.principal() else {
            return Ok(None);
        };
        Ok(Some(Self {
            caller: owner(tx, principal).await?,
            target: owner(tx, target).await?,
        }))
    }

    /// May the caller act for the owner?
    pub(super) fn check_covered(self) -> Result<(), NotCovered> {
        Ok(self.caller.covers(self.target)?)
    }
}

async fn owner(tx: &mut Transaction, id: PrincipalId) -> Result<KeyOwner, StorageError> {
    let role = store::role_of(tx.conn(), id).await?;
    Ok(KeyOwner { id, role })
}

/// A key as the audit trail shows it; an [`ApiKey`] has no secret.
pub(super) fn seen(key: &ApiKey) -> Value {
    serde_json::to_value(key).unwrap_or_default()
}

/// What whoever asks is worth now. A calling key counts as it is, whatever it was when it was authenticated; its row is
/// locked already.
pub(super) async fn caller_strength(
    tx: &mut Transaction,
    by: Asker<'_>,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<Result<Option<Strength>, NotCovered>, StorageError> {
    let by = match by {
        Asker::Key(key) => key,
        Asker::Person(person) => return Ok(Ok(Some(Strength::of_person(person)))),
        Asker::Machine => return Ok(Ok(None)),
    };
    let current = store::find(tx.conn(), organization, by.key_id()).await?;
    let Some(current) = current.filter(|stored| stored.key.state(now) == KeyState::Active) else {
        return Ok(Err(NotCovered::CallerGone));
    };
    let mut strength = Strength::of(&current.key);
    let held: &[Permission] = by.permissions();
    strength
        .permissions
        .retain(|permission| held.contains(permission));
    Ok(Ok(Some(strength)))
}

/// The most networks of one key: each use looks through them.
const MAX_NETWORKS: usize = 100;

/// What is at the ends counts, too: a text that is no name does not become one.
pub(super) fn checked_name(name: &str) -> Result<String, InvalidKey> {
    let trimmed = name.trim();
    if trimmed.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(InvalidKey::Name);
    }
    Ok(trimmed.to_owned())
}

pub(super) fn check_networks(networks: &[ipnet::IpNet]) -> Result<(), InvalidKey> {
    if networks.len() > MAX_NETWORKS {
        return Err(InvalidKey::TooManyNetworks);
    }
    Ok(())
}

pub(super) fn check_rate_limit(limit: Option<RateLimit>) -> Result<(), InvalidKey> {
    if limit.is_some_and(|limit| limit.burst == 0 || limit.per_minute == 0) {
        return Err(InvalidKey::RateLimit);
    }
    Ok(())
}

/// Is a new expiry in the future, and no later than the organization allows a key of this age?
pub(super) fn check_expiry(
    key: &ApiKey,
    now: Timestamp,
    max_lifetime: Option<u32>,
) -> Result<(), InvalidKey> {
    if key.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(InvalidKey::ExpiryInThePast);
    }
    let Some(max_seconds) = max_lifetime else {
        return Ok(());
    };
    let latest = key.created_at.plus_seconds(max_seconds.into());
    if key.expires_at.is_some_and(|expiry| expiry <= latest) {
        Ok(())
    } else {
        Err(InvalidKey::LifetimeTooLong { max_seconds })
    }
}
