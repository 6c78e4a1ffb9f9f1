//! A new audience: from what a known consumer needs, or plain.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::errors::{invalid_audience, sentence};
use http_api::problem::Problem;
use http_api::query::Query;
use http_api::routes::audiences::signing_keys::secret_bytes;
use policy::AudienceName;
use policy::operations::markers::CreateAudience;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use token_issuer::audiences::{AudienceDraft, AudiencePatch, NewAudience};
use token_issuer::signing_keys::SigningAlgorithm;
use token_issuer::templates::{Given, IssuerClaim, PRESETS, Preset};

use super::PATH;
use super::numbers::whole;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::{Posted, SecretField};
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

const FIELDS: &[(&str, &str)] = &[
    ("/name", "name"),
    ("/aud", "aud"),
    ("/algorithm", "algorithm"),
    ("/secret", "secret"),
    ("/claims/registered/issuer", "issuer"),
    ("/claims/registered", "issuer"),
    ("/claims/key_id", "key_id"),
    ("/default_ttl_seconds", "default_ttl"),
    ("/max_ttl_seconds", "max_ttl"),
];

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// `plain`, or the name of a preset; empty to choose one.
    preset: String,
}

/// The form as it was sent. It holds a secret, so it is not printed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    preset: String,
    secret: Option<SecretField>,
    #[serde(default)]
    secret_form: String,
    name: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    key_id: String,
    #[serde(default)]
    default_ttl: String,
    #[serde(default)]
    max_ttl: String,
}

#[derive(Template)]
#[template(path = "audiences/new.html")]
struct NewPage {
    frame: Frame,
    /// `None` where one has to be chosen first.
    form: Option<Fields>,
    presets: &'static [Preset],
    errors: FormErrors,
}

/// The form as it is shown.
struct Fields {
    preset: Option<&'static Preset>,
    name: String,
    aud: String,
    algorithm: String,
    algorithms: Vec<&'static str>,
    issuer: String,
    key_id: String,
    default_ttl: String,
    max_ttl: String,
    needs_secret: bool,
}

pub(super) async fn page(
    person: Person<CreateAudience>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let preset = Preset::named(&asked.preset);
    let form = (!asked.preset.is_empty()).then(|| Fields::fresh(preset));
    Ok(ok(&NewPage::of(&person, form)))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<CreateAudience>,
    Posted(sent): Posted<Sent>,
) -> Result<Response, Failure> {
    let issuer = &state.services.issuer;
    let refused = match sent.new_audience() {
        Ok(new) => {
            let (act, organization) = (person.act(), person.organization_id());
            match issuer.create_audience(&act, organization, new).await {
                Ok(made) => {
                    let to = format!("{PATH}/{}?done=audience-created", made.id);
                    return Ok(Redirect::to(&to).into_response());
                }
                Err(error) => FormErrors::of_problem(error.into(), FIELDS)?,
            }
        }
        Err(errors) => errors,
    };
    let mut page = NewPage::of(&person, Some(Fields::of(&sent)));
    page.errors = refused;
    Ok(again(&page))
}

impl NewPage {
    fn of(person: &Person<CreateAudience>, form: Option<Fields>) -> Self {
        Self {
            frame: person.frame(Section::Audiences, "New audience"),
            form,
            presets: PRESETS,
            errors: FormErrors::default(),
        }
    }
}

impl Fields {
    fn fresh(preset: Option<&'static Preset>) -> Self {
        let name = preset
            .filter(|it| it.name != "standard")
            .map_or("", |it| it.name);
        Self {
            preset,
            name: name.to_owned(),
            aud: String::new(),
            algorithm: String::new(),
            algorithms: algorithms(preset),
            issuer: String::new(),
            key_id: String::new(),
            default_ttl: String::new(),
            max_ttl: String::new(),
            needs_secret: preset.is_some_and(|it| it.given.contains(&Given::Secret)),
        }
    }

