//! The people of the organization.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::users::ListedUser;
use key_admin::{Permission, PrincipalState};
use policy::operations::markers::ListUsers;
use serde::Deserialize;
use storage::Timestamp;
use url::form_urlencoded;

use super::PATH;
use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::pages::owner::{self, PAGE};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    search: String,
    /// The last user of the page before.
    after: String,
    /// What a redirect tells; the frame shows it.
    #[serde(rename = "done")]
    _done: String,
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    may_write: bool,
    first: bool,
    next: Option<String>,
}

struct Row {
    id: String,
    name: String,
    email: String,
    role: &'static str,
    suspended: bool,
    second_factor: bool,
    live_keys: i64,
    last_seen: Option<When>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListUsers>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let search = Some(asked.search.trim()).filter(|text| !text.is_empty() && !text.contains('\0'));
    let keys = &state.services.keys;
    let page = owner::after(&asked.after);
    let mut found = keys
        .find_users(person.organization_id(), search, page)
        .await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("search", &asked.search);
        query.append_pair("after", &last.user.id.to_string());
        format!("{PATH}?{}", query.finish())
    });
    let now = state.services.clock.now();
    let rows = found.into_iter().map(|listed| Row::new(listed, now));
    Ok(ok(&ListPage {
        frame: person.frame(Section::Users, "Users"),
        rows: rows.collect(),
        may_write: person.may(Permission::UsersWrite),
        first: asked.after.is_empty(),
        next,
        asked,
    }))
}

impl Row {
    fn new(listed: ListedUser, now: Timestamp) -> Self {
        let user = listed.user;
        Self {
            id: user.id.to_string(),
            name: user.name,
            email: user.email.into(),
            role: user.role.as_str(),
            suspended: user.state == PrincipalState::Suspended,
            second_factor: listed.has_second_factor,
            live_keys: listed.live_keys,
            last_seen: listed.last_seen_at.map(|at| When::new(at, now)),
        }
    }
}
