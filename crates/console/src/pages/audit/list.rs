//! The events, filtered, page by page.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::ApiKeyId;
use key_admin::audit::{self, AuditEvent};
use policy::operations::markers::ListAuditEvents;
use storage::{AuditEventId, OrganizationId, PrincipalId, StorageError, Timestamp};

use super::PATH;
use super::diff::{self, Change, Fact};
use super::filter::Asked;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// Events on one page.
const PAGE: u32 = 25;

/// What is changed and refused, in the order of the navigation; the nouns of the actions.
const NOUNS: [(&str, &str); 14] = [
    ("api_key", "API keys"),
    ("session_token", "Session tokens"),
    ("session", "Sessions"),
    ("policy", "Policy"),
    ("role", "Roles"),
    ("attribute", "Attributes"),
    ("row_rule", "Row rules"),
    ("audience", "Audiences"),
    ("signing_key", "Signing keys"),
    ("user", "Users"),
    ("service_account", "Service accounts"),
    ("console", "Signing in"),
    ("operation", "Operations that were refused"),
    ("organization", "Organization"),
];

/// Who acts.
const ACTORS: [(&str, &str); 5] = [
    ("user", "A person in the console"),
    ("api_key", "An API key"),
    ("command_line", "The command line"),
    ("server", "The server itself"),
    ("finder", "Who found a leaked key"),
];

#[derive(Template)]
#[template(path = "audit/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    errors: FormErrors,
    events: Vec<EventView>,
    total: u64,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
    csv: String,
    json: String,
}

struct EventView {
    at: When,
    action: String,
    refused: bool,
    actor: String,
    actor_id: String,
    target: String,
    target_id: String,
    from: Option<String>,
    request_id: Option<String>,
    id: String,
    changes: Vec<Change>,
    facts: Vec<Fact>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListAuditEvents>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let address = |before: &str| format!("{PATH}?{}", asked.query(("before", before)));
    let export = |format: &str| format!("{PATH}/export?{}", asked.query(("format", format)));
    let mut page = ListPage {
        frame: person.frame(Section::Audit, "Audit log"),
        errors: FormErrors::default(),
        events: Vec::new(),
        total: 0,
        filtered: asked.is_filtered(),
        first: (!asked.before.is_empty()).then(|| address("")),
        next: None,
        csv: export("csv"),
        json: export("jsonl"),
        asked: asked.clone(),
    };
    let question = (asked.filter(), before(&asked));
    let (filter, before) = match question {
        (Ok(filter), Ok(before)) => (filter, before),
        (Err(errors), _) | (_, Err(errors)) => {
            page.errors = errors;
            return Ok(again(&page));
        }
    };
    let (database, organization) = (&state.services.database, person.organization_id());
    let mut found = audit::list(database, organization, &filter, before, PAGE + 1).await?;
    page.total = audit::count(database, organization, &filter).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let last = found.last().filter(|_| more);
    page.next = last.map(|last| address(&last.id.to_string()));
    let names = names(&state, organization, &found).await?;
    let now = state.services.clock.now();
    let events = found.into_iter();
    page.events = events
        .map(|event| EventView::new(event, &names, now))
        .collect();
    Ok(ok(&page))
}

fn before(asked: &Asked) -> Result<Option<AuditEventId>, FormErrors> {
    if asked.before.is_empty() {
        return Ok(None);
    }
    let id = asked.before.parse().map(Some);
    id.map_err(|_| FormErrors::whole("This page does not exist. Begin with the first."))
}

/// What the people, accounts and keys of the events are called, as far as they still exist.
async fn names(
    state: &ConsoleState,
    organization: OrganizationId,
    events: &[AuditEvent],
) -> Result<BTreeMap<String, String>, StorageError> {
    let ids = events
        .iter()
        .flat_map(|event| [&event.actor_id, &event.target_id]);
    let keys = &state.services.keys;
    let mut names = BTreeMap::new();
    for id in ids {
        if names.contains_key(id) {
            continue;
        }
        let name = if let Ok(key) = id.parse::<ApiKeyId>() {
            let found = keys.get_key(organization, key).await?;
            found.map(|listed| listed.key.name)
        } else if let Ok(principal) = id.parse::<PrincipalId>() {
            keys.principal_name(organization, principal).await?
        } else {
            None
        };
        names.insert(id.clone(), name.unwrap_or_default());
    }
    Ok(names)
}

impl EventView {
    fn new(event: AuditEvent, names: &BTreeMap<String, String>, now: Timestamp) -> Self {
        let name = |id: &str, otherwise: &str| {
            let name = names.get(id).filter(|name| !name.is_empty());
            name.map_or_else(|| otherwise.to_owned(), Clone::clone)
        };
        let kind = ACTORS.iter().find(|(kind, _)| *kind == event.actor_kind);
        let kind = kind.map_or(event.actor_kind.as_str(), |(_, title)| title);
        let (changes, facts) = diff::read(&event.detail);
        Self {
            at: When::new(event.at, now),
            refused: event.action.ends_with(".refuse"),
            actor: name(&event.actor_id, kind),
            target: name(&event.target_id, &target(&event)),
            action: event.action,
            actor_id: event.actor_id,
            target_id: event.target_id,
            from: event.client_address,
            request_id: event.request_id,
            id: event.id.to_string(),
            changes,
            facts,
        }
    }
}

/// What an event is about, where that has no name of its own: long identifiers are told with the event's details.
fn target(event: &AuditEvent) -> String {
    const SHORT: usize = 24;
    let kind = event.target_kind.replace('_', " ");
    if event.target_id.is_empty() || event.target_id.len() > SHORT {
        kind
    } else {
        format!("{kind} {}", event.target_id)
    }
}
