//! Presented session tokens: is this one that this installation issued, and does it still hold?
//!
//! Strict where the standards leave room: a header of exactly `alg`, `typ` and `kid`, no member named twice anywhere, no
//! leeway on `exp`, the audience that the signing key belongs to, and a session that is recorded.

mod strict;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use key_admin::Slug;
use policy::{AudienceName, Resource, TokenClaims};
use serde::Deserialize;
use serde_json::{Map, Value};
use storage::{SessionId, StorageError, Timestamp};

use crate::claims::MAX_TOKEN_BYTES;
use crate::issuance::TokenIssuer;
use crate::rings::{OrganizationIssuer, StartError};
use crate::sessions;
use crate::signing_keys::VerifyingKey;
use strict::Strict;

/// Seconds by which the clock of the node that issued may be ahead of this one.
const NOT_BEFORE_LEEWAY_SECONDS: i64 = 30;

/// Why a token is not active. For logs: who presented it learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InactiveToken {
    /// Not a compact JWS of ours: size, segments, base64url, JSON, or a header other than `alg`, `typ`, `kid`.
    #[error("not a session token")]
    Malformed,
    /// The organization publishes no key of this `kid`.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// The signature does not belong to header and payload.
    #[error("the signature is not valid")]
    Signature,
    /// A claim is missing, named twice, or of the wrong type.
    #[error("the claims are not those of a session token")]
    Claims,
    /// The token is another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// The token is for another audience than its key signs for.
    #[error("the token is for another audience")]
    Audience,
    /// The token has ended.
    #[error("the token has expired")]
    Expired,
    /// The token begins in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// No session of this token is recorded.
    #[error("the token's session is not recorded")]
    NoSession,
}

/// Why there is no checked token.
#[derive(Debug, thiserror::Error)]
pub enum CheckTokenError {
    /// It is not active.
    #[error(transparent)]
    Inactive(#[from] InactiveToken),
    /// The organization's keys could not be read.
    #[error(transparent)]
    Rings(#[from] StartError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A token that this installation issued for the organization and that holds now.
#[derive(Clone)]
pub struct CheckedToken {
    /// The session, `jti`.
    pub session_id: SessionId,
    /// Who it speaks for, `sub`.
    pub subject: String,
    /// The roles.
    pub roles: Vec<String>,
    /// The attributes.
    pub attributes: Map<String, Value>,
    /// The resources that it is limited to; empty for no such limit.
    pub resources: Vec<Resource>,
    /// The key that signed it.
    pub kid: String,
    /// The name of its audience.
    pub audience: AudienceName,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl CheckedToken {
    /// What row rules read of it.
    pub fn row_claims(&self) -> TokenClaims {
        TokenClaims {
            roles: self.roles.iter().cloned().collect(),
            attributes: self.attributes.clone(),
        }
    }
}

/// Without the subject and the values of attributes: what is printed ends in logs.
impl std::fmt::Debug for CheckedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckedToken")
            .field("session_id", &self.session_id)
            .field("roles", &self.roles)
            .field("kid", &self.kid)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims that every session token has. `iat` is required and means nothing here.
#[derive(Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    #[serde(rename = "client_id")]
    _client_id: String,
    jti: SessionId,
    #[serde(rename = "iat")]
    _iat: i64,
    nbf: i64,
    exp: i64,
    roles: Vec<String>,
    attributes: Map<String, Value>,
    #[serde(default)]
    resources: Vec<Resource>,
}

impl TokenIssuer {
    /// Checks a token that somebody presents to the organization.
    pub async fn check_token(
        &self,
        organization: &Slug,
        token: &str,
    ) -> Result<CheckedToken, CheckTokenError> {
        let found = self.organization(organization).await?;
        // Who asks has been authenticated: its organization can only be gone since then, and its keys with it.
        let issuer = found.ok_or(InactiveToken::UnknownKey)?;
        let expected = self.public_url().issuer(organization);
        let now = self.clock.now();
        let checked = check(&issuer.value, &expected, token, now)?;
        let mut read = self.rings.database().read().await?;
        let session = checked.session_id;
        if sessions::exists(read.conn(), issuer.organization, session).await? {
            Ok(checked)
        } else {
            Err(InactiveToken::NoSession.into())
        }
    }
}

/// All that the token itself can tell.
fn check(
    issuer: &OrganizationIssuer,
    expected: &str,
    token: &str,
    now: Timestamp,
) -> Result<CheckedToken, InactiveToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InactiveToken::Malformed);
    }
    let header = read_header(token)?;
    let known = issuer.verifying(&header.kid);
    let (key, audience) = known.ok_or(InactiveToken::UnknownKey)?;
    if header.alg != key.algorithm.as_str() {
        return Err(InactiveToken::Malformed);
    }
    let payload = read_payload(token, key)?;
    if payload.iss != expected {
        return Err(InactiveToken::Issuer);
    }
    if payload.aud != audience.aud {
        return Err(InactiveToken::Audience);
    }
    if payload.exp <= now.unix_seconds() {
        return Err(InactiveToken::Expired);
    }
    if payload.nbf > now.unix_seconds().saturating_add(NOT_BEFORE_LEEWAY_SECONDS) {
        return Err(InactiveToken::NotYetValid);
    }
    Ok(CheckedToken {
        session_id: payload.jti,
        subject: payload.sub,
        roles: payload.roles,
        attributes: payload.attributes,
        resources: payload.resources,
        kid: header.kid,
        audience: audience.name.clone(),
        expires_at: Timestamp::from_unix_seconds(payload.exp),
    })
}

fn read_header(token: &str) -> Result<Header, InactiveToken> {
    let segments: Vec<&str> = token.splitn(4, '.').collect();
    let [header, _, _] = segments[..] else {
        return Err(InactiveToken::Malformed);
    };
    let header = BASE64_URL_SAFE_NO_PAD.decode(header);
    let header = header.map_err(|_| InactiveToken::Malformed)?;
    let header: Strict = serde_json::from_slice(&header).map_err(|_| InactiveToken::Malformed)?;
    let header: Header = header.into_object().ok_or(InactiveToken::Malformed)?;
    if header.typ != "at+jwt" {
        return Err(InactiveToken::Malformed);
    }
    Ok(header)
}

/// The library checks the signature with the algorithm fixed; what the claims mean is checked by the caller, because the
/// library accepts missing issuers and audiences, and a minute of leeway.
fn read_payload(token: &str, key: &VerifyingKey) -> Result<Payload, InactiveToken> {
    let algorithm: Algorithm = key.algorithm.into();
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Strict>(token, &key.decoding, &validation);
    let decoded = decoded.map_err(|error| match error.kind() {
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => InactiveToken::Claims,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => {
            InactiveToken::Malformed
        }
        _ => InactiveToken::Signature,
    })?;
    decoded.claims.into_object().ok_or(InactiveToken::Claims)
}
