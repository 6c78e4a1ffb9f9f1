//! All pages, and what happens around them.

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::get;
use http_api::middleware::{catch_panics, not_found};
use tower::ServiceBuilder;

use crate::failure::as_pages;
use crate::state::ConsoleState;
use crate::{assets, pages};

/// The first page.
pub(crate) const HOME: &str = "/console";

/// The console's routes. The server puts its own layers around them: request ids, logs, time limits.
pub fn routes(state: ConsoleState) -> Router {
    let pages = pages::routes().fallback(|| async { not_found() }).layer(
        ServiceBuilder::new()
            .layer(from_fn(as_pages))
            .layer(catch_panics()),
    );
    Router::new()
        .route("/", get(|| async { Redirect::to(HOME) }))
        .route("/console/assets/{version}/{name}", get(assets::asset))
        .nest(HOME, pages)
        .with_state(state)
}
