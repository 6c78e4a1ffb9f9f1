//! Private keys of every algorithm: made, read, and signing. A key is read once and then only signs.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use key_admin::random;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Value, json};

use super::SigningAlgorithm;

/// The shortest RSA modulus ([RFC 7518, section 3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
const MIN_RSA_BITS: usize = 2048;
/// The longest: verifying gets slow, and tokens long.
const MAX_RSA_BITS: usize = 4096;
/// The shortest HMAC secret ([RFC 7518, section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
const MIN_SECRET_BYTES: usize = 32;

/// The cryptographic library refused: not a key of this algorithm, too short, or no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable private key of this algorithm")]
pub struct UnusableKey;

/// A private key, ready to sign.
pub(crate) enum KeyPair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
    Ps256(RsaKeyPair),
    Rs512(RsaKeyPair),
    Hs256(Box<hmac::Key>),
}

impl KeyPair {
    /// A new private key: PKCS #8 (RFC 5208), or the bare secret for HS256.
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<SecretSlice<u8>, UnusableKey> {
        let bytes: Vec<u8> = match algorithm {
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| Ok(pair.to_pkcs8v1()?.as_ref().to_vec()))
                .map_err(|_| UnusableKey)?,
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
                .map(|document| document.as_ref().to_vec())
                .map_err(|_| UnusableKey)?,
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Rs512 => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| UnusableKey)?;
                let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair);
                der.map_err(|_| UnusableKey)?.as_ref().to_vec()
            }
            SigningAlgorithm::Hs256 => random::bytes::<32>().map_err(|_| UnusableKey)?.to_vec(),
        };
        Ok(bytes.into())
    }

    /// Reads what [`generate`](Self::generate) made, or an imported key in the same form.
    pub(crate) fn read(
        algorithm: SigningAlgorithm,
        private: &SecretSlice<u8>,
    ) -> Result<Self, UnusableKey> {
        let bytes = private.expose_secret();
        let rsa = |bytes| {
            let pair = RsaKeyPair::from_pkcs8(bytes).map_err(|_| UnusableKey)?;
            let bits = pair.public_modulus_len() * 8;
            if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                Ok(pair)
            } else {
                Err(UnusableKey)
            }
        };
        Ok(match algorithm {
            SigningAlgorithm::Es256 => Self::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes)
                    .map_err(|_| UnusableKey)?,
            ),
            SigningAlgorithm::EdDsa => {
                Self::EdDsa(Ed25519KeyPair::from_pkcs8(bytes).map_err(|_| UnusableKey)?)
            }
            SigningAlgorithm::Rs256 => Self::Rs256(rsa(bytes)?),
            SigningAlgorithm::Ps256 => Self::Ps256(rsa(bytes)?),
            SigningAlgorithm::Rs512 => Self::Rs512(rsa(bytes)?),
            SigningAlgorithm::Hs256 if bytes.len() < MIN_SECRET_BYTES => return Err(UnusableKey),
            SigningAlgorithm::Hs256 => {
                Self::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
            }
        })
    }

    /// The length of a signature, in bytes.
    pub(crate) fn signature_bytes(&self) -> usize {
        match self {
            Self::Es256(_) | Self::EdDsa(_) => 64,
            Self::Rs256(pair) | Self::Ps256(pair) | Self::Rs512(pair) => pair.public_modulus_len(),
            Self::Hs256(_) => 32,
        }
    }

    /// Signs the input of a JWS ([RFC 7515, section 5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)).
    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, UnusableKey> {
        let rng = SystemRandom::new();
        let with_rsa = |pair: &RsaKeyPair, padding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &rng, input, &mut signature)
                .map(|()| signature)
                .map_err(|_| UnusableKey)
        };
        match self {
            Self::Es256(pair) => pair
                .sign(&rng, input)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| UnusableKey),
            Self::EdDsa(pair) => Ok(pair.sign(input).as_ref().to_vec()),
            Self::Rs256(pair) => with_rsa(pair, &RSA_PKCS1_SHA256),
            Self::Ps256(pair) => with_rsa(pair, &RSA_PSS_SHA256),
            Self::Rs512(pair) => with_rsa(pair, &RSA_PKCS1_SHA512),
            Self::Hs256(key) => Ok(hmac::sign(key, input).as_ref().to_vec()),
        }
    }

    /// The public half as a JWKS shows it, with `kid` (the RFC 7638 thumbprint), `use` and `alg`; `None` for HS256,
    /// which has none.
    pub(crate) fn public_jwk(&self) -> Result<Option<Jwk>, UnusableKey> {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (algorithm, mut jwk): (_, Value) = match self {
            Self::Es256(pair) => {
                // SEC 1, section 2.3.3: one byte, then both coordinates.
                let point = pair.public_key().as_ref().get(1..65).ok_or(UnusableKey)?;
                let (x, y) = (text(&point[..32]), text(&point[32..]));
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
                (SigningAlgorithm::Es256, jwk)
            }
            Self::EdDsa(pair) => {
                let x = text(pair.public_key().as_ref());
                let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
                (SigningAlgorithm::EdDsa, jwk)
            }
            Self::Rs256(pair) => (SigningAlgorithm::Rs256, rsa_jwk(pair)),
            Self::Ps256(pair) => (SigningAlgorithm::Ps256, rsa_jwk(pair)),
            Self::Rs512(pair) => (SigningAlgorithm::Rs512, rsa_jwk(pair)),
            Self::Hs256(_) => return Ok(None),
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = algorithm.as_str().into();
        let mut jwk: Jwk = serde_json::from_value(jwk).map_err(|_| UnusableKey)?;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256);
        jwk.common.key_id = Some(thumbprint.map_err(|_| UnusableKey)?);
        Ok(Some(jwk))
    }
}

