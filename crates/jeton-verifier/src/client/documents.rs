//! The two documents: the key set and the revocations.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::{Answer, FetchError};
use super::held::{Cause, Document, Held};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::keys::Keys;
use crate::revocations::{Revocations, SnapshotError};
use crate::rules::Rules;

/// A key set is kept for at least this long, whatever the issuer says.
const MIN_KEYS_AGE: Duration = Duration::from_secs(5);
/// A key set is kept for at most this long, whatever the issuer says.
const MAX_KEYS_AGE: Duration = Duration::from_hours(1);
/// How long a key set is kept if the issuer does not say.
const DEFAULT_KEYS_AGE: Duration = Duration::from_mins(1);

/// The published keys of the pinned algorithms: that of tokens, and that of snapshots.
pub(super) struct PublishedKeys {
    tokens: Keys,
    snapshots: Option<Keys>,
}

impl PublishedKeys {
    pub(super) fn of(&self, algorithm: Algorithm) -> &Keys {
        match &self.snapshots {
            Some(keys) if keys.algorithm() == algorithm => keys,
            _ => &self.tokens,
        }
    }
}

/// A JWKS.
pub(super) struct KeySet {
    pub(super) algorithm: Algorithm,
    /// A second algorithm, if snapshots are signed with another one.
    pub(super) also: Option<Algorithm>,
    /// How long the keys are used after they became due, if they cannot be fetched.
    pub(super) grace: Duration,
}

impl Document for KeySet {
    type Value = PublishedKeys;

    async fn read(
        &self,
        body: String,
        held: Option<&PublishedKeys>,
    ) -> Result<PublishedKeys, FetchError> {
        // At first a set without a usable key is a mistake in the settings. Later it means that all are retired.
        let tokens = match held {
            None => Keys::from_jwks(self.algorithm, &body)?,
            Some(_) => Keys::from_published(self.algorithm, &body)?,
        };
        let snapshots = self
            .also
            .map(|algorithm| Keys::from_published(algorithm, &body))
            .transpose()?;
        Ok(PublishedKeys { tokens, snapshots })
    }

    fn may_be_confirmed(&self, _: &PublishedKeys) -> bool {
        true
    }

    fn due_after(&self, answer: &Answer) -> Duration {
        answer
            .fresh_for
            .unwrap_or(DEFAULT_KEYS_AGE)
            .clamp(MIN_KEYS_AGE, MAX_KEYS_AGE)
    }

    fn usable_for(&self, due_after: Duration) -> Duration {
        due_after + self.grace
    }
}

/// The revocation snapshots.
pub(super) struct Snapshots {
    pub(super) rules: Rules,
    pub(super) algorithm: Algorithm,
    pub(super) keys: Arc<Held<KeySet>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) interval: Duration,
    pub(super) max_staleness: Duration,
}

impl Snapshots {
    fn verified(&self, body: &str) -> Result<Revocations, SnapshotError> {
        let keys = self.keys.usable().ok_or(SnapshotError::UnknownKey)?;
        let keys = keys.value.of(self.algorithm);
        Revocations::read(body, &self.rules, keys, self.clock.unix_seconds())
    }
}

impl Held<Snapshots> {
    /// The key set that snapshots are verified with.
    pub(super) fn snapshot_keys(&self) -> &Held<KeySet> {
        &self.document().keys
    }
}

impl Document for Snapshots {
    type Value = Revocations;

    async fn read(
        &self,
        body: String,
        held: Option<&Revocations>,
    ) -> Result<Revocations, FetchError> {
        let seen = self.keys.generation();
        let snapshot = match self.verified(&body) {
            Err(SnapshotError::UnknownKey) => {
                if let Err(error) = self.keys.refresh(Cause::Missing { seen }).await {
                    tracing::debug!(%error, "no keys fetched for a snapshot");
                }
                self.verified(&body)?
            }
            other => other?,
        };
        if held.is_some_and(|held| snapshot.version() < held.version()) {
            return Err(SnapshotError::Rollback.into());
        }
        Ok(snapshot)
    }

    /// A snapshot that has ended must not be used, so an issuer that says "not modified" of it is not believed.
    fn may_be_confirmed(&self, held: &Revocations) -> bool {
        held.may_be_used(self.rules.issuer(), self.clock.unix_seconds())
    }

    fn due_after(&self, _: &Answer) -> Duration {
        self.interval
    }

    fn usable_for(&self, _: Duration) -> Duration {
        self.max_staleness
    }
}
