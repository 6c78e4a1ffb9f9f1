//! Service accounts: programs that own API keys and cannot sign in.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | the accounts, and the form of a new one |
//! | `details` | one of them: its name, its state, its keys, its removal |

mod details;
mod list;

use axum::Router;
use axum::routing::{get, post};
use http_api::problem::Problem;
use key_admin::ServiceAccountError;

use crate::failure::Failure;
use crate::field::FormErrors;
use crate::state::ConsoleState;

/// Where the pages are.
pub(crate) const PATH: &str = "/console/service-accounts";

pub(crate) fn routes() -> Router<ConsoleState> {
    let pages = Router::new()
        .route("/", get(list::page).post(list::submit))
        .route("/{id}", get(details::page).post(details::submit))
        .route("/{id}/suspend", post(details::suspend))
        .route("/{id}/activate", post(details::activate))
        .route("/{id}/remove", post(details::remove));
    Router::new().nest("/service-accounts", pages)
}

/// What the person can do something about stands beside the form's fields.
fn errors(error: ServiceAccountError) -> Result<FormErrors, Failure> {
    FormErrors::of_problem(Problem::from(error), &[("/name", "name")])
}
