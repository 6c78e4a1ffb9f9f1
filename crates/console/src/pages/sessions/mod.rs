//! Sessions: every token that was issued, found, read, and taken back.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | sessions by what they have in common |
//! | `details` | one session, and its end |
//! | `subject` | the end of all sessions of somebody |

mod details;
mod list;
mod subject;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Router;
use axum::routing::{get, post};
use key_admin::{ApiKeyId, ListedKey};
use token_issuer::sessions::{RevokedBy, SessionState};

use crate::state::ConsoleState;

/// Where the pages are.
pub(crate) const PATH: &str = "/console/sessions";

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/sessions", get(list::page))
        .route("/sessions/revoke", get(subject::page).post(subject::submit))
        .route("/sessions/{id}", get(details::page))
        .route("/sessions/{id}/revoke", post(details::revoke))
}

/// The state of a session in a word, a colour, and a sentence where one says more.
#[derive(Clone, Debug)]
pub(super) struct StateBadge {
    pub(super) text: &'static str,
    pub(super) class: &'static str,
    pub(super) detail: String,
}

impl StateBadge {
    pub(super) fn of(state: SessionState) -> Self {
        let (class, detail) = match state {
            SessionState::Active => ("good", String::new()),
            SessionState::Renewed => (
                "good",
                "It was traded for a later token, and passes until it ends.".into(),
            ),
            SessionState::Expired => ("", String::new()),
            SessionState::Revoked(RevokedBy::Session) => (
                "bad",
                "It was revoked by itself, or with its renewals.".into(),
            ),
            SessionState::Revoked(RevokedBy::Cutoff(kind)) => {
                let kind = kind.as_str().replace('_', " ");
                let detail =
                    format!("Everything issued up to a moment was revoked for its {kind}.");
                ("bad", detail)
            }
        };
        Self {
            text: state.as_str(),
            class,
            detail,
        }
    }
}

/// The key that issued something, with a link where there still is such a key.
#[derive(Clone, Debug, Template)]
#[template(
    source = "{% match name %}{% when Some with (name) %}<a href=\"/console/profile/api-keys/{{ id }}\">{{ name }}</a> <small>of {{ owner }}</small>{% when None %}<code>{{ id }}</code> <small>(deleted)</small>{% endmatch %}",
    ext = "html"
)]
pub(super) struct KeyName {
    id: String,
    name: Option<String>,
    owner: String,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for KeyName {}

impl KeyName {
    pub(super) fn of(id: ApiKeyId, key: Option<&ListedKey>) -> Self {
        Self {
            id: id.to_string(),
            name: key.map(|listed| listed.key.name.clone()),
            owner: key
                .map(|listed| listed.owner_name.clone())
                .unwrap_or_default(),
        }
    }
}
