//! From a presented key to a known caller, cheapest checks first.
//!
//! 1. Length, alphabet, checksum: [`PresentedKey::parse`], before this module is reached.
//! 2. A key that proved its secret before is found under a keyed hash of the presented string.
//! 3. Otherwise: the client's budget of failures, the id, then argon2id with the current secret's hash and, during a
//!    rotation's grace period, with the previous one's. All failures so far look alike.
//! 4. May the key act now? Read from the current row each time, never from the proof: revoked, disabled, expired,
//!    owner suspended, network, rate limit. Whoever has proven the secret is told which.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use storage::metrics::CacheUse;
use storage::{
    ChangeFeed, Clock, Database, OrganizationId, StorageError, Timestamp, Versioned, VersionedCache,
};

use super::store::{self, KeyRecord};
use super::{ApiKeyContext, ApiKeyId, KeyState, PresentedKey};
use crate::hashing::{HashCost, HashError, Hasher, has_other_cost};
use crate::random::{self, NoRandomness};
use crate::rate_limit::{Buckets, Limited, RateLimit, network_of};
use crate::refusals::{Refusal, RefusalLog, one_reason};

/// Why a presented key is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Unknown id or wrong secret; which one stays untold.
    #[error("the API key is not valid")]
    NotProven,
    /// This client failed too often lately; nothing was checked.
    #[error("too many failed attempts from this address")]
    TooManyFailures(Limited),
    /// The secret is right, but the key was revoked.
    #[error("the API key has been revoked")]
    KeyRevoked,
    /// The secret is right, but the key is disabled.
    #[error("the API key is disabled")]
    KeyDisabled,
    /// The secret is right, but the key has expired.
    #[error("the API key has expired")]
    KeyExpired,
    /// The secret is right, but the key's owner is suspended.
    #[error("the owner of the API key is suspended")]
    OwnerSuspended,
    /// The secret is right, but the key may not be used from this address.
    #[error("the API key may not be used from this address")]
    AddressNotAllowed,
    /// The secret is right, but the key is used more often than its limit allows.
    #[error("the API key's rate limit is reached")]
    RateLimited(Limited),
    /// The secret could not be checked.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The key could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AuthenticateError {
    /// Why a key whose secret is right was refused, in one stable word. `None`: the secret was not proven, or nothing
    /// was decided.
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::KeyRevoked => Some("key_revoked"),
            Self::KeyDisabled => Some("key_disabled"),
            Self::KeyExpired => Some("key_expired"),
            Self::OwnerSuspended => Some("owner_suspended"),
            Self::AddressNotAllowed => Some("address_not_allowed"),
            Self::RateLimited(_) => Some("rate_limited"),
            Self::NotProven | Self::TooManyFailures(_) | Self::Hash(_) | Self::Storage(_) => None,
        }
    }
}

/// Why a request that counts as many uses of its key is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FurtherUseError {
    /// It counts as more uses than the key's limit ever lets come at once.
    #[error("this API key's rate limit lets at most {burst} uses come at once")]
    BeyondBurst {
        /// How many may come at once.
        burst: u32,
    },
    /// The key's rate limit is reached.
    #[error(transparent)]
    RateLimited(#[from] Limited),
}

/// What the operator's settings say about authentication.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthenticatorSettings {
    /// A secret that is hashed at another cost is rehashed when it is used.
    pub(crate) cost: HashCost,
    /// How often one address may present a key that turns out wrong.
    pub(crate) failure_limit: RateLimit,
}

/// A secret that matched, and the stored hash that it matched: when the row's hash changes, the proof is void.
#[derive(Clone)]
struct Proof {
    id: ApiKeyId,
    matched: Arc<str>,
}

/// Room in the caches. A proof takes about 100 bytes, a record about 1 KiB.
const MAX_KEYS: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Authenticator {
    database: Database,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    settings: AuthenticatorSettings,
    /// Keys the digests under which proofs are remembered; lives as long as the process.
    digest_key: hmac::Key,
    proofs: Cache<[u8; 32], Proof>,
    records: VersionedCache<ApiKeyId, KeyRecord>,
    failures: Buckets<IpAddr>,
    uses: Buckets<ApiKeyId>,
    refusals: Arc<RefusalLog>,
}

