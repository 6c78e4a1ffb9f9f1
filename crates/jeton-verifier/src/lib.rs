//! Verify Jeton session tokens where they are used, offline.
//!
//! A [`Verifier`] knows one issuer, one audience and a JWKS. It accepts a token only if all of this holds:
//! a compact JWS of at most 8 KiB; a header of exactly `alg` = `ES256`, `typ` = `at+jwt` and a known `kid`; a valid
//! signature; `iss` and `aud` equal to what it was built with; `nbf` not after now (plus the leeway) and `exp` after
//! now; and every claim that RFC 9068 requires, of the right type. Everything else is refused.
//!
//! ```no_run
//! # fn jwks() -> String { String::new() }
//! # fn now() -> u64 { 0 }
//! let verifier = jeton_verifier::Verifier::new(
//!     "https://tokens.example.com/orgs/acme",
//!     "analytics",
//!     &jwks(), // the text at {issuer}/.well-known/jwks.json
//! )?;
//! let claims = verifier.verify("eyJ…", now())?;
//! let tenant = claims.attribute("tenant_id").and_then(|value| value.as_str());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An attribute that is absent is `None`: refuse then; never read it as "no filter".

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Seconds by which an issuer's clock may be ahead of this one.
const LEEWAY_SECONDS: u64 = 30;

/// Verifies the tokens of one issuer for one audience.
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: HashMap<String, DecodingKey>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("kids", &self.keys.keys())
            .finish()
    }
}

/// The text is no JWKS that can verify anything.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Not a JSON Web Key Set (RFC 7517).
    #[error("not a JSON Web Key Set: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It has no ES256 key with a `kid`.
    #[error("the key set has no ES256 key with a `kid`")]
    NoUsableKey,
}

/// Why a token is refused. Tell the token's sender nothing of it; it is for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a compact JWS of ours: size, segments, base64url, or a header other than `alg`, `typ`, `kid`.
    #[error("not a session token")]
    Malformed,
    /// No key of this `kid` is known. Fetch the JWKS again, at most once in a while.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// The signature does not belong to header and payload.
    #[error("the signature is not valid")]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("the claims are not those of a session token")]
    Claims,
    /// The token is another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token has ended.
    #[error("the token has expired")]
    Expired,
    /// The token begins in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims of a verified token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The user, as the issuing backend names it.
    pub sub: String,
    /// The API key that asked for the token.
    pub client_id: String,
    /// The session.
    pub jti: String,
    /// Issued at, in seconds since the Unix epoch.
    pub iat: u64,
    /// Not valid before, in seconds since the Unix epoch.
    pub nbf: u64,
    /// Ends, in seconds since the Unix epoch.
    pub exp: u64,
    /// The roles.
    pub roles: Vec<String>,
    /// The row-level-security attributes.
    pub attributes: Map<String, Value>,
    /// The resources that the token is limited to, if any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Value>,
    /// What the roles allow, `resource:action` separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

impl Claims {
    /// The value of an attribute; `None` means that the token does not carry it, and rows must be refused.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }
}

impl Verifier {
    /// A verifier for one issuer and audience, with the keys of this JWKS. Keys of other algorithms are left out.
    pub fn new(issuer: &str, audience: &str, jwks: &str) -> Result<Self, JwksError> {
        let set: JwkSet = serde_json::from_str(jwks)?;
        let keys: HashMap<_, _> = set
            .keys
            .iter()
            .filter(|jwk| jwk.common.key_algorithm == Some(jsonwebtoken::jwk::KeyAlgorithm::ES256))
            .filter_map(|jwk| Some((jwk.common.key_id.clone()?, DecodingKey::from_jwk(jwk).ok()?)))
            .collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys,
        })
    }

    /// Verifies a token at the time `now`, in seconds since the Unix epoch.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::Malformed);
        }
        let header = read_header(token)?;
        if header.alg != "ES256" || header.typ != "at+jwt" {
            return Err(VerifyError::Malformed);
        }
        let key = self.keys.get(&header.kid).ok_or(VerifyError::UnknownKey)?;
        let claims = checked_signature(token, key)?;
        if claims.iss != self.issuer {
            return Err(VerifyError::Issuer);
        }
        if claims.aud != self.audience {
            return Err(VerifyError::Audience);
        }
        if claims.exp <= now {
            return Err(VerifyError::Expired);
        }
        if claims.nbf > now.saturating_add(LEEWAY_SECONDS) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(claims)
    }
}

fn read_header(token: &str) -> Result<Header, VerifyError> {
    let mut segments = token.splitn(4, '.');
    let (Some(header), Some(_), Some(_), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(VerifyError::Malformed);
    };
    let header = BASE64_URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| VerifyError::Malformed)?;
    serde_json::from_slice(&header).map_err(|_| VerifyError::Malformed)
}

/// The library checks the signature with the algorithm fixed; the claims' meaning is checked by the caller, because
/// the library's defaults accept missing issuers and audiences, and a minute of leeway.
fn checked_signature(token: &str, key: &DecodingKey) -> Result<Claims, VerifyError> {
    use jsonwebtoken::errors::ErrorKind;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::Json(_)
            | ErrorKind::MissingRequiredClaim(_)
            | ErrorKind::InvalidClaimFormat(_) => VerifyError::Claims,
            ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => {
                VerifyError::Malformed
            }
            _ => VerifyError::Signature,
        }),
    }
}

#[cfg(test)]
mod tests;
