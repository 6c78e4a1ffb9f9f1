//! One algorithm per verifier, chosen by nobody but it.

use serde_json::json;

use super::support::{NOW, PUBLIC_ALGORITHMS, SECRET, Signer, claims, jwks, rules, verifier_of};
use crate::{Algorithm, SecretError, Verifier, VerifyError};

fn all() -> Vec<Algorithm> {
    PUBLIC_ALGORITHMS
        .into_iter()
        .chain([Algorithm::Hs256])
        .collect()
}

#[test]
fn each_algorithm_verifies_its_own_tokens_and_no_others() {
    let signers: Vec<_> = all()
        .into_iter()
        .map(|algorithm| Signer::new(algorithm, "k1"))
        .collect();
    for pinned in &signers {
        let verifier = verifier_of(pinned);
        for signer in &signers {
            let result = verifier.verify(&signer.sign(&claims()), NOW);
            if signer.algorithm == pinned.algorithm {
                assert!(result.is_ok(), "{} {result:?}", signer.algorithm);
            } else {
                assert_eq!(result, Err(VerifyError::Malformed), "{}", signer.algorithm);
            }
        }
    }
}

#[test]
fn a_signature_of_another_algorithm_under_the_pinned_name_is_refused() {
    let signers: Vec<_> = all()
        .into_iter()
        .map(|algorithm| Signer::new(algorithm, "k1"))
        .collect();
    for pinned in &signers {
        for signer in signers
            .iter()
            .filter(|signer| signer.algorithm != pinned.algorithm)
        {
            let token = signer.sign_text(&pinned.header().to_string(), &claims().to_string());
            assert_eq!(
                verifier_of(pinned).verify(&token, NOW),
                Err(VerifyError::Signature),
                "{} as {}",
                signer.algorithm,
                pinned.algorithm
            );
        }
    }
}

#[test]
fn a_set_of_all_algorithms_is_read_for_the_pinned_one_alone() {
    let signers: Vec<_> = PUBLIC_ALGORITHMS
        .into_iter()
        .map(|algorithm| Signer::new(algorithm, algorithm.name()))
        .collect();
    let set = jwks(&signers);
    for algorithm in PUBLIC_ALGORITHMS {
        let verifier = Verifier::from_jwks(rules(), algorithm, &set).unwrap();
        for signer in &signers {
            assert_eq!(
                verifier.verify(&signer.sign(&claims()), NOW).is_ok(),
                signer.algorithm == algorithm
            );
        }
    }
}

#[test]
fn secrets_need_length_and_names_of_their_own() {
    let short = Verifier::from_secrets(rules(), [("k1", &SECRET[1..])]);
    assert_eq!(short.unwrap_err(), SecretError::TooShort);
    let twice = Verifier::from_secrets(rules(), [("k1", SECRET), ("k1", SECRET)]);
    assert_eq!(twice.unwrap_err(), SecretError::RepeatedKid);
    let none = Verifier::from_secrets(rules(), [] as [(&str, &[u8]); 0]);
    assert_eq!(none.unwrap_err(), SecretError::None);
}

#[test]
fn a_verifier_with_several_secrets_takes_the_one_that_is_named() {
    let other = [7; 40];
    let verifier =
        Verifier::from_secrets(rules(), [("k1", SECRET), ("k2", other.as_slice())]).unwrap();
    let first = Signer::with_secret(SECRET);
    assert!(verifier.verify(&first.sign(&claims()), NOW).is_ok());
    let mut header = first.header();
    header["kid"] = json!("k2");
    let crossed = first.sign_text(&header.to_string(), &claims().to_string());
    assert_eq!(verifier.verify(&crossed, NOW), Err(VerifyError::Signature));
}

#[test]
fn debug_output_of_a_verifier_has_no_secret() {
    let verifier = verifier_of(&Signer::with_secret(SECRET));
    let output = format!("{verifier:?}");
    assert!(
        output.contains("Hs256") && !output.contains("0123456789"),
        "{output}"
    );
}
