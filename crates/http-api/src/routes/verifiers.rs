//! What verifiers read: keys and metadata, public and cacheable.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use key_admin::Slug;
use serde::Serialize;
use serde_json::Value;
use storage::{AudienceId, Versioned};
use token_issuer::rings::{JWKS_MAX_AGE_SECONDS, Jwks};
use token_issuer::{AuthorizationServerMetadata, OrganizationIssuer};
use utoipa::ToSchema;

use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::PathPair;
use crate::state::ApiState;

/// The public keys that verify an organization's tokens (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKeySet {
    /// The keys: those that sign, those that signed what still lives, and those that will sign next.
    #[schema(value_type = Vec<JsonWebKey>)]
    keys: Vec<Value>,
}

/// A public key (RFC 7517); which members it has depends on `kty`.
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKey {
    /// `EC` (RFC 7518), `OKP` (RFC 8037) or `RSA` (RFC 7518).
    kty: String,
    /// Its name, which the header of each token tells.
    kid: String,
    /// What it is for: always `sig`.
    #[serde(rename = "use")]
    usage: String,
    /// The algorithm of its signatures.
    #[schema(examples("ES256"))]
    alg: String,
    /// The curve, of `EC` and `OKP`.
    #[schema(required = false)]
    crv: String,
    /// A coordinate in base64url, of `EC` and `OKP`.
    #[schema(required = false)]
    x: String,
    /// The other coordinate, of `EC`.
    #[schema(required = false)]
    y: String,
    /// The modulus in base64url, of `RSA`.
    #[schema(required = false)]
    n: String,
    /// The exponent in base64url, of `RSA`.
    #[schema(required = false)]
    e: String,
}

/// Authorization server metadata (RFC 8414), also usable as OpenID Connect discovery document.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuerMetadata {
    /// The `iss` of every token of the organization.
    issuer: String,
    /// Where the keys are.
    jwks_uri: String,
    /// Empty: there is no authorization endpoint.
    response_types_supported: Vec<String>,
    /// Where tokens are exchanged (RFC 8693).
    token_endpoint: String,
    /// Token exchange alone.
    grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint.
    token_endpoint_auth_methods_supported: Vec<String>,
    /// Where the state of a token is asked for (RFC 7662).
    introspection_endpoint: String,
    /// How clients authenticate there.
    introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where a token is revoked (RFC 7009).
    revocation_endpoint: String,
    /// How clients authenticate there.
    revocation_endpoint_auth_methods_supported: Vec<String>,
    /// The types of authorization details (RFC 9396).
    authorization_details_types_supported: Vec<String>,
    /// How subjects are named.
    subject_types_supported: Vec<String>,
    /// The algorithms that tokens are signed with, as far as they are verified with public keys.
    id_token_signing_alg_values_supported: Vec<String>,
    /// The claims that tokens carry.
    claims_supported: Vec<String>,
    /// Where people read on.
    service_documentation: String,
}

impl From<AuthorizationServerMetadata> for IssuerMetadata {
    fn from(metadata: AuthorizationServerMetadata) -> Self {
        Self {
            issuer: metadata.issuer,
            jwks_uri: metadata.jwks_uri,
            response_types_supported: metadata.response_types_supported,
            token_endpoint: metadata.token_endpoint,
            grant_types_supported: metadata.grant_types_supported,
            token_endpoint_auth_methods_supported: metadata.token_endpoint_auth_methods_supported,
            introspection_endpoint: metadata.introspection_endpoint,
            introspection_endpoint_auth_methods_supported: metadata
                .introspection_endpoint_auth_methods_supported,
            revocation_endpoint: metadata.revocation_endpoint,
            revocation_endpoint_auth_methods_supported: metadata
                .revocation_endpoint_auth_methods_supported,
            authorization_details_types_supported: metadata.authorization_details_types_supported,
            subject_types_supported: metadata.subject_types_supported,
            id_token_signing_alg_values_supported: metadata.id_token_signing_alg_values_supported,
            claims_supported: metadata.claims_supported,
            service_documentation: metadata.service_documentation,
        }
    }
}

/// Get the public keys
///
/// The keys that verify the organization's tokens. Keep them for `max-age` and ask again with `If-None-Match`; fetch
/// early, but not more than once in a while, when a token names an unknown `kid`.
#[utoipa::path(
    get,
    path = "/orgs/{slug}/.well-known/jwks.json",
    operation_id = "getJwks",
    tag = "Verifiers",
    params(("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses(
        (status = 200, description = "The keys", body = JsonWebKeySet, content_type = "application/jwk-set+json", headers(("ETag" = String, description = "For `If-None-Match`"))),
        (status = 304, description = "Unchanged since the version named in `If-None-Match`"),
        (status = 404, description = "There is no such organization: `not_found`"),
    ),
    security(()),
)]
pub async fn get_jwks(
    State(state): State<ApiState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let organization = organization(&state, &slug).await?;
    Ok(key_set(&headers, organization.value.jwks()))
}

