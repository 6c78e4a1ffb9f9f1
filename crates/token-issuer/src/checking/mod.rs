//! Presented session tokens: is this one that this installation issued, and does it still hold?
//!
//! Strict where the standards leave room: a header of exactly what the audience's tokens have there, no member named
//! twice anywhere, no leeway on `exp`, the audience that the signing key belongs to, and a session that is recorded
//! with that key and has not been revoked.

mod inspect;
mod pasted;
mod strict;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use key_admin::{Slug, cutoffs};
use policy::{AudienceName, Resource, TokenClaims};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use storage::{AudienceId, SessionId, StorageError, Timestamp, Versioned};

use crate::claims::{MAX_TOKEN_BYTES, OPAQUE_PREFIX, reference_of};
use crate::issuance::TokenIssuer;
use crate::rings::{OrganizationIssuer, Ring, Shape, StartError};
use crate::sessions::{self, Session};
use crate::signing_keys::VerifyingKey;
pub use inspect::{
    InspectError, Inspection, NamedKey, PresentedKind, SignatureCheck, TokenProblem,
};
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
    /// The session was revoked, or a cutoff voids it.
    #[error("the token has been revoked")]
    Revoked,
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
    /// The session, as it is recorded.
    pub session: Session,
    /// Everything that the token says.
    pub claims: Map<String, Value>,
    /// The roles.
    pub roles: Vec<String>,
    /// The attributes. Of a token in the form of a claim template those that the session has in full, without sensitive
    /// ones.
    pub attributes: Map<String, Value>,
    /// The resources that it is limited to; empty for no such limit.
    pub resources: Vec<Resource>,
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
            .field("session", &self.session)
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
    iss: Option<String>,
}

/// The claims that every token has. `iat` is required and means nothing here.
#[derive(Deserialize)]
struct Registered {
    iss: String,
    aud: String,
    jti: SessionId,
    #[serde(rename = "iat")]
    _iat: i64,
    nbf: Option<i64>,
    exp: i64,
}

/// Those that tokens in Jeton's own form have as well.
#[derive(Deserialize)]
struct Own {
    #[serde(rename = "sub")]
    _sub: String,
    #[serde(rename = "client_id")]
    _client_id: String,
    #[serde(rename = "nbf")]
    _nbf: i64,
    roles: Vec<String>,
    attributes: Map<String, Value>,
    #[serde(default)]
    resources: Vec<Resource>,
}

/// What the token itself tells: it is genuine, whatever has become of it.
struct Genuine {
    kid: String,
    audience: AudienceId,
    registered: Registered,
    /// `None` for a token in the form of a template.
    own: Option<Own>,
    claims: Map<String, Value>,
}

/// A token that this installation issued, whatever has become of it.
#[derive(Debug)]
pub(crate) struct GenuineToken {
    pub(crate) token: CheckedToken,
    /// Has it been revoked, or does a cutoff void it?
    pub(crate) void: bool,
    /// The organization as it was for the check.
    pub(crate) issuer: Arc<Versioned<OrganizationIssuer>>,
}

impl TokenIssuer {
    /// Checks a token that somebody presents to the organization.
    pub async fn check_token(
        &self,
        organization: &Slug,
        token: &str,
    ) -> Result<CheckedToken, CheckTokenError> {
        let GenuineToken { token, void, .. } = self.genuine_token(organization, token).await?;
        if void {
            return Err(InactiveToken::Revoked.into());
        }
        if token.expires_at <= self.clock.now() {
            return Err(InactiveToken::Expired.into());
        }
        Ok(token)
    }

