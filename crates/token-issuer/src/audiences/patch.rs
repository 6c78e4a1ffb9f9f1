//! What shall be different about an audience, field by field: of two people who change different fields at the same
//! moment, both get their way.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::Edit;
use serde_json::Value;

use super::{Audience, AudienceSettings, Renewal, TokenFormat, TokenType, WebOrigin};
use crate::templates::{IssuerClaim, SubjectClaim};

/// A change of an audience. What is not spoken of stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AudiencePatch {
    /// The `aud` of its tokens from now on.
    pub aud: Option<String>,
    /// How long its tokens live unless asked otherwise, in seconds.
    pub default_ttl_seconds: Option<u32>,
    /// How long its tokens live at most, in seconds.
    pub max_ttl_seconds: Option<u32>,
    /// Everything else.
    pub settings: SettingsPatch,
}

/// A change of an audience's settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsPatch {
    /// The longest token, in bytes.
    pub max_token_bytes: Option<u32>,
    /// The pages that may renew its tokens; all of them.
    pub authorized_origins: Option<BTreeSet<WebOrigin>>,
    /// Whether and how tokens are renewed, as a whole.
    pub renewal: Edit<Option<Renewal>>,
    /// What the tokens say.
    pub claims: ClaimsPatch,
    /// The form in which they leave.
    pub format: Option<TokenFormat>,
}

/// A change of what tokens say.
#[derive(Clone, Debug, Default)]
pub struct ClaimsPatch {
    /// The claim template, as a whole.
    pub template: Edit<Option<Value>>,
    /// `iss`.
    pub issuer: Option<IssuerClaim>,
    /// `sub`.
    pub subject: Option<SubjectClaim>,
    /// Whether `client_id` is there.
    pub client_id: Option<bool>,
    /// Whether `nbf` is there.
    pub not_before: Option<bool>,
    /// `typ` in the header.
    pub typ: Option<TokenType>,
    /// `kid` in the header.
    pub key_id: Edit<Option<String>>,
    /// Whether `iss` stands in the header, too.
    pub issuer_in_header: Option<bool>,
    /// The Superset datasets of the tables that row rules name; all of them.
    pub superset_datasets: Option<BTreeMap<String, Option<i64>>>,
}

impl AudiencePatch {
    pub(super) fn apply(self, audience: &mut Audience) {
        set(&mut audience.aud, self.aud);
        let limits = &mut audience.limits;
        set(&mut limits.default_ttl_seconds, self.default_ttl_seconds);
        set(&mut limits.max_ttl_seconds, self.max_ttl_seconds);
        self.settings.apply(&mut audience.settings);
    }
}

impl SettingsPatch {
    pub(super) fn apply(self, settings: &mut AudienceSettings) {
        set(&mut settings.max_token_bytes, self.max_token_bytes);
        set(&mut settings.authorized_origins, self.authorized_origins);
        self.renewal.apply(&mut settings.renewal);
        let (said, claims) = (self.claims, &mut settings.claims);
        said.template.apply(&mut claims.template);
        set(&mut claims.registered.issuer, said.issuer);
        set(&mut claims.registered.subject, said.subject);
        set(&mut claims.registered.client_id, said.client_id);
        set(&mut claims.registered.not_before, said.not_before);
        set(&mut claims.typ, said.typ);
        said.key_id.apply(&mut claims.key_id);
        set(&mut claims.issuer_in_header, said.issuer_in_header);
        set(&mut claims.superset_datasets, said.superset_datasets);
        set(&mut settings.format, self.format);
    }
}

/// All settings anew.
impl From<AudienceSettings> for SettingsPatch {
    fn from(settings: AudienceSettings) -> Self {
        let claims = settings.claims;
        Self {
            max_token_bytes: Some(settings.max_token_bytes),
            authorized_origins: Some(settings.authorized_origins),
            renewal: Edit::Set(settings.renewal),
            claims: ClaimsPatch {
                template: Edit::Set(claims.template),
                issuer: Some(claims.registered.issuer),
                subject: Some(claims.registered.subject),
                client_id: Some(claims.registered.client_id),
                not_before: Some(claims.registered.not_before),
                typ: Some(claims.typ),
                key_id: Edit::Set(claims.key_id),
                issuer_in_header: Some(claims.issuer_in_header),
                superset_datasets: Some(claims.superset_datasets),
            },
            format: Some(settings.format),
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
