//! Signing out.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::cookies::{self, Cookie};
use crate::failure::Failure;
use crate::form::Posted;
use crate::person::Person;
use crate::state::ConsoleState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    person: Option<Person>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    if let Some(person) = person {
        state.services.keys.sign_out(&person.act(), &person).await?;
    }
    let mut response = Redirect::to("/console/sign-in?done=signed-out").into_response();
    cookies::add(&mut response, Cookie::Session.clear(&state));
    Ok(response)
}
