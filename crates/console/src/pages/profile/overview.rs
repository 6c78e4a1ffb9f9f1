//! The page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::sign_in::{ConsoleSession, SecondFactor, SignInMethod};
use serde::Deserialize;
use storage::Timestamp;

use crate::failure::Failure;
use crate::field::FormErrors;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    /// What a redirect tells; the frame shows it.
    done: String,
}

#[derive(Template)]
#[template(path = "profile/overview.html")]
struct ProfilePage {
    frame: Frame,
    name: String,
    email: String,
    role: &'static str,
    organization: String,
    has_password: bool,
    second_factor: Option<(When, u32)>,
    sessions: Vec<Session>,
    password_errors: FormErrors,
    code_errors: FormErrors,
}

/// A session as the page shows it.
struct Session {
    id: String,
    browser: String,
    address: String,
    how: String,
    began: When,
    seen: When,
    current: bool,
}

/// Forms of the page that did not go through.
#[derive(Default)]
pub(super) struct Wrong {
    pub(super) password: FormErrors,
    pub(super) code: FormErrors,
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    person: Person,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&profile(&state, &person, Wrong::default()).await?))
}

/// The page again, with what was wrong.
pub(super) async fn refused(
    state: &ConsoleState,
    person: &Person,
    wrong: Wrong,
) -> Result<Response, Failure> {
    Ok(again(&profile(state, person, wrong).await?))
}

async fn profile(
    state: &ConsoleState,
    person: &Person,
    wrong: Wrong,
) -> Result<ProfilePage, Failure> {
    let keys = &state.services.keys;
    let now = state.services.clock.now();
    let factor = keys.second_factor(person).await?;
    let sessions = keys.console_sessions(person).await?.into_iter();
    let second_factor = factor.map(|factor: SecondFactor| {
        let since = When::new(factor.confirmed_at, now);
        (since, factor.recovery_codes_left)
    });
    Ok(ProfilePage {
        frame: person.frame(Section::Profile, "Profile"),
        name: person.user().name.clone(),
        email: person.user().email.to_string(),
        role: person.user().role.as_str(),
        organization: person.organization().name.clone(),
        has_password: keys.has_password(person).await?,
        second_factor,
        sessions: sessions.map(|session| Session::new(session, now)).collect(),
        password_errors: wrong.password,
        code_errors: wrong.code,
    })
}

impl Session {
    fn new(session: ConsoleSession, now: Timestamp) -> Self {
        let provider = session.provider.as_deref().unwrap_or("a provider");
        let how = match session.method {
            SignInMethod::Password => "password".into(),
            SignInMethod::PasswordAndCode => "password and code".into(),
            SignInMethod::Provider => provider.to_owned(),
            SignInMethod::ProviderAndCode => format!("{provider} and code"),
        };
        let browser = match session.user_agent.as_str() {
            "" => "unnamed browser".into(),
            name => name.to_owned(),
        };
        Self {
            id: session.id.to_string(),
            browser,
            address: session.address,
            how,
            began: When::new(session.created_at, now),
            seen: When::new(session.last_seen_at, now),
            current: session.current,
        }
    }
}
