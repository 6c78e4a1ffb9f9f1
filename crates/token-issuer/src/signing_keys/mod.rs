//! Signing keys: each audience has a ring of them.
//!
//! A key is *next* (published, does not sign yet), *active* (signs), *previous* (published while tokens it signed
//! live) or *retired*. The database keeps at most one active and one next key per audience. Private keys are sealed
//! at rest (see [`key_admin::sealing`]) and bound to organization, audience, `kid` and algorithm.

mod algorithm;
mod import;
mod key_pair;
mod service;
pub(crate) mod store;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use key_admin::random::{self, NoRandomness};
use key_admin::sealing::{CannotOpen, CannotSeal, Sealer};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::json;
use storage::{AudienceId, OrganizationId, Timestamp};

use crate::audiences::TokenType;

pub use algorithm::SigningAlgorithm;
pub use import::{ImportedKey, PrivateJwk, UnusableImport};
pub(crate) use key_pair::KeyPair;
pub use key_pair::UnusableKey;
pub(crate) use service::generate_aside;
pub use service::{KeepRingsError, ListedKey, ROTATION_SECONDS, RingError};

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// The one that signs.
    Active,
    /// Published, so that verifiers know it before it signs.
    Next,
    /// Published until the last token it signed has expired.
    Previous,
    /// Out of use, and in no JWKS.
    Retired,
}

impl KeyState {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Previous => "previous",
            Self::Retired => "retired",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Next, Self::Previous, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Whose a key is, and how it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingId {
    pub(crate) organization: OrganizationId,
    pub(crate) audience: AudienceId,
    pub(crate) algorithm: SigningAlgorithm,
}

/// A signing key as the database holds it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub(crate) kid: String,
    pub(crate) ring: RingId,
    pub(crate) state: KeyState,
    /// `None` for HS256.
    pub(crate) public_jwk: Option<Jwk>,
    pub(crate) sealed_private_key: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) activated_at: Option<Timestamp>,
    /// When it stopped to sign.
    pub(crate) left_at: Option<Timestamp>,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The cryptographic library refused.
    #[error("a signing key could not be generated")]
    Library(#[from] UnusableKey),
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The private key could not be sealed.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
}

/// A private key, ready to sign.
pub(crate) struct OpenedKey {
    pub(crate) kid: String,
    pub(crate) pair: Arc<KeyPair>,
    algorithm: SigningAlgorithm,
    /// The header of every token that it signs, in base64url.
    header: String,
}

impl std::fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// What the header of an audience's tokens says beside `alg`.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderExtras {
    pub(crate) typ: TokenType,
    /// The name that the consumer has given the key; `None` for its own.
    pub(crate) key_id: Option<String>,
    /// `iss`, where the consumer wants it there too.
    pub(crate) issuer: Option<String>,
}

impl OpenedKey {
    fn new(
        kid: String,
        algorithm: SigningAlgorithm,
        pair: Arc<KeyPair>,
        extras: &HeaderExtras,
    ) -> Self {
        let named = extras.key_id.as_deref().unwrap_or(&kid);
        let mut header = json!({ "alg": algorithm, "typ": extras.typ, "kid": named });
        if let Some(issuer) = &extras.issuer {
            header["iss"] = issuer.as_str().into();
        }
        Self {
            header: BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
            kid,
            pair,
            algorithm,
        }
    }

    /// The same key under another header.
    pub(crate) fn with(&self, extras: &HeaderExtras) -> Self {
        Self::new(self.kid.clone(), self.algorithm, self.pair.clone(), extras)
    }

    /// A compact JWS ([RFC 7515, section 7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)) of this payload.
    pub(crate) fn sign(&self, payload: &[u8]) -> Result<String, UnusableKey> {
        let mut token = String::with_capacity(self.token_bytes(payload.len()));
        token.push_str(&self.header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The length of the token that a payload of this many bytes becomes.
    pub(crate) fn token_bytes(&self, payload: usize) -> usize {
        let encoded = |bytes: usize| bytes.saturating_mul(4).div_ceil(3);
        let dots = 2;
        [
            encoded(payload),
            encoded(self.pair.signature_bytes()),
            self.header.len(),
            dots,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// A public key, ready to verify.
pub(crate) struct VerifyingKey {
    /// Whose tokens it verifies.
    pub(crate) audience: AudienceId,
    /// The only algorithm that its tokens may name.
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) decoding: DecodingKey,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl StoredKey {
    /// What verifies the tokens of this key: its public half, or the shared secret.
    pub(crate) fn verifying(&self, sealer: &Sealer) -> Result<VerifyingKey, CannotOpen> {
        let decoding = match &self.public_jwk {
            Some(jwk) => DecodingKey::from_jwk(jwk).map_err(|_| CannotOpen)?,
            None => DecodingKey::from_secret(self.private(sealer)?.expose_secret()),
        };
        Ok(VerifyingKey {
            audience: self.ring.audience,
            algorithm: self.ring.algorithm,
            decoding,
        })
    }

    /// Makes a key. Its `kid` is the RFC 7638 thumbprint; that of a shared secret, which nothing may be derived from,
    /// is random.
    pub(crate) fn generate(
        sealer: &Sealer,
        ring: RingId,
        state: KeyState,
        now: Timestamp,
    ) -> Result<Self, GenerateError> {
        let private = KeyPair::generate(ring.algorithm)?;
        Self::seal(sealer, ring, &private, state, now)
    }

    /// Takes a private key in. See [`generate`](Self::generate) for its `kid`.
    pub(crate) fn seal(
        sealer: &Sealer,
        ring: RingId,
        private: &SecretSlice<u8>,
        state: KeyState,
        now: Timestamp,
    ) -> Result<Self, GenerateError> {
        let public_jwk = KeyPair::read(ring.algorithm, private)?.public_jwk()?;
        let kid = match public_jwk
            .as_ref()
            .and_then(|jwk| jwk.common.key_id.clone())
        {
            Some(thumbprint) => thumbprint,
            None => BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<32>()?),
        };
        Ok(Self {
            sealed_private_key: sealer.seal(&identity(ring, &kid), private)?,
            kid,
            ring,
            state,
            public_jwk,
            created_at: now,
            activated_at: (state == KeyState::Active).then_some(now),
            left_at: None,
        })
    }

    pub(crate) fn private(&self, sealer: &Sealer) -> Result<SecretSlice<u8>, CannotOpen> {
        sealer.open(&identity(self.ring, &self.kid), &self.sealed_private_key)
    }

    /// Opens the private key, and makes sure that it is the one whose public half is published.
    pub(crate) fn open(
        &self,
        sealer: &Sealer,
        extras: &HeaderExtras,
    ) -> Result<OpenedKey, CannotOpen> {
        let private = self.private(sealer)?;
        let algorithm = self.ring.algorithm;
        let pair = KeyPair::read(algorithm, &private).map_err(|_| CannotOpen)?;
        match pair.public_jwk() {
            Ok(public) if public == self.public_jwk => {
                let pair = Arc::new(pair);
                Ok(OpenedKey::new(self.kid.clone(), algorithm, pair, extras))
            }
            _ => Err(CannotOpen),
        }
    }
}

/// Whose a sealed private key is, in the words that are sealed with it.
fn identity(ring: RingId, kid: &str) -> String {
    let RingId {
        organization,
        audience,
        algorithm,
    } = ring;
    format!("signing_keys/{organization}/{audience}/{kid}/{algorithm}")
}
