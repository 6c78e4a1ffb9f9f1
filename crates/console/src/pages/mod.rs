//! One module per noun. Each has its routes, and merges them here.

use axum::Router;

use crate::state::ConsoleState;

mod api_keys;
mod audit;
mod overview;
mod owner;
mod service_accounts;
mod sign_in;
mod users;

/// All pages, below `/console`.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .merge(api_keys::routes())
        .merge(audit::routes())
        .merge(overview::routes())
        .merge(service_accounts::routes())
        .merge(sign_in::routes())
        .merge(users::routes())
}
