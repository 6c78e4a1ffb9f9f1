//! Refused issuances in the audit trail.
//!
//! A refusal is worth a line: it is how a bug, or somebody who tries what a key may grant, is noticed. But it costs the
//! caller nothing, so only so many per key and address are kept; the rest would let anybody with a key fill the disk.

use std::net::IpAddr;
use std::sync::Arc;

use key_admin::audit::{self, Deed};
use key_admin::rate_limit::{Buckets, RateLimit};
use key_admin::{Act, Actor, ApiKeyContext, ApiKeyId};
use policy::Denial;
use serde_json::json;
use storage::{Clock, Database, StorageError};

use crate::issuance::Origin;

/// Refusals that are kept, per key and address.
const KEPT: RateLimit = RateLimit {
    per_minute: 6,
    burst: 20,
};
const MAX_PAIRS: usize = 10_000;
/// Reasons in one event; more say nothing new.
const MAX_REASONS: usize = 20;

/// Writes refusals down.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    database: Database,
    clock: Arc<dyn Clock>,
    kept: Buckets<(ApiKeyId, IpAddr)>,
}

impl RefusalLog {
    pub(crate) fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            kept: Buckets::new(clock.clone(), MAX_PAIRS),
            database,
            clock,
        }
    }

    /// Records what was wrong and where, never the values. A failure is logged: the request is refused in any case.
    pub(crate) async fn record(&self, caller: &ApiKeyContext, origin: &Origin, denial: &Denial) {
        if self
            .kept
            .take(&(caller.key_id(), origin.client), KEPT)
            .is_err()
        {
            return;
        }
        if let Err(error) = self.write(caller, origin, denial).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    async fn write(
        &self,
        caller: &ApiKeyContext,
        origin: &Origin,
        denial: &Denial,
    ) -> Result<(), StorageError> {
        let reasons: Vec<_> = denial
            .reasons()
            .iter()
            .take(MAX_REASONS)
            .map(|reason| json!({ "code": reason.code, "pointer": reason.pointer }))
            .collect();
        let deed = Deed {
            action: "session_token.refuse",
            target_kind: "api_key",
            target_id: caller.key_id().to_string(),
            detail: json!({ "reasons": reasons }),
        };
        let act = Act {
            actor: Actor::ApiKey(caller.key_id()),
            client: Some(origin.client),
            request_id: Some(origin.request_id.clone()),
        };
        let mut tx = self.database.write().await?;
        audit::record(&mut tx, &*self.clock, caller.organization(), &act, deed).await?;
        tx.commit().await
    }
}
