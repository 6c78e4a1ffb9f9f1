//! Refused issuances in the audit trail.

use key_admin::{ApiKeyContext, Refusal, RefusalLog};
use serde_json::{Value, json};

use crate::issuance::{IssueError, Origin};

/// Reasons in one event; more say nothing new.
const MAX_REASONS: usize = 20;

/// Records what was wrong and where, never the values. What failed by itself is no refusal.
pub(crate) async fn record(
    log: &RefusalLog,
    caller: &ApiKeyContext,
    origin: &Origin,
    error: &IssueError,
) {
    let reasons: Vec<Value> = match error {
        IssueError::Refused(denial) => denial
            .reasons()
            .iter()
            .take(MAX_REASONS)
            .map(|reason| json!({ "code": reason.code, "pointer": reason.pointer }))
            .collect(),
        IssueError::Claims(error) => match error.refusal() {
            Some((code, _)) => vec![json!({ "code": code, "pointer": "" })],
            None => return,
        },
        _ => return,
    };
    log.record(Refusal {
        key: caller.key(),
        client: origin.client,
        request_id: Some(&origin.request_id),
        action: "session_token.refuse",
        detail: json!({ "reasons": reasons }),
    })
    .await;
}
