//! API keys as requests and answers carry them.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use key_admin::rate_limit::RateLimit;
use key_admin::{ApiKeyPatch, Edit, KeyCeiling, ListedKey, NewApiKey, Permission};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{OrganizationId, PrincipalId, Timestamp};
use utoipa::ToSchema;

use crate::json::{Object, present};
use crate::problem::Problem;
use crate::query::invalid;
use crate::texts::{AudienceNameText, GivenPermission, NetworkText, RoleNameText};

/// An API key: everything but its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// Its identifier, the `client_id` of the tokens it issues.
    #[schema(examples("key_0Hq3VbN8tRzA"))]
    pub(crate) id: String,
    /// Its name; not unique.
    name: String,
    /// Its first characters, for recognizing it; never part of its secret.
    #[schema(examples("jtn_0Hq3VbN8tRzA"))]
    prefix: String,
    /// Whether it works.
    #[schema(value_type = KeyStateView)]
    state: String,
    /// Whose it is.
    owner: ApiKeyOwner,
    /// The name of whoever made it; absent when that is not known any more, or it was made on the machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by: Option<String>,
    /// What it may do.
    #[schema(example = json!(["tokens:issue"]))]
    permissions: Vec<String>,
    /// What it may grant at most.
    ceiling: Ceiling,
    /// The networks it may be used from; empty for any.
    #[schema(example = json!(["10.0.0.0/8"]))]
    allowed_networks: Vec<String>,
    /// How often it may be used; absent for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rate_limit: Option<KeyRateLimit>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it stops working; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expires_at: Option<String>,
    /// Since when it is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    disabled_at: Option<String>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    revoked_at: Option<String>,
    /// Why it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_reason: Option<String>,
    /// Until when the secret before the last rotation works too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    previous_secret_until: Option<String>,
    /// When a token was last issued with it, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    last_used_at: Option<String>,
    /// From where that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_address: Option<String>,
    /// How many tokens were issued with it.
    tokens_issued: IssuedCounts,
}

/// Whether an API key works.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApiKeyState)]
pub enum KeyStateView {
    /// It does.
    Active,
    /// It is switched off, and can be switched on again.
    Disabled,
    /// Its time is over.
    Expired,
    /// It was taken back for good.
    Revoked,
}

/// The owner of an API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyOwner {
    /// The owner's identifier.
    id: String,
    /// `user` or `service_account`.
    kind: String,
    /// The owner's name.
    name: String,
}

/// How many tokens were issued; days are UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedCounts {
    /// Since midnight.
    pub(crate) today: i64,
    /// Today and on the 29 days before.
    pub(crate) last_30_days: i64,
    /// Ever.
    pub(crate) ever: i64,
}

/// What an API key may grant at most.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// The roles, with those they inherit; absent for any. What this key hands on to another key is compared by name:
    /// a role that is only inherited here must be listed here before another key may list it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<RoleNameText>, required = false)]
    roles: Option<BTreeSet<String>>,
    /// The audiences; absent for any.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<AudienceNameText>, required = false)]
    audiences: Option<BTreeSet<String>>,
    /// Attribute values that every token of the key carries.
    #[serde(default)]
    #[schema(required = false)]
    fixed_attributes: BTreeMap<String, Value>,
    /// The only values, or items of lists, that its tokens may carry. Each token must carry these attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, example = json!({ "regions": ["eu", "us"] }))]
    allowed_attributes: BTreeMap<String, Vec<Value>>,
    /// The longest life of a token, in seconds; absent when the key sets no limit.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 4_294_967_295_i64)]
    max_ttl_seconds: Option<u32>,
}

/// How often an API key may be used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRateLimit {
    /// The sustained rate.
    #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
    per_minute: u32,
    /// How many may come at once after a pause.
    #[schema(value_type = i64, minimum = 1, maximum = 4_294_967_295_i64)]
    burst: u32,
}

/// An API key to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "backend", "permissions": ["tokens:issue"], "expires_in_seconds": 7_776_000 }))]
pub struct CreateApiKeyRequest {
    /// Its name; not unique.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// The user or service account that shall own it; the owner of the calling key when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^own_[0-9a-f]{32}$", examples("own_01a203acc363700cb2d3af39a2eae215"))]
    owner_id: Option<PrincipalId>,
    /// What it may do: permissions, or the presets `read` and `write`.
    #[schema(value_type = Vec<GivenPermission>, example = json!(["tokens:issue"]))]
    permissions: Vec<String>,
    /// When it stops working. Left out, like `expires_in_seconds`: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    expires_at: Option<Timestamp>,
    /// After how many seconds it stops working; instead of `expires_at`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 4_294_967_295_i64)]
    expires_in_seconds: Option<u32>,
    /// What it may grant at most. Left out: what the policy allows.
    #[serde(default = "no_ceiling")]
    #[schema(value_type = Ceiling, required = false)]
    ceiling: Object<Ceiling>,
    /// The networks it may be used from. Left out or empty: any.
    #[serde(default)]
    #[schema(value_type = Vec<NetworkText>, required = false, max_items = 100)]
    allowed_networks: Vec<IpNet>,
    /// How often it may be used. Left out: without limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = KeyRateLimit, required = false)]
    rate_limit: Option<Object<KeyRateLimit>>,
}

