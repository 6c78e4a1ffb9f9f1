//! The end of all sessions of somebody. How many stop working is said before, and the name is typed.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::Query;
use policy::operations::markers::RevokeSessions;
use serde::Deserialize;
use token_issuer::sessions::{RevocationTarget, SessionFilter};

use super::PATH;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

/// Sessions are counted up to here.
const MAX_COUNTED: u32 = 1_000;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    subject: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    subject: String,
    /// The subject again, typed.
    confirmation: String,
}

#[derive(Template)]
#[template(path = "sessions/subject.html")]
struct SubjectPage {
    frame: Frame,
    subject: String,
    /// How many sessions stop working.
    live: usize,
    more: bool,
    errors: FormErrors,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<RevokeSessions>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&shown(&state, &person, asked.subject).await?))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<RevokeSessions>,
    Posted(form): Posted<Confirmed>,
) -> Result<Response, Failure> {
    let errors = if form.confirmation == form.subject {
        let target = RevocationTarget::Subject(form.subject.clone());
        let issuer = &state.services.issuer;
        let organization = person.organization_id();
        let act = person.act();
        let revoked = issuer.revoke_sessions(&act, organization, target, None);
        match revoked.await {
            Ok(()) => {
                return Ok(Redirect::to(&format!("{PATH}?done=sessions-revoked")).into_response());
            }
            Err(error) => FormErrors::of_problem(error.into(), &[])?,
        }
    } else {
        let detail = "This is not the user above. Nothing was revoked.";
        FormErrors::of("confirmation", detail)
    };
    let mut page = shown(&state, &person, form.subject).await?;
    page.errors = errors;
    Ok(again(&page))
}

async fn shown(
    state: &ConsoleState,
    person: &Person<RevokeSessions>,
    subject: String,
) -> Result<SubjectPage, Failure> {
    let usable = !subject.is_empty() && !subject.contains('\0');
    let live = if usable {
        let filter = SessionFilter {
            subject: Some(subject.clone()),
            active: Some(true),
            ..SessionFilter::default()
        };
        let issuer = &state.services.issuer;
        let organization = person.organization_id();
        let counted = issuer.count_sessions(organization, &filter, MAX_COUNTED);
        counted.await?
    } else {
        0
    };
    Ok(SubjectPage {
        frame: person.frame(Section::Sessions, "Revoke a user's sessions"),
        subject,
        live,
        more: live >= MAX_COUNTED as usize,
        errors: FormErrors::default(),
    })
}
