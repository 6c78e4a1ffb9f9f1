//! The master secret, from which the keys are derived that seal every other server secret.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf;
use secrecy::{ExposeSecret, SecretBox, SecretSlice};

use crate::random::{self, NoRandomness};

/// At least 32 random bytes that belong to one installation. Losing it loses all API keys and signing keys; whoever
/// has it and the database has everything.
///
/// Other keys are derived with HKDF-SHA-256 (RFC 5869), each under a label of its own, so that no two purposes share
/// a key.
#[derive(Debug)]
pub struct MasterSecret(SecretSlice<u8>);

/// Why a text is no master secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterSecret {
    /// Not 64 hex digits or more.
    #[error(
        "the master secret must be at least 64 hex digits (32 random bytes): `openssl rand -hex 32` makes one"
    )]
    TooShortOrNotHex,
    /// All bytes are alike: somebody's placeholder.
    #[error("the master secret is a placeholder, not random")]
    Placeholder,
}

impl MasterSecret {
    /// Reads hex digits; white space around them is ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterSecret> {
        let bytes = decode_hex(text.trim()).ok_or(InvalidMasterSecret::TooShortOrNotHex)?;
        if bytes.len() < 32 {
            return Err(InvalidMasterSecret::TooShortOrNotHex);
        }
        if bytes.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(InvalidMasterSecret::Placeholder);
        }
        Ok(Self(bytes.into()))
    }

    /// The text form of a fresh secret.
    pub fn generate_hex() -> Result<secrecy::SecretString, NoRandomness> {
        let bytes: [u8; 32] = random::bytes()?;
        Ok(hex(&bytes).into())
    }

    /// A 256-bit key for one purpose. The label names the purpose and its version, e.g. `jeton/seal/v1`.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "HKDF gives up to 255 times the hash's length (RFC 5869); this asks for once"
    )]
    pub fn derive(&self, label: &'static str) -> SecretBox<[u8; 32]> {
        SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"jeton");
            let extracted = salt.extract(self.0.expose_secret());
            extracted
                .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
                .and_then(|expanded| expanded.fill(key))
                .expect("an output of the hash's own length");
        })
    }
}

/// The master secret and, while it is being changed, another one: what is sealed under either opens, and whatever is
/// sealed is sealed under the current one.
#[derive(Debug)]
pub struct MasterSecrets {
    current: MasterSecret,
    previous: Option<MasterSecret>,
}

/// The two master secrets are one: nothing would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the previous master secret is the master secret itself")]
pub struct SameMasterSecret;

impl MasterSecrets {
    /// Takes the current secret and the one before it.
    pub fn new(
        current: MasterSecret,
        previous: Option<MasterSecret>,
    ) -> Result<Self, SameMasterSecret> {
        let same = |it: &MasterSecret| {
            verify_slices_are_equal(it.0.expose_secret(), current.0.expose_secret()).is_ok()
        };
        if previous.as_ref().is_some_and(same) {
            return Err(SameMasterSecret);
        }
        Ok(Self { current, previous })
    }

    /// The secret under which everything new is sealed.
    pub fn current(&self) -> &MasterSecret {
        &self.current
    }

    /// The other one, if there is one.
    pub fn previous(&self) -> Option<&MasterSecret> {
        self.previous.as_ref()
    }
}

impl From<MasterSecret> for MasterSecrets {
    fn from(current: MasterSecret) -> Self {
        Self {
            current,
            previous: None,
        }
    }
}

/// Two lower-case digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_gets_its_own_key() {
        let secret = MasterSecret::parse(&"0123456789abcdef".repeat(4)).unwrap();
        let seal = secret.derive("jeton/seal/v1");
        assert_ne!(
            seal.expose_secret(),
            secret.derive("jeton/pepper/v1").expose_secret()
        );
        assert_eq!(
            seal.expose_secret(),
            secret.derive("jeton/seal/v1").expose_secret()
        );
        assert_ne!(seal.expose_secret(), &[0; 32]);
    }

    #[test]
    fn short_placeholder_and_garbled_secrets_are_refused() {
        use InvalidMasterSecret::{Placeholder, TooShortOrNotHex};
        for (text, fault) in [
            (String::new(), TooShortOrNotHex),
            ("ab".repeat(31), TooShortOrNotHex),
            ("x".repeat(64), TooShortOrNotHex),
            ("é".repeat(64), TooShortOrNotHex),
            ("00".repeat(32), Placeholder),
        ] {
            assert_eq!(MasterSecret::parse(&text).unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_its_own_predecessor() {
        let parse = |text: &str| MasterSecret::parse(text).unwrap();
        let (one, other) = ("0123456789abcdef".repeat(4), "fedc".repeat(16));
        let same = MasterSecrets::new(parse(&one), Some(parse(&one.to_uppercase())));
        assert_eq!(same.unwrap_err(), SameMasterSecret);
        let both = MasterSecrets::new(parse(&one), Some(parse(&other))).unwrap();
        let seal = |of: &MasterSecret| *of.derive("jeton/seal/v1").expose_secret();
        assert_eq!(seal(both.current()), seal(&parse(&one)));
        assert_eq!(seal(both.previous().unwrap()), seal(&parse(&other)));
        assert!(MasterSecrets::from(parse(&one)).previous().is_none());
    }

    #[test]
    fn it_does_not_print() {
        let text = "0123456789abcdef".repeat(4);
        let shown = format!("{:?}", MasterSecret::parse(&text).unwrap());
        assert!(!shown.contains("01") && !shown.contains("1, 35"), "{shown}");
    }
}
