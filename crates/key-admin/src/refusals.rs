//! Refusals in the audit trail.
//!
//! A refusal is worth a line: it is how a bug, or somebody who tries what a key may do, is noticed. But it costs the
//! caller nothing, so only so many are kept; the rest would let anybody with a key fill the disk. All kinds of refusals
//! draw from one budget per key and address, and all addresses of one key from another: a caller has as many addresses
//! as it likes. Only who has proven a key gets here: nothing is written for anybody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use storage::{Clock, Database, OrganizationId, StorageError};

use crate::activity::Activity;
use crate::api_keys::{ApiKey, ApiKeyId};
use crate::audit::{self, Act, Actor, Deed};
use crate::rate_limit::{Buckets, RateLimit, network_of};

/// Refusals that are kept, per key and address.
const KEPT: RateLimit = RateLimit {
    per_minute: 6,
    burst: 20,
};
/// Refusals that are kept, per key.
const KEPT_OF_A_KEY: RateLimit = RateLimit {
    per_minute: 60,
    burst: 200,
};
const MAX_PAIRS: usize = 10_000;
const MAX_KEYS: usize = 10_000;
/// How long a refusal waits for its event, which it can do without.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was refused to whoever has proven a key.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The key. It is who asked, and what the event is about.
    pub key: &'a ApiKey,
    /// Where the request came from.
    pub client: IpAddr,
    /// The HTTP request, where there is one.
    pub request_id: Option<&'a str>,
    /// What was refused, noun and verb: `session_token.refuse`.
    pub action: &'static str,
    /// The code of the answer.
    pub code: &'static str,
    /// Why: codes and places, never values.
    pub detail: Value,
}

/// Writes refusals down, and counts all of them.
#[derive(Debug)]
pub struct RefusalLog {
    database: Database,
    clock: Arc<dyn Clock>,
    activity: Arc<Activity>,
    kept: Buckets<(ApiKeyId, IpAddr)>,
    kept_of_keys: Buckets<ApiKeyId>,
}

impl RefusalLog {
    pub(crate) fn new(database: Database, clock: Arc<dyn Clock>, activity: Arc<Activity>) -> Self {
        Self {
            kept: Buckets::new(clock.clone(), MAX_PAIRS),
            kept_of_keys: Buckets::new(clock.clone(), MAX_KEYS),
            database,
            clock,
            activity,
        }
    }

    /// Records a refusal, if it is one of those that are kept. A failure is logged, and a database that hangs is not
    /// waited for: the request is refused in any case.
    pub async fn record(&self, refusal: Refusal<'_>) {
        self.activity
            .refused(refusal.key.organization, refusal.code);
        if !self.is_kept(refusal.key.id, refusal.client) {
            return;
        }
        match tokio::time::timeout(PATIENCE, self.write(refusal)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a refusal could not be recorded"),
            Err(_) => tracing::error!("a refusal could not be recorded in time"),
        }
    }

    /// Counts, without an event, that somebody presented a key of the organization with a secret that is not its own.
    pub(crate) fn count_unproven(&self, organization: OrganizationId) {
        self.activity.refused(organization, "invalid_api_key");
    }

    fn is_kept(&self, key: ApiKeyId, client: IpAddr) -> bool {
        self.kept.take(&(key, network_of(client)), KEPT).is_ok()
            && self.kept_of_keys.take(&key, KEPT_OF_A_KEY).is_ok()
    }

    async fn write(&self, refusal: Refusal<'_>) -> Result<(), StorageError> {
        let id = refusal.key.id;
        let act = Act {
            actor: Actor::ApiKey(id),
            client: Some(refusal.client),
            request_id: refusal.request_id.map(str::to_owned),
        };
        let deed = Deed {
            action: refusal.action,
            target_kind: "api_key",
            target_id: id.to_string(),
            detail: refusal.detail,
        };
        let organization = refusal.key.organization;
        let mut tx = self.database.write().await?;
        audit::record(&mut tx, &*self.clock, organization, &act, deed).await?;
        tx.commit().await
    }
}

/// The detail of an event with one reason, in the form that events with several have.
pub(crate) fn one_reason(code: &str) -> Value {
    json!({ "reasons": [{ "code": code }] })
}