    /// The same for a token that may have ended, or been revoked.
    pub(crate) async fn genuine_token(
        &self,
        organization: &Slug,
        token: &str,
    ) -> Result<GenuineToken, CheckTokenError> {
        let found = self.organization(organization).await?;
        // Who asks has been authenticated: its organization can only be gone since then, and its keys with it.
        let issuer = found.ok_or(InactiveToken::UnknownKey)?;
        let now = self.clock.now();
        let genuine = if is_reference(token) {
            self.referred_to(&issuer, token).await?
        } else {
            check(&issuer.value, token, now)?
        };
        let (session, void) = self.session_of(&issuer, &genuine, now).await?;
        let ring = issuer.value.ring_of(genuine.audience);
        let audience = ring.ok_or(InactiveToken::UnknownKey)?.audience.name.clone();
        let (roles, attributes, resources) = match genuine.own {
            Some(own) => (own.roles, own.attributes, own.resources),
            None => recorded(&session),
        };
        let said = Timestamp::from_unix_seconds(genuine.registered.exp);
        let token = CheckedToken {
            expires_at: said.min(session.expires_at),
            session,
            claims: genuine.claims,
            roles,
            attributes,
            resources,
            audience,
        };
        Ok(GenuineToken {
            token,
            void,
            issuer,
        })
    }

    /// What a token stands for that only its issuer can tell: the whole token is the proof.
    async fn referred_to(
        &self,
        issuer: &Versioned<OrganizationIssuer>,
        token: &str,
    ) -> Result<Genuine, CheckTokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InactiveToken::Malformed.into());
        }
        let (session, sealed) = {
            let found = self.find_reference(&reference_of(token)).await?;
            let (id, _, sealed) = found.ok_or(InactiveToken::NoSession)?;
            let mut read = self.read_session(id).await?;
            let session = sessions::store::find(read.conn(), issuer.organization, id).await?;
            (session.ok_or(InactiveToken::NoSession)?, sealed)
        };
        let identity = sessions::payload_identity(session.id);
        let sealer = self.hasher.payload_sealer(issuer.organization);
        let payload = sealer.map_err(StartError::from)?.open(&identity, &sealed);
        let payload = payload.map_err(|error| StorageError::corrupt("sealed claims", error))?;
        let claims: Map<String, Value> = serde_json::from_slice(payload.expose_secret())
            .map_err(|error| StorageError::corrupt("sealed claims", error))?;
        if !issuer.value.has_key(&session.kid, session.audience) {
            return Err(InactiveToken::UnknownKey.into());
        }
        let ring = issuer.value.ring_of(session.audience);
        let ring = ring.ok_or(InactiveToken::UnknownKey)?;
        Ok(Genuine {
            registered: read(&claims)?,
            own: own_form(ring, &claims)?,
            kid: session.kid,
            audience: session.audience,
            claims,
        })
    }

    /// The token's session, and whether it or a cutoff voids the token.
    async fn session_of(
        &self,
        issuer: &Versioned<OrganizationIssuer>,
        token: &Genuine,
        now: Timestamp,
    ) -> Result<(Session, bool), CheckTokenError> {
        let (organization, id) = (issuer.organization, token.registered.jti);
        let (version, session, root) = {
            let mut read = self.read_session(id).await?;
            let version = cutoffs::revocation_version(read.conn(), organization).await?;
            let session = sessions::store::find(read.conn(), organization, id).await?;
            // A narrower token of another key has not itself what voids that key's.
            let root = match &session {
                Some(session) if session.is_part() => {
                    sessions::store::find(read.conn(), organization, session.root).await?
                }
                _ => None,
            };
            (version.unwrap_or_default(), session, root)
        };
        let session = session.ok_or(InactiveToken::NoSession)?;
        if session.audience != token.audience || session.kid != token.kid {
            return Err(InactiveToken::NoSession.into());
        }
        let revocations = &self.revocations;
        let cutoffs = revocations
            .at(&self.database, organization, version, now)
            .await?;
        let void = |session: &Session, aud| {
            session.revoked_at.is_some() || cutoffs.voiding(session, aud).is_some()
        };
        let root_is_void = root.is_some_and(|root| void(&root, aud_of(&issuer.value, &root)));
        let is_void = root_is_void || void(&session, &token.registered.aud);
        Ok((session, is_void))
    }
}

/// What the tokens of a session's audience say in `aud`.
fn aud_of<'i>(issuer: &'i OrganizationIssuer, session: &Session) -> &'i str {
    let ring = issuer.ring_of(session.audience);
    ring.map_or("", |ring| &ring.audience.aud)
}

