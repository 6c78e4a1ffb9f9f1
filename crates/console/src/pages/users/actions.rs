//! What is done about a user by one button.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::problem::Problem;
use http_api::query::PathId;
use key_admin::sign_in::SecondFactorError;
use key_admin::users::generated_password;
use key_admin::{Deletion, PrincipalState, UserChange, UserError};
use policy::operations::markers::{DeleteUser, UpdateUser};
use serde::Deserialize;
use storage::PrincipalId;

use super::details::details;
use super::password::{Given, shown};
use super::{PATH, errors};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::again;
use crate::person::Person;
use crate::state::ConsoleState;

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// The user's address, typed.
    confirmation: String,
}

pub(super) async fn suspend(
    State(state): State<ConsoleState>,
    person: Person<UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let done = set_state(&state, &person, id, PrincipalState::Suspended).await;
    finish(&state, &person, id, done.map(|()| "user-suspended")).await
}

pub(super) async fn activate(
    State(state): State<ConsoleState>,
    person: Person<UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let done = set_state(&state, &person, id, PrincipalState::Active).await;
    finish(&state, &person, id, done.map(|()| "user-activated")).await
}

async fn set_state(
    state: &ConsoleState,
    person: &Person<UpdateUser>,
    id: PrincipalId,
    to: PrincipalState,
) -> Result<(), UserError> {
    let change = UserChange {
        state: Some(to),
        ..UserChange::default()
    };
    let (act, by) = (person.act(), Some(person.user().role));
    let keys = &state.services.keys;
    let changed = keys.update_user(&act, by, person.organization_id(), id, change);
    changed.await.map(|_| ())
}

pub(super) async fn reset_password(
    State(state): State<ConsoleState>,
    person: Person<UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let password = generated_password().map_err(|error| Failure::internal(&error))?;
    let change = UserChange {
        password: Some(password.clone()),
        ..UserChange::default()
    };
    let (act, by) = (person.act(), Some(person.user().role));
    let keys = &state.services.keys;
    let changed = keys.update_user(&act, by, person.organization_id(), id, change);
    match changed.await {
        Ok(user) => Ok(shown(&state, &person, &user, (password, Given::Instead))),
        Err(error) => refused(&state, &person, id, errors(error)?).await,
    }
}

pub(super) async fn remove_second_factor(
    State(state): State<ConsoleState>,
    person: Person<UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let (act, by) = (person.act(), Some(person.user().role));
    let keys = &state.services.keys;
    let removed = keys.remove_second_factor_of(&act, by, person.organization_id(), id);
    let done = match removed.await {
        // Somebody was faster: what is wanted is so.
        Ok(()) | Err(SecondFactorError::Off) => Ok("user-code-removed"),
        Err(SecondFactorError::User(error)) => Err(error),
        Err(SecondFactorError::Storage(error)) => Err(error.into()),
        Err(error) => return Err(Failure::internal(&error)),
    };
    finish(&state, &person, id, done).await
}

pub(super) async fn remove(
    State(state): State<ConsoleState>,
    person: Person<DeleteUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(form): Posted<Removal>,
) -> Result<Response, Failure> {
    let (keys, organization) = (&state.services.keys, person.organization_id());
    let user = keys.get_user(organization, id).await?;
    if !form
        .confirmation
        .trim()
        .eq_ignore_ascii_case(user.email.as_str())
    {
        let detail = "This is not the user's e-mail address. Nobody was removed.";
        let errors = FormErrors::of("confirmation", detail);
        return refused(&state, &person, id, errors).await;
    }
    let deletion = Deletion { revoke_keys: true };
    let (act, by) = (person.act(), Some(person.user().role));
    match keys.delete_user(&act, by, organization, id, deletion).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?done=user-removed")).into_response()),
        Err(error) => refused(&state, &person, id, errors(error)?).await,
    }
}

/// Back to the user, with what was done or with why not.
async fn finish<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: PrincipalId,
    done: Result<&'static str, UserError>,
) -> Result<Response, Failure> {
    match done {
        Ok(done) => Ok(Redirect::to(&format!("{PATH}/{id}?done={done}")).into_response()),
        Err(error) => {
            let errors = FormErrors::of_problem(Problem::from(error), &[])?;
            refused(state, person, id, errors).await
        }
    }
}

async fn refused<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: PrincipalId,
    errors: FormErrors,
) -> Result<Response, Failure> {
    let mut page = details(state, person, id, None).await?;
    page.action_errors = errors;
    Ok(again(&page))
}
