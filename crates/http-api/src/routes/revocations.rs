//! The revocation snapshot, public and cacheable for a few seconds.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use key_admin::Slug;
use token_issuer::SnapshotError;
use token_issuer::snapshot::SNAPSHOT_MAX_AGE_SECONDS;

use super::verifiers::is_known;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::state::ApiState;

/// Get what is revoked
///
/// For verifiers that stay offline: a signed list of sessions and cutoffs that are void before their time. Fetch it every
/// few seconds with `If-None-Match`. docs/verifying-tokens.md specifies it.
#[utoipa::path(
    get,
    path = "/orgs/{slug}/revocations",
    operation_id = "getRevocations",
    tag = "Verifiers",
    params(("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses(
        (status = 200, description = "The snapshot, a compact JWS", body = String, content_type = "application/jwt", headers(("ETag" = String, description = "For `If-None-Match`"))),
        (status = 304, description = "Unchanged since the version named in `If-None-Match`"),
        (status = 404, description = "There is no such organization: `not_found`"),
    ),
    security(()),
)]
pub async fn get_revocations(
    State(state): State<ApiState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let slug = Slug::parse(&slug).map_err(|_| not_found())?;
    let issuer = &state.services.issuer;
    let snapshot = issuer.revocation_snapshot(&slug).await?;
    let snapshot = snapshot.ok_or_else(not_found)?;
    let caching = [
        (
            header::CACHE_CONTROL,
            format!("public, max-age={SNAPSHOT_MAX_AGE_SECONDS}"),
        ),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin".to_owned(),
        ),
        (header::ETAG, snapshot.etag.to_string()),
    ];
    if is_known(&headers, &snapshot.etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let content_type = [(header::CONTENT_TYPE, "application/jwt")];
    Ok((caching, content_type, snapshot.body.to_string()).into_response())
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Rings(error) => error.into(),
            SnapshotError::Storage(error) => error.into(),
            SnapshotError::NoKey | SnapshotError::Signing(_) => Self::internal(&error),
        }
    }
}
