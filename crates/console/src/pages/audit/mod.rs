//! The audit log: what was done and refused, by whom, to what.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | the events, filtered, page by page |
//! | `filter` | what the form asks for, in words of the service and back |
//! | `diff` | what an event says about before and after |
//! | `export` | all events of a filter as a file |

mod diff;
mod export;
mod filter;
mod list;

use axum::Router;
use axum::routing::get;

use crate::state::ConsoleState;

/// Where the pages are.
pub(crate) const PATH: &str = "/console/audit";

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/audit", get(list::page))
        .route("/audit/export", get(export::file))
}