fn rsa_jwk(pair: &RsaKeyPair) -> Value {
    let public = pair.public_key();
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "kty": "RSA",
        "n": text(public.modulus().big_endian_without_leading_zero()),
        "e": text(public.exponent().big_endian_without_leading_zero()),
    })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    fn pair(algorithm: SigningAlgorithm) -> KeyPair {
        let private = KeyPair::generate(algorithm).unwrap();
        KeyPair::read(algorithm, &private).unwrap()
    }

    #[test]
    fn what_each_algorithm_signs_verifies_with_its_jwk() {
        for &algorithm in SigningAlgorithm::ALL {
            let pair = pair(algorithm);
            let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string());
            let input = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode("{}"));
            let signature = pair.sign(input.as_bytes()).unwrap();
            assert_eq!(signature.len(), pair.signature_bytes(), "{algorithm}");
            let Some(jwk) = pair.public_jwk().unwrap() else {
                assert!(algorithm.is_symmetric());
                continue;
            };
            let key = DecodingKey::from_jwk(&jwk).unwrap();
            let known: Algorithm = algorithm.as_str().parse().unwrap();
            let mut validation = Validation::new(known);
            validation.required_spec_claims.clear();
            let token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(&signature));
            let read = jsonwebtoken::decode::<Value>(&token, &key, &validation);
            assert!(read.is_ok(), "{algorithm}: {read:?}");
            let kid = jwk.common.key_id.unwrap();
            assert_eq!(kid.len(), 43, "{algorithm}");
        }
    }

    #[test]
    fn a_key_of_another_algorithm_or_a_short_one_is_not_read() {
        let es256 = KeyPair::generate(SigningAlgorithm::Es256).unwrap();
        for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
            assert!(KeyPair::read(algorithm, &es256).is_err(), "{algorithm}");
        }
        let short: SecretSlice<u8> = vec![1; MIN_SECRET_BYTES - 1].into();
        assert!(KeyPair::read(SigningAlgorithm::Hs256, &short).is_err());
    }
}
