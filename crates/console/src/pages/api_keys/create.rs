//! A new key.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::Asker;
use policy::operations::markers::CreateApiKey;
use serde::Deserialize;

use super::created::{Made, created};
use super::form::{self, Choices, KeyForm};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    /// Whose key it shall be; the form's own choice where there is no such owner.
    owner: String,
}

#[derive(Template)]
#[template(path = "api_keys/new.html")]
struct NewPage {
    frame: Frame,
    form: KeyForm,
    choices: Choices,
    errors: FormErrors,
}

impl NewPage {
    fn of(person: &Person<CreateApiKey>, form: KeyForm, choices: Choices) -> Self {
        Self {
            frame: person.frame(Section::ApiKeys, "Generate an API key"),
            form,
            choices,
            errors: FormErrors::default(),
        }
    }
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    person: Person<CreateApiKey>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let choices = Choices::of(&state, &person).await?;
    let mut form = KeyForm::fresh();
    form.owner = asked.owner;
    Ok(ok(&NewPage::of(&person, form, choices)))
}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<CreateApiKey>,
    Posted(form): Posted<KeyForm>,
) -> Result<Response, Failure> {
    let services = &state.services;
    let choices = Choices::of(&state, &person).await?;
    let who = (person.organization_id(), person.user().id);
    let new = form.new_key(&choices, who, services.clock.now());
    let made = match new {
        Ok(new) => {
            let asker = Asker::Person(&person);
            let made = services.create_api_key(&person.act(), asker, new).await;
            made.map_err(form::errors)
        }
        Err(errors) => Err(Ok(errors)),
    };
    match made {
        Ok(made) => created(&state, &person, made, Made::New).await,
        Err(errors) => Ok(again(&NewPage {
            errors: errors?,
            ..NewPage::of(&person, form, choices)
        })),
    }
}
