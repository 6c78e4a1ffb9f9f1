//! Ending one's sessions.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::PathId;
use storage::ConsoleSessionId;

use super::{Nothing, PATH};
use crate::cookies::{self, Cookie};
use crate::failure::Failure;
use crate::form::Posted;
use crate::person::Person;
use crate::state::ConsoleState;

pub(crate) async fn end(
    State(state): State<ConsoleState>,
    person: Person,
    PathId(session): PathId<ConsoleSessionId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let keys = &state.services.keys;
    keys.end_console_session(&person.act(), &person, session)
        .await?;
    Ok(Redirect::to(&format!("{PATH}?done=session-ended")).into_response())
}

pub(crate) async fn end_all(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let keys = &state.services.keys;
    keys.sign_out_everywhere(&person.act(), &person).await?;
    let to = "/console/sign-in?done=signed-out-everywhere";
    let mut response = Redirect::to(to).into_response();
    cookies::add(&mut response, Cookie::Session.clear(&state));
    Ok(response)
}
