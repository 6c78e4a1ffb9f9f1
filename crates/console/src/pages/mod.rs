//! One module per noun. Each has its routes, and merges them here.

use axum::Router;

use crate::state::ConsoleState;

mod api_keys;
mod audiences;
mod playground;
mod policy;
mod sessions;
mod sign_in;
mod tokens;

pub(crate) use self::policy::what_if::WhatIfs;

/// All pages, below `/console`.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .merge(api_keys::routes())
        .merge(audiences::routes())
        .merge(playground::routes())
        .merge(policy::routes())
        .merge(sessions::routes())
        .merge(tokens::routes())
        .merge(sign_in::routes())
}
