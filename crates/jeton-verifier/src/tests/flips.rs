//! Any change of a token makes it another one.

use proptest::prelude::*;
use serde_json::json;

use super::support::{NOW, PUBLIC_ALGORITHMS, Signer, claims, verifier_of, with};
use crate::Algorithm;

#[test]
fn a_token_with_any_one_bit_flipped_is_refused() {
    for algorithm in PUBLIC_ALGORITHMS.into_iter().chain([Algorithm::Hs256]) {
        let signer = Signer::new(algorithm, "k1");
        let verifier = verifier_of(&signer);
        let token = signer.sign(&claims());
        assert!(verifier.verify(&token, NOW).is_ok());
        for at in 0..token.len() {
            // The eighth bit makes it no text, which the signature of `verify` refuses.
            for bit in 0..7 {
                let mut altered = token.clone().into_bytes();
                altered[at] ^= 1 << bit;
                let altered = String::from_utf8(altered).unwrap();
                assert!(
                    verifier.verify(&altered, NOW).is_err(),
                    "{algorithm} {at} {bit}"
                );
            }
            assert!(verifier.verify(&token[..at], NOW).is_err(), "cut at {at}");
        }
    }
}

proptest! {
    #[test]
    fn a_token_with_one_character_replaced_inserted_or_taken_is_refused(
        subject in "[a-z0-9-]{1,40}",
        place in any::<prop::sample::Index>(),
        character in any::<char>(),
    ) {
        let signer = Signer::es256();
        let verifier = verifier_of(&signer);
        let token = signer.sign(&with("sub", json!(subject)));
        prop_assert!(verifier.verify(&token, NOW).is_ok());
        let at = place.index(token.len());
        let (before, after) = token.split_at(at);
        let replaced = format!("{before}{character}{}", &after[1..]);
        prop_assert!(replaced == token || verifier.verify(&replaced, NOW).is_err());
        let inserted = format!("{before}{character}{after}");
        prop_assert!(verifier.verify(&inserted, NOW).is_err());
        let taken = format!("{before}{}", &after[1..]);
        prop_assert!(verifier.verify(&taken, NOW).is_err());
    }
}
