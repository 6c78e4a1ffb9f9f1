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
    if let Some(reasons) = reasons(error) {
        record_reasons(log, caller, origin, reasons).await;
    }
}

fn reasons(error: &IssueError) -> Option<Vec<Value>> {
    Some(match error {
        IssueError::Refused(denial) => denial
            .reasons()
            .iter()
            .map(|reason| json!({ "code": reason.code, "pointer": reason.pointer }))
            .collect(),
        IssueError::Scope(_) => vec![json!({ "code": "scope_not_granted", "pointer": "/scope" })],
        IssueError::NoScopeInToken => {
            vec![json!({ "code": "scope_not_carried", "pointer": "/scope" })]
        }
        IssueError::Claims(error) => {
            let (code, _) = error.refusal()?;
            vec![json!({ "code": code, "pointer": "" })]
        }
        _ => return None,
    })
}

/// The same for reasons that are told as they are recorded.
pub(crate) async fn record_reasons(
    log: &RefusalLog,
    caller: &ApiKeyContext,
    origin: &Origin,
    mut reasons: Vec<Value>,
) {
    reasons.truncate(MAX_REASONS);
    log.record(Refusal {
        key: caller.key(),
        client: origin.client,
        request_id: Some(&origin.request_id),
        action: "session_token.refuse",
        detail: json!({ "reasons": reasons }),
    })
    .await;
}
