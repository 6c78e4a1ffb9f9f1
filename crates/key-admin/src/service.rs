use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage::metrics::{CacheUse, Histogram, HistogramSnapshot};
use storage::{ChangeFeed, Clock, Database};

use crate::activity::Activity;
use crate::api_keys::{Authenticator, AuthenticatorSettings};
use crate::hashing::{HashCost, Hasher, Pepper};
use crate::random::NoRandomness;
use crate::rate_limit::RateLimit;
use crate::refusals::RefusalLog;
use crate::sealing::{CannotOpen, Sealer};
use crate::sign_in::{SignInSettings, Throttle};
use crate::{
    ApiKeyContext, ApiKeyId, AuthenticateError, FurtherUseError, MasterSecret, PresentedKey,
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
    /// People in the console.
    pub sign_in: SignInSettings,
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
            sign_in: SignInSettings::default(),
        }
    }
}

/// The installation's own secrets, as far as this crate uses them.
#[derive(Debug)]
pub struct KeyAdminSecrets {
    /// Keys the hashes of credentials.
    pub pepper: Pepper,
    /// Seals what must be read again.
    pub sealer: Box<Sealer>,
}

impl KeyAdminSecrets {
    /// Those of an installation whose pepper comes from its master secret.
    pub fn derived(master: &MasterSecret) -> Result<Self, CannotOpen> {
        Ok(Self {
            pepper: Pepper::derived(master),
            sealer: Box::new(Sealer::new(master)?),
        })
    }
}

/// The service of this crate.
#[derive(Debug)]
pub struct KeyAdmin {
    pub(crate) database: Database,
    pub(crate) feed: Arc<ChangeFeed>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hasher: Hasher,
    pub(crate) settings: KeyAdminSettings,
    pub(crate) authenticator: Authenticator,
    pub(crate) sealer: Box<Sealer>,
    pub(crate) throttle: Box<Throttle>,
    refusals: Arc<RefusalLog>,
    pub(crate) activity: Arc<Activity>,
    authentications: Histogram,
}

impl KeyAdmin {
    /// Builds the service; nothing is read yet.
    pub fn new(
        database: Database,
        feed: Arc<ChangeFeed>,
        clock: Arc<dyn Clock>,
        secrets: KeyAdminSecrets,
        settings: KeyAdminSettings,
    ) -> Result<Self, NoRandomness> {
        let hasher = Hasher::new(secrets.pepper);
        let authentication = AuthenticatorSettings {
            cost: settings.api_key_hash,
            failure_limit: settings.failed_credentials,
        };
        let activity = Arc::new(Activity::new(database.clone(), clock.clone()));
        let refusals = RefusalLog::new(database.clone(), clock.clone(), activity.clone());
        let refusals = Arc::new(refusals);
        let authenticator = Authenticator::new(
            (database.clone(), feed.clone()),
            clock.clone(),
            hasher.clone(),
            authentication,
            refusals.clone(),
        )?;
        let throttle = Throttle::new(database.clone(), clock.clone(), settings.sign_in);
        Ok(Self {
            throttle: Box::new(throttle),
            sealer: secrets.sealer,
            database,
            feed,
            clock,
            hasher,
            settings,
            authenticator,
            refusals,
            activity,
            authentications: Histogram::of_times(),
        })
    }

    /// How long authenticating API keys took, whatever came of it.
    pub fn authentications(&self) -> HistogramSnapshot {
        self.authentications.snapshot()
    }

    /// How the caches of proven keys and of the keys' rows are used, by their names.
    pub fn caches(&self) -> [(&'static str, CacheUse); 2] {
        self.authenticator.caches()
    }

    /// The pool that hashes passwords and keys.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Where refusals are written down; one log, whatever was refused.
    pub fn refusals(&self) -> &Arc<RefusalLog> {
        &self.refusals
    }

    /// Who presents this key, and may it act now? See [`AuthenticateError`] for what each caller is told. A key whose
    /// secret is right and that is refused leaves an audit event, within the bounds of the [`RefusalLog`].
    pub async fn authenticate(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
        request_id: Option<&str>,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        let _timer = self.authentications.time();
        self.authenticator
            .authenticate(presented, client, request_id)
            .await
    }

    /// Counts a request of an authenticated caller as this many uses more. All of them are counted, or none; a refusal
    /// leaves an audit event as in [`Self::authenticate`].
    pub async fn count_further_uses(
        &self,
        caller: &ApiKeyContext,
        further: u32,
        (client, request_id): (IpAddr, &str),
    ) -> Result<(), FurtherUseError> {
        self.authenticator
            .count_further_uses(caller, further, (client, request_id))
            .await
    }

    /// The caller that this key is, while it may act at all: for what was begun with the key and goes on without it, such
    /// as the renewal of its tokens. The key's networks and its rate limit are about requests that present it.
    pub async fn resume(&self, id: ApiKeyId) -> Result<ApiKeyContext, AuthenticateError> {
        self.authenticator.resume(id).await
    }
}
