//! An audience in requests and answers.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::{Edit, Slug};
use policy::AudienceName;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use token_issuer::TokenIssuer;
use token_issuer::audiences::{
    Audience, AudienceDraft, AudiencePatch, ClaimSettings, ClaimsPatch, NewAudience, Renewal,
    SettingsPatch, TokenFormat, TokenType, WebOrigin,
};
use token_issuer::signing_keys::SigningAlgorithm;
use token_issuer::templates::{IssuerClaim, Preset, RegisteredClaims, SubjectClaim};
use utoipa::ToSchema;

use super::schema::{
    AlgorithmSchema, FormatSchema, IssuerSchema, RegisteredSchema, RenewalSchema, SubjectSchema,
    TypSchema,
};
use super::signing_keys::secret_bytes;
use crate::errors::invalid_audience;
use crate::json::{Object, present};
use crate::problem::Problem;
use crate::query::invalid;
use crate::routes::principals::optional_secret;
use crate::texts::WebOriginText;

/// An audience: who tokens are for, and what they look like.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audience)]
pub struct AudienceView {
    /// Its identifier.
    #[schema(examples("aud_01a203acc363700cb2d3af39a2eae215"))]
    id: String,
    /// What requests call it. It never changes.
    #[schema(examples("analytics"))]
    name: String,
    /// The `aud` of its tokens.
    aud: String,
    /// How its tokens are signed. It never changes.
    #[schema(value_type = AlgorithmSchema)]
    algorithm: SigningAlgorithm,
    /// How long its tokens live unless the request asks otherwise, in seconds.
    default_ttl_seconds: u32,
    /// How long its tokens live at most, in seconds.
    max_ttl_seconds: u32,
    /// The longest token, in bytes; what would be longer is refused.
    max_token_bytes: u32,
    /// The web pages that may renew its tokens, as browsers name them.
    #[schema(value_type = Vec<String>, example = json!(["https://app.example.com"]))]
    authorized_origins: BTreeSet<WebOrigin>,
    /// How its tokens are renewed; `null` when they are not.
    #[schema(value_type = Option<RenewalSchema>, required = true)]
    renewal: Option<Renewal>,
    /// What its tokens say.
    claims: ClaimsView,
    /// The form in which its tokens leave.
    #[schema(value_type = FormatSchema)]
    format: TokenFormat,
    /// Where the keys of this audience alone are. Those of the whole organization are in its own JWKS.
    jwks_uri: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// What an audience's tokens say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AudienceClaims)]
pub struct ClaimsView {
    /// The claim template; `null` for Jeton's own form.
    #[schema(value_type = Option<Object>, required = true)]
    template: Option<Value>,
    /// The claims that the issuer sets.
    #[schema(value_type = RegisteredSchema)]
    registered: RegisteredClaims,
    /// `typ` in the header.
    #[schema(value_type = TypSchema)]
    typ: TokenType,
    /// `kid` in the header; `null` for the key's own.
    #[schema(required = true)]
    key_id: Option<String>,
    /// Whether `iss` stands in the header, too.
    issuer_in_header: bool,
    /// The Superset datasets of the tables that row rules name, for `row_filters.superset` in a template; `null` for a
    /// table that is none.
    superset_datasets: BTreeMap<String, Option<i64>>,
}

/// A page of audiences, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudienceList {
    /// The audiences.
    pub(super) data: Vec<AudienceView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) next_cursor: Option<String>,
}

