//! What is done to a key by one button.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::middleware::not_found;
use http_api::problem::Problem;
use http_api::query::PathId;
use key_admin::{ApiKeyId, Asker, IssuedTokens, KeyRevocation};
use policy::operations::markers::{
    DeleteApiKey, DisableApiKey, EnableApiKey, RevokeApiKey, RotateApiKey,
};
use serde::Deserialize;

use super::PATH;
use super::created::{Made, created};
use super::details::details;
use super::form;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::again;
use crate::person::Person;
use crate::state::ConsoleState;

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    grace_seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    reason: String,
    /// Tokens that the key has issued stay valid until they end.
    #[serde(default)]
    keep: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// The key's name, typed.
    confirmation: String,
    #[serde(default)]
    keep: bool,
}

pub(crate) async fn disable(
    State(state): State<ConsoleState>,
    person: Person<DisableApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let asker = Asker::Person(&person);
    let done = state
        .services
        .keys
        .disable_key(&act, asker, organization, id)
        .await;
    finish(&state, &person, id, done.map(|_| "key-disabled")).await
}

pub(crate) async fn enable(
    State(state): State<ConsoleState>,
    person: Person<EnableApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let asker = Asker::Person(&person);
    let done = state
        .services
        .keys
        .enable_key(&act, asker, organization, id)
        .await;
    finish(&state, &person, id, done.map(|_| "key-enabled")).await
}

pub(crate) async fn rotate(
    State(state): State<ConsoleState>,
    person: Person<RotateApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(rotation): Posted<Rotation>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let asker = Asker::Person(&person);
    let grace = rotation.grace_seconds;
    let rotated = state
        .services
        .keys
        .rotate_key(&act, asker, organization, id, grace)
        .await;
    match rotated {
        Ok(made) => created(&state, &person, made, Made::Rotated).await,
        Err(error) => refused(&state, &person, id, form::errors(error)?).await,
    }
}

pub(crate) async fn revoke(
    State(state): State<ConsoleState>,
    person: Person<RevokeApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(form): Posted<Revocation>,
) -> Result<Response, Failure> {
    let revocation = KeyRevocation {
        reason: Some(&form.reason),
        issued: issued(form.keep),
    };
    let (act, organization) = (person.act(), person.organization_id());
    let asker = Asker::Person(&person);
    let keys = &state.services.keys;
    let done = keys
        .revoke_key(&act, asker, organization, id, revocation)
        .await;
    finish(&state, &person, id, done.map(|_| "key-revoked")).await
}

pub(crate) async fn delete(
    State(state): State<ConsoleState>,
    person: Person<DeleteApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(form): Posted<Removal>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let keys = &state.services.keys;
    let key = keys
        .get_key(organization, id)
        .await?
        .ok_or_else(not_found)?;
    if form.confirmation.trim() != key.key.name {
        let detail = "This is not the key's name. Nothing was deleted.";
        let errors = FormErrors::of("confirmation", detail);
        return refused(&state, &person, id, errors).await;
    }
    let asker = Asker::Person(&person);
    let deleted = keys.delete_key(&act, asker, organization, id, issued(form.keep));
    match deleted.await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?done=key-deleted")).into_response()),
        Err(error) => refused(&state, &person, id, form::errors(error)?).await,
    }
}

fn issued(keep: bool) -> IssuedTokens {
    if keep {
        IssuedTokens::Keep
    } else {
        IssuedTokens::Void
    }
}

/// Back to the key, with what was done or with why not.
async fn finish<M, E: Into<Problem>>(
    state: &ConsoleState,
    person: &Person<M>,
    id: ApiKeyId,
    done: Result<&'static str, E>,
) -> Result<Response, Failure> {
    match done {
        Ok(done) => Ok(Redirect::to(&format!("{PATH}/{id}?done={done}")).into_response()),
        Err(error) => refused(state, person, id, form::errors(error)?).await,
    }
}

async fn refused<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: ApiKeyId,
    errors: FormErrors,
) -> Result<Response, Failure> {
    let mut page = details(state, person, id, None).await?;
    page.action_errors = errors;
    Ok(again(&page))
}
