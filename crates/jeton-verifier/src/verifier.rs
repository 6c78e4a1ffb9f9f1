//! The verifier that holds its keys and asks nobody.

use crate::MAX_TOKEN_BYTES;
use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::jwk::JwksError;
use crate::jws::{Jws, Malformed};
use crate::keys::{Keys, SecretError};
use crate::revocations::{Revocations, SnapshotError};
use crate::rules::Rules;

/// The `typ` of a session token (RFC 9068 section 4).
const TOKEN_TYPE: &str = "at+jwt";

/// Verifies the tokens of one issuer for one audience, signed with one algorithm.
pub struct Verifier {
    rules: Rules,
    keys: Keys,
}

/// Why a token is refused. Tell the token's sender nothing of it; it is for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not a compact JWS of ours: size, segments, base64url, another algorithm than the pinned one, or a header other
    /// than `alg`, `typ`, `kid`.
    #[error("not a session token")]
    Malformed,
    /// No key of this `kid` is known. With a key set of one's own: fetch it again, at most once in a while.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// The signature does not belong to header and payload.
    #[error("the signature is not valid")]
    Signature,
    /// A claim is missing, empty, repeated or of the wrong type.
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
    /// The token begins or was issued in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token was revoked.
    #[error("the token is revoked")]
    Revoked,
    /// The key set could not be had for too long. The token may be good: answer 503.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// The revocations could not be had for too long. The token may be revoked: answer 503.
    #[error("the issuer's revocations are not available")]
    RevocationsUnavailable,
}

impl VerifyError {
    /// Whether it says nothing of the token, only that it cannot be judged now.
    pub fn is_unavailable(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::RevocationsUnavailable)
    }
}

impl Verifier {
    /// A verifier of ES256 tokens for one issuer and audience, with the keys of this JWKS.
    pub fn new(issuer: &str, audience: &str, jwks: &str) -> Result<Self, JwksError> {
        Self::from_jwks(Rules::new(issuer, audience), Algorithm::Es256, jwks)
    }

    /// A verifier with the keys of this JWKS that fit the algorithm; others are left out. It is never HS256.
    pub fn from_jwks(rules: Rules, algorithm: Algorithm, jwks: &str) -> Result<Self, JwksError> {
        let keys = Keys::from_jwks(algorithm, jwks)?;
        Ok(Self { rules, keys })
    }

    /// An HS256 verifier with these secrets by `kid`, each of at least [`crate::MIN_SECRET_BYTES`].
    pub fn from_secrets<K, S>(
        rules: Rules,
        secrets: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Self, SecretError>
    where
        K: Into<String>,
        S: AsRef<[u8]>,
    {
        let keys = Keys::from_secrets(secrets)?;
        Ok(Self { rules, keys })
    }

    /// Verifies a token at the time `now`, in seconds since the Unix epoch. Revocations are not asked for.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, VerifyError> {
        verify(&self.rules, &self.keys, token, now)
    }

    /// Verifies a token and that it is not revoked. The snapshot must be of this issuer and not have ended at `now`;
    /// how old it may be is for the caller to decide.
    pub fn verify_unrevoked(
        &self,
        token: &str,
        revocations: &Revocations,
        now: u64,
    ) -> Result<Claims, VerifyError> {
        let claims = self.verify(token, now)?;
        if !revocations.may_be_used(self.rules.issuer(), now) {
            return Err(VerifyError::RevocationsUnavailable);
        }
        revocations.check(&claims)?;
        Ok(claims)
    }

    /// Reads a revocation snapshot that was signed with one of this verifier's keys. Refuse one whose
    /// [`Revocations::version`] is below that of the snapshot held before.
    pub fn read_revocations(&self, text: &str, now: u64) -> Result<Revocations, SnapshotError> {
        Revocations::read(text, &self.rules, &self.keys, now)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("rules", &self.rules)
            .field("algorithm", &self.keys.algorithm())
            .field("kids", &self.keys.kids().collect::<Vec<_>>())
            .finish()
    }
}

pub(crate) fn verify(
    rules: &Rules,
    keys: &Keys,
    token: &str,
    now: u64,
) -> Result<Claims, VerifyError> {
    let jws = Jws::split(token, MAX_TOKEN_BYTES)?;
    let kid = jws.kid(keys.algorithm(), TOKEN_TYPE)?;
    let key = keys.get(&kid).ok_or(VerifyError::UnknownKey)?;
    let payload = jws.verified_payload(key).ok_or(VerifyError::Signature)?;
    let claims =
        Claims::read(payload, &kid, rules.accepts_audience_list()).ok_or(VerifyError::Claims)?;
    rules.check(&claims, now)?;
    Ok(claims)
}

impl From<Malformed> for VerifyError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}
