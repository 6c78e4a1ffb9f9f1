//! All audiences: an organization has at most a hundred.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::query::Query;
use key_admin::Permission;
use policy::operations::markers::ListAudiences;
use serde::Deserialize;
use storage::Timestamp;
use token_issuer::audiences::{Audience, TokenFormat};
use token_issuer::signing_keys::{KeyState, ListedKey};

use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::{Seconds, When};

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// What a redirect tells; the frame shows it.
    done: String,
}

#[derive(Template)]
#[template(path = "audiences/list.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    may_write: bool,
}

struct Row {
    id: String,
    name: String,
    aud: String,
    algorithm: &'static str,
    lifetime: Seconds,
    longest: Seconds,
    format: &'static str,
    template: bool,
    origins: usize,
    key: Option<String>,
    since: Option<When>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListAudiences>,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    let (issuer, organization) = (&state.services.issuer, person.organization_id());
    let audiences = issuer.list_audiences(organization, None, u32::MAX).await?;
    let mut keys = issuer.signing_keys_of_all(organization).await?;
    let now = state.services.clock.now();
    let rows = audiences.into_iter().map(|audience| {
        let keys = keys.remove(&audience.id).unwrap_or_default();
        Row::new(&audience, &keys, now)
    });
    Ok(ok(&ListPage {
        frame: person.frame(Section::Audiences, "Audiences"),
        rows: rows.collect(),
        may_write: person.may(Permission::AudiencesWrite),
    }))
}

impl Row {
    fn new(audience: &Audience, keys: &[ListedKey], now: Timestamp) -> Self {
        let active = keys.iter().find(|key| key.state == KeyState::Active);
        Self {
            id: audience.id.to_string(),
            name: audience.name.to_string(),
            aud: audience.aud.clone(),
            algorithm: audience.algorithm.as_str(),
            lifetime: Seconds(audience.limits.default_ttl_seconds.into()),
            longest: Seconds(audience.limits.max_ttl_seconds.into()),
            format: format_name(&audience.settings.format),
            template: audience.settings.claims.template.is_some(),
            origins: audience.settings.authorized_origins.len(),
            key: active.map(|key| key.kid.chars().take(12).collect()),
            since: active.and_then(|key| Some(When::new(key.activated_at?, now))),
        }
    }
}

/// The form of tokens in a word.
pub(super) const fn format_name(format: &TokenFormat) -> &'static str {
    match format {
        TokenFormat::Signed => "signed",
        TokenFormat::Encrypted { .. } => "encrypted",
        TokenFormat::Opaque => "opaque",
    }
}
