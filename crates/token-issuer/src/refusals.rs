//! Refused issuances in the audit trail.

use key_admin::{ApiKeyContext, Refusal, RefusalLog};
use policy::Denial;
use serde_json::json;

use crate::issuance::Origin;

/// Reasons in one event; more say nothing new.
const MAX_REASONS: usize = 20;

/// Records what was wrong and where, never the values.
pub(crate) async fn record(
    log: &RefusalLog,
    caller: &ApiKeyContext,
    origin: &Origin,
    denial: &Denial,
) {
    let reasons: Vec<_> = denial
        .reasons()
        .iter()
        .take(MAX_REASONS)
        .map(|reason| json!({ "code": reason.code, "pointer": reason.pointer }))
        .collect();
    log.record(Refusal {
        key: caller.key(),
        client: origin.client,
        request_id: Some(&origin.request_id),
        action: "session_token.refuse",
        detail: json!({ "reasons": reasons }),
    })
    .await;
}
