//! The keys of one algorithm, and the one place where signatures are checked.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};

use crate::algorithm::Algorithm;
use crate::jwk::{self, JwksError};

/// The fewest bytes of an HS256 secret: as many as the hash has (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// The order of P-256, which r and s of a signature are below (FIPS 186-5, SP 800-186).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The secrets of an HS256 verifier cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No secret at all.
    #[error("no secret was given")]
    None,
    /// A secret has fewer than [`MIN_SECRET_BYTES`].
    #[error("a secret needs at least {MIN_SECRET_BYTES} bytes")]
    TooShort,
    /// Two secrets have the same `kid`.
    #[error("two secrets have the same `kid`")]
    RepeatedKid,
}

/// A key, fit for its algorithm.
pub(crate) enum Key {
    Es256(ParsedPublicKey),
    /// `EdDSA`, RS256 and PS256: the parsed key carries the algorithm.
    Public(ParsedPublicKey),
    Hs256(Box<hmac::Key>),
}

impl Key {
    /// A P-256 point.
    pub(crate) fn es256(x: &[u8], y: &[u8]) -> Option<Self> {
        if x.len() != 32 || y.len() != 32 {
            return None;
        }
        let point = [&[4], x, y].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .ok()
            .map(Self::Es256)
    }

    pub(crate) fn ed25519(x: &[u8]) -> Option<Self> {
        // Checked here because the library also takes a key wrapped in DER.
        if x.len() != 32 {
            return None;
        }
        ParsedPublicKey::new(&ED25519, x).ok().map(Self::Public)
    }

    /// An RSA key of 2048 to 8192 bits with an odd exponent from 65537 on (FIPS 186-5 section 5.1).
    pub(crate) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Option<Self> {
        let parameters = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Hs256 => return None,
        };
        // Checked here because the library puts the check off until a signature is verified.
        let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
        let exponent = e.iter().try_fold(0_u64, |value, byte| {
            Some(value.checked_mul(256)? + u64::from(*byte))
        })?;
        if !(2048..=8192).contains(&bits) || exponent < 65_537 || exponent.is_multiple_of(2) {
            return None;
        }
        RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .ok()
            .map(Self::Public)
    }

    pub(crate) fn hs256(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_SECRET_BYTES)
            .then(|| Self::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    /// Whether the signature over the message is this key's.
    ///
    /// An ES256 signature (r, s) has a twin (r, n − s) that is as valid. RFC 7518 does not choose between them and
    /// issuers emit both, so both are accepted; a session is told apart by its `jti`, never by the token's text.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(key) => in_range(signature) && key.verify_sig(message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Hs256(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// Whether a signature is 32 bytes of r and 32 of s, each between 1 and the order less one (CVE-2022-21449). The
/// library refuses others too; that one did not was the flaw.
pub(crate) fn in_range(signature: &[u8]) -> bool {
    let number = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0) && *bytes < P256_ORDER[..];
    signature.len() == 64 && number(&signature[..32]) && number(&signature[32..])
}

/// The keys that a verifier knows, all of one algorithm.
pub(crate) struct Keys {
    algorithm: Algorithm,
    by_kid: HashMap<String, Key>,
}

impl Keys {
    pub(crate) fn from_jwks(algorithm: Algorithm, jwks: &str) -> Result<Self, JwksError> {
        let keys = Self {
            algorithm,
            by_kid: jwk::usable(algorithm, jwks)?,
        };
        if keys.by_kid.is_empty() {
            return Err(JwksError::NoUsableKey(algorithm));
        }
        Ok(keys)
    }

    /// Like [`Keys::from_jwks`], but the set may have no key left for this algorithm: then every token is refused.
    #[cfg(feature = "client")]
    pub(crate) fn from_published(algorithm: Algorithm, jwks: &str) -> Result<Self, JwksError> {
        let by_kid = jwk::usable(algorithm, jwks)?;
        Ok(Self { algorithm, by_kid })
    }

    pub(crate) fn from_secrets<K, S>(
        secrets: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Self, SecretError>
    where
        K: Into<String>,
        S: AsRef<[u8]>,
    {
        let mut by_kid = HashMap::new();
        for (kid, secret) in secrets {
            let key = Key::hs256(secret.as_ref()).ok_or(SecretError::TooShort)?;
            if by_kid.insert(kid.into(), key).is_some() {
                return Err(SecretError::RepeatedKid);
            }
        }
        if by_kid.is_empty() {
            return Err(SecretError::None);
        }
        Ok(Self {
            algorithm: Algorithm::Hs256,
            by_kid,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&Key> {
        self.by_kid.get(kid)
    }

    pub(crate) fn kids(&self) -> impl Iterator<Item = &str> {
        self.by_kid.keys().map(String::as_str)
    }
}
