//! Operations that a caller was refused for want of a right, in the audit trail.
//!
//! One place sees every such refusal, wherever it was decided: the answer is a 403, and the caller was known.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use key_admin::{ApiKeyContext, Permission, Refusal};
use policy::Operation;
use serde_json::{Value, json};

use crate::caller::ClientAddress;
use crate::errors::PERMISSION_DENIED;
use crate::middleware::CurrentRequestId;
use crate::problem::Problem;
use crate::state::ApiState;

/// Who called which operation; [`Caller`](crate::caller::Caller) says so as soon as it knows.
#[derive(Clone, Debug, Default)]
pub struct Called(Arc<OnceLock<(ApiKeyContext, Operation)>>);

impl Called {
    /// A request has one caller and one operation; what is said first counts.
    pub fn set(&self, caller: ApiKeyContext, operation: Operation) {
        let _ = self.0.set((caller, operation));
    }
}

/// The innermost step: records what the answer refuses.
pub(crate) async fn record_refused(state: &ApiState, mut request: Request, next: Next) -> Response {
    let called = Called::default();
    let extensions = request.extensions_mut();
    extensions.insert(called.clone());
    let client = extensions.get::<ClientAddress>().map(|client| client.0);
    let request_id = extensions.get::<CurrentRequestId>().cloned();
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN
        && let Some(problem) = response.extensions().get::<Problem>()
        && let Some((caller, operation)) = called.0.get()
        && let Some(client) = client
        && !is_recorded_by_the_issuer(*operation, problem)
    {
        let id = request_id.as_ref().map(|id| &*id.0);
        let why = (problem.code(), detail(*operation, problem));
        // Boxed, because every request would carry it.
        Box::pin(record(state, caller, (client, id), why)).await;
    }
    response
}

async fn record(
    state: &ApiState,
    caller: &ApiKeyContext,
    (client, request_id): (IpAddr, Option<&str>),
    (code, detail): (&'static str, Value),
) {
    let refusal = Refusal {
        key: caller.key(),
        client,
        request_id,
        action: "operation.refuse",
        code,
        detail,
    };
    state.services.keys.refusals().record(refusal).await;
}

/// Why a token is refused, the issuer writes down itself; a preview leaves nothing.
fn is_recorded_by_the_issuer(operation: Operation, problem: &Problem) -> bool {
    operation.permission() == Some(Permission::TokensIssue) && problem.code() != PERMISSION_DENIED
}

/// Codes and places, never values.
fn detail(operation: Operation, problem: &Problem) -> Value {
    let reasons: Vec<Value> = match problem.fields() {
        [] => vec![json!({ "code": problem.code() })],
        fields => fields
            .iter()
            .map(|field| json!({ "code": field.code, "pointer": field.pointer }))
            .collect(),
    };
    json!({ "operation": operation.id(), "reasons": reasons })
}
