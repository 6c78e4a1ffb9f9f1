//! The playground: what a request would get, while one types; and the token itself.
//!
//! | file | what it gives |
//! |---|---|
//! | `form` | the fields of a request, by what the policy declares, and back |
//! | `preview` | the page, and the decision as it stands |
//! | `issue` | the one page that shows a token |

mod form;
mod issue;
mod preview;

use axum::Router;
use axum::routing::{get, post};

use crate::state::ConsoleState;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/playground", get(preview::page))
        .route("/playground/preview", post(preview::submit))
        .route("/playground/issue", post(issue::submit))
}
