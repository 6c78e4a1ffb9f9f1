//! One service account: its name, its state, its keys, its removal.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::{PathId, Query};
use key_admin::{Deletion, Permission, PrincipalState, ServiceAccountChange};
use policy::operations::markers::{DeleteServiceAccount, GetServiceAccount, UpdateServiceAccount};
use serde::Deserialize;
use storage::PrincipalId;

use super::{PATH, errors};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::pages::owner::OwnedKeys;
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// What a redirect tells; the frame shows it.
    #[serde(rename = "done")]
    _done: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NameForm {
    name: String,
}

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// The account's name, typed.
    confirmation: String,
}

#[derive(Template)]
#[template(path = "service_accounts/details.html")]
struct DetailsPage {
    frame: Frame,
    id: String,
    name: String,
    suspended: bool,
    created: When,
    keys: OwnedKeys,
    may_write: bool,
    may_make_keys: bool,
    form: NameForm,
    errors: FormErrors,
    action_errors: FormErrors,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&details(&state, &person, id).await?))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<UpdateServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    Posted(form): Posted<NameForm>,
) -> Result<Response, Failure> {
    let change = ServiceAccountChange {
        name: Some(form.name.clone()),
        ..ServiceAccountChange::default()
    };
    let (act, keys) = (person.act(), &state.services.keys);
    let changed = keys.update_service_account(&act, person.organization_id(), id, change);
    match changed.await {
        Ok(_) => Ok(done(id, "account-changed")),
        Err(error) => {
            let mut page = details(&state, &person, id).await?;
            (page.form, page.errors) = (form, errors(error)?);
            Ok(again(&page))
        }
    }
}

pub(super) async fn suspend(
    State(state): State<ConsoleState>,
    person: Person<UpdateServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    set_state(&state, &person, id, PrincipalState::Suspended).await?;
    Ok(done(id, "account-suspended"))
}

pub(super) async fn activate(
    State(state): State<ConsoleState>,
    person: Person<UpdateServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    set_state(&state, &person, id, PrincipalState::Active).await?;
    Ok(done(id, "account-activated"))
}

async fn set_state(
    state: &ConsoleState,
    person: &Person<UpdateServiceAccount>,
    id: PrincipalId,
    to: PrincipalState,
) -> Result<(), Failure> {
    let change = ServiceAccountChange {
        state: Some(to),
        ..ServiceAccountChange::default()
    };
    let (act, keys) = (person.act(), &state.services.keys);
    keys.update_service_account(&act, person.organization_id(), id, change)
        .await?;
    Ok(())
}

pub(super) async fn remove(
    State(state): State<ConsoleState>,
    person: Person<DeleteServiceAccount>,
    PathId(id): PathId<PrincipalId>,
    Posted(form): Posted<Removal>,
) -> Result<Response, Failure> {
    let (keys, organization) = (&state.services.keys, person.organization_id());
    let account = keys.get_service_account(organization, id).await?;
    if form.confirmation.trim() != account.name {
        let mut page = details(&state, &person, id).await?;
        let detail = "This is not the account's name. Nothing was removed.";
        page.action_errors = FormErrors::of("confirmation", detail);
        return Ok(again(&page));
    }
    let deletion = Deletion { revoke_keys: true };
    keys.delete_service_account(&person.act(), organization, id, deletion)
        .await?;
    Ok(Redirect::to(&format!("{PATH}?done=account-removed")).into_response())
}

fn done(id: PrincipalId, what: &str) -> Response {
    Redirect::to(&format!("{PATH}/{id}?done={what}")).into_response()
}

async fn details<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: PrincipalId,
) -> Result<DetailsPage, Failure> {
    let (services, organization) = (&state.services, person.organization_id());
    let account = services.keys.get_service_account(organization, id).await?;
    Ok(DetailsPage {
        frame: person.frame(Section::ServiceAccounts, account.name.clone()),
        id: id.to_string(),
        suspended: account.state == PrincipalState::Suspended,
        created: When::new(account.created_at, services.clock.now()),
        keys: OwnedKeys::of(state, organization, id).await?,
        may_write: person.may(Permission::UsersWrite),
        may_make_keys: person.may(Permission::KeysWrite),
        form: NameForm {
            name: account.name.clone(),
        },
        errors: FormErrors::default(),
        action_errors: FormErrors::default(),
        name: account.name,
    })
}
