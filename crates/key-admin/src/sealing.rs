//! Secrets at rest: AES-256-GCM under a key derived from the master secret.
//!
//! Sealed form: one version byte, the 96-bit nonce, the ciphertext with its tag. The row's identity is the associated
//! data, so a sealed key copied to another row does not open.
//!
//! While the master secret is being changed there are two of them: what is sealed under either opens, and whatever is
//! sealed is sealed under the current one. `token_issuer::reseal` brings everything over.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretSlice};

use crate::random::{self, NoRandomness};
use crate::{MasterSecret, MasterSecrets};

const VERSION: u8 = 1;

/// Seals and opens.
#[derive(Debug)]
pub struct Sealer {
    current: LessSafeKey,
    previous: Option<LessSafeKey>,
}

/// A sealed value in its row, as the change of the master secret walks through them.
#[derive(Debug)]
pub struct SealedRow {
    /// The row's key as text. Rows are read in its order.
    pub key: String,
    /// What the value is bound to.
    pub identity: String,
    /// The value.
    pub sealed: Vec<u8>,
}

/// Which master secret a value is sealed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedUnder {
    /// The one that seals now.
    Current,
    /// The other one.
    Previous,
}

/// A sealed value does not open: another master secret, or another row's value, or altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct CannotOpen;

/// A value was not brought over to the current master secret.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum CannotReseal {
    /// See [`CannotOpen`].
    #[error(transparent)]
    Open(#[from] CannotOpen),
    /// See [`CannotSeal`].
    #[error(transparent)]
    Seal(#[from] CannotSeal),
}

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
        Ok(Self {
            current: sealing_key(master)?,
            previous: None,
        })
    }

    /// The sealer of a key that was derived elsewhere.
    pub fn with_key(key: UnboundKey) -> Self {
        Self {
            current: LessSafeKey::new(key),
            previous: None,
        }
    }

    /// The sealer that opens what is sealed under either master secret.
    pub fn of_both(secrets: &MasterSecrets) -> Result<Self, CannotOpen> {
        Ok(Self {
            current: sealing_key(secrets.current())?,
            previous: secrets.previous().map(sealing_key).transpose()?,
        })
    }

    /// Seals `plain` for the row that `identity` names, under the current master secret.
    pub fn seal(&self, identity: &str, plain: &SecretSlice<u8>) -> Result<Vec<u8>, CannotSeal> {
        let nonce: [u8; NONCE_LEN] = random::bytes()?;
        let mut sealed = plain.expose_secret().to_vec();
        self.current
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
        self.open_and_tell(identity, sealed).map(|(_, plain)| plain)
    }

    /// Opens what was sealed for the same row, and tells under which master secret.
    pub fn open_and_tell(
        &self,
        identity: &str,
        sealed: &[u8],
    ) -> Result<(SealedUnder, SecretSlice<u8>), CannotOpen> {
        if let Ok(plain) = open(&self.current, identity, sealed) {
            return Ok((SealedUnder::Current, plain));
        }
        let previous = self.previous.as_ref().ok_or(CannotOpen)?;
        open(previous, identity, sealed).map(|plain| (SealedUnder::Previous, plain))
    }

    /// The same value, sealed under the current master secret; `None` when it is already.
    pub fn reseal(&self, identity: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, CannotReseal> {
        match self.open_and_tell(identity, sealed)? {
            (SealedUnder::Current, _) => Ok(None),
            (SealedUnder::Previous, plain) => Ok(Some(self.seal(identity, &plain)?)),
        }
    }
}

fn sealing_key(master: &MasterSecret) -> Result<LessSafeKey, CannotOpen> {
    let key = master.derive("jeton/seal/v1");
    UnboundKey::new(&AES_256_GCM, key.expose_secret())
        .map(LessSafeKey::new)
        .map_err(|_| CannotOpen)
}

fn open(key: &LessSafeKey, identity: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, CannotOpen> {
    let (&VERSION, rest) = sealed.split_first().ok_or(CannotOpen)? else {
        return Err(CannotOpen);
    };
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(CannotOpen)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
    let mut opened = ciphertext.to_vec();
    let length = key
        .open_in_place(nonce, Aad::from(identity.as_bytes()), &mut opened)
        .map_err(|_| CannotOpen)?
        .len();
    opened.truncate(length);
    Ok(opened.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(digits: &str) -> MasterSecret {
        MasterSecret::parse(&digits.repeat(16)).unwrap()
    }

    fn sealer(digits: &str) -> Sealer {
        Sealer::new(&master(digits)).unwrap()
    }

    fn changing(from: &str, to: &str) -> Sealer {
        let secrets = MasterSecrets::new(master(to), Some(master(from))).unwrap();
        Sealer::of_both(&secrets).unwrap()
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
    fn with_two_secrets_either_opens_and_the_current_one_seals() {
        let plain: SecretSlice<u8> = b"private".to_vec().into();
        let both = changing("0123", "4567");
        let old = sealer("0123").seal("row", &plain).unwrap();
        let new = both.seal("row", &plain).unwrap();
        for (sealed, under) in [(&old, SealedUnder::Previous), (&new, SealedUnder::Current)] {
            let (told, opened) = both.open_and_tell("row", sealed).unwrap();
            assert_eq!((told, opened.expose_secret()), (under, &b"private"[..]));
            assert!(both.open("another row", sealed).is_err());
        }
        assert!(sealer("4567").open("row", &new).is_ok());
        assert!(sealer("0123").open("row", &new).is_err());
        let strange = sealer("89ab").seal("row", &plain).unwrap();
        assert!(both.open("row", &strange).is_err());
    }

    #[test]
    fn a_value_is_brought_over_once_and_stays_itself() {
        let plain: SecretSlice<u8> = b"private".to_vec().into();
        let both = changing("0123", "4567");
        let old = sealer("0123").seal("row", &plain).unwrap();
        let new = both.reseal("row", &old).unwrap().unwrap();
        let opened = sealer("4567").open("row", &new).unwrap();
        assert_eq!(opened.expose_secret(), b"private");
        assert!(both.reseal("row", &new).unwrap().is_none());
        assert!(both.reseal("another row", &old).is_err());
        let strange = sealer("89ab").seal("row", &plain).unwrap();
        assert!(matches!(
            both.reseal("row", &strange),
            Err(CannotReseal::Open(CannotOpen))
        ));
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
