//! Audiences: who tokens are for, what they look like, and the keys that sign them.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | all of them |
//! | `create` | a new one, from a preset or plain |
//! | `details` | one, with its keys |
//! | `keys` | rotate, retire, import |
//! | `settings` | lifetimes, origins, renewal, format |
//! | `claims` | the template editor with a live sample |
//! | `claims_form` | its fields, and back |
//! | `numbers` | numbers and lines in fields |

mod claims;
mod claims_form;
mod create;
mod details;
mod keys;
mod list;
mod numbers;
mod settings;

use axum::Router;
use axum::routing::{get, post};

use crate::state::ConsoleState;

/// Where the pages are.
pub(super) const PATH: &str = "/console/audiences";

pub(crate) fn routes() -> Router<ConsoleState> {
    let pages = Router::new()
        .route("/", get(list::page))
        .route("/new", get(create::page).post(create::submit))
        .route("/{id}", get(details::page))
        .route("/{id}/delete", post(details::delete))
        .route("/{id}/settings", get(settings::page).post(settings::submit))
        .route("/{id}/claims", get(claims::page).post(claims::submit))
        .route("/{id}/sample", post(claims::sample))
        .route("/{id}/keys/rotate", post(keys::rotate))
        .route("/{id}/keys/import", post(keys::import))
        .route("/{id}/keys/{kid}/retire", post(keys::retire));
    Router::new().nest("/audiences", pages)
}
