//! For load balancers and supervisors.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::state::ApiState;

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(examples("ok"))]
    status: &'static str,
}

/// Is the process alive?
///
/// Says nothing of the database: a supervisor that restarts on a failure here would only make an outage longer.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "getHealth",
    tag = "Operation",
    responses((status = 200, description = "It is", body = Health)),
    security(()),
)]
pub async fn get_health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Can the process serve?
///
/// The database answers, this node's knowledge of changes is recent, and the server is not about to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "Operation",
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 500, description = "`internal`"),
        (status = 503, description = "It cannot now; send requests elsewhere: `draining`, `unavailable`"),
    ),
    security(()),
)]
pub async fn get_readiness(State(state): State<ApiState>) -> Result<Json<Health>, Problem> {
    if state.is_draining() {
        return Err(Problem::unavailable(
            "draining",
            "The server is about to stop.",
        ));
    }
    state.services.feed.refresh().await?;
    Ok(Json(Health { status: "ok" }))
}
