//! How a [`RemoteVerifier`] is described.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::documents::{KeySet, Snapshots};
use super::fetch::{self, Fetcher};
use super::held::Held;
use super::{Inner, RemoteVerifier, keep_fresh};
use crate::algorithm::Algorithm;
use crate::clock::{Clock, SystemClock};
use crate::revocations::MAX_SNAPSHOT_BYTES;
use crate::rules::Rules;

/// The longest JWKS that is read, in bytes.
const MAX_JWKS_BYTES: usize = 1024 * 1024;
/// The shortest time between two fetches that tokens cause, unless set otherwise.
const DEFAULT_COOL_DOWN: Duration = Duration::from_secs(10);
/// How long keys that cannot be fetched again are used on: as long as a token lives at most.
const DEFAULT_GRACE: Duration = Duration::from_hours(1);
const MAX_GRACE: Duration = Duration::from_hours(24);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings make no verifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The issuer or an address is no URL, or has a user name in it.
    #[error("not a URL that can be fetched")]
    Url,
    /// Plain http to another machine.
    #[error("keys and revocations are fetched over https, or over http from this machine alone")]
    NotHttps,
    /// HS256: its secrets never come from a JWKS. Use [`crate::Verifier::from_secrets`].
    #[error("HS256 and a key set do not mix")]
    Symmetric,
    /// A poll interval of zero, or not below the greatest staleness.
    #[error("the poll interval must be above zero and below the greatest staleness")]
    Polling,
    /// A grace of more than a day.
    #[error("keys may be used for at most a day without being fetched again")]
    Grace,
    /// There is no tokio runtime to run in.
    #[error("a remote verifier is made within a tokio runtime")]
    NoRuntime,
    /// The HTTP client could not be made.
    #[error("no HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// How often revocations are fetched, and for how long those held may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationPolling {
    /// The time from one fetch to the next: how late a revocation is noticed when all is well.
    pub interval: Duration,
    /// The age from which tokens are refused: how late a revocation is noticed at worst.
    pub max_staleness: Duration,
}

impl Default for RevocationPolling {
    /// Every 5 seconds, and never older than 60.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            max_staleness: Duration::from_mins(1),
        }
    }
}

