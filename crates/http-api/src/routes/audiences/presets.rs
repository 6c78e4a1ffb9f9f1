//! What known consumers need, over HTTP.

use axum::Json;
use policy::operations::markers;
use serde::Serialize;
use serde_json::Value;
use token_issuer::templates::{Given, PRESETS, Preset, RegisteredClaims};
use utoipa::ToSchema;

use super::schema::RegisteredSchema;
use crate::caller::Caller;
use crate::problem::Problem;

/// What an audience for a known consumer starts from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AudiencePreset)]
pub struct PresetView {
    /// What `preset` of a new audience calls it.
    #[schema(examples("hasura"))]
    name: &'static str,
    /// Who reads the tokens.
    consumer: &'static str,
    /// Where the consumer says what it wants.
    documentation: &'static str,
    /// The algorithms that the consumer verifies; the first that can be signed with is used.
    algorithms: Vec<String>,
    /// What only the consumer gives out, as JSON pointers into the request for a new audience: it has to be there.
    given: Vec<&'static str>,
    /// The `aud` that the consumer insists on; absent when it is not always the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<&'static str>,
    /// The longest life that the consumer accepts, in seconds; absent when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max_ttl_seconds: Option<u32>,
    /// The claims that the issuer sets.
    #[schema(value_type = RegisteredSchema)]
    registered: RegisteredClaims,
    /// `typ` in the header.
    typ: &'static str,
    /// What to know before relying on it.
    notes: &'static [&'static str],
    /// The claim template.
    #[schema(value_type = Object)]
    template: Value,
}

/// All presets.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudiencePresetList {
    /// The presets.
    data: Vec<PresetView>,
}

impl From<&'static Preset> for PresetView {
    fn from(preset: &'static Preset) -> Self {
        Self {
            name: preset.name,
            consumer: preset.consumer,
            documentation: preset.documentation,
            algorithms: preset.algorithm_names(),
            given: preset.given.iter().copied().map(Given::pointer).collect(),
            aud: preset.aud,
            max_ttl_seconds: preset.max_lifetime_seconds,
            registered: preset.registered.clone(),
            typ: preset.header.typ,
            notes: preset.notes,
            template: preset.template_json(),
        }
    }
}

/// List presets
///
/// What an audience for a known consumer starts from: give its name as `preset` of a new audience.
#[utoipa::path(
    get,
    path = "/v1/audience-presets",
    operation_id = "listAudiencePresets",
    tag = "Audiences",
    responses(
        (status = 200, description = "The presets", body = AudiencePresetList),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_audience_presets(
    _caller: Caller<markers::ListAudiencePresets>,
) -> Result<Json<AudiencePresetList>, Problem> {
    let data = PRESETS.iter().map(PresetView::from).collect();
    Ok(Json(AudiencePresetList { data }))
}
