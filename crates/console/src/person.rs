//! Who looks. A handler names what the page does in its signature and cannot run for a person who may not do it.

use std::net::IpAddr;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::Response;
use http::Method;
use http::request::Parts;
use http_api::caller::ClientAddress;
use http_api::middleware::CurrentRequestId;
use http_api::problem::Problem;
use key_admin::sign_in::Browser;
use key_admin::{Act, Actor, Permission, SignedIn};
use policy::PermittedPerson;
use policy::operations::Marker;
use policy::operations::markers::GetAccount;
use secrecy::SecretString;
use url::form_urlencoded;

use crate::cookies::Cookie;
use crate::csrf;
use crate::failure::Failure;
use crate::page::{Frame, Section, Viewer};
use crate::state::ConsoleState;

/// A person who has signed in and may do the operation `M`.
#[derive(Debug)]
pub(crate) struct Person<M = GetAccount> {
    permitted: PermittedPerson<M>,
    browser: Browser,
    csrf: String,
    notice: Option<&'static str>,
}

impl<M> Deref for Person<M> {
    type Target = PermittedPerson<M>;

    fn deref(&self) -> &PermittedPerson<M> {
        &self.permitted
    }
}

impl<M> Person<M> {
    /// What the person does here, for the audit trail.
    pub(crate) fn act(&self) -> Act {
        Act {
            actor: Actor::User(self.user().id),
            client: Some(self.browser.address),
            request_id: self.browser.request_id.clone(),
        }
    }

    /// Whose browser it is.
    pub(crate) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// May the person do what needs this permission, too? For what a page offers; whether it is done is decided where it is
    /// done.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// What a page of this section shows around its content.
    pub(crate) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            notice: self.notice,
            csrf: self.csrf.clone(),
            viewer: Some(Viewer {
                name: self.user().name.clone(),
                organization: self.organization().name.clone(),
                role: self.user().role.as_str(),
            }),
            links: Frame::links(section, self.permissions()),
        }
    }
}

impl<M: Marker> FromRequestParts<ConsoleState> for Person<M> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, Response> {
        let found = find(parts, state).await;
        found.map_err(|failure| failure.answer(&parts.extensions))
    }
}

/// Nobody, where nobody has signed in.
impl OptionalFromRequestParts<ConsoleState> for Person {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &ConsoleState,
    ) -> Result<Option<Self>, Response> {
        match find(parts, state).await {
            Ok(person) => Ok(Some(person)),
            Err(Failure::Elsewhere(_)) => Ok(None),
            Err(failure) => Err(failure.answer(&parts.extensions)),
        }
    }
}

async fn find<M: Marker>(parts: &Parts, state: &ConsoleState) -> Result<Person<M>, Failure> {
    let browser = browser(parts)?;
    let cookie = Cookie::Session.read(state, &parts.headers);
    let Some((cookie, person)) = signed_in(state, cookie).await? else {
        return Err(Failure::Elsewhere(sign_in_path(parts)));
    };
    let permitted = state.services.authorizer.permit_person(person)?;
    Ok(Person {
        permitted,
        browser,
        csrf: csrf::token(&cookie),
        notice: notice(parts),
    })
}

async fn signed_in(
    state: &ConsoleState,
    cookie: Option<SecretString>,
) -> Result<Option<(SecretString, SignedIn)>, Failure> {
    let Some(cookie) = cookie else {
        return Ok(None);
    };
    let person = state.services.keys.console_session(&cookie).await?;
    Ok(person.map(|person| (cookie, person)))
}

/// After signing in one comes back to the page, unless a form was being sent.
fn sign_in_path(parts: &Parts) -> String {
    let path = parts
        .extensions
        .get::<axum::extract::OriginalUri>()
        .map_or(&parts.uri, |original| &original.0)
        .path_and_query()
        .map_or("/console", |path| path.as_str());
    if parts.method != Method::GET || path == "/console" {
        return "/console/sign-in".into();
    }
    let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
    format!("/console/sign-in?next={next}")
}