/// Describes a [`RemoteVerifier`].
pub struct RemoteVerifierBuilder {
    rules: Rules,
    algorithm: Algorithm,
    jwks_url: Option<String>,
    revocations: Option<(RevocationPolling, Algorithm)>,
    cool_down: Duration,
    grace: Duration,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl RemoteVerifierBuilder {
    pub(super) fn new(rules: Rules, algorithm: Algorithm) -> Self {
        Self {
            rules,
            algorithm,
            jwks_url: None,
            revocations: None,
            cool_down: DEFAULT_COOL_DOWN,
            grace: DEFAULT_GRACE,
            timeout: DEFAULT_TIMEOUT,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Where the token keys are, if not at `{issuer}/.well-known/jwks.json`. The key set of the one audience is the
    /// narrowest.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.jwks_url = Some(url.into());
        self
    }

    /// Refuses what `{issuer}/revocations` names. Snapshots are signed with ES256 by a key of the issuer's own JWKS,
    /// whatever algorithm and JWKS the tokens have.
    #[must_use]
    pub fn with_revocations(self, polling: RevocationPolling) -> Self {
        self.with_revocations_signed(polling, Algorithm::Es256)
    }

    /// Like [`Self::with_revocations`], for an issuer that signs its snapshots with another algorithm.
    #[must_use]
    pub fn with_revocations_signed(
        mut self,
        polling: RevocationPolling,
        algorithm: Algorithm,
    ) -> Self {
        self.revocations = Some((polling, algorithm));
        self
    }

    /// The shortest time between two fetches that tokens cause; 10 seconds unless set. A failed fetch starts it, too.
    #[must_use]
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// For how long keys are used on after they became due, if they cannot be fetched; an hour unless set, a day at
    /// most. Then every token is refused with [`crate::VerifyError::KeysUnavailable`].
    #[must_use]
    pub fn key_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long one fetch may take in all; 5 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Another clock than the system's, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the verifier and starts the tasks that keep it fresh; call it within a tokio runtime. It does not wait for
    /// the issuer: [`RemoteVerifier::refresh`] does.
    pub fn build(self) -> Result<RemoteVerifier, SettingsError> {
        self.check()?;
        let runtime = Handle::try_current().map_err(|_| SettingsError::NoRuntime)?;
        let issuer = self.rules.issuer().trim_end_matches('/').to_owned();
        let issuer_jwks = format!("{issuer}/.well-known/jwks.json");
        let jwks = self.jwks_url.clone().unwrap_or_else(|| issuer_jwks.clone());
        let snapshots_are_signed_with = self.revocations.map(|(_, algorithm)| algorithm);
        let shared = jwks == issuer_jwks;
        let also = snapshots_are_signed_with.filter(|other| shared && *other != self.algorithm);
        let keys = Arc::new(self.key_set(&jwks, self.algorithm, also)?);
        let mut inner = Inner {
            rules: self.rules.clone(),
            algorithm: self.algorithm,
            clock: Arc::clone(&self.clock),
            keys: Arc::clone(&keys),
            revocations: None,
        };
        if let Some((polling, algorithm)) = self.revocations {
            let keys = if shared {
                keys
            } else {
                let own = Arc::new(self.key_set(&issuer_jwks, algorithm, None)?);
                runtime.spawn(keep_fresh(Arc::downgrade(&own)));
                own
            };
            let held =
                self.snapshots(&format!("{issuer}/revocations"), keys, polling, algorithm)?;
            let held = Arc::new(held);
            runtime.spawn(keep_fresh(Arc::downgrade(&held)));
            inner.revocations = Some(held);
        }
        runtime.spawn(keep_fresh(Arc::downgrade(&inner.keys)));
        Ok(RemoteVerifier {
            inner: Arc::new(inner),
        })
    }

    fn check(&self) -> Result<(), SettingsError> {
        let issuer = fetch::allowed(self.rules.issuer())?;
        if issuer.query().is_some() || issuer.fragment().is_some() {
            return Err(SettingsError::Url);
        }
        let snapshots = self.revocations.map(|(_, algorithm)| algorithm);
        if [Some(self.algorithm), snapshots].contains(&Some(Algorithm::Hs256)) {
            return Err(SettingsError::Symmetric);
        }
        if let Some((polling, _)) = self.revocations
            && (polling.interval.is_zero() || polling.interval >= polling.max_staleness)
        {
            return Err(SettingsError::Polling);
        }
        if self.grace > MAX_GRACE {
            return Err(SettingsError::Grace);
        }
        Ok(())
    }

    fn key_set(
        &self,
        url: &str,
        algorithm: Algorithm,
        also: Option<Algorithm>,
    ) -> Result<Held<KeySet>, SettingsError> {
        let document = KeySet {
            algorithm,
            also,
            grace: self.grace,
        };
        let fetcher = self.fetcher(url, MAX_JWKS_BYTES, None)?;
        Ok(Held::new(
            document,
            fetcher,
            Arc::clone(&self.clock),
            self.cool_down,
        ))
    }

    fn snapshots(
        &self,
        url: &str,
        keys: Arc<Held<KeySet>>,
        polling: RevocationPolling,
        algorithm: Algorithm,
    ) -> Result<Held<Snapshots>, SettingsError> {
        let document = Snapshots {
            rules: self.rules.clone(),
            algorithm,
            keys,
            clock: Arc::clone(&self.clock),
            interval: polling.interval,
            max_staleness: polling.max_staleness,
        };
        let fetcher = self.fetcher(url, MAX_SNAPSHOT_BYTES, Some("application/jwt"))?;
        Ok(Held::new(
            document,
            fetcher,
            Arc::clone(&self.clock),
            polling.interval,
        ))
    }

    fn fetcher(
        &self,
        url: &str,
        max_bytes: usize,
        media_type: Option<&'static str>,
    ) -> Result<Fetcher, SettingsError> {
        let url = fetch::allowed(url)?;
        Ok(Fetcher {
            client: fetch::client(&url, self.timeout)?,
            url,
            max_bytes,
            media_type,
        })
    }
}
