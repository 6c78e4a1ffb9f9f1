//! The payload as JSON: in Jeton's own form, a JWT access token as RFC 9068 describes it with roles and attributes, or
//! in the one of the audience's claim template.

use std::collections::BTreeMap;

use key_admin::ApiKeyId;
use policy::{AttributeName, AttributeValue, Grant, Resource, RoleName};
use serde::Serialize;
use storage::SessionId;

use super::{ClaimsError, Occasion};
use crate::rings::Shape;
use crate::templates::TemplateContext;

/// `nbf` lies this many seconds before `iat`, for verifiers whose clock is slow.
const NOT_BEFORE_SECONDS: i64 = 10;

/// Jeton's own form. The order of the members is the order in the token.
#[derive(Serialize)]
struct Standard<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: ApiKeyId,
    jti: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    roles: &'a [RoleName],
    attributes: &'a BTreeMap<AttributeName, AttributeValue>,
    #[serde(skip_serializing_if = "<[Resource]>::is_empty")]
    resources: &'a [Resource],
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

/// Writes the payload once: it is measured, and then signed as it is.
pub(super) fn write(
    grant: &Grant,
    occasion: &Occasion<'_>,
    expires_at: i64,
) -> Result<Vec<u8>, ClaimsError> {
    let ring = occasion.ring;
    let issued_at = occasion.now.unix_seconds();
    let template = match &ring.shape {
        Shape::Standard => {
            let claims = Standard {
                iss: &ring.issuer,
                aud: &ring.audience.aud,
                sub: grant.subject(),
                client_id: occasion.client.key,
                jti: occasion.id,
                iat: issued_at,
                nbf: issued_at - NOT_BEFORE_SECONDS,
                exp: expires_at,
                roles: grant.roles(),
                attributes: grant.attributes(),
                resources: grant.resources(),
                scope: grant.scope().join(" "),
            };
            return Ok(serde_json::to_vec(&claims)?);
        }
        Shape::Template(template) => template,
    };
    let context = TemplateContext {
        issuer: &ring.issuer,
        audience: &ring.audience.aud,
        user_id: grant.subject(),
        roles: grant.roles(),
        attributes: grant.attributes(),
        resources: grant.resources(),
        scope: grant.scope(),
        session_id: occasion.id,
        client_id: occasion.client.key,
        organization_id: occasion.client.organization,
        organization_slug: occasion.client.slug.as_str(),
        not_before: issued_at - NOT_BEFORE_SECONDS,
        issued_at,
        expires_at,
        superset_rules: occasion.superset_rules.as_deref(),
        hash_key: &ring.hash_key,
    };
    let registered = &ring.audience.settings.claims.registered;
    Ok(serde_json::to_vec(
        &template.payload(registered, &context)?,
    )?)
}
