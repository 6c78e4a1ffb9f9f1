//! Profile → API keys.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | the keys, found, sorted and filtered |
//! | `form` | the fields of a key as a form holds them, and back |
//! | `create`, `details` | the pages of a new key and of one that is there |
//! | `actions` | rename, switch, rotate, revoke, delete |
//! | `created` | the one page that shows a secret |

mod actions;
mod create;
mod created;
mod details;
mod form;
mod list;

use axum::Router;
use axum::routing::{get, post};

use crate::state::ConsoleState;

/// Where the pages are.
pub(crate) const PATH: &str = "/console/profile/api-keys";

pub(crate) fn routes() -> Router<ConsoleState> {
    let pages = Router::new()
        .route("/", get(list::page).post(create::submit))
        .route("/new", get(create::page))
        .route("/{id}", get(details::page).post(details::submit))
        .route("/{id}/disable", post(actions::disable))
        .route("/{id}/enable", post(actions::enable))
        .route("/{id}/rotate", post(actions::rotate))
        .route("/{id}/revoke", post(actions::revoke))
        .route("/{id}/delete", post(actions::delete));
    Router::new().nest("/profile/api-keys", pages)
}
