//! Numbers that are no signature, and two that are the same one.

use super::support::{NOW, Signer, claims, encode, verifier_of};
use crate::keys::in_range;
use crate::{Algorithm, VerifyError};

fn refused(token: &str, signer: &Signer) -> VerifyError {
    verifier_of(signer).verify(token, NOW).unwrap_err()
}

/// CVE-2022-21449 ("psychic signatures") and other numbers that are no signature.
#[test]
fn signatures_of_zero_or_out_of_range_are_refused() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    let (message, good) = token.rsplit_once('.').unwrap();
    let good = crate::jws::decode(good).unwrap();
    let order = [
        0xff_u8, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25,
        0x51,
    ];
    let (zero, full) = ([0; 32], [0xff; 32]);
    let (r, s) = good.split_at(32);
    for signature in [
        [zero, zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [order, order].concat(),
        [r, &order].concat(),
        [&order, s].concat(),
        [full, full].concat(),
        [s, r].concat(),
        r.to_vec(),
        vec![],
        vec![0; 63],
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        [&good[..], &good[..]].concat(),
        // The ASN.1 form of the same numbers, which other protocols use.
        [&[0x30, 68, 2, 32][..], r, &[2, 32], s].concat(),
    ] {
        let altered = format!("{message}.{}", encode(&signature));
        assert!(!in_range(&signature) || signature == [s, r].concat());
        assert_eq!(
            refused(&altered, &signer),
            VerifyError::Signature,
            "{signature:?}"
        );
    }
    for algorithm in [
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Hs256,
    ] {
        let signer = Signer::new(algorithm, "k1");
        let token = signer.sign(&claims());
        let (message, good) = token.rsplit_once('.').unwrap();
        let length = crate::jws::decode(good).unwrap().len();
        for signature in [
            vec![],
            vec![0; length],
            vec![0xff; length],
            vec![1; length + 1],
        ] {
            let altered = format!("{message}.{}", encode(signature));
            assert_eq!(
                refused(&altered, &signer),
                VerifyError::Signature,
                "{algorithm}"
            );
        }
    }
}

/// The documented stance: both twins of an ES256 signature are valid, as RFC 7518 has it.
#[test]
fn the_twin_of_an_es256_signature_is_accepted_as_the_same_session() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = crate::jws::decode(signature).unwrap();
    let order: [u8; 32] = crate::jws::decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE")
        .unwrap()
        .try_into()
        .unwrap();
    let mut twin = signature.clone();
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        twin[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let twin = format!("{message}.{}", encode(twin));
    assert_ne!(twin, token);
    let verifier = verifier_of(&signer);
    assert_eq!(
        verifier.verify(&twin, NOW).unwrap().jti,
        verifier.verify(&token, NOW).unwrap().jti
    );
}
