//! One module per noun. Each has its routes, and merges them here.

use axum::Router;

use crate::state::ConsoleState;

mod api_keys;
mod audiences;
mod audit;
mod overview;
mod owner;
mod playground;
mod policy;
mod profile;
mod service_accounts;
mod sessions;
mod sign_in;
mod tokens;
mod users;

pub(crate) use self::policy::what_if::WhatIfs;

/// All pages, below `/console`.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .merge(api_keys::routes())
        .merge(audiences::routes())
        .merge(audit::routes())
        .merge(overview::routes())
        .merge(playground::routes())
        .merge(policy::routes())
        .merge(profile::routes())
        .merge(service_accounts::routes())
        .merge(sessions::routes())
        .merge(sign_in::routes())
        .merge(tokens::routes())
        .merge(users::routes())
}
