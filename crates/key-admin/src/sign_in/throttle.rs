//! How often one may be wrong, and which failures the audit trail keeps.
//!
//! A failure takes a token of its client's network and of its account; whoever turns out right gets both back. Buckets
//! are in the memory of each node.
//!
//! Anybody can cause a failure about an account whose address is known, so only so many are kept. They are written
//! beside the answer: a failure about a known account must not take longer than one about an unknown one.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use storage::{Clock, Database, OrganizationId, PrincipalId, StorageError};
use tokio::sync::Semaphore;

use super::{Browser, SignInSettings};
use crate::audit::{self, Actor, Deed};
use crate::rate_limit::{Buckets, Limited, RateLimit, network_of};
use crate::users::Email;

/// Codes of one account that turn out wrong. Who sends them has the password, and one code in 333,333 is right: at this
/// rate, guessing takes more than half a year on average. Recovery codes are too long to guess and are not counted
/// here, so that whoever exhausts this limit locks nobody out.
const WRONG_CODES: RateLimit = RateLimit {
    per_minute: 1,
    burst: 10,
};
/// Round trips to providers that one client may begin. Each is a row for ten minutes.
const PROVIDER_ATTEMPTS: RateLimit = RateLimit {
    per_minute: 30,
    burst: 30,
};
/// Failures that are kept, per user and address.
const KEPT: RateLimit = RateLimit {
    per_minute: 2,
    burst: 10,
};
/// Failures that are kept, per user.
const KEPT_OF_A_USER: RateLimit = RateLimit {
    per_minute: 6,
    burst: 50,
};
const MAX_BUCKETS: usize = 10_000;
/// Failures that are being written down at the same time; more are not waited for.
const WRITERS: u32 = 8;

/// The limits of this node, and the way of failures into the audit trail.
#[derive(Debug)]
pub(crate) struct Throttle {
    settings: SignInSettings,
    clients: Buckets<IpAddr>,
    accounts: Buckets<Email>,
    codes: Buckets<PrincipalId>,
    attempts: Buckets<IpAddr>,
    kept: Buckets<(String, IpAddr)>,
    kept_of_users: Buckets<String>,
    writers: Arc<Semaphore>,
    database: Database,
    clock: Arc<dyn Clock>,
}

/// Whom a refused sign-in was about.
pub(super) struct Failure {
    pub(super) organization: OrganizationId,
    /// The user; `None` where the provider's identity belongs to nobody yet.
    pub(super) user: Option<PrincipalId>,
    /// Why, in one word.
    pub(super) reason: &'static str,
    /// The provider, where there was one.
    pub(super) provider: Option<String>,
}

impl Throttle {
    pub(crate) fn new(database: Database, clock: Arc<dyn Clock>, settings: SignInSettings) -> Self {
        Self {
            settings,
            clients: Buckets::new(clock.clone(), MAX_BUCKETS),
            accounts: Buckets::new(clock.clone(), MAX_BUCKETS),
            codes: Buckets::new(clock.clone(), MAX_BUCKETS),
            attempts: Buckets::new(clock.clone(), MAX_BUCKETS),
            kept: Buckets::new(clock.clone(), MAX_BUCKETS),
            kept_of_users: Buckets::new(clock.clone(), MAX_BUCKETS),
            writers: Arc::new(Semaphore::new(WRITERS as usize)),
            database,
            clock,
        }
    }

    pub(super) fn take_client(&self, browser: &Browser) -> Result<(), Limited> {
        let limit = self.settings.failed_sign_ins_per_client;
        self.clients.take(&network_of(browser.address), limit)
    }

    pub(super) fn give_back_client(&self, browser: &Browser) {
        let limit = self.settings.failed_sign_ins_per_client;
        self.clients.give_back(&network_of(browser.address), limit);
    }

    pub(super) fn take_account(&self, email: &Email) -> Result<(), Limited> {
        let limit = self.settings.failed_sign_ins_per_account;
        self.accounts.take(email, limit)
    }

    pub(super) fn give_back_account(&self, email: &Email) {
        let limit = self.settings.failed_sign_ins_per_account;
        self.accounts.give_back(email, limit);
    }

    pub(super) fn take_code(&self, user: PrincipalId) -> Result<(), Limited> {
        self.codes.take(&user, WRONG_CODES)
    }

    pub(super) fn give_back_code(&self, user: PrincipalId) {
        self.codes.give_back(&user, WRONG_CODES);
    }

    pub(super) fn take_attempt(&self, browser: &Browser) -> Result<(), Limited> {
        let client = network_of(browser.address);
        self.attempts.take(&client, PROVIDER_ATTEMPTS)
    }

    /// Writes a failure down, if it is one of those that are kept, without making anybody wait for it.
    pub(super) fn record(&self, browser: &Browser, failure: Failure) {
        let target = failure.target_id();
        let network = network_of(browser.address);
        let kept = self.kept.take(&(target.clone(), network), KEPT).is_ok()
            && self.kept_of_users.take(&target, KEPT_OF_A_USER).is_ok();
        if !kept {
            return;
        }
        let Ok(writer) = self.writers.clone().try_acquire_owned() else {
            tracing::warn!(
                user = target,
                "a refused sign-in was not recorded: too many at once"
            );
            return;
        };
        let (database, clock) = (self.database.clone(), self.clock.clone());
        let browser = browser.clone();
        tokio::spawn(async move {
            if let Err(error) = write(&database, &*clock, &browser, failure).await {
                tracing::error!(%error, "a refused sign-in could not be recorded");
            }
            drop(writer);
        });
    }

    /// Returns when every failure so far is written.
    #[cfg(test)]
    pub(super) async fn settled(&self) {
        drop(self.writers.acquire_many(WRITERS).await.unwrap());
    }
}

impl Failure {
    fn target_id(&self) -> String {
        match self.user {
            Some(user) => user.to_string(),
            None => self.organization.to_string(),
        }
    }

    fn detail(&self) -> Value {
        let mut detail = json!({ "reasons": [{ "code": self.reason }] });
        if let Some(provider) = &self.provider {
            detail["provider"] = provider.as_str().into();
        }
        detail
    }
}

async fn write(
    database: &Database,
    clock: &dyn Clock,
    browser: &Browser,
    failure: Failure,
) -> Result<(), StorageError> {
    let deed = Deed {
        action: "console.sign_in.refuse",
        target_kind: if failure.user.is_some() {
            "user"
        } else {
            "organization"
        },
        target_id: failure.target_id(),
        detail: failure.detail(),
    };
    let act = browser.act(Actor::Stranger);
    let mut tx = database.write().await?;
    audit::record(&mut tx, clock, failure.organization, &act, deed).await?;
    tx.commit().await
}
