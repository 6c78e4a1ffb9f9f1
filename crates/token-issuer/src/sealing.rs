//! Private keys at rest: AES-256-GCM under a key derived from the master secret.
//!
//! Sealed form: one version byte, the 96-bit nonce, the ciphertext with its tag. The row's identity is the associated
//! data, so a sealed key copied to another row does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use key_admin::MasterSecret;
use key_admin::random::{self, NoRandomness};
use secrecy::{ExposeSecret, SecretSlice};

const VERSION: u8 = 1;

/// Seals and opens.
#[derive(Debug)]
pub struct Sealer(LessSafeKey);

/// A sealed value does not open: another master secret, or another row's value, or altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct CannotOpen;

/// Nothing was sealed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum CannotSeal {
    /// See [`NoRandomness`].
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The value is longer than AES-GCM allows.
    #[error("the value is too long to seal")]
    TooLong,
}

impl Sealer {
    /// The sealer that belongs to this master secret.
    pub fn new(master: &MasterSecret) -> Result<Self, CannotOpen> {
        let key = master.derive("jeton/seal/v1");
        UnboundKey::new(&AES_256_GCM, key.expose_secret())
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| CannotOpen)
    }

    /// The sealer of a key that was derived elsewhere.
    pub(crate) fn with_key(key: UnboundKey) -> Self {
        Self(LessSafeKey::new(key))
    }

    /// Seals `plain` for the row that `identity` names.
    pub fn seal(&self, identity: &str, plain: &SecretSlice<u8>) -> Result<Vec<u8>, CannotSeal> {
        let nonce: [u8; NONCE_LEN] = random::bytes()?;
        let mut sealed = plain.expose_secret().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(identity.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| CannotSeal::TooLong)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same row.
    pub fn open(&self, identity: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, CannotOpen> {
        let (&VERSION, rest) = sealed.split_first().ok_or(CannotOpen)? else {
            return Err(CannotOpen);
        };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(CannotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
        let mut opened = ciphertext.to_vec();
        let length = self
            .0
            .open_in_place(nonce, Aad::from(identity.as_bytes()), &mut opened)
            .map_err(|_| CannotOpen)?
            .len();
        opened.truncate(length);
        Ok(opened.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(digits: &str) -> Sealer {
        Sealer::new(&MasterSecret::parse(&digits.repeat(16)).unwrap()).unwrap()
    }

    #[test]
    fn opens_only_for_the_same_row_and_secret() {
        let plain: SecretSlice<u8> = b"private".to_vec().into();
        let sealed = sealer("0123").seal("row-1", &plain).unwrap();
        assert_eq!(
            sealer("0123")
                .open("row-1", &sealed)
                .unwrap()
                .expose_secret(),
            b"private"
        );
        assert!(
            sealer("0123").open("row-2", &sealed).is_err(),
            "another row"
        );
        assert!(
            sealer("4567").open("row-1", &sealed).is_err(),
            "another master secret"
        );
        assert_ne!(
            sealed,
            sealer("0123").seal("row-1", &plain).unwrap(),
            "a nonce is used once"
        );
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let sealer = sealer("0123");
        let sealed = sealer.seal("row", &b"private".to_vec().into()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                sealer.open("row", &altered).unwrap_err(),
                CannotOpen,
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            assert_eq!(
                sealer.open("row", &sealed[..length]).unwrap_err(),
                CannotOpen,
                "length {length}"
            );
        }
    }
}
