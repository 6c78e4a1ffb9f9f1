//! Keys that were found where they should not be.

use axum::extract::State;
use http::StatusCode;
use key_admin::PresentedKey;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::RequestOrigin;
use crate::json::JsonBody;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::state::ApiState;

/// A key that somebody found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportLeakRequest {
    /// The whole key.
    #[schema(
        pattern = "^jtn_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$",
        examples("jtn_0Hq3VbN8tRzA_0000000000000000000000000000000000000000000000000")
    )]
    api_key: String,
}

/// Report a leaked API key
///
/// For whoever finds a key, in a repository, a log, a chat: it is revoked at once. Having all of it is proof enough; no
/// other credential is needed. The address of the finder is kept in the audit trail.
#[utoipa::path(
    post,
    path = "/v1/api-keys/report-leak",
    operation_id = "reportLeakedApiKey",
    tag = "API keys",
    request_body = ReportLeakRequest,
    responses(
        (status = 204, description = "The key is revoked"),
        (status = 404, description = "This is no key of this installation: `not_found`"),
        (status = 429, description = "`too_many_failed_attempts`"),
        (status = 503, description = "`overloaded`"),
    ),
    security(()),
)]
pub async fn report_leaked_api_key(
    State(state): State<ApiState>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<ReportLeakRequest>,
) -> Result<StatusCode, Problem> {
    let found = PresentedKey::parse(&body.api_key).map_err(|_| not_found())?;
    let keys = &state.services.keys;
    keys.report_leak(&found, origin.client, Some(origin.request_id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
