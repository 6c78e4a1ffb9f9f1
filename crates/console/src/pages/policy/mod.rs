//! The policy: roles, attributes, row rules; each by a form, or all as YAML.
//!
//! | file | what it gives |
//! |---|---|
//! | `overview` | everything that is declared, and the SQL of the row rules |
//! | `part` | what the three forms share: saving, removing, what is wrong beside its field |
//! | `role`, `attribute`, `row_rule` | a form each |
//! | `words` | conditions as people say them, and back from fields |
//! | `yaml` | the whole as text: checked, compared, applied |
//! | `what_if` | the simulation beside a check, which takes its time |

mod attribute;
mod overview;
mod part;
mod role;
mod row_rule;
pub(crate) mod what_if;
mod words;
mod yaml;

use axum::Router;
use axum::routing::{get, post};

use crate::state::ConsoleState;

/// Where the pages are.
pub(super) const PATH: &str = "/console/policy";

pub(crate) fn routes() -> Router<ConsoleState> {
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/new-role", get(role::fresh).post(role::create))
        .route("/roles/{name}", get(role::page).post(role::update))
        .route("/roles/{name}/delete", post(role::delete))
        .route(
            "/new-attribute",
            get(attribute::fresh).post(attribute::create),
        )
        .route(
            "/attributes/{name}",
            get(attribute::page).post(attribute::update),
        )
        .route("/attributes/{name}/delete", post(attribute::delete))
        .route("/new-row-rule", get(row_rule::fresh).post(row_rule::create))
        .route(
            "/row-rules/{name}",
            get(row_rule::page).post(row_rule::update),
        )
        .route("/row-rules/{name}/delete", post(row_rule::delete))
        .route("/yaml", get(yaml::page).post(yaml::submit))
        .route("/what-if/{id}", get(what_if::page));
    Router::new().nest("/policy", pages)
}