/// An audience to be. What is left out comes from the preset, or else from the defaults.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "hasura", "preset": "hasura", "max_ttl_seconds": 900 }))]
pub struct CreateAudienceRequest {
    /// What requests will call it.
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    name: AudienceName,
    /// A known consumer: see `GET /v1/audience-presets`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    preset: Option<String>,
    /// How its tokens are signed; ES256 when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = AlgorithmSchema, required = false)]
    algorithm: Option<SigningAlgorithm>,
    /// For HS256: the secret that the consumer gave out, in base64url without padding; 32 bytes or more. It is never shown.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = String, required = false, format = Password, write_only, pattern = "^[A-Za-z0-9_-]{43,1366}$")]
    secret: Option<SecretString>,
    /// The `aud` of its tokens; the name when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    aud: Option<String>,
    /// How long its tokens live unless the request asks otherwise, in seconds; 900 when left out, or the longest life.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 86_400)]
    default_ttl_seconds: Option<u32>,
    /// How long its tokens live at most, in seconds; 3600 when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 86_400)]
    max_ttl_seconds: Option<u32>,
    /// The longest token, in bytes; 4096 when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 512, maximum = 8192)]
    max_token_bytes: Option<u32>,
    /// The web pages that may renew its tokens, as browsers name them; none when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<WebOriginText>, required = false, max_items = 100)]
    authorized_origins: Option<BTreeSet<WebOrigin>>,
    /// How its tokens are renewed; not at all when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RenewalSchema>, required = false)]
    renewal: Option<Option<Object<Renewal>>>,
    /// What its tokens say.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ClaimsRequest, required = false)]
    claims: Option<Object<ClaimsRequest>>,
    /// The form in which its tokens leave; signed when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = FormatSchema, required = false)]
    format: Option<Object<TokenFormat>>,
}

/// A change to an audience; what is left out stays as it is.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "max_ttl_seconds": 900, "renewal": { "session_seconds": 28_800 } }))]
pub struct UpdateAudienceRequest {
    /// The `aud` of its tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    aud: Option<String>,
    /// How long its tokens live unless the request asks otherwise, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 86_400)]
    default_ttl_seconds: Option<u32>,
    /// How long its tokens live at most, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 86_400)]
    max_ttl_seconds: Option<u32>,
    /// The longest token, in bytes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u32, required = false, minimum = 512, maximum = 8192)]
    max_token_bytes: Option<u32>,
    /// The web pages that may renew its tokens; all of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<WebOriginText>, required = false, max_items = 100)]
    authorized_origins: Option<BTreeSet<WebOrigin>>,
    /// How its tokens are renewed, as a whole; `null` for not at all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RenewalSchema>, required = false)]
    renewal: Option<Option<Object<Renewal>>>,
    /// What its tokens say.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ClaimsRequest, required = false)]
    claims: Option<Object<ClaimsRequest>>,
    /// The form in which its tokens leave.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = FormatSchema, required = false)]
    format: Option<Object<TokenFormat>>,
}

/// What an audience's tokens say; what is left out is not spoken of.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AudienceClaimsRequest)]
pub struct ClaimsRequest {
    /// The claim template, as a whole; `null` for Jeton's own form.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>, required = false)]
    template: Option<Option<Value>>,
    /// The claims that the issuer sets.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RegisteredRequest, required = false)]
    registered: Option<Object<RegisteredRequest>>,
    /// `typ` in the header.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = TypSchema, required = false)]
    typ: Option<TokenType>,
    /// `kid` in the header, where the consumer gave out a name for the key; `null` for the key's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    key_id: Option<Option<String>>,
    /// Whether `iss` stands in the header, too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    issuer_in_header: Option<bool>,
    /// The Superset datasets of the tables that row rules name; `null` for a table that is none. While a table is missing
    /// here, tokens of a template that names `row_filters.superset` are refused.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = std::collections::HashMap<String, Option<i64>>, required = false)]
    superset_datasets: Option<BTreeMap<String, Option<i64>>>,
}

/// The claims that the issuer sets; what is left out is not spoken of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegisteredClaimsRequest)]
pub struct RegisteredRequest {
    /// `iss`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = IssuerSchema, required = false)]
    issuer: Option<IssuerClaim>,
    /// `sub`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SubjectSchema, required = false)]
    subject: Option<SubjectClaim>,
    /// Whether `client_id` names the API key that asked.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    client_id: Option<bool>,
    /// Whether `nbf` is there.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    not_before: Option<bool>,
}

