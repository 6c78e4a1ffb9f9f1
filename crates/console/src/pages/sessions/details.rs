//! One session, and its end.

use std::cmp::Reverse;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::middleware::not_found;
use http_api::query::{PathId, Query};
use key_admin::audit::{self, AuditEvent, AuditFilter};
use key_admin::{Permission, UserError};
use policy::operations::markers::{DeleteSession, GetSession};
use serde::Deserialize;
use serde_json::Value;
use storage::{SessionId, Timestamp};
use token_issuer::sessions::FoundSession;
use url::form_urlencoded;

use super::{KeyName, PATH, StateBadge};
use crate::failure::Failure;
use crate::form::Posted;
use crate::highlight::Highlighted;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// Events of one session; more say nothing new.
const MAX_EVENTS: u32 = 50;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// What a redirect tells; the frame shows it.
    #[serde(rename = "done")]
    _done: String,
}

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Template)]
#[template(path = "sessions/details.html")]
struct DetailsPage {
    frame: Frame,
    id: String,
    state: StateBadge,
    subject: String,
    of_subject: String,
    revoke_subject: String,
    audience: String,
    key: KeyName,
    kid: String,
    roles: Vec<String>,
    attributes: Option<Highlighted>,
    resources: Vec<String>,
    issued: When,
    ends: When,
    session_ends: Option<When>,
    renewed: Option<When>,
    revoked: Option<When>,
    chain: Option<String>,
    request_id: String,
    client_address: String,
    /// `None` for who may not read the audit trail.
    events: Option<Vec<EventView>>,
    may_revoke: bool,
    active: bool,
}

struct EventView {
    at: When,
    action: String,
    actor: String,
    from: Option<String>,
    request_id: Option<String>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetSession>,
    PathId(id): PathId<SessionId>,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    let services = &state.services;
    let organization = person.organization_id();
    let found = services.issuer.find_session(organization, id).await?;
    let found = found.ok_or_else(not_found)?;
    let key = found.session.api_key;
    let listed = services.keys.get_key(organization, key).await?;
    let key = KeyName::of(key, listed.as_ref());
    let events = events(&state, &person, &found).await?;
    Ok(ok(&shown(
        &person,
        found,
        (key, events),
        services.clock.now(),
    )))
}

pub(super) async fn revoke(
    State(state): State<ConsoleState>,
    person: Person<DeleteSession>,
    PathId(id): PathId<SessionId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let issuer = &state.services.issuer;
    let organization = person.organization_id();
    issuer
        .revoke_session(&person.act(), organization, id)
        .await?;
    Ok(Redirect::to(&format!("{PATH}/{id}?done=session-revoked")).into_response())
}

/// What was done to the session, by itself or with all others of its user.
async fn events(
    state: &ConsoleState,
    person: &Person<GetSession>,
    found: &FoundSession,
) -> Result<Option<Vec<EventView>>, Failure> {
    if !person.may(Permission::AuditRead) {
        return Ok(None);
    }
    let services = &state.services;
    let (database, organization) = (&services.database, person.organization_id());
    let of_session = AuditFilter {
        target_id: Some(found.session.id.to_string()),
        ..AuditFilter::default()
    };
    let of_subject = AuditFilter {
        action: Some("session.revoke_all".into()),
        target_id: Some(found.session.subject.clone()),
        ..AuditFilter::default()
    };
    let mut events = audit::list(database, organization, &of_session, None, MAX_EVENTS).await?;
    let with_others = audit::list(database, organization, &of_subject, None, MAX_EVENTS).await?;
    let issued_at = found.session.issued_at;
    let with_others = with_others.into_iter();
    events.extend(with_others.filter(|it| it.target_kind == "subject" && it.at >= issued_at));
    events.sort_by_key(|event| Reverse(event.id));
    let now = services.clock.now();
    let mut views = Vec::with_capacity(events.len());
    for event in events {
        let actor = actor(state, person, &event).await?;
        views.push(EventView::new(event, actor, now));
    }
    Ok(Some(views))
}

/// Who did it: a person by the name, as long as there is such a person.
async fn actor(
    state: &ConsoleState,
    person: &Person<GetSession>,
    event: &AuditEvent,
) -> Result<String, Failure> {
    if event.actor_kind == "command_line" {
        return Ok("somebody on the machine".into());
    }
    if let ("user", Ok(id)) = (event.actor_kind.as_str(), event.actor_id.parse()) {
        let keys = &state.services.keys;
        match keys.get_user(person.organization_id(), id).await {
            Ok(user) => return Ok(user.name),
            Err(UserError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let kind = event.actor_kind.replace('_', " ");
    Ok(format!("{kind} {}", event.actor_id))
}

impl EventView {
    fn new(event: AuditEvent, actor: String, now: Timestamp) -> Self {
        Self {
            at: When::new(event.at, now),
            action: event.action,
            actor,
            from: event.client_address,
            request_id: event.request_id,
        }
    }
}

fn shown(
    person: &Person<GetSession>,
    found: FoundSession,
    (key, events): (KeyName, Option<Vec<EventView>>),
    now: Timestamp,
) -> DetailsPage {
    let FoundSession {
        session,
        audience,
        state,
    } = found;
    let when = |at: Option<Timestamp>| at.map(|at| When::new(at, now));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("subject", &session.subject)
        .finish();
    let resources = session.resources.iter();
    DetailsPage {
        frame: person.frame(Section::Sessions, "Session"),
        id: session.id.to_string(),
        of_subject: format!("{PATH}?{query}"),
        revoke_subject: format!("{PATH}/revoke?{query}"),
        audience,
        key,
        kid: session.kid,
        attributes: (!session.attributes.is_empty())
            .then(|| Highlighted::new(&Value::Object(session.attributes))),
        resources: resources
            .map(|it| format!("{}/{}", it.kind, it.id))
            .collect(),
        issued: When::new(session.issued_at, now),
        ends: When::new(session.expires_at, now),
        session_ends: when(session.ends_at),
        renewed: when(session.renewed_at),
        revoked: when(session.revoked_at),
        chain: (session.root != session.id).then(|| session.root.to_string()),
        request_id: session.request_id,
        client_address: session.client_address,
        roles: session.roles,
        subject: session.subject,
        events,
        may_revoke: person.may(Permission::TokensRevoke),
        active: state.is_active(),
        state: StateBadge::of(state),
    }
}
