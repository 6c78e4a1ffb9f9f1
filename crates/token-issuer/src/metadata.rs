//! What verifiers read before the first token: where the keys are and how tokens are signed.

use std::collections::BTreeSet;

use key_admin::Slug;
use serde::{Deserialize, Serialize};
use storage::AudienceId;
use url::Url;

use crate::signing_keys::SigningAlgorithm;

/// The address under which clients reach this installation, without a trailing slash. Issuers are built on it, so
/// it cannot change while tokens live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(String);

/// The text is no [`PublicUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the public URL is https://HOST or https://HOST/PATH, without user, query or fragment; http:// is for local use"
)]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// Reads an address; a trailing slash is dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidPublicUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(InvalidPublicUrl)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it plain HTTP? Anyone on the way could then replace the JWKS.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Where the keys of one audience alone are.
    pub fn audience_jwks(&self, organization: &Slug, audience: AudienceId) -> String {
        format!(
            "{}/audiences/{audience}/jwks.json",
            self.issuer(organization)
        )
    }

    /// The issuer of an organization's tokens, `{public_url}/orgs/{slug}`.
    pub fn issuer(&self, organization: &Slug) -> String {
        format!("{}/orgs/{organization}", self.0)
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidPublicUrl;

    fn try_from(text: String) -> Result<Self, InvalidPublicUrl> {
        Self::parse(&text)
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

/// Authorization server metadata (RFC 8414) with the members that OpenID Connect discovery requires of verifiers'
/// libraries. It says only what this server does: tokens are fetched with an API key, there is no login redirect.
/// Endpoints are the same for every organization: the API key tells which one is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorizationServerMetadata {
    /// The `iss` of every token.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// Where tokens are exchanged (RFC 8693).
    pub token_endpoint: String,
    /// Token exchange alone.
    pub grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint: the API key as the password of HTTP Basic.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Where the state of a token is asked for (RFC 7662).
    pub introspection_endpoint: String,
    /// How clients authenticate there.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where a token is revoked (RFC 7009).
    pub revocation_endpoint: String,
    /// How clients authenticate there.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// What a token shall carry is asked for in this form (RFC 9396).
    pub authorization_details_types_supported: Vec<String>,
    /// Subjects are the backend's own user identifiers, the same for every audience.
    pub subject_types_supported: Vec<String>,
    /// The algorithms that tokens are signed with, as far as the JWKS has their keys.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// The claims that tokens carry.
    pub claims_supported: Vec<String>,
    /// The human-readable description of the API.
    pub service_documentation: String,
}

const BASIC: [&str; 1] = ["client_secret_basic"];

impl AuthorizationServerMetadata {
    /// The metadata of one organization, whose tokens are signed with these algorithms.
    pub fn new(
        public_url: &PublicUrl,
        organization: &Slug,
        algorithms: &BTreeSet<SigningAlgorithm>,
    ) -> Self {
        let issuer = public_url.issuer(organization);
        let endpoint = |name: &str| format!("{}/oauth2/{name}", public_url.as_str());
        let owned = |items: &[&str]| items.iter().map(ToString::to_string).collect();
        Self {
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            response_types_supported: Vec::new(),
            token_endpoint: endpoint("token"),
            grant_types_supported: owned(&["urn:ietf:params:oauth:grant-type:token-exchange"]),
            token_endpoint_auth_methods_supported: owned(&BASIC),
            introspection_endpoint: endpoint("introspect"),
            introspection_endpoint_auth_methods_supported: owned(&BASIC),
            revocation_endpoint: endpoint("revoke"),
            revocation_endpoint_auth_methods_supported: owned(&BASIC),
            authorization_details_types_supported: owned(&["jeton_session"]),
            subject_types_supported: owned(&["public"]),
            id_token_signing_alg_values_supported: algorithms
                .iter()
                .map(ToString::to_string)
                .collect(),
            claims_supported: owned(&[
                "iss",
                "aud",
                "sub",
                "client_id",
                "jti",
                "iat",
                "nbf",
                "exp",
                "roles",
                "attributes",
                "resources",
                "scope",
            ]),
            service_documentation: format!("{}/docs", public_url.as_str()),
            issuer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_have_exactly_one_slash_before_orgs() {
        let slug = Slug::parse("acme").unwrap();
        for (text, issuer) in [
            (
                "https://tokens.example.com",
                "https://tokens.example.com/orgs/acme",
            ),
            (
                "https://tokens.example.com/",
                "https://tokens.example.com/orgs/acme",
            ),
            (
                "https://example.com/jeton/",
                "https://example.com/jeton/orgs/acme",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/orgs/acme"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().issuer(&slug), issuer);
        }
        for bad in [
            "",
            "tokens.example.com",
            "ftp://a",
            "https://u:p@a",
            "https://a?b",
            "https://a#b",
            "https://",
        ] {
            assert_eq!(PublicUrl::parse(bad), Err(InvalidPublicUrl), "{bad}");
        }
    }
}