impl Authenticator {
    pub(crate) fn new(
        (database, feed): (Database, Arc<ChangeFeed>),
        clock: Arc<dyn Clock>,
        hasher: Hasher,
        settings: AuthenticatorSettings,
        refusals: Arc<RefusalLog>,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            records: VersionedCache::new(feed, MAX_KEYS),
            failures: Buckets::new(clock.clone(), MAX_KEYS),
            uses: Buckets::new(clock.clone(), MAX_KEYS),
            database,
            clock,
            hasher,
            settings,
            digest_key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()?),
            proofs: Cache::new(MAX_KEYS),
            refusals,
        })
    }

    pub(crate) fn caches(&self) -> [(&'static str, CacheUse); 2] {
        [
            ("key_proofs", CacheUse::of(&self.proofs)),
            ("api_keys", self.records.usage()),
        ]
    }

    /// Who presents this key, and may it act now? A refusal of a proven key leaves an audit event.
    pub(crate) async fn authenticate(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
        request_id: Option<&str>,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        let record = self.prove(presented, client).await?;
        let Err(error) = self.admit(&record.value, client) else {
            return Ok(ApiKeyContext::new(record));
        };
        if let Some(code) = error.refusal() {
            let refusal = Refusal {
                key: &record.value.key,
                client,
                request_id,
                action: "api_key.refuse",
                code,
                detail: one_reason(code),
            };
            // Boxed, because few callers get here and all would carry it.
            Box::pin(self.refusals.record(refusal)).await;
        }
        Err(error)
    }

    /// A key that nobody presents: may what was begun with it go on? From where, and how often, is not asked.
    pub(crate) async fn resume(&self, id: ApiKeyId) -> Result<ApiKeyContext, AuthenticateError> {
        let record = self.record(id).await?.ok_or(AuthenticateError::NotProven)?;
        may_act(&record.value, self.clock.now())?;
        Ok(ApiKeyContext::new(record))
    }

    fn admit(&self, record: &KeyRecord, client: IpAddr) -> Result<(), AuthenticateError> {
        admit(record, self.clock.now(), client)?;
        match record.key.rate_limit {
            Some(limit) => self
                .uses
                .take(&record.key.id, limit)
                .map_err(AuthenticateError::RateLimited),
            None => Ok(()),
        }
    }

    /// Counts further uses of a key that has been let in, for a request that does the work of many.
    pub(crate) async fn count_further_uses(
        &self,
        caller: &ApiKeyContext,
        further: u32,
        (client, request_id): (IpAddr, &str),
    ) -> Result<(), FurtherUseError> {
        let Some(limit) = caller.key().rate_limit else {
            return Ok(());
        };
        // Letting the caller in was the first.
        if further >= limit.burst.max(1) {
            return Err(FurtherUseError::BeyondBurst { burst: limit.burst });
        }
        let taken = self.uses.take_many(&caller.key_id(), limit, further);
        if taken.is_err() {
            let refusal = Refusal {
                key: caller.key(),
                client,
                request_id: Some(request_id),
                action: "api_key.refuse",
                code: "rate_limited",
                detail: one_reason("rate_limited"),
            };
            self.refusals.record(refusal).await;
        }
        Ok(taken?)
    }

    /// Which key is this? Also answers for a key that may not act; counts as an attempt like any other.
    pub(crate) async fn identify(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
    ) -> Result<(OrganizationId, ApiKeyId), AuthenticateError> {
        let record = self.prove(presented, client).await?;
        Ok((record.organization, record.value.key.id))
    }

    async fn prove(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
    ) -> Result<Arc<Versioned<KeyRecord>>, AuthenticateError> {
        let digest = self.digest(presented);
        if let Some(proof) = self.proofs.get(&digest)
            && let Some(record) = self.record(proof.id).await?
            && self.still_proves(&proof, &record.value)
        {
            return Ok(record);
        }
        // Boxed, because most callers never get here and all would carry it.
        Box::pin(self.prove_anew(digest, presented, client)).await
    }

    async fn prove_anew(
        &self,
        digest: [u8; 32],
        presented: &PresentedKey,
        client: IpAddr,
    ) -> Result<Arc<Versioned<KeyRecord>>, AuthenticateError> {
        // Two rounds: the first may find a proof that a changed hash has made void.
        for _ in 0..2 {
            // However many requests present the same unproven key at once, one of them checks it.
            let proof = self
                .proofs
                .get_or_insert_async(&digest, self.check_secret(presented, client))
                .await?;
            match self.record(proof.id).await? {
                Some(record) if self.still_proves(&proof, &record.value) => return Ok(record),
                _ => self.proofs.remove(&digest),
            };
        }
        Err(AuthenticateError::NotProven)
    }

    /// Is the hash that the proof matched still one that lets in? The previous secret's is until the grace ends.
    fn still_proves(&self, proof: &Proof, record: &KeyRecord) -> bool {
        let previous = || record.previous_in_grace(self.clock.now());
        record.secret_hash == proof.matched || previous() == Some(&proof.matched)
    }

    async fn check_secret(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
    ) -> Result<Proof, AuthenticateError> {
        // Each hash takes from the budget, before the work, so that parallel guesses cannot overdraw it. Only a
        // failure keeps what was taken: neither success nor a database that cannot be asked says anything against
        // the client.
        let client = network_of(client);
        let mut taken = 0;
        let proof = self.compare(presented, client, &mut taken).await;
        let failed = matches!(
            proof,
            Err(AuthenticateError::NotProven | AuthenticateError::TooManyFailures(_))
        );
        if !failed {
            for _ in 0..taken {
                self.failures
                    .give_back(&client, self.settings.failure_limit);
            }
        }
        proof
    }

    fn take_failure(&self, client: IpAddr, taken: &mut u8) -> Result<(), AuthenticateError> {
        self.failures
            .take(&client, self.settings.failure_limit)
            .map_err(AuthenticateError::TooManyFailures)?;
        *taken += 1;
        Ok(())
    }

    async fn compare(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
        taken: &mut u8,
    ) -> Result<Proof, AuthenticateError> {
        // Before the budget is touched: only so many requests hold a part of it at a time.
        let place = self.hasher.place_for_key().await?;
        self.take_failure(client, taken)?;
        let (id, secret) = (presented.id(), presented.whole());
        let record = self.record(id).await?.ok_or(AuthenticateError::NotProven)?;
        let current = record.value.secret_hash.clone();
        let matches = self
            .hasher
            .verify_at(place, secret.clone(), current.clone());
        if matches.await? {
            if has_other_cost(&current, self.settings.cost) {
                self.rehash(id, secret.clone(), current.clone());
            }
            return Ok(Proof {
                id,
                matched: current,
            });
        }
        if let Some(previous) = record.value.previous_in_grace(self.clock.now()).cloned() {
            self.take_failure(client, taken)?;
            if self.hasher.verify(secret.clone(), previous.clone()).await? {
                return Ok(Proof {
                    id,
                    matched: previous,
                });
            }
        }
        self.refusals.count_unproven(record.organization);
        Err(AuthenticateError::NotProven)
    }

    async fn record(
        &self,
        id: ApiKeyId,
    ) -> Result<Option<Arc<Versioned<KeyRecord>>>, StorageError> {
        self.records
            .get(&id, || async move {
                let mut read = self.database.read().await?;
                store::find_record(read.conn(), id).await
            })
            .await
    }

    fn digest(&self, presented: &PresentedKey) -> [u8; 32] {
        let tag = hmac::sign(
            &self.digest_key,
            presented.whole().expose_secret().as_bytes(),
        );
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        digest
    }

    /// Brings a stored hash to the configured cost, in the background; the caller does not wait for it.
    fn rehash(&self, id: ApiKeyId, secret: SecretString, old: Arc<str>) {
        let (database, hasher, cost) = (
            self.database.clone(),
            self.hasher.clone(),
            self.settings.cost,
        );
        tokio::spawn(async move {
            let replaced: Result<bool, AuthenticateError> = async {
                let new = hasher.hash(secret, cost).await?;
                let mut tx = database.write().await?;
                let replaced = store::changes::replace_hash(tx.conn(), id, (&old, &new)).await?;
                tx.commit().await?;
                Ok(replaced)
            }
            .await;
            match replaced {
                Ok(replaced) => {
                    tracing::info!(key = %id, replaced, "rehashed an API key at the configured cost");
                }
                Err(error) => tracing::warn!(key = %id, %error, "could not rehash an API key"),
            }
        });
    }
}

/// May a proven key act now, its rate limit apart?
fn admit(record: &KeyRecord, now: Timestamp, client: IpAddr) -> Result<(), AuthenticateError> {
    may_act(record, now)?;
    let networks = &record.key.allowed_networks;
    let client = client.to_canonical();
    if !networks.is_empty() && !networks.iter().any(|network| network.contains(&client)) {
        return Err(AuthenticateError::AddressNotAllowed);
    }
    Ok(())
}

fn may_act(record: &KeyRecord, now: Timestamp) -> Result<(), AuthenticateError> {
    match record.key.state(now) {
        KeyState::Active => {}
        KeyState::Disabled => return Err(AuthenticateError::KeyDisabled),
        KeyState::Expired => return Err(AuthenticateError::KeyExpired),
        KeyState::Revoked => return Err(AuthenticateError::KeyRevoked),
    }
    if !record.owner_active {
        return Err(AuthenticateError::OwnerSuspended);
    }
    Ok(())
}
