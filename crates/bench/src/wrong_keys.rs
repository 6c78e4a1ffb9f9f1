//! Well-formed API keys, with the right length, alphabet and checksum: some that prove nothing, and those that
//! [`crowd`](crate::crowd) gives out.

use anyhow::Context;

/// How many different ones there are of each kind. More than there are connections by default, so that no key is
/// presented twice at the same time: the product would check it once.
const COUNT: u32 = 4096;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

/// Keys whose ids were never given out: the odds are those of a collision of 71 random bits with a small number.
pub(crate) fn with_unknown_ids() -> impl Iterator<Item = String> {
    (0..COUNT).map(|number| {
        let id = base62::<ID_LENGTH>(number);
        with_checksum(&format!("jtn_{id}_{}", base62::<SECRET_LENGTH>(number)))
    })
}

/// Keys with the id of this one and other secrets.
pub(crate) fn with_wrong_secrets(key: &str) -> anyhow::Result<impl Iterator<Item = String>> {
    let (prefix, _) = key.rsplit_once('_').context("the key has no secret")?;
    Ok((0..COUNT)
        .map(move |number| with_checksum(&format!("{prefix}_{}", base62::<SECRET_LENGTH>(number)))))
}

/// The key of this number, and of no other. Their ids are in no order, as those of the product.
pub(crate) fn numbered(number: u32) -> String {
    // Multiplying by an odd number gives each number another one.
    let id = base62::<{ ID_LENGTH - 1 }>(number.wrapping_mul(2_654_435_761));
    with_checksum(&format!("jtn_K{id}_{}", base62::<SECRET_LENGTH>(number)))
}

fn with_checksum(signed: &str) -> String {
    let checksum = base62::<CHECKSUM_LENGTH>(crc32fast::hash(signed.as_bytes()));
    format!("{signed}{checksum}")
}

/// The number with leading zeros.
fn base62<const DIGITS: usize>(mut number: u32) -> String {
    let mut digits = ['0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize].into();
        number /= 62;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use key_admin::PresentedKey;

    use super::*;

    #[test]
    fn they_are_well_formed_and_all_different() {
        let known = with_unknown_ids().last().unwrap();
        let wrong: Vec<String> = with_wrong_secrets(&known).unwrap().collect();
        let id = PresentedKey::parse(&known).unwrap().id();
        for key in &wrong {
            assert_eq!(PresentedKey::parse(key).unwrap().id(), id);
        }
        let unknown: HashSet<_> = with_unknown_ids()
            .map(|key| PresentedKey::parse(&key).unwrap().id())
            .collect();
        let wrong: HashSet<_> = wrong.into_iter().collect();
        let numbered: HashSet<_> = (0..COUNT)
            .map(|number| PresentedKey::parse(&numbered(number)).unwrap().id())
            .collect();
        let counts = [unknown.len(), wrong.len(), numbered.len()];
        assert_eq!(counts, [4096; 3]);
        assert!(unknown.is_disjoint(&numbered));
    }
}