/// What the session tells where the token has it in another form. What is stored as a hash is left out.
fn recorded(session: &Session) -> (Vec<String>, Map<String, Value>, Vec<Resource>) {
    let mut attributes = session.attributes.clone();
    attributes.retain(|_, value| sessions::hashes(value).is_none());
    (session.roles.clone(), attributes, session.resources.clone())
}

/// All that the token itself can tell, but for its end.
fn check(
    issuer: &OrganizationIssuer,
    token: &str,
    now: Timestamp,
) -> Result<Genuine, InactiveToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InactiveToken::Malformed);
    }
    let header = read_header(token)?;
    // More than one only where the consumer has given the keys a name; the last error is as good as any.
    let mut verified = Err(InactiveToken::UnknownKey);
    for (kid, key, ring) in issuer.verifying(&header.kid) {
        verified = check_header(&header, key, ring)
            .and_then(|()| read_payload(token, key))
            .map(|claims| (kid, ring, claims));
        if verified.is_ok() {
            break;
        }
    }
    let (kid, ring, claims) = verified?;
    let registered: Registered = read(&claims)?;
    let settings = &ring.audience.settings.claims;
    let own = own_form(ring, &claims)?;
    if registered.iss != settings.registered.issuer(&ring.issuer) {
        return Err(InactiveToken::Issuer);
    }
    if registered.aud != ring.audience.aud {
        return Err(InactiveToken::Audience);
    }
    let latest = now.unix_seconds().saturating_add(NOT_BEFORE_LEEWAY_SECONDS);
    if registered.nbf.is_some_and(|nbf| nbf > latest) {
        return Err(InactiveToken::NotYetValid);
    }
    Ok(Genuine {
        kid: kid.to_owned(),
        audience: ring.audience.id,
        registered,
        own,
        claims,
    })
}

/// Is it opaque, or has it the five parts of an encrypted token?
pub(crate) fn is_reference(token: &str) -> bool {
    token.starts_with(OPAQUE_PREFIX) || token.splitn(6, '.').count() == 5
}

fn own_form(ring: &Ring, claims: &Map<String, Value>) -> Result<Option<Own>, InactiveToken> {
    match &ring.shape {
        Shape::Standard => read(claims).map(Some),
        Shape::Template(_) => Ok(None),
    }
}

/// The header of a token of this ring, and of no other.
fn check_header(header: &Header, key: &VerifyingKey, ring: &Ring) -> Result<(), InactiveToken> {
    let settings = &ring.audience.settings.claims;
    let issuer = settings.registered.issuer(&ring.issuer);
    let issuer = settings.issuer_in_header.then_some(issuer);
    let fits = header.alg == key.algorithm.as_str()
        && header.typ == settings.typ.as_str()
        && header.iss.as_deref() == issuer;
    fits.then_some(()).ok_or(InactiveToken::Malformed)
}

fn read<T: DeserializeOwned>(claims: &Map<String, Value>) -> Result<T, InactiveToken> {
    serde_json::from_value(Value::Object(claims.clone())).map_err(|_| InactiveToken::Claims)
}

fn read_header(token: &str) -> Result<Header, InactiveToken> {
    let segments: Vec<&str> = token.splitn(4, '.').collect();
    let [header, _, _] = segments[..] else {
        return Err(InactiveToken::Malformed);
    };
    let header = BASE64_URL_SAFE_NO_PAD.decode(header);
    let header = header.map_err(|_| InactiveToken::Malformed)?;
    let header: Strict = serde_json::from_slice(&header).map_err(|_| InactiveToken::Malformed)?;
    header.into_object().ok_or(InactiveToken::Malformed)
}

/// The library checks the signature with the algorithm fixed; what the claims mean is checked by the caller, because the
/// library accepts missing issuers and audiences, and a minute of leeway.
fn read_payload(token: &str, key: &VerifyingKey) -> Result<Map<String, Value>, InactiveToken> {
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
