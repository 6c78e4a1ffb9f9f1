//! What is done to the keys of an audience.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::errors::ring;
use http_api::query::{PathId, PathPair};
use policy::operations::markers::{ImportSigningKey, RetireSigningKey, RotateSigningKey};
use secrecy::ExposeSecret;
use serde::Deserialize;
use storage::AudienceId;
use token_issuer::signing_keys::{ImportedKey, PrivateJwk, RingError};

use super::PATH;
use super::create::bytes_of;
use super::details::details;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::{Posted, SecretField};
use crate::page::again;
use crate::person::Person;
use crate::state::ConsoleState;

/// A form with a button and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A key to take in. It is not printed, and no page shows it again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    kind: Kind,
    key: SecretField,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Pem,
    Jwk,
    Secret,
    Base64url,
}

pub(super) async fn rotate(
    State(state): State<ConsoleState>,
    person: Person<RotateSigningKey>,
    PathId(id): PathId<AudienceId>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let issuer = &state.services.issuer;
    let done = issuer.rotate_signing_key(&act, organization, id).await;
    finish(&state, &person, id, done.map(|()| "signing-key-rotated")).await
}

pub(super) async fn retire(
    State(state): State<ConsoleState>,
    person: Person<RetireSigningKey>,
    PathPair(id, kid): PathPair<AudienceId, String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let issuer = &state.services.issuer;
    let done = issuer
        .retire_signing_key(&act, organization, id, &kid)
        .await;
    finish(&state, &person, id, done.map(|()| "signing-key-retired")).await
}

pub(super) async fn import(
    State(state): State<ConsoleState>,
    person: Person<ImportSigningKey>,
    PathId(id): PathId<AudienceId>,
    Posted(import): Posted<Import>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let issuer = &state.services.issuer;
    let errors = match import.key() {
        Ok(key) => match issuer.import_signing_key(&act, organization, id, key).await {
            Ok(_) => return Ok(done(id, "signing-key-imported")),
            Err(error) => FormErrors::of_problem(ring(error, "/key"), &[("/key", "key")])?,
        },
        Err(detail) => FormErrors::of("key", detail),
    };
    let mut page = details(&state, &person, id).await?;
    page.errors = errors;
    page.import_kind = import.kind.as_str();
    Ok(again(&page))
}

async fn finish<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: AudienceId,
    result: Result<&'static str, RingError>,
) -> Result<Response, Failure> {
    match result {
        Ok(what) => Ok(done(id, what)),
        Err(error) => {
            let mut page = details(state, person, id).await?;
            page.errors = FormErrors::of_problem(error.into(), &[])?;
            Ok(again(&page))
        }
    }
}

fn done(id: AudienceId, what: &str) -> Response {
    Redirect::to(&format!("{PATH}/{id}?done={what}")).into_response()
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Jwk => "jwk",
            Self::Secret => "secret",
            Self::Base64url => "base64url",
        }
    }
}

impl Import {
    fn key(&self) -> Result<ImportedKey, String> {
        let SecretField(text) = &self.key;
        match self.kind {
            Kind::Pem => Ok(ImportedKey::Pem(text.clone())),
            Kind::Jwk => {
                // What was wrong with it would repeat parts of the key.
                let jwk = serde_json::from_str::<PrivateJwk>(text.expose_secret());
                let jwk = jwk.map_err(|_| "This is no JWK: a JSON object with `kty`.")?;
                Ok(ImportedKey::Jwk(Box::new(jwk)))
            }
            Kind::Secret | Kind::Base64url => {
                let bytes = bytes_of(text, self.kind == Kind::Base64url)?;
                Ok(ImportedKey::Secret(bytes))
            }
        }
    }
}
