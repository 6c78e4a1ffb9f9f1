//! Sessions by what they have in common.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::problem::Problem;
use http_api::query::Query;
use key_admin::{ApiKeyId, ListedKey, Permission};
use policy::operations::markers::ListSessions;
use serde::Deserialize;
use storage::{SessionId, Timestamp};
use token_issuer::sessions::{AttributeFilter, FoundSession, SessionFilter};
use url::form_urlencoded;

use super::{KeyName, PATH, StateBadge};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// Sessions on one page.
const PAGE: u32 = 25;
/// No session has longer values, in bytes.
const MAX_FILTER_BYTES: usize = 1_024;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    pub(super) subject: String,
    pub(super) key: String,
    pub(super) audience: String,
    /// `active`, `ended`, or empty for both.
    pub(super) state: String,
    pub(super) attribute: String,
    pub(super) value: String,
    /// The last session of the page before.
    pub(super) before: String,
    /// What a redirect tells; the frame shows it.
    pub(super) done: String,
}

#[derive(Template)]
#[template(path = "sessions/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    errors: FormErrors,
    audiences: Vec<String>,
    attributes: Vec<String>,
    rows: Vec<Row>,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
    revoke: Option<String>,
}

struct Row {
    id: String,
    subject: String,
    state: StateBadge,
    key: KeyName,
    audience: String,
    roles: Vec<String>,
    issued: When,
    ends: When,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListSessions>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (found, errors) = match find(&state, &person, &asked).await {
        Ok(found) => (found, FormErrors::default()),
        Err(errors) => (Vec::new(), errors?),
    };
    let wrong = errors.any();
    let mut page = shown(&state, &person, asked).await?;
    page.errors = errors;
    page.add(&state, &person, found).await?;
    Ok(if wrong { again(&page) } else { ok(&page) })
}

async fn find(
    state: &ConsoleState,
    person: &Person<ListSessions>,
    asked: &Asked,
) -> Result<Vec<FoundSession>, Result<FormErrors, Failure>> {
    let filter = asked.filter().map_err(Ok)?;
    let before = match asked.before.as_str() {
        "" => None,
        text => Some(text.parse::<SessionId>().map_err(|_| {
            Ok(FormErrors::whole(
                "This page does not exist. Begin with the first.",
            ))
        })?),
    };
    let issuer = &state.services.issuer;
    let found = issuer.find_sessions(person.organization_id(), &filter, before, PAGE + 1);
    found
        .await
        .map_err(|error| FormErrors::of_problem(Problem::from(error), &[("/audience", "audience")]))
}

impl Asked {
    fn filter(&self) -> Result<SessionFilter, FormErrors> {
        let texts = [
            ("subject", &self.subject),
            ("attribute", &self.attribute),
            ("value", &self.value),
        ];
        let unusable = |text: &str| text.len() > MAX_FILTER_BYTES || text.contains('\0');
        if let Some((field, _)) = texts.iter().find(|(_, text)| unusable(text)) {
            return Err(FormErrors::of(field, "No session has such a value."));
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let attribute = match (given(&self.attribute), given(&self.value)) {
            (Some(name), Some(value)) => Some(AttributeFilter { name, value }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(FormErrors::of(
                    "value",
                    "Say which value the attribute has.",
                ));
            }
            (None, Some(_)) => {
                return Err(FormErrors::of(
                    "attribute",
                    "Say which attribute has the value.",
                ));
            }
        };
        Ok(SessionFilter {
            subject: given(&self.subject),
            api_key: given(self.key.trim()).map(|text| key(&text)).transpose()?,
            audience: given(&self.audience),
            attribute,
            active: match self.state.as_str() {
                "active" => Some(true),
                "ended" => Some(false),
                _ => None,
            },
            since: None,
            until: None,
        })
    }

    fn is_filtered(&self) -> bool {
        let texts = [
            &self.subject,
            &self.key,
            &self.audience,
            &self.state,
            &self.value,
        ];
        texts.iter().any(|text| !text.is_empty())
    }

    /// The same question, from after this session on.
    fn address(&self, before: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("subject", self.subject.as_str()),
            ("key", &self.key),
            ("audience", &self.audience),
            ("state", &self.state),
            ("attribute", &self.attribute),
            ("value", &self.value),
            ("before", before),
        ];
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("{PATH}?{}", query.finish())
    }
}

/// A key by its identifier, or by the first characters that lists show.
fn key(text: &str) -> Result<ApiKeyId, FormErrors> {
    let characters = text.strip_prefix("jtn_").unwrap_or(text);
    let id = text.parse().ok();
    id.or_else(|| ApiKeyId::from_characters(characters))
        .ok_or_else(|| FormErrors::of("key", "A key is key_ or jtn_ and 12 letters and digits."))
}

async fn shown(
    state: &ConsoleState,
    person: &Person<ListSessions>,
    asked: Asked,
) -> Result<ListPage, Failure> {
    let organization = person.organization_id();
    let services = &state.services;
    let audiences = services.issuer.audiences(organization).await?;
    let (document, _) = services.policy.document(organization).await?;
    // Sensitive values must not stand in the address of a page.
    let attributes = document.attributes.into_iter().filter(|it| !it.sensitive);
    let subject = form_urlencoded::byte_serialize(asked.subject.as_bytes());
    let revoke = format!("{PATH}/revoke?subject={}", subject.collect::<String>());
    let may_revoke = person.may(Permission::TokensRevoke);
    Ok(ListPage {
        frame: person.frame(Section::Sessions, "Sessions"),
        errors: FormErrors::default(),
        audiences: audiences.iter().map(|it| it.name.to_string()).collect(),
        attributes: attributes.map(|it| it.name.to_string()).collect(),
        rows: Vec::new(),
        filtered: asked.is_filtered(),
        first: (!asked.before.is_empty()).then(|| asked.address("")),
        next: None,
        revoke: may_revoke.then_some(revoke),
        asked,
    })
}

impl ListPage {
    async fn add(
        &mut self,
        state: &ConsoleState,
        person: &Person<ListSessions>,
        mut found: Vec<FoundSession>,
    ) -> Result<(), Failure> {
        let more = found.len() > PAGE as usize;
        found.truncate(PAGE as usize);
        let last = found.last().filter(|_| more);
        self.next = last.map(|last| self.asked.address(&last.session.id.to_string()));
        let services = &state.services;
        let ids = found.iter().map(|it| it.session.api_key);
        let ids: Vec<ApiKeyId> = ids.collect();
        let keys = services
            .keys
            .get_keys(person.organization_id(), ids)
            .await?;
        let now = services.clock.now();
        let rows = found.into_iter().map(|found| Row::new(found, &keys, now));
        self.rows = rows.collect();
        Ok(())
    }
}

impl Row {
    fn new(found: FoundSession, keys: &BTreeMap<ApiKeyId, ListedKey>, now: Timestamp) -> Self {
        let session = found.session;
        Self {
            id: session.id.to_string(),
            subject: session.subject,
            state: StateBadge::of(found.state),
            key: KeyName::of(session.api_key, keys.get(&session.api_key)),
            audience: found.audience,
            roles: session.roles,
            issued: When::new(session.issued_at, now),
            ends: When::new(session.expires_at, now),
        }
    }
}