/// A browser, whoever looks.
impl FromRequestParts<ConsoleState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &ConsoleState) -> Result<Self, Response> {
        let browser = browser(parts);
        let browser =
            browser.map_err(|problem| Failure::from(problem).answer(&parts.extensions))?;
        let notice = notice(parts);
        Ok(Self { browser, notice })
    }
}

/// A browser in which perhaps nobody has signed in.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// Whose browser it is.
    pub(crate) browser: Browser,
    /// What was just done.
    pub(crate) notice: Option<&'static str>,
}

fn browser(parts: &Parts) -> Result<Browser, Problem> {
    let address: Option<&ClientAddress> = parts.extensions.get();
    let address: IpAddr = match address {
        Some(ClientAddress(address)) => *address,
        None => return Err(Problem::internal(&"the client's address is not known")),
    };
    let agent = parts.headers.get(http::header::USER_AGENT);
    let agent = agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let id = parts.extensions.get::<CurrentRequestId>();
    let id = id.map(|id| id.0.to_string());
    Ok(Browser::new(address, &agent.unwrap_or_default(), id))
}

/// What a redirect after a deed tells: `?done=` and one of these names. Any other text is not shown.
const NOTICES: &[(&str, &str)] = &[
    ("key-renamed", "The key has its new name."),
    ("key-changed", "The key was changed."),
    (
        "key-disabled",
        "The key is switched off. It can be switched on again.",
    ),
    ("key-enabled", "The key is switched on."),
    ("key-revoked", "The key was revoked."),
    ("key-deleted", "The key was deleted."),
    (
        "password-changed",
        "Your password was changed, and your other sessions have ended.",
    ),
    ("second-factor-removed", "Your second factor was removed."),
    ("session-ended", "The session has ended."),
    (
        "session-revoked",
        "The session was revoked. Its token does not pass any more.",
    ),
    (
        "sessions-revoked",
        "Everything issued for this user up to now was revoked.",
    ),
    ("user-changed", "The user was changed."),
    (
        "user-suspended",
        "The user is suspended, and signed out everywhere. The user's keys are refused.",
    ),
    ("user-activated", "The user is active again."),
    ("user-code-removed", "The user signs in without a code now."),
    ("user-removed", "The user was removed."),
    ("account-created", "The service account was made."),
    ("account-changed", "The service account was changed."),
    (
        "account-suspended",
        "The service account is suspended. Its keys are refused.",
    ),
    ("account-activated", "The service account is active again."),
    ("account-removed", "The service account was removed."),
    (
        "policy-applied",
        "The policy was applied. New tokens go by it from now on.",
    ),
    ("role-saved", "The role was saved."),
    ("role-deleted", "The role was deleted."),
    ("attribute-saved", "The attribute was saved."),
    ("attribute-deleted", "The attribute was deleted."),
    ("row-rule-saved", "The row rule was saved."),
    ("row-rule-deleted", "The row rule was deleted."),
    (
        "audience-created",
        "The audience was made, with a key that signs.",
    ),
    (
        "audience-changed",
        "The audience was changed. New tokens go by it from now on.",
    ),
    (
        "audience-deleted",
        "The audience was deleted, and its keys retired.",
    ),
    ("signing-key-rotated", "The next key signs from now on."),
    (
        "signing-key-retired",
        "The key was retired. Its tokens do not pass any more.",
    ),
    ("signing-key-imported", "The key was imported."),
    ("signed-out", "You have signed out."),
    (
        "signed-out-everywhere",
        "You have signed out in every browser.",
    ),
];

fn notice(parts: &Parts) -> Option<&'static str> {
    let query = parts.uri.query()?;
    let (_, done) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    let found = NOTICES.iter().find(|(name, _)| *name == done);
    found.map(|(_, text)| *text)
}