impl AudienceView {
    /// The view of an audience of this organization.
    pub(super) fn new(audience: Audience, issuer: &TokenIssuer, organization: &Slug) -> Self {
        let settings = audience.settings;
        Self {
            jwks_uri: issuer.public_url().audience_jwks(organization, audience.id),
            id: audience.id.to_string(),
            name: audience.name.to_string(),
            aud: audience.aud,
            algorithm: audience.algorithm,
            default_ttl_seconds: audience.limits.default_ttl_seconds,
            max_ttl_seconds: audience.limits.max_ttl_seconds,
            max_token_bytes: settings.max_token_bytes,
            authorized_origins: settings.authorized_origins,
            renewal: settings.renewal,
            claims: settings.claims.into(),
            format: settings.format,
            created_at: audience.created_at.to_string(),
        }
    }
}

impl From<ClaimSettings> for ClaimsView {
    fn from(claims: ClaimSettings) -> Self {
        Self {
            template: claims.template,
            registered: claims.registered,
            typ: claims.typ,
            key_id: claims.key_id,
            issuer_in_header: claims.issuer_in_header,
            superset_datasets: claims.superset_datasets,
        }
    }
}

impl CreateAudienceRequest {
    /// The audience with everything that a preset or the defaults say.
    pub(super) fn complete(self) -> Result<NewAudience, Problem> {
        let preset = self.preset.as_deref().map(|name| {
            Preset::named(name).ok_or_else(|| {
                let detail = "There is no such preset: `GET /v1/audience-presets` lists them.";
                invalid("/preset", "unknown_preset", detail)
            })
        });
        let preset = preset.transpose()?;
        let secret = self.secret.as_ref().map(secret_bytes).transpose()?;
        let said = UpdateAudienceRequest {
            aud: self.aud,
            default_ttl_seconds: self.default_ttl_seconds,
            max_ttl_seconds: self.max_ttl_seconds,
            max_token_bytes: self.max_token_bytes,
            authorized_origins: self.authorized_origins,
            renewal: self.renewal,
            claims: self.claims,
            format: self.format,
        };
        let draft = AudienceDraft {
            name: self.name,
            algorithm: self.algorithm,
            secret,
            said: said.into(),
            preset,
        };
        draft.complete().map_err(|faults| invalid_audience(&faults))
    }
}

impl From<UpdateAudienceRequest> for AudiencePatch {
    fn from(request: UpdateAudienceRequest) -> Self {
        let renewal = request.renewal.map(|it| it.map(|Object(renewal)| renewal));
        let claims = request.claims.map(|Object(claims)| claims.into());
        Self {
            aud: request.aud,
            default_ttl_seconds: request.default_ttl_seconds,
            max_ttl_seconds: request.max_ttl_seconds,
            settings: SettingsPatch {
                max_token_bytes: request.max_token_bytes,
                authorized_origins: request.authorized_origins,
                renewal: renewal.map_or(Edit::Keep, Edit::Set),
                claims: claims.unwrap_or_default(),
                format: request.format.map(|Object(format)| format),
            },
        }
    }
}

impl From<ClaimsRequest> for ClaimsPatch {
    fn from(request: ClaimsRequest) -> Self {
        let registered = request.registered.map(|Object(registered)| registered);
        let registered = registered.unwrap_or_default();
        Self {
            template: request.template.map_or(Edit::Keep, Edit::Set),
            issuer: registered.issuer,
            subject: registered.subject,
            client_id: registered.client_id,
            not_before: registered.not_before,
            typ: request.typ,
            key_id: request.key_id.map_or(Edit::Keep, Edit::Set),
            issuer_in_header: request.issuer_in_header,
            superset_datasets: request.superset_datasets,
        }
    }
}
