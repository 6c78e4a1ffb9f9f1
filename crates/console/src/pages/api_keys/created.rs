//! The one page that shows a secret, once.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use key_admin::{CreatedKey, KeyCeiling, Permission};
use policy::PolicyDocument;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::page::{Frame, Section, html};
use crate::person::Person;
use crate::snippets::{self, Snippet};
use crate::state::ConsoleState;
use crate::typed;
use crate::when::When;

/// Where the secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// The key is new.
    New,
    /// The key has a new secret.
    Rotated,
}

#[derive(Template)]
#[template(path = "api_keys/created.html")]
struct CreatedPage {
    frame: Frame,
    rotated: bool,
    name: String,
    secret: String,
    expires: Option<When>,
    previous_until: Option<When>,
    issues: bool,
    snippets: Vec<Snippet>,
}

/// Nothing of the answer is kept anywhere: the secret is in it.
pub(super) async fn created<M>(
    state: &ConsoleState,
    person: &Person<M>,
    made: CreatedKey,
    what: Made,
) -> Result<Response, Failure> {
    let CreatedKey { key, secret } = made;
    let now = state.services.clock.now();
    let (document, _) = state.services.policy.document(key.organization).await?;
    let body = sample(&document, &key.ceiling);
    let issues = key.permissions.contains(&Permission::TokensIssue);
    let shown = secret.expose_secret();
    let snippets = if issues {
        snippets::exchange(state.url(), shown, &body)
    } else {
        snippets::account(state.url(), shown)
    };
    let title = match what {
        Made::New => "Your new API key",
        Made::Rotated => "The key's new secret",
    };
    let page = CreatedPage {
        frame: person.frame(Section::ApiKeys, title),
        rotated: what == Made::Rotated,
        name: key.name.clone(),
        secret: secret.expose_secret().to_owned(),
        expires: key.expires_at.map(|at| When::new(at, now)),
        previous_until: key.previous_secret_until.map(|at| When::new(at, now)),
        issues,
        snippets,
    };
    Ok(html(StatusCode::CREATED, &page))
}

/// A request that this key may make under this policy, as far as a guess can tell: the first role, a value for each
/// attribute that tokens must carry.
fn sample(document: &PolicyDocument, ceiling: &KeyCeiling) -> Value {
    let may = |name: &str| {
        ceiling
            .roles
            .as_ref()
            .is_none_or(|roles| roles.contains(name))
    };
    let roles = document.roles.iter().filter(|role| may(role.name.as_str()));
    let role = roles
        .min_by_key(|role| (role.inherits.len(), role.permissions.len()))
        .map(|role| role.name.to_string());
    let mut attributes = Map::new();
    for declaration in &document.attributes {
        let name = declaration.name.as_str();
        if ceiling.fixed_attributes.contains_key(name) {
            continue;
        }
        let allowed = ceiling
            .allowed_attributes
            .get(name)
            .and_then(|values| values.first());
        let value = match allowed {
            Some(value) if declaration.list => Value::Array(vec![value.clone()]),
            Some(value) => value.clone(),
            None if declaration.required => typed::sample(declaration),
            None => continue,
        };
        attributes.insert(name.to_owned(), value);
    }
    let mut body = json!({ "user": { "id": "user-42", "roles": Vec::from_iter(role) } });
    if !attributes.is_empty() {
        body["user"]["attributes"] = attributes.into();
    }
    if let Some(audience) = ceiling.audiences.as_ref().and_then(|names| names.first()) {
        body["audience"] = audience.clone().into();
    }
    body
}
