//! The payload of a session token: a JWT access token as RFC 9068 describes it, with roles and attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use key_admin::{ApiKey, ApiKeyId};
use policy::{AttributeName, AttributeValue, Grant, Resource, RoleName};
use secrecy::SecretString;
use serde::Serialize;
use storage::{AudienceId, OrganizationId, SessionId, Timestamp};

use crate::rings::Ring;
use crate::signing_keys::{OpenedKey, UnusableKey};

/// `nbf` lies this many seconds before `iat`, for verifiers whose clock is slow.
const NOT_BEFORE_SECONDS: i64 = 10;

/// The longest token, in bytes. It has to fit into a header, and web servers take 8 KiB of one.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The token would be longer than [`MAX_TOKEN_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token would have {bytes} bytes, more than the {MAX_TOKEN_BYTES} allowed")]
pub struct TokenTooLarge {
    /// How long it would be.
    pub bytes: usize,
}

impl TokenTooLarge {
    /// What it is, as a stable name of the API.
    pub const CODE: &str = "token_too_large";

    /// The same in English.
    pub fn sentence(self) -> String {
        format!("{self}.").replacen("the token", "The token", 1)
    }
}

/// Claims, built from a grant. The order of the members is the order in the token.
#[derive(Clone, Serialize)]
pub struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: ApiKeyId,
    jti: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    roles: Vec<RoleName>,
    attributes: BTreeMap<AttributeName, AttributeValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip)]
    sensitive: BTreeSet<AttributeName>,
    #[serde(skip)]
    audience: AudienceId,
    #[serde(skip)]
    audience_name: String,
    #[serde(skip)]
    organization: OrganizationId,
    /// The above as the token says it: written once, measured, and signed.
    #[serde(skip)]
    payload: Vec<u8>,
}

/// Why there are no claims, or no token of them.
#[derive(Debug, thiserror::Error)]
pub enum ClaimsError {
    /// See [`TokenTooLarge`].
    #[error(transparent)]
    TooLarge(#[from] TokenTooLarge),
    /// The claims could not be written as JSON.
    #[error("the claims could not be written")]
    Json(#[from] serde_json::Error),
    /// The key did not sign.
    #[error("the token could not be signed")]
    Signing(#[from] UnusableKey),
}

impl Claims {
    /// What the grant amounts to, for this audience, from now on.
    #[expect(clippy::needless_pass_by_value, reason = "a grant becomes one token")]
    pub(crate) fn new(
        grant: Grant,
        ring: &Ring,
        key: &ApiKey,
        issuer: String,
        (id, now): (SessionId, Timestamp),
    ) -> Result<Self, ClaimsError> {
        let audience = &ring.audience;
        let issued_at = now.unix_seconds();
        let mut claims = Self {
            iss: issuer,
            aud: audience.aud.clone(),
            client_id: key.id,
            jti: id,
            iat: issued_at,
            nbf: issued_at - NOT_BEFORE_SECONDS,
            exp: issued_at + i64::from(grant.ttl_seconds()),
            scope: grant.scope().join(" "),
            audience: audience.id,
            audience_name: audience.name.to_string(),
            organization: key.organization,
            sub: grant.subject().to_owned(),
            roles: grant.roles().to_vec(),
            attributes: grant.attributes().clone(),
            sensitive: grant.sensitive().clone(),
            resources: grant.resources().to_vec(),
            payload: Vec::new(),
        };
        claims.payload = serde_json::to_vec(&claims)?;
        // Before signing, so that a dry run says the same as the issuance.
        let bytes = ring.active.token_bytes(claims.payload.len());
        if bytes > MAX_TOKEN_BYTES {
            return Err(TokenTooLarge { bytes }.into());
        }
        Ok(claims)
    }

    /// The token's identifier, `jti`.
    pub fn session_id(&self) -> SessionId {
        self.jti
    }

    /// Who the token speaks for, `sub`.
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// The API key that asked, `client_id`.
    pub fn api_key(&self) -> ApiKeyId {
        self.client_id
    }

    /// The organization whose key signs.
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The audience's identifier.
    pub fn audience_id(&self) -> AudienceId {
        self.audience
    }

    /// The audience's name, as requests call it.
    pub fn audience_name(&self) -> &str {
        &self.audience_name
    }

    /// The roles.
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// The attributes, fixed ones included.
    pub fn attributes(&self) -> &BTreeMap<AttributeName, AttributeValue> {
        &self.attributes
    }

    /// Those of the attributes whose values only the token itself may hold.
    pub fn sensitive(&self) -> &BTreeSet<AttributeName> {
        &self.sensitive
    }

    /// The resources that the token is limited to; empty for no such limit.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// When it was issued, to the second.
    pub fn issued_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.iat)
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.exp)
    }

    /// Its life, in seconds.
    pub fn lifetime_seconds(&self) -> i64 {
        self.exp - self.iat
    }

    /// Signs with the audience's active key.
    pub(crate) fn sign(self, key: &OpenedKey) -> Result<SignedToken, ClaimsError> {
        let text = key.sign(&self.payload)?.into();
        Ok(SignedToken {
            claims: self,
            kid: key.kid.clone(),
            text,
        })
    }
}

/// Without the subject and the values of attributes: what is printed ends in logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<_> = self.attributes.keys().collect();
        f.debug_struct("Claims")
            .field("iss", &self.iss)
            .field("jti", &self.jti)
            .field("client_id", &self.client_id)
            .field("roles", &self.roles)
            .field("attributes", &attributes)
            .finish_non_exhaustive()
    }
}

/// A signed token that nobody may see yet: its session row is not committed.
#[derive(Debug)]
pub struct SignedToken {
    claims: Claims,
    kid: String,
    text: SecretString,
}

impl SignedToken {
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Takes it apart, after the row is committed.
    pub(crate) fn into_parts(self) -> (Claims, SecretString) {
        (self.claims, self.text)
    }
}
