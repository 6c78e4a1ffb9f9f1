//! Lifetimes, origins, renewal, format.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::PathId;
use key_admin::Edit;
use policy::operations::markers::UpdateAudience;
use serde::Deserialize;
use storage::AudienceId;
use token_issuer::audiences::{
    Audience, AudiencePatch, EncryptionKey, Renewal, SettingsPatch, TokenFormat, WebOrigin,
};

use super::PATH;
use super::list::format_name;
use super::numbers::{lines, needed, whole};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

const FIELDS: &[(&str, &str)] = &[
    ("/aud", "aud"),
    ("/default_ttl_seconds", "default_ttl"),
    ("/max_ttl_seconds", "max_ttl"),
    ("/max_token_bytes", "max_bytes"),
    ("/authorized_origins", "origins"),
    ("/renewal/session_seconds", "session"),
    ("/renewal/grace_seconds", "grace"),
    ("/renewal/idle_seconds", "idle"),
    ("/format", "encryption_key"),
];

/// The form as it was sent, or as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SettingsForm {
    aud: String,
    default_ttl: String,
    max_ttl: String,
    max_bytes: String,
    /// One on each line.
    origins: String,
    renew: bool,
    session: String,
    grace: String,
    idle: String,
    /// `signed`, `encrypted` or `opaque`.
    format: String,
    /// A JWK, as JSON.
    encryption_key: String,
}

#[derive(Template)]
#[template(path = "audiences/settings.html")]
struct SettingsPage {
    frame: Frame,
    id: String,
    name: String,
    form: SettingsForm,
    errors: FormErrors,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<UpdateAudience>,
    PathId(id): PathId<AudienceId>,
) -> Result<Response, Failure> {
    let issuer = &state.services.issuer;
    let audience = issuer.audience(person.organization_id(), id).await?;
    let form = SettingsForm::of(&audience);
    Ok(ok(&shown(&person, &audience, form)))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<UpdateAudience>,
    PathId(id): PathId<AudienceId>,
    Posted(form): Posted<SettingsForm>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let issuer = &state.services.issuer;
    let errors = match form.patch() {
        Ok(patch) => match issuer.update_audience(&act, organization, id, patch).await {
            Ok(_) => {
                let to = format!("{PATH}/{id}?done=audience-changed");
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => FormErrors::of_problem(error.into(), FIELDS)?,
        },
        Err(errors) => errors,
    };
    let audience = issuer.audience(organization, id).await?;
    let mut page = shown(&person, &audience, form);
    page.errors = errors;
    Ok(again(&page))
}

fn shown(person: &Person<UpdateAudience>, audience: &Audience, form: SettingsForm) -> SettingsPage {
    SettingsPage {
        frame: person.frame(Section::Audiences, format!("Settings of {}", audience.name)),
        id: audience.id.to_string(),
        name: audience.name.to_string(),
        form,
        errors: FormErrors::default(),
    }
}

impl SettingsForm {
    fn of(audience: &Audience) -> Self {
        let settings = &audience.settings;
        let origins: Vec<_> = settings
            .authorized_origins
            .iter()
            .map(WebOrigin::as_str)
            .collect();
        let renewal = settings.renewal;
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        let key = match &settings.format {
            TokenFormat::Encrypted { key } => serde_json::to_string_pretty(key).ok(),
            TokenFormat::Signed | TokenFormat::Opaque => None,
        };
        Self {
            aud: audience.aud.clone(),
            default_ttl: audience.limits.default_ttl_seconds.to_string(),
            max_ttl: audience.limits.max_ttl_seconds.to_string(),
            max_bytes: settings.max_token_bytes.to_string(),
            origins: origins.join("\n"),
            renew: renewal.is_some(),
            session: renewal.map_or(28_800, |it| it.session_seconds).to_string(),
            grace: renewal.map_or(0, |it| it.grace_seconds).to_string(),
            idle: number(renewal.and_then(|it| it.idle_seconds)),
            format: format_name(&settings.format).to_owned(),
            encryption_key: key.unwrap_or_default(),
        }
    }

    fn patch(&self) -> Result<AudiencePatch, FormErrors> {
        let mut errors = FormErrors::default();
        let default_ttl = errors.take("default_ttl", needed(&self.default_ttl));
        let max_ttl = errors.take("max_ttl", needed(&self.max_ttl));
        let max_bytes = errors.take("max_bytes", needed(&self.max_bytes));
        let origins = errors.take("origins", self.origins());
        let format = errors.take("encryption_key", self.format());
        let renewal = self.renewal(&mut errors);
        if errors.any() {
            return Err(errors);
        }
        Ok(AudiencePatch {
            aud: Some(self.aud.trim().to_owned()),
            default_ttl_seconds: default_ttl,
            max_ttl_seconds: max_ttl,
            settings: SettingsPatch {
                max_token_bytes: max_bytes,
                authorized_origins: origins,
                renewal: Edit::Set(renewal),
                format,
                ..SettingsPatch::default()
            },
        })
    }

    fn origins(&self) -> Result<BTreeSet<WebOrigin>, String> {
        let origins = lines(&self.origins)
            .map(|line| WebOrigin::parse(line).map_err(|error| format!("{line}: {error}.")));
        origins.collect()
    }

    fn format(&self) -> Result<TokenFormat, String> {
        match self.format.as_str() {
            "encrypted" => {
                let key = serde_json::from_str::<EncryptionKey>(&self.encryption_key);
                let key =
                    key.map_err(|error| format!("This is no key to encrypt for: {error}."))?;
                Ok(TokenFormat::Encrypted { key: Box::new(key) })
            }
            "opaque" => Ok(TokenFormat::Opaque),
            _ => Ok(TokenFormat::Signed),
        }
    }

    fn renewal(&self, errors: &mut FormErrors) -> Option<Renewal> {
        if !self.renew {
            return None;
        }
        let session_seconds = errors.take("session", needed(&self.session));
        let grace_seconds = errors.take("grace", whole(&self.grace));
        let idle_seconds = errors.take("idle", whole(&self.idle));
        Some(Renewal {
            session_seconds: session_seconds?,
            grace_seconds: grace_seconds?.unwrap_or(0),
            idle_seconds: idle_seconds?,
        })
    }
}
