//! What a template can name.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use key_admin::ApiKeyId;
use policy::{AttributeName, AttributeValue, Resource, RoleName};
use serde::Serialize;
use storage::{OrganizationId, SessionId};

/// One token, as a template sees it. Borrowed: nothing is copied before a template asks for it.
#[derive(Clone, Copy)]
pub struct TemplateContext<'a> {
    /// The organization's issuer, `iss`.
    pub issuer: &'a str,
    /// The audience's `aud`.
    pub audience: &'a str,
    /// Whom the token is for.
    pub user_id: &'a str,
    /// The granted roles, in the order of the request.
    pub roles: &'a [RoleName],
    /// The granted attributes, those that the key fixes included.
    pub attributes: &'a BTreeMap<AttributeName, AttributeValue>,
    /// The resources the token is limited to. Empty: not limited, and missing for a template.
    pub resources: &'a [Resource],
    /// The granted permissions. Empty: missing for a template.
    pub scope: &'a [String],
    /// The token's identifier, `jti`.
    pub session_id: SessionId,
    /// The API key that asked.
    pub client_id: ApiKeyId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The organization's name in URLs.
    pub organization_slug: &'a str,
    /// `nbf`, in Unix seconds.
    pub not_before: i64,
    /// `iat`, in Unix seconds.
    pub issued_at: i64,
    /// `exp`, in Unix seconds.
    pub expires_at: i64,
    /// Row filters in Superset's form. `None`, none at all and a blank clause are missing for a template: Superset shows
    /// every row to a token without filters.
    pub superset_rules: Option<&'a [SupersetRule]>,
    /// The organization's key for the filter `hash`: HMAC-SHA-256.
    pub hash_key: &'a hmac::Key,
}

/// One row filter of a Superset guest token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SupersetRule {
    /// The dataset it applies to; without one, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<i64>,
    /// An SQL condition. Superset takes it as it is: whoever makes it has to quote the values in it.
    pub clause: String,
}
