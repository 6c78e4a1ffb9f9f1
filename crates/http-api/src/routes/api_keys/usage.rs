//! How much API keys are used.

use axum::Json;
use axum::extract::State;
use key_admin::ApiKeyId;
use policy::operations::markers;
use serde::Serialize;
use utoipa::ToSchema;

use super::types::IssuedCounts;
use crate::caller::Caller;
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::PathId;
use crate::state::ApiState;

/// How much an API key is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyUsage {
    /// How many tokens were issued.
    tokens_issued: IssuedCounts,
    /// When the last one was issued, to the minute; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    last_used_at: Option<String>,
    /// From where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_address: Option<String>,
    /// Today and the 29 days before, oldest first, without gaps.
    days: Vec<ApiKeyUsageDay>,
}

/// One day of an API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyUsageDay {
    /// The UTC day.
    #[schema(format = Date)]
    day: String,
    /// How many tokens were issued.
    tokens_issued: i64,
}

/// Show how much an API key is used
///
/// Counts are exact: they are written with the sessions themselves.
#[utoipa::path(
    get,
    path = "/v1/api-keys/{id}/usage",
    operation_id = "getApiKeyUsage",
    tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier, `key_…`", pattern = "^key_[0-9A-Za-z]{12}$")),
    responses(
        (status = 200, description = "Its usage", body = ApiKeyUsage),
        (status = 404, description = "The organization has no such API key: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_api_key_usage(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetApiKeyUsage>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Json<ApiKeyUsage>, Problem> {
    let usage = state
        .services
        .keys
        .usage(caller.organization(), id)
        .await?
        .ok_or_else(not_found)?;
    let days = usage.days.into_iter().map(|day| ApiKeyUsageDay {
        day: day.day,
        tokens_issued: day.tokens_issued,
    });
    Ok(Json(ApiKeyUsage {
        tokens_issued: IssuedCounts {
            today: usage.tokens_issued.today,
            last_30_days: usage.tokens_issued.last_30_days,
            ever: usage.tokens_issued.ever,
        },
        last_used_at: usage.last_used_at.map(|at| at.to_string()),
        last_used_address: usage.last_used_address,
        days: days.collect(),
    }))
}