/// A change to an API key; what is left out stays as it is.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "backend (old)", "expires_at": null }))]
pub struct UpdateApiKeyRequest {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// What it may do: permissions, or the presets `read` and `write`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<GivenPermission>, required = false)]
    permissions: Option<Vec<String>>,
    /// When it stops working; `null` for never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime, required = false)]
    expires_at: Option<Option<Timestamp>>,
    /// What it may grant at most, as a whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Ceiling, required = false)]
    ceiling: Option<Object<Ceiling>>,
    /// The networks it may be used from; empty for any.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<NetworkText>, required = false, max_items = 100)]
    allowed_networks: Option<Vec<IpNet>>,
    /// How often it may be used; `null` for without limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeyRateLimit>, required = false)]
    rate_limit: Option<Option<Object<KeyRateLimit>>>,
}

/// A key that was just made or rotated, with the only copy of its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key.
    api_key: ApiKeyView,
    /// The whole key. Keep it now: it cannot be shown again.
    #[schema(examples("jtn_…"))]
    secret: String,
}

/// A page of API keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyList {
    /// The keys.
    pub(crate) data: Vec<ApiKeyView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) next_cursor: Option<String>,
}

fn no_ceiling() -> Object<Ceiling> {
    Object(Ceiling::default())
}

impl CreateApiKeyRequest {
    pub(crate) fn into_new(
        self,
        organization: OrganizationId,
        caller: PrincipalId,
        now: Timestamp,
    ) -> Result<NewApiKey, Problem> {
        let expires_at = match (self.expires_at, self.expires_in_seconds) {
            (Some(_), Some(_)) => {
                let detail = "Give `expires_at` or `expires_in_seconds`, not both.";
                return Err(invalid("/expires_in_seconds", "conflicting_fields", detail));
            }
            (at, None) => at,
            (None, Some(seconds)) => Some(now.plus_seconds(seconds.into())),
        };
        Ok(NewApiKey {
            organization,
            owner: self.owner_id.unwrap_or(caller),
            created_by: Some(caller),
            name: self.name,
            expires_at,
            permissions: permissions(&self.permissions)?,
            ceiling: self.ceiling.0.into(),
            allowed_networks: self.allowed_networks,
            rate_limit: self.rate_limit.map(|Object(limit)| limit.into()),
        })
    }
}

impl UpdateApiKeyRequest {
    pub(crate) fn into_patch(self) -> Result<ApiKeyPatch, Problem> {
        Ok(ApiKeyPatch {
            name: edit(self.name),
            permissions: match self.permissions {
                Some(names) => Edit::Set(permissions(&names)?),
                None => Edit::Keep,
            },
            ceiling: edit(self.ceiling.map(|Object(ceiling)| ceiling.into())),
            expires_at: edit(self.expires_at),
            allowed_networks: edit(self.allowed_networks),
            rate_limit: edit(
                self.rate_limit
                    .map(|limit| limit.map(|Object(limit)| limit.into())),
            ),
        })
    }
}

fn edit<T>(field: Option<T>) -> Edit<T> {
    field.map_or(Edit::Keep, Edit::Set)
}

fn permissions(names: &[String]) -> Result<Vec<Permission>, Problem> {
    let mut permissions = BTreeSet::new();
    for name in names {
        let expanded = Permission::expand(name)
            .map_err(|error| invalid("/permissions", "unknown_permission", &format!("{error}.")))?;
        permissions.extend(expanded);
    }
    Ok(permissions.into_iter().collect())
}

impl From<Ceiling> for KeyCeiling {
    fn from(ceiling: Ceiling) -> Self {
        Self {
            roles: ceiling.roles,
            audiences: ceiling.audiences,
            fixed_attributes: ceiling.fixed_attributes,
            allowed_attributes: ceiling.allowed_attributes,
            max_ttl_seconds: ceiling.max_ttl_seconds,
        }
    }
}

impl From<KeyCeiling> for Ceiling {
    fn from(ceiling: KeyCeiling) -> Self {
        Self {
            roles: ceiling.roles,
            audiences: ceiling.audiences,
            fixed_attributes: ceiling.fixed_attributes,
            allowed_attributes: ceiling.allowed_attributes,
            max_ttl_seconds: ceiling.max_ttl_seconds,
        }
    }
}

impl From<KeyRateLimit> for RateLimit {
    fn from(limit: KeyRateLimit) -> Self {
        Self {
            per_minute: limit.per_minute,
            burst: limit.burst,
        }
    }
}

impl CreatedApiKey {
    pub(crate) fn new(api_key: ApiKeyView, secret: &SecretString) -> Self {
        Self {
            api_key,
            secret: secret.expose_secret().to_owned(),
        }
    }
}

impl From<ListedKey> for ApiKeyView {
    fn from(listed: ListedKey) -> Self {
        let key = listed.key;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: key.id.to_string(),
            prefix: key.prefix(),
            name: key.name,
            state: listed.state.as_str().to_owned(),
            owner: ApiKeyOwner {
                id: key.owner.to_string(),
                kind: listed.owner_kind,
                name: listed.owner_name,
            },
            created_by: listed.created_by_name,
            permissions: key.permissions.iter().map(ToString::to_string).collect(),
            ceiling: key.ceiling.into(),
            allowed_networks: key
                .allowed_networks
                .iter()
                .map(ToString::to_string)
                .collect(),
            rate_limit: key.rate_limit.map(|it| KeyRateLimit {
                per_minute: it.per_minute,
                burst: it.burst,
            }),
            created_at: key.created_at.to_string(),
            expires_at: text(key.expires_at),
            disabled_at: text(key.disabled_at),
            revoked_at: text(key.revoked_at),
            revoked_reason: key.revoked_reason,
            previous_secret_until: text(key.previous_secret_until),
            last_used_at: text(listed.last_used_at),
            last_used_address: listed.last_used_address,
            tokens_issued: IssuedCounts {
                today: listed.tokens_issued.today,
                last_30_days: listed.tokens_issued.last_30_days,
                ever: listed.tokens_issued.ever,
            },
        }
    }
}
