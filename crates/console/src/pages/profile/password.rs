//! A new password of one's own.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::problem::Problem;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::PATH;
use super::overview::{Wrong, refused};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::{Posted, SecretField};
use crate::person::Person;
use crate::state::ConsoleState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordForm {
    current: SecretField,
    password: SecretField,
    repeated: SecretField,
}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(form): Posted<PasswordForm>,
) -> Result<Response, Failure> {
    let password = match change(&state, &person, form).await {
        Ok(()) => return Ok(Redirect::to(&format!("{PATH}?done=password-changed")).into_response()),
        Err(errors) => errors?,
    };
    let wrong = Wrong {
        password,
        ..Wrong::default()
    };
    refused(&state, &person, wrong).await
}

/// The inner result is what the form says is wrong.
async fn change(
    state: &ConsoleState,
    person: &Person,
    form: PasswordForm,
) -> Result<(), Result<FormErrors, Failure>> {
    let PasswordForm {
        current: SecretField(current),
        password: SecretField(new),
        repeated: SecretField(repeated),
    } = form;
    if new.expose_secret() != repeated.expose_secret() {
        return Err(Ok(FormErrors::of("repeated", "The two are not the same.")));
    }
    let keys = &state.services.keys;
    let act = person.act();
    let changed = keys.change_own_password(&act, person, current, new);
    changed.await.map_err(|error| {
        let fields = [("/current", "current"), ("/password", "password")];
        FormErrors::of_problem(Problem::from(error), &fields)
    })
}
