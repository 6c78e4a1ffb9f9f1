//! One module per noun. Each has its routes, and merges them here.

use axum::Router;

use crate::state::ConsoleState;

mod api_keys;
mod profile;
mod playground;
mod sessions;
mod sign_in;
mod tokens;

/// All pages, below `/console`.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .merge(api_keys::routes())
        .merge(profile::routes())
        .merge(playground::routes())
        .merge(sessions::routes())
        .merge(tokens::routes())
        .merge(sign_in::routes())
}
