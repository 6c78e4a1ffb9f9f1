//! What an API key looks like: `jtn_<id: 12 base62>_<secret: 43 base62><checksum: 6 base62>`.
//!
//! The id is public and indexed. The secret is 256 bits. The checksum, CRC-32 over everything before it, lets a
//! scanner or a typing mistake be told apart without asking the database.

use std::fmt;
use std::str::FromStr;

use secrecy::{SecretString, zeroize::Zeroize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use storage::ids::InvalidId;

use crate::random::{self, NoRandomness};

const PREFIX: &str = "jtn_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const SECRET_START: usize = PREFIX.len() + ID_LENGTH + 1;
const CHECKSUM_START: usize = SECRET_START + SECRET_LENGTH;
const KEY_LENGTH: usize = CHECKSUM_START + CHECKSUM_LENGTH;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The public part of a key, its identifier: 12 characters, 71 bits. Text form: `key_` and the characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId([u8; ID_LENGTH]);

impl ApiKeyId {
    /// The 12 characters, as the key itself and the database hold them.
    pub fn as_str(&self) -> &str {
        // Only base62 characters get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// `jtn_` and the id: the part of the key that may be shown.
    pub fn key_prefix(&self) -> String {
        format!("{PREFIX}{}", self.as_str())
    }

    /// The identifier of these 12 characters, without its prefix.
    pub fn from_characters(text: &str) -> Option<Self> {
        let bytes: [u8; ID_LENGTH] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_alphanumeric)
            .then_some(Self(bytes))
    }

    fn generate() -> Result<Self, NoRandomness> {
        let mut random: [u8; 9] = random::bytes()?;
        let mut id = [0; ID_LENGTH];
        write_base62(&mut random, &mut id);
        Ok(Self(id))
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key_{}", self.as_str())
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ApiKeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("key_")
            .and_then(Self::from_characters)
            .ok_or(InvalidId)
    }
}

impl Serialize for ApiKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiKeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A well-formed key that somebody presented. Nothing is proven yet.
#[derive(Clone, Debug)]
pub struct PresentedKey {
    id: ApiKeyId,
    whole: SecretString,
}

/// The text is no API key: wrong length, alphabet or checksum. Which one stays untold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed API key")]
pub struct MalformedKey;

impl PresentedKey {
    /// Checks length, alphabet and checksum, in this order; asks nobody.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        if text.len() != KEY_LENGTH || !text.is_ascii() {
            return Err(MalformedKey);
        }
        let (signed, checksum) = text.split_at(CHECKSUM_START);
        let id = signed
            .get(PREFIX.len()..SECRET_START - 1)
            .and_then(ApiKeyId::from_characters);
        let secret = &signed[SECRET_START..];
        let well_formed = signed.starts_with(PREFIX)
            && signed.as_bytes()[SECRET_START - 1] == b'_'
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match id {
            Some(id) if well_formed && checksum.as_bytes() == checksum_of(signed) => Ok(Self {
                id,
                whole: text.into(),
            }),
            _ => Err(MalformedKey),
        }
    }

    /// The public part.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// The whole key. Hashing all of it binds the hash to the id: a hash moved to another row proves nothing.
    pub(crate) fn whole(&self) -> &SecretString {
        &self.whole
    }
}

/// A fresh key: its id and the whole of it.
pub(crate) fn generate() -> Result<(ApiKeyId, SecretString), NoRandomness> {
    let id = ApiKeyId::generate()?;
    Ok((id, with_fresh_secret(id)?))
}

/// The whole key of this id, with a secret that nobody has had before.
pub(super) fn with_fresh_secret(id: ApiKeyId) -> Result<SecretString, NoRandomness> {
    let mut random: [u8; 32] = random::bytes()?;
    let mut secret = [0; SECRET_LENGTH];
    write_base62(&mut random, &mut secret);
    let mut key = format!("{PREFIX}{}_", id.as_str());
    key.extend(secret.iter().copied().map(char::from));
    let checksum = checksum_of(&key);
    key.extend(checksum.iter().copied().map(char::from));
    secret.zeroize();
    random.zeroize();
    Ok(key.into())
}

pub(super) fn checksum_of(signed: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut text = [0; CHECKSUM_LENGTH];
    write_base62(
        &mut crc32fast::hash(signed.as_bytes()).to_be_bytes(),
        &mut text,
    );
    text
}

/// Writes a big-endian number in base 62, most significant digit first, by long division; `number` ends as zero.
pub(crate) fn write_base62(number: &mut [u8], text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in number.iter_mut() {
            let dividend = remainder * 256 + u32::from(*byte);
            // A remainder is below 62, so the quotient is below 256.
            *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
            remainder = dividend % 62;
        }
        *digit = BASE62[remainder as usize];
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn fresh() -> String {
        generate().unwrap().1.expose_secret().to_owned()
    }

    #[test]
    fn a_fresh_key_has_the_format_and_reads_back() {
        let (id, key) = generate().unwrap();
        let key = key.expose_secret();
        assert_eq!(key.len(), 66);
        assert!(key.starts_with(&format!("jtn_{}_", id.as_str())));
        let presented = PresentedKey::parse(key).unwrap();
        assert_eq!(presented.id(), id);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn base62_is_positional() {
        let mut text = [0; 3];
        write_base62(&mut 3_843_u16.to_be_bytes(), &mut text);
        assert_eq!(&text, b"0zz");
        write_base62(&mut 3_844_u16.to_be_bytes(), &mut text);
        assert_eq!(&text, b"100");
    }

    #[test]
    fn the_checksum_is_crc_32_over_everything_before_it() {
        // CRC-32 of "123456789" is 0xCBF43926 (the algorithm's published check value).
        let mut expected = [0; CHECKSUM_LENGTH];
        write_base62(&mut 0xCBF4_3926_u32.to_be_bytes(), &mut expected);
        assert_eq!(checksum_of("123456789"), expected);
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let key = fresh();
        for at in 0..key.len() {
            for replacement in ['A', 'z', '0', '_', '-', ' ', 'é', '\0'] {
                let mut altered: Vec<char> = key.chars().collect();
                if altered[at] == replacement {
                    continue;
                }
                altered[at] = replacement;
                let altered: String = altered.into_iter().collect();
                assert_eq!(
                    PresentedKey::parse(&altered).unwrap_err(),
                    MalformedKey,
                    "{at}"
                );
            }
        }
    }

    #[test]
    fn other_lengths_and_junk_are_refused() {
        let key = fresh();
        for junk in [
            "",
            "jtn_",
            &key[..65],
            &format!("{key}0"),
            &"é".repeat(33),
            &"j".repeat(66),
        ] {
            assert_eq!(
                PresentedKey::parse(junk).unwrap_err(),
                MalformedKey,
                "{junk}"
            );
        }
    }

    #[test]
    fn keys_do_not_print() {
        let key = fresh();
        let shown = format!("{:?}", PresentedKey::parse(&key).unwrap());
        assert!(!shown.contains(&key[SECRET_START..]), "{shown}");
    }

    #[test]
    fn ten_thousand_keys_are_all_different_and_use_the_whole_alphabet() {
        let keys: std::collections::HashSet<String> = (0..10_000).map(|_| fresh()).collect();
        assert_eq!(keys.len(), 10_000);
        let last_digits: std::collections::HashSet<char> = keys
            .iter()
            .filter_map(|key| key[..CHECKSUM_START].chars().last())
            .collect();
        assert_eq!(last_digits.len(), 62);
    }
}
