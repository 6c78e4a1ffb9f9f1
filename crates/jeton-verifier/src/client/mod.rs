//! The verifier that fetches what it needs: the issuer's key set, and its revocations.
//!
//! Verifying reads what is held in memory and takes no lock. It waits for the network only if it could not answer
//! otherwise: nothing was fetched yet, what was fetched is too old, or the token names a key that is not known. A task
//! per document fetches it again before that.

mod builder;
mod documents;
mod fetch;
mod held;

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::rules::Rules;
use crate::verifier::{self, VerifyError};

pub use builder::{RemoteVerifierBuilder, RevocationPolling, SettingsError};
use documents::{KeySet, Snapshots};
pub use fetch::FetchError;
use held::{Cause, Document, Held};

/// Verifies the tokens of one issuer for one audience with the keys that the issuer publishes. Cheap to clone.
#[derive(Clone)]
pub struct RemoteVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Rules,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    keys: Arc<Held<KeySet>>,
    revocations: Option<Arc<Held<Snapshots>>>,
}

/// What a [`RemoteVerifier`] holds, for readiness checks and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How long ago the issuer last confirmed the key set; `None` before the first time.
    pub keys_age: Option<Duration>,
    /// How long ago the issuer last confirmed the revocations; `None` before the first time, or if they are not asked for.
    pub revocations_age: Option<Duration>,
    /// The version of the revocations held.
    pub revocations_version: Option<u64>,
    /// Whether a good token would be accepted now.
    pub ready: bool,
}

impl RemoteVerifier {
    /// Starts to describe a verifier. The algorithm is pinned: the key set never chooses it.
    pub fn builder(rules: Rules, algorithm: Algorithm) -> RemoteVerifierBuilder {
        RemoteVerifierBuilder::new(rules, algorithm)
    }

    /// Verifies a token now. Fetches only if it could not answer otherwise, and then no more often than the cool-down
    /// allows, however many callers wait.
    pub async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        let mut fetched = [false; 2];
        loop {
            let seen = self.inner.generations();
            let error = match self.inner.verify(token) {
                Ok(claims) => return Ok(claims),
                Err(error) => error,
            };
            let missing_revocations = match error {
                VerifyError::UnknownKey | VerifyError::KeysUnavailable => false,
                VerifyError::RevocationsUnavailable => true,
                _ => return Err(error),
            };
            // Each document is fetched once for a token at most.
            if std::mem::replace(&mut fetched[usize::from(missing_revocations)], true) {
                return Err(error);
            }
            self.inner.fetch_missing(missing_revocations, seen).await;
        }
    }

    /// Verifies a token with what is held, without ever waiting.
    pub fn verify_held(&self, token: &str) -> Result<Claims, VerifyError> {
        self.inner.verify(token)
    }

    /// Fetches what is due. A program that must not start without its issuer calls it once; the tasks in the background
    /// do so all the time.
    pub async fn refresh(&self) -> Result<(), Arc<FetchError>> {
        self.inner.keys.refresh(Cause::Due).await?;
        if let Some(revocations) = &self.inner.revocations {
            revocations.snapshot_keys().refresh(Cause::Due).await?;
            revocations.refresh(Cause::Due).await?;
        }
        Ok(())
    }

    /// What is held.
    pub fn status(&self) -> Status {
        let snapshot = self.inner.revocations.as_ref().and_then(|held| held.get());
        Status {
            keys_age: self.inner.keys.age(),
            revocations_age: self.inner.revocations.as_ref().and_then(|held| held.age()),
            revocations_version: snapshot.map(|snapshot| snapshot.value.version()),
            ready: self.inner.keys.usable().is_some()
                && self
                    .inner
                    .revocations
                    .as_ref()
                    .is_none_or(|held| held.usable().is_some()),
        }
    }
}

impl Inner {
    fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        let now = self.clock.unix_seconds();
        let keys = self.keys.usable().ok_or(VerifyError::KeysUnavailable)?;
        let keys = keys.value.of(self.algorithm);
        let claims = verifier::verify(&self.rules, keys, token, now)?;
        // Last, so that a token that nobody signed is told so, and cannot cause a fetch.
        if let Some(revocations) = &self.revocations {
            let held = revocations
                .usable()
                .ok_or(VerifyError::RevocationsUnavailable)?;
            held.value.check(&claims)?;
        }
        Ok(claims)
    }

    fn generations(&self) -> [u64; 2] {
        [
            self.keys.generation(),
            self.revocations
                .as_ref()
                .map_or(0, |held| held.generation()),
        ]
    }

    async fn fetch_missing(&self, revocations: bool, seen: [u64; 2]) {
        if !revocations {
            fetch_detached(&self.keys, seen[0]).await;
        } else if let Some(revocations) = &self.revocations {
            fetch_detached(revocations, seen[1]).await;
        }
    }
}

/// In a task of its own: the fetch is for all who wait, so it goes on when the one who began it goes away.
async fn fetch_detached<D: Document>(held: &Arc<Held<D>>, seen: u64) {
    let held = Arc::clone(held);
    let fetching = tokio::spawn(async move { held.refresh(Cause::Missing { seen }).await });
    if let Ok(Err(error)) = fetching.await {
        tracing::debug!(%error, "nothing fetched for a token");
    }
}

/// Fetches a document whenever it is due, until the verifier is dropped.
async fn keep_fresh<D: Document>(held: Weak<Held<D>>) {
    while let Some(sleep) = held.upgrade().map(|held| held.sleep_until_due()) {
        sleep.await;
        let Some(held) = held.upgrade() else { return };
        if let Err(error) = held.refresh(Cause::Due).await {
            tracing::warn!(%error, url = held.url(), "the issuer's document could not be fetched");
        }
    }
}

impl std::fmt::Debug for RemoteVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteVerifier")
            .field("rules", &self.inner.rules)
            .field("algorithm", &self.inner.algorithm)
            .field("status", &self.status())
            .finish()
    }
}
