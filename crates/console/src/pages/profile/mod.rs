//! A person's own page: password, second factor, sessions.
//!
//! | file | what it gives |
//! |---|---|
//! | `overview` | the page |
//! | `password` | a new password |
//! | `second_factor` | setting the second factor up, its recovery codes, removing it |
//! | `sessions` | ending one's sessions |

mod overview;
mod password;
mod second_factor;
mod sessions;

use axum::Router;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::state::ConsoleState;

/// Where the page is.
const PATH: &str = "/console/profile";

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/profile", get(overview::page))
        .route("/profile/password", post(password::submit))
        .route("/profile/second-factor", post(second_factor::begin))
        .route(
            "/profile/second-factor/confirm",
            post(second_factor::confirm),
        )
        .route(
            "/profile/second-factor/recovery-codes",
            post(second_factor::renew_codes),
        )
        .route("/profile/second-factor/remove", post(second_factor::remove))
        .route("/profile/sessions/{id}/end", post(sessions::end))
        .route("/profile/sign-out-everywhere", post(sessions::end_all))
}
