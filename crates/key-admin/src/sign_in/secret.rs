//! What a browser holds.

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

use crate::api_keys::write_base62;
use crate::random::{self, NoRandomness};

/// 43 base62 digits hold 256 bits.
const LENGTH: usize = 43;

/// 256 random bits in base62.
pub(super) fn fresh() -> Result<SecretString, NoRandomness> {
    let mut random: [u8; 32] = random::bytes()?;
    let mut digits = [0; LENGTH];
    write_base62(&mut random, &mut digits);
    let text: String = digits.iter().copied().map(char::from).collect();
    digits.zeroize();
    random.zeroize();
    Ok(text.into())
}

/// What is stored of it. With 256 random bits, no slow or keyed hash is needed.
pub(super) fn hash(secret: &SecretString) -> Vec<u8> {
    digest(&SHA256, secret.expose_secret().as_bytes())
        .as_ref()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn secrets_are_43_base62_digits_and_never_the_same() {
        let secrets: HashSet<String> = (0..1_000)
            .map(|_| fresh().unwrap().expose_secret().to_owned())
            .collect();
        assert_eq!(secrets.len(), 1_000);
        for secret in secrets {
            assert_eq!(secret.len(), LENGTH);
            assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
