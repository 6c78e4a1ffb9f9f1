//! What becomes of a signed token before it leaves: nothing, encryption for its consumer, or a reference to it.
//!
//! Encrypted: a nested JWT ([RFC 7519, section 11.2](https://www.rfc-editor.org/rfc/rfc7519#section-11.2)), signed and
//! then encrypted as a compact JWE ([RFC 7516](https://www.rfc-editor.org/rfc/rfc7516)) with `ECDH-ES` and `A256GCM`
//! ([RFC 7518, sections 4.6 and 5.3](https://www.rfc-editor.org/rfc/rfc7518#section-4.6)). Only the consumer has the
//! private key: what the token says is unreadable in the browser, and to this server.
//!
//! Opaque: 256 random bits. Introspection alone tells what they stand for.
//!
//! Either is recognized by its SHA-256, which stands in the session's row beside the claims, sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::random;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::audiences::{EncryptionKey, TokenFormat};

/// What opaque tokens begin with, so that scanners find them.
pub(crate) const OPAQUE_PREFIX: &str = "jts_";
const OPAQUE_RANDOM_BYTES: usize = 32;
/// The tag of AES-GCM, in bytes.
const TAG_BYTES: usize = 16;

/// The cryptographic library refused, or the operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be encrypted")]
pub struct CannotWrap;

/// The form in which an audience's tokens leave.
#[derive(Debug)]
pub(crate) enum Wrapping {
    /// As they are signed.
    Plain,
    /// Encrypted for the consumer.
    Encrypted(Box<EncryptionKey>),
    /// A reference.
    Opaque,
}

impl Wrapping {
    /// What an audience's settings ask for.
    pub(crate) fn of(format: &TokenFormat) -> Self {
        match format {
            TokenFormat::Signed => Self::Plain,
            TokenFormat::Encrypted { key } => Self::Encrypted(key.clone()),
            TokenFormat::Opaque => Self::Opaque,
        }
    }

    /// The form of a signed token that leaves.
    pub(crate) fn wrap(&self, signed: String) -> Result<SecretString, CannotWrap> {
        match self {
            Self::Plain => Ok(signed.into()),
            Self::Encrypted(key) => encrypt(key, signed.as_bytes()).map(Into::into),
            Self::Opaque => {
                let random: [u8; OPAQUE_RANDOM_BYTES] = random::bytes().map_err(|_| CannotWrap)?;
                let text = BASE64_URL_SAFE_NO_PAD.encode(random);
                Ok(format!("{OPAQUE_PREFIX}{text}").into())
            }
        }
    }

    /// The length of the form of a signed token of this length, in bytes.
    pub(crate) fn bytes(&self, signed: usize) -> usize {
        let encoded = |bytes: usize| bytes.saturating_mul(4).div_ceil(3);
        match self {
            Self::Plain => signed,
            Self::Encrypted(key) => {
                // Coordinates are as long as each other; the other parts of the header are always the same.
                let header = header(key, &[0; 64]).len();
                let dots = 4;
                [encoded(header), encoded(NONCE_LEN), encoded(signed)]
                    .into_iter()
                    .fold(encoded(TAG_BYTES) + dots, usize::saturating_add)
            }
            Self::Opaque => OPAQUE_PREFIX.len() + encoded(OPAQUE_RANDOM_BYTES),
        }
    }

    /// Can nobody but the issuer tell from the token which session it is of?
    pub(crate) fn is_reference(&self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// What a token that is not a plain JWS is recognized by.
pub(crate) fn reference(token: &SecretString) -> [u8; 32] {
    reference_of(token.expose_secret())
}

/// The same for a token that somebody presents.
pub(crate) fn reference_of(token: &str) -> [u8; 32] {
    let mut reference = [0; 32];
    reference.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    reference
}

fn encrypt(recipient: &EncryptionKey, plain: &[u8]) -> Result<String, CannotWrap> {
    let own =
        EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(|_| CannotWrap)?;
    let public = own.compute_public_key().map_err(|_| CannotWrap)?;
    // SEC 1, section 2.3.3: one byte, then both coordinates.
    let point: &[u8; 64] = public
        .as_ref()
        .get(1..)
        .and_then(|point| point.try_into().ok())
        .ok_or(CannotWrap)?;
    let header = BASE64_URL_SAFE_NO_PAD.encode(header(recipient, point));
    let peer = UnparsedPublicKey::new(&ECDH_P256, recipient.point());
    let key = agree_ephemeral(own, peer, CannotWrap, |shared| Ok(content_key(shared)))?;
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| CannotWrap)?;
    let nonce: [u8; NONCE_LEN] = random::bytes().map_err(|_| CannotWrap)?;
    let mut sealed = plain.to_vec();
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(header.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| CannotWrap)?;
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    // Where the encrypted key stands in other modes there is nothing: both sides agree on the key.
    let (nonce, sealed, tag) = (text(&nonce), text(&sealed), text(tag.as_ref()));
    Ok(format!("{header}..{nonce}.{sealed}.{tag}"))
}

fn header(recipient: &EncryptionKey, point: &[u8; 64]) -> String {
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = point.split_at(32);
    let epk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) });
    let mut header = json!({ "alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "epk": epk });
    if let Some(kid) = recipient.key_id() {
        header["kid"] = kid.into();
    }
    header.to_string()
}

/// The Concat KDF of [RFC 7518, section 4.6.2](https://www.rfc-editor.org/rfc/rfc7518#section-4.6.2) for a key of 256
/// bits: one round of SHA-256.
fn content_key(shared: &[u8]) -> [u8; 32] {
    const ALGORITHM: &[u8] = b"A256GCM";
    let mut context = Context::new(&SHA256);
    context.update(&1_u32.to_be_bytes());
    context.update(shared);
    context.update(&7_u32.to_be_bytes());
    context.update(ALGORITHM);
    let (party_u, party_v, key_bits) = (0_u32, 0_u32, 256_u32);
    for number in [party_u, party_v, key_bits] {
        context.update(&number.to_be_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivation of RFC 7518, appendix C, has parties and 128 bits; this is the same with none and 256, computed
    /// with Python's hashlib from the same shared secret.
    #[test]
    fn the_content_key_is_that_of_the_concat_kdf() {
        let shared: [u8; 32] = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = BASE64_URL_SAFE_NO_PAD.encode(content_key(&shared));
        assert_eq!(key, "sn4a5FuGA19w_9WEuHo1U71fFW7At1TNTQ909lYtNTU");
    }

    #[test]
    fn opaque_tokens_are_random_and_as_long_as_said() {
        let wrap = || Wrapping::Opaque.wrap("a.b.c".to_owned()).unwrap();
        let (first, second) = (wrap(), wrap());
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), Wrapping::Opaque.bytes(5));
        assert_ne!(reference(&first), reference(&second));
    }
}
