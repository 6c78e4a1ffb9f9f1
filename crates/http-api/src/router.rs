//! The whole service.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower::ServiceBuilder;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::middleware::{catch_panics, finish, limit_time, not_found};
use crate::routes::{account, docs, health, session_tokens, verifiers};
use crate::state::ApiState;

/// Every documented route. The OpenAPI document is made of these and nothing else.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(session_tokens::issue_session_token))
        .routes(routes!(account::get_account))
        .routes(routes!(verifiers::get_jwks))
        .routes(routes!(verifiers::get_openid_configuration))
        .routes(routes!(verifiers::get_authorization_server_metadata))
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_readiness))
}

/// The router with everything around it.
pub fn service(state: &ApiState) -> Router {
    let (api, _) = routes().split_for_parts();
    let router = api
        .route("/openapi.json", get(docs::openapi_json))
        // RFC 8414 section 3.1 puts the well-known part before an issuer's path.
        .route(
            "/.well-known/oauth-authorization-server/orgs/{slug}",
            get(verifiers::metadata),
        )
        .merge(docs::swagger_ui());
    surrounded(router, state)
}

/// Puts the middleware around any router; tests put it around handlers that misbehave.
pub(crate) fn surrounded(router: Router<ApiState>, state: &ApiState) -> Router {
    router
        .fallback(|| async { not_found() })
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(state.clone(), finish))
                .layer(catch_panics())
                .layer(from_fn_with_state(state.clone(), limit_time)),
        )
        .with_state(state.clone())
}