    /// What was sent, but for the secret.
    fn of(sent: &Sent) -> Self {
        let preset = Preset::named(&sent.preset);
        Self {
            name: sent.name.clone(),
            aud: sent.aud.clone(),
            algorithm: sent.algorithm.clone(),
            issuer: sent.issuer.clone(),
            key_id: sent.key_id.clone(),
            default_ttl: sent.default_ttl.clone(),
            max_ttl: sent.max_ttl.clone(),
            ..Self::fresh(preset)
        }
    }

    fn needs(&self, what: &str) -> bool {
        let given = self.preset.map_or(&[][..], |preset| preset.given);
        given.iter().any(|it| match it {
            Given::Audience => what == "aud",
            Given::Issuer => what == "issuer",
            Given::KeyId => what == "key_id",
            Given::Secret => what == "secret",
        })
    }
}

/// Those that the consumer verifies, as far as this server signs with them.
fn algorithms(preset: Option<&'static Preset>) -> Vec<&'static str> {
    let verified = preset.map(Preset::algorithm_names);
    let all = SigningAlgorithm::ALL.iter().map(|it| it.as_str());
    all.filter(|name| {
        let mut verified = verified.iter().flatten().peekable();
        verified.peek().is_none() || verified.any(|it| it == name)
    })
    .collect()
}

impl Sent {
    fn new_audience(&self) -> Result<NewAudience, FormErrors> {
        let mut errors = FormErrors::default();
        let name = AudienceName::parse(self.name.trim());
        let name = errors.take("name", name.map_err(|error| sentence(&error)));
        let default_ttl = errors.take("default_ttl", whole(&self.default_ttl));
        let max_ttl = errors.take("max_ttl", whole(&self.max_ttl));
        let secret = errors.take("secret", self.secret());
        let algorithm = match self.algorithm.as_str() {
            "" => Ok(None),
            text => SigningAlgorithm::parse(text)
                .map(Some)
                .ok_or_else(|| format!("There is no algorithm {text}.")),
        };
        let algorithm = errors.take("algorithm", algorithm);
        let mut said = AudiencePatch {
            aud: text(&self.aud),
            default_ttl_seconds: default_ttl.flatten(),
            max_ttl_seconds: max_ttl.flatten(),
            ..AudiencePatch::default()
        };
        let claims = &mut said.settings.claims;
        claims.issuer = text(&self.issuer).map(|issuer| IssuerClaim::Given(issuer.into()));
        if let Some(key_id) = text(&self.key_id) {
            claims.key_id = key_admin::Edit::Set(Some(key_id));
        }
        let draft = (|| {
            Some(AudienceDraft {
                name: name?,
                algorithm: algorithm?,
                secret: secret?,
                said,
                preset: Preset::named(&self.preset),
            })
        })();
        let draft = draft.filter(|_| errors.is_empty()).ok_or(errors)?;
        draft.complete().map_err(|faults| {
            let problem = invalid_audience(&faults);
            let general = problem.body("").detail;
            FormErrors::of_problem(problem, FIELDS).unwrap_or_else(|_| FormErrors::whole(general))
        })
    }

    fn secret(&self) -> Result<Option<SecretSlice<u8>>, String> {
        let secret = self.secret.as_ref().map(|SecretField(secret)| secret);
        let secret = secret.filter(|secret| !secret.expose_secret().trim().is_empty());
        secret
            .map(|secret| bytes_of(secret, self.secret_form == "base64url"))
            .transpose()
    }
}

/// The bytes of a shared secret, as consumers give them out: as text, or in base64url.
pub(super) fn bytes_of(
    secret: &SecretString,
    is_base64url: bool,
) -> Result<SecretSlice<u8>, String> {
    let text: SecretString = secret.expose_secret().trim().to_owned().into();
    if is_base64url {
        return secret_bytes(&text).map_err(|problem: Problem| problem.body("").detail);
    }
    Ok(text.expose_secret().as_bytes().to_vec().into())
}

fn text(field: &str) -> Option<String> {
    let field = field.trim();
    (!field.is_empty()).then(|| field.to_owned())
}
