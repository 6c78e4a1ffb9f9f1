//! Signing keys: each audience has a ring of them.
//!
//! A key is *next* (published, does not sign yet), *active* (signs), *previous* (published while tokens it signed
//! live) or *retired*. The database keeps at most one active and one next key per audience. Private keys are sealed
//! at rest (see [`crate::sealing`]) and bound to organization, audience, `kid` and algorithm.

pub(crate) mod store;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use storage::{AudienceId, OrganizationId, Timestamp};

use crate::sealing::{CannotOpen, CannotSeal, Sealer};

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before it signs.
    Next,
    /// The one that signs.
    Active,
    /// Published until the last token it signed has expired.
    Previous,
}

impl KeyState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Previous => "previous",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Previous]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A signing key as the database holds it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub(crate) kid: String,
    pub(crate) organization: OrganizationId,
    pub(crate) audience: AudienceId,
    pub(crate) state: KeyState,
    pub(crate) public_jwk: Jwk,
    pub(crate) sealed_private_key: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) activated_at: Option<Timestamp>,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The cryptographic library refused.
    #[error("a signing key could not be generated")]
    Library,
    /// The private key could not be sealed.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
}

/// A private key, ready to sign.
pub(crate) struct OpenedKey {
    pub(crate) kid: String,
    pub(crate) encoding: EncodingKey,
}

impl std::fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl StoredKey {
    /// Makes an ES256 key (P-256, RFC 7518 section 3.4). Its `kid` is the RFC 7638 thumbprint.
    pub(crate) fn generate(
        sealer: &Sealer,
        (organization, audience): (OrganizationId, AudienceId),
        state: KeyState,
        now: Timestamp,
    ) -> Result<Self, GenerateError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| GenerateError::Library)?;
        let private: SecretSlice<u8> = pair
            .to_pkcs8v1()
            .map_err(|_| GenerateError::Library)?
            .as_ref()
            .to_vec()
            .into();
        let encoding = EncodingKey::from_ec_der(private.expose_secret());
        let public_jwk = public_jwk(&encoding).map_err(|_| GenerateError::Library)?;
        let kid = public_jwk.common.key_id.clone().unwrap_or_default();
        let identity = identity(organization, audience, &kid);
        Ok(Self {
            sealed_private_key: sealer.seal(&identity, &private)?,
            kid,
            organization,
            audience,
            state,
            public_jwk,
            created_at: now,
            activated_at: (state == KeyState::Active).then_some(now),
        })
    }

    /// Opens the private key, and makes sure that it is the one whose public half is published.
    pub(crate) fn open(&self, sealer: &Sealer) -> Result<OpenedKey, CannotOpen> {
        let identity = identity(self.organization, self.audience, &self.kid);
        let private = sealer.open(&identity, &self.sealed_private_key)?;
        let encoding = EncodingKey::from_ec_der(private.expose_secret());
        match public_jwk(&encoding) {
            Ok(public) if public == self.public_jwk => Ok(OpenedKey {
                kid: self.kid.clone(),
                encoding,
            }),
            _ => Err(CannotOpen),
        }
    }
}

fn identity(organization: OrganizationId, audience: AudienceId, kid: &str) -> String {
    format!("signing_keys/{organization}/{audience}/{kid}/ES256")
}

/// The public half with `kid`, `use` and `alg`, as the JWKS shows it.
fn public_jwk(encoding: &EncodingKey) -> jsonwebtoken::errors::Result<Jwk> {
    let mut jwk = Jwk::from_encoding_key(encoding, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_algorithm = Some(jsonwebtoken::jwk::KeyAlgorithm::ES256);
    Ok(jwk)
}
