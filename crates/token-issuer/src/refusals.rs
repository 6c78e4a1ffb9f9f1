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
    if let Some((code, reasons)) = reasons(error) {
        record_reasons(log, caller, origin, (code, reasons)).await;
    }
}

/// The code of the answer, and all that was wrong.
fn reasons(error: &IssueError) -> Option<(&'static str, Vec<Value>)> {
    let one =
        |code: &'static str, pointer| (code, vec![json!({ "code": code, "pointer": pointer })]);
    Some(match error {
        IssueError::Refused(denial) => {
            let reasons = denial
                .reasons()
                .iter()
                .map(|reason| json!({ "code": reason.code, "pointer": reason.pointer }));
            (denial.code().as_str(), reasons.collect())
        }
        IssueError::Scope(_) => one("scope_not_granted", "/scope"),
        IssueError::NoScopeInToken => one("scope_not_carried", "/scope"),
        IssueError::Claims(error) => {
            let (code, _) = error.refusal()?;
            one(code, "")
        }
        _ => return None,
    })
}

/// The same for reasons that are told as they are recorded.
pub(crate) async fn record_reasons(
    log: &RefusalLog,
    caller: &ApiKeyContext,
    origin: &Origin,
    (code, mut reasons): (&'static str, Vec<Value>),
) {
    reasons.truncate(MAX_REASONS);
    log.record(Refusal {
        key: caller.key(),
        client: origin.client,
        request_id: Some(&origin.request_id),
        action: "session_token.refuse",
        code,
        detail: json!({ "reasons": reasons }),
    })
    .await;
}
