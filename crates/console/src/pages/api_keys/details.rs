//! One key.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::middleware::not_found;
use http_api::query::PathId;
use key_admin::{ApiKeyId, Asker, KeyState, ListedKey, Permission};
use policy::operations::markers::{GetApiKey, UpdateApiKey};

use super::PATH;
use super::form::{self, Choices, KeyForm};
use super::list::{Badge, Spark};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

#[derive(Template)]
#[template(path = "api_keys/details.html")]
pub(super) struct DetailsPage {
    frame: Frame,
    id: String,
    name: String,
    prefix: String,
    owner: String,
    created_by: Option<String>,
    created: When,
    expires: Option<When>,
    last_used: Option<When>,
    last_used_from: Option<String>,
    previous_until: Option<When>,
    revoked_reason: Option<String>,
    state: Badge,
    issued: (i64, i64, i64),
    spark: Spark,
    /// Tokens of the last hour: what stops working.
    lately: u64,
    may_write: bool,
    disabled: bool,
    revoked: bool,
    form: KeyForm,
    choices: Choices,
    pub(super) errors: FormErrors,
    pub(super) action_errors: FormErrors,
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetApiKey>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Failure> {
    Ok(ok(&details(&state, &person, id, None).await?))
}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<UpdateApiKey>,
    PathId(id): PathId<ApiKeyId>,
    Posted(form): Posted<KeyForm>,
) -> Result<Response, Failure> {
    let services = &state.services;
    let choices = Choices::of(&state, &person).await?;
    let changed = match form.patch(&choices, services.clock.now()) {
        Ok(patch) => {
            let (act, organization) = (person.act(), person.organization_id());
            let asker = Asker::Person(&person);
            let updated = services.update_api_key(&act, asker, organization, id, patch);
            updated.await.map_err(form::errors)
        }
        Err(errors) => Err(Ok(errors)),
    };
    match changed {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}/{id}?done=key-changed")).into_response()),
        Err(errors) => {
            let mut page = details(&state, &person, id, Some(form)).await?;
            page.errors = errors?;
            Ok(again(&page))
        }
    }
}

/// The page; `form` is what somebody typed and did not get through with.
pub(super) async fn details<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: ApiKeyId,
    form: Option<KeyForm>,
) -> Result<DetailsPage, Failure> {
    let services = &state.services;
    let organization = person.organization_id();
    let now = services.clock.now();
    let found = services.keys.get_key(organization, id).await?;
    let ListedKey {
        key,
        state: key_state,
        owner_name,
        created_by_name,
        last_used_at,
        last_used_address,
        tokens_issued,
        ..
    } = found.ok_or_else(not_found)?;
    let mut usage = services.keys.usage_of_keys(organization, &[id], 30).await?;
    let hour_ago = now.plus_seconds(-3_600);
    let lately = services
        .issuer
        .tokens_issued_since(organization, id, hour_ago)
        .await?;
    let when = |at| When::new(at, now);
    Ok(DetailsPage {
        frame: person.frame(Section::ApiKeys, key.name.clone()),
        id: id.to_string(),
        prefix: key.prefix(),
        owner: owner_name,
        created_by: created_by_name,
        created: when(key.created_at),
        expires: key.expires_at.map(when),
        last_used: last_used_at.map(when),
        last_used_from: last_used_address,
        previous_until: key.previous_secret_until.filter(|at| *at > now).map(when),
        revoked_reason: key.revoked_reason.clone(),
        state: Badge::of(key_state),
        issued: (
            tokens_issued.today,
            tokens_issued.last_30_days,
            tokens_issued.ever,
        ),
        spark: Spark::new(&usage.remove(&id).unwrap_or_default()),
        lately,
        may_write: person.may(Permission::KeysWrite),
        disabled: key_state == KeyState::Disabled,
        revoked: key_state == KeyState::Revoked,
        form: form.unwrap_or_else(|| KeyForm::of(&key)),
        choices: Choices::of(state, person).await?,
        errors: FormErrors::default(),
        action_errors: FormErrors::default(),
        name: key.name,
    })
}
