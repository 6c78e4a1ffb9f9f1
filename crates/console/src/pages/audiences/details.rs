//! One audience, with its keys.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::{PathId, Query};
use key_admin::Permission;
use policy::operations::markers::{DeleteAudience, GetAudience};
use serde::Deserialize;
use storage::{AudienceId, Timestamp};
use token_issuer::audiences::{Audience, DEFAULT_AUDIENCE};
use token_issuer::signing_keys::{KeyState, ListedKey, ROTATION_SECONDS};

use super::PATH;
use super::list::{Asked, format_name};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::{Seconds, When};

#[derive(Template)]
#[template(path = "audiences/details.html")]
pub(super) struct DetailsPage {
    frame: Frame,
    id: String,
    name: String,
    aud: String,
    algorithm: &'static str,
    symmetric: bool,
    lifetime: Seconds,
    longest: Seconds,
    max_token_bytes: u32,
    format: &'static str,
    template: bool,
    typ: &'static str,
    renewal: Option<RenewalView>,
    origins: Vec<String>,
    created: When,
    keys: Vec<KeyView>,
    rotation: Seconds,
    links: Vec<(&'static str, &'static str, String)>,
    is_default: bool,
    may_write: bool,
    pub(super) errors: FormErrors,
    /// The form of a key that was not taken in.
    pub(super) import_kind: &'static str,
}

struct RenewalView {
    session: Seconds,
    grace: Seconds,
    idle: Option<Seconds>,
}

struct KeyView {
    kid: String,
    state: &'static str,
    class: &'static str,
    created: When,
    activated: Option<When>,
    until: Option<When>,
    retire: &'static str,
}

/// What a removal posts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// The audience's name, typed.
    confirmation: String,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetAudience>,
    PathId(id): PathId<AudienceId>,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&details(&state, &person, id).await?))
}

pub(super) async fn delete(
    State(state): State<ConsoleState>,
    person: Person<DeleteAudience>,
    PathId(id): PathId<AudienceId>,
    Posted(removal): Posted<Removal>,
) -> Result<Response, Failure> {
    let (issuer, organization) = (&state.services.issuer, person.organization_id());
    let audience = issuer.audience(organization, id).await?;
    let errors = if removal.confirmation.trim() == audience.name.as_str() {
        match issuer
            .delete_audience(&person.act(), organization, id)
            .await
        {
            Ok(()) => {
                let to = format!("{PATH}?done=audience-deleted");
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => FormErrors::of_problem(error.into(), &[])?,
        }
    } else {
        let detail = "This is not the audience's name. Nothing was deleted.";
        FormErrors::of("confirmation", detail)
    };
    let mut page = details(&state, &person, id).await?;
    page.errors = errors;
    Ok(again(&page))
}

pub(super) async fn details<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: AudienceId,
) -> Result<DetailsPage, Failure> {
    let (issuer, organization) = (&state.services.issuer, person.organization_id());
    let audience = issuer.audience(organization, id).await?;
    let keys = issuer.signing_keys(organization, id).await?;
    let now = state.services.clock.now();
    let links = links(state, person, &audience);
    let Audience {
        name,
        aud,
        algorithm,
        limits,
        settings,
        created_at,
        ..
    } = audience;
    let seconds = |seconds: u32| Seconds(seconds.into());
    Ok(DetailsPage {
        frame: person.frame(Section::Audiences, format!("Audience {name}")),
        id: id.to_string(),
        is_default: name.as_str() == DEFAULT_AUDIENCE,
        name: name.to_string(),
        aud,
        algorithm: algorithm.as_str(),
        symmetric: algorithm.is_symmetric(),
        lifetime: seconds(limits.default_ttl_seconds),
        longest: seconds(limits.max_ttl_seconds),
        max_token_bytes: settings.max_token_bytes,
        format: format_name(&settings.format),
        template: settings.claims.template.is_some(),
        typ: settings.claims.typ.as_str(),
        renewal: settings.renewal.map(|renewal| RenewalView {
            session: seconds(renewal.session_seconds),
            grace: seconds(renewal.grace_seconds),
            idle: renewal.idle_seconds.map(seconds),
        }),
        origins: settings
            .authorized_origins
            .iter()
            .map(|it| it.as_str().to_owned())
            .collect(),
        created: When::new(created_at, now),
        keys: keys.into_iter().map(|key| KeyView::new(key, now)).collect(),
        rotation: Seconds(ROTATION_SECONDS.unsigned_abs()),
        links,
        may_write: person.may(Permission::AudiencesWrite),
        errors: FormErrors::default(),
        import_kind: "",
    })
}

/// What verifiers are given: a name for the page's element, a label, and the address.
fn links<M>(
    state: &ConsoleState,
    person: &Person<M>,
    audience: &Audience,
) -> Vec<(&'static str, &'static str, String)> {
    let slug = &person.organization().slug;
    let url = state.services.issuer.public_url();
    let issuer = url.issuer(slug);
    let mut links = vec![
        ("issuer", "Issuer (iss)", issuer.clone()),
        (
            "metadata",
            "Metadata (OpenID Connect discovery)",
            format!("{issuer}/.well-known/openid-configuration"),
        ),
    ];
    if !audience.algorithm.is_symmetric() {
        links.push((
            "jwks",
            "Keys of this audience (JWKS)",
            url.audience_jwks(slug, audience.id),
        ));
        links.push((
            "all-jwks",
            "Keys of all audiences (JWKS)",
            format!("{issuer}/.well-known/jwks.json"),
        ));
    }
    links
}

impl KeyView {
    fn new(key: ListedKey, now: Timestamp) -> Self {
        let (state, class, retire) = match key.state {
            KeyState::Active => (
                "signs",
                "good",
                "At once the next key signs, even if some verifiers have to learn of it first, and every token of this \
                 one stops passing. For a key that may have leaked.",
            ),
            KeyState::Next => ("next", "", "Another next key takes its place."),
            KeyState::Previous | KeyState::Retired => (
                "previous",
                "warn",
                "Its tokens stop passing at once, and not when they end.",
            ),
        };
        Self {
            kid: key.kid,
            state,
            class,
            created: When::new(key.created_at, now),
            activated: key.activated_at.map(|at| When::new(at, now)),
            until: key.published_until.map(|at| When::new(at, now)),
            retire,
        }
    }
}
