//! One module per noun. Each has its routes, and merges them here.

use axum::Router;

use crate::state::ConsoleState;

mod api_keys;
mod sign_in;

/// All pages, below `/console`.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .merge(api_keys::routes())
        .merge(sign_in::routes())
}