/// Get the public keys of one audience
///
/// The keys that verify its tokens, and no others. Empty for an audience whose tokens are signed with HS256: its secret is
/// nobody's to read.
#[utoipa::path(
    get,
    path = "/orgs/{slug}/audiences/{id}/jwks.json",
    operation_id = "getAudienceJwks",
    tag = "Verifiers",
    params(
        ("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("id" = String, Path, description = "The audience's identifier, `aud_…`", pattern = "^aud_[0-9a-f]{32}$"),
    ),
    responses(
        (status = 200, description = "The keys", body = JsonWebKeySet, content_type = "application/jwk-set+json", headers(("ETag" = String, description = "For `If-None-Match`"))),
        (status = 304, description = "Unchanged since the version named in `If-None-Match`"),
        (status = 404, description = "There is no such organization, or it has no such audience: `not_found`"),
    ),
    security(()),
)]
pub async fn get_audience_jwks(
    State(state): State<ApiState>,
    PathPair(slug, audience): PathPair<String, AudienceId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let organization = organization(&state, &slug).await?;
    let jwks = organization.value.jwks_of(audience);
    Ok(key_set(&headers, jwks.ok_or_else(not_found)?))
}

fn key_set(headers: &HeaderMap, jwks: &Jwks) -> Response {
    let known = is_known(headers, &jwks.etag);
    let caching = [(header::ETAG, jwks.etag.to_string())];
    if known {
        return (StatusCode::NOT_MODIFIED, public(), caching).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "application/jwk-set+json")];
    (public(), caching, content_type, jwks.body.to_string()).into_response()
}

/// Get the OpenID Connect discovery document
///
/// For verifiers that find the keys through discovery.
#[utoipa::path(
    get,
    path = "/orgs/{slug}/.well-known/openid-configuration",
    operation_id = "getOpenidConfiguration",
    tag = "Verifiers",
    params(("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses(
        (status = 200, description = "The metadata", body = IssuerMetadata),
        (status = 404, description = "There is no such organization: `not_found`"),
    ),
    security(()),
)]
pub async fn get_openid_configuration(
    state: State<ApiState>,
    slug: Path<String>,
) -> Result<Response, Problem> {
    metadata(state, slug).await
}

/// Get the authorization server metadata
///
/// RFC 8414, below the issuer's own address.
#[utoipa::path(
    get,
    path = "/orgs/{slug}/.well-known/oauth-authorization-server",
    operation_id = "getAuthorizationServerMetadata",
    tag = "Verifiers",
    params(("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses(
        (status = 200, description = "The metadata", body = IssuerMetadata),
        (status = 404, description = "There is no such organization: `not_found`"),
    ),
    security(()),
)]
pub async fn get_authorization_server_metadata(
    state: State<ApiState>,
    slug: Path<String>,
) -> Result<Response, Problem> {
    metadata(state, slug).await
}

/// Get the authorization server metadata where RFC 8414 puts it
///
/// Section 3.1 of the RFC puts the well-known part before the path of an issuer. The same document as below the issuer.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server/orgs/{slug}",
    operation_id = "getAuthorizationServerMetadataAtRoot",
    tag = "Verifiers",
    params(("slug" = String, Path, description = "The organization's name in URLs", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses(
        (status = 200, description = "The metadata", body = IssuerMetadata),
        (status = 404, description = "There is no such organization: `not_found`"),
    ),
    security(()),
)]
pub async fn get_authorization_server_metadata_at_root(
    state: State<ApiState>,
    slug: Path<String>,
) -> Result<Response, Problem> {
    metadata(state, slug).await
}

async fn metadata(
    State(state): State<ApiState>,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let algorithms = organization(&state, &slug).await?.value.algorithms();
    let slug = Slug::parse(&slug).map_err(|_| not_found())?;
    let public_url = state.services.issuer.public_url();
    let metadata = AuthorizationServerMetadata::new(public_url, &slug, &algorithms);
    Ok((public(), Json(IssuerMetadata::from(metadata))).into_response())
}

async fn organization(
    state: &ApiState,
    slug: &str,
) -> Result<Arc<Versioned<OrganizationIssuer>>, Problem> {
    let slug = Slug::parse(slug).map_err(|_| not_found())?;
    state
        .services
        .issuer
        .organization(&slug)
        .await?
        .ok_or_else(not_found)
}

/// Anybody may read and keep these documents, browsers of any origin included.
fn public() -> [(HeaderName, String); 3] {
    [
        (
            header::CACHE_CONTROL,
            format!("public, max-age={JWKS_MAX_AGE_SECONDS}"),
        ),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin".to_owned(),
        ),
    ]
}

/// Does the client have this version already?
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter();
    tags.any(|value| matches_etag(value.as_bytes(), etag))
}

/// `If-None-Match` compares weakly (RFC 9110 section 13.1.2).
fn matches_etag(header: &[u8], etag: &str) -> bool {
    let Ok(header) = std::str::from_utf8(header) else {
        return false;
    };
    header
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}
