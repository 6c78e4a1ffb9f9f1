//! Setting the second factor up, its recovery codes, removing it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::problem::Problem;
use key_admin::sign_in::{SecondFactorError, SecondFactorSetup};
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::overview::{Wrong, refused};
use super::{Nothing, PATH};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::{Posted, SecretField};
use crate::page::{Frame, Markup, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeForm {
    code: SecretField,
}

#[derive(Template)]
#[template(path = "profile/second_factor.html")]
struct SetupPage {
    frame: Frame,
    /// The picture and the secret in it; absent when a code was wrong, for nothing shows them twice.
    setup: Option<(Markup, String)>,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "profile/recovery_codes.html")]
struct RecoveryCodesPage {
    frame: Frame,
    codes: Vec<String>,
}

pub(crate) async fn begin(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let setup = state.services.keys.begin_second_factor(&person).await?;
    let page = SetupPage {
        frame: person.frame(Section::Profile, "Set up your second factor"),
        setup: Some(shown(&setup)?),
        errors: FormErrors::default(),
    };
    Ok(ok(&page))
}

/// The picture for the app's camera, and the secret in groups of four for those who type it.
fn shown(setup: &SecondFactorSetup) -> Result<(Markup, String), Failure> {
    let code = QrCode::new(setup.uri.expose_secret()).map_err(|error| Failure::internal(&error))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build();
    // What stands before the element is for files.
    let element = picture.find("<svg").unwrap_or(0);
    let letters: Vec<char> = setup.secret_base32.expose_secret().chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(String::from_iter).collect();
    Ok((
        Markup(picture[element..].to_owned().into()),
        groups.join(" "),
    ))
}

pub(crate) async fn confirm(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(form): Posted<CodeForm>,
) -> Result<Response, Failure> {
    let (keys, act) = (&state.services.keys, person.act());
    let confirmed = keys.confirm_second_factor(&act, &person, &form.code.0);
    match confirmed.await {
        Ok(codes) => Ok(recovery_codes(&person, codes)),
        Err(error) => {
            let page = SetupPage {
                frame: person.frame(Section::Profile, "Set up your second factor"),
                setup: None,
                errors: errors(error)?,
            };
            Ok(again(&page))
        }
    }
}

pub(crate) async fn renew_codes(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(form): Posted<CodeForm>,
) -> Result<Response, Failure> {
    let (keys, act) = (&state.services.keys, person.act());
    let renewed = keys.renew_recovery_codes(&act, &person, &form.code.0);
    match renewed.await {
        Ok(codes) => Ok(recovery_codes(&person, codes)),
        Err(error) => wrong_code(&state, &person, error).await,
    }
}

pub(crate) async fn remove(
    State(state): State<ConsoleState>,
    person: Person,
    Posted(form): Posted<CodeForm>,
) -> Result<Response, Failure> {
    let (keys, act) = (&state.services.keys, person.act());
    let removed = keys.remove_second_factor(&act, &person, &form.code.0);
    match removed.await {
        Ok(()) => Ok(Redirect::to(&format!("{PATH}?done=second-factor-removed")).into_response()),
        Err(error) => wrong_code(&state, &person, error).await,
    }
}

fn recovery_codes(person: &Person, codes: Vec<SecretString>) -> Response {
    let codes = codes.into_iter();
    ok(&RecoveryCodesPage {
        frame: person.frame(Section::Profile, "Your recovery codes"),
        codes: codes.map(|code| code.expose_secret().to_owned()).collect(),
    })
}

async fn wrong_code(
    state: &ConsoleState,
    person: &Person,
    error: SecondFactorError,
) -> Result<Response, Failure> {
    let wrong = Wrong {
        code: errors(error)?,
        ..Wrong::default()
    };
    refused(state, person, wrong).await
}

fn errors(error: SecondFactorError) -> Result<FormErrors, Failure> {
    FormErrors::of_problem(Problem::from(error), &[("/code", "code")])
}
