//! Which keys of a JWKS count.

use serde_json::{Value, json};

use super::support::{
    AUDIENCE, ISSUER, NOW, PUBLIC_ALGORITHMS, SECRET, Signer, claims, encode, rules,
};
use crate::{Algorithm, JwksError, Verifier};

fn read(algorithm: Algorithm, keys: &Value) -> Result<Verifier, JwksError> {
    Verifier::from_jwks(rules(), algorithm, &json!({ "keys": keys }).to_string())
}

fn is_unusable(algorithm: Algorithm, keys: &Value) -> bool {
    matches!(read(algorithm, keys), Err(JwksError::NoUsableKey(named)) if named == algorithm)
}

#[test]
fn a_text_that_is_no_key_set_is_refused() {
    for text in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[]}x"#,
    ] {
        let result = Verifier::new(ISSUER, AUDIENCE, text);
        assert!(matches!(result, Err(JwksError::Syntax(_))), "{text}");
    }
    let repeated = r#"{"keys":[],"keys":[]}"#;
    assert!(matches!(
        Verifier::new(ISSUER, AUDIENCE, repeated),
        Err(JwksError::Syntax(_))
    ));
    assert!(is_unusable(Algorithm::Es256, &json!([])));
}

#[test]
fn a_key_with_any_member_that_does_not_fit_does_not_count() {
    for algorithm in PUBLIC_ALGORITHMS {
        let good = Signer::new(algorithm, "k1").jwk();
        assert!(read(algorithm, &json!([good])).is_ok(), "{algorithm}");
        for (member, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES384")),
            ("alg", json!(algorithm.name().to_lowercase())),
            ("alg", json!(null)),
            ("kty", json!("oct")),
            ("kty", json!("AKP")),
            ("use", json!("enc")),
            ("use", json!(null)),
            ("use", json!(["sig"])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!([])),
            ("key_ops", json!("verify")),
            ("kid", json!("")),
            ("kid", json!(7)),
            ("d", json!("AQAB")),
        ] {
            let mut bad = good.clone();
            bad[member] = value.clone();
            assert!(
                is_unusable(algorithm, &json!([bad])),
                "{algorithm} {member} {value}"
            );
        }
        for member in ["alg", "kty", "kid"] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(member);
            assert!(
                is_unusable(algorithm, &json!([bad])),
                "{algorithm} no {member}"
            );
        }
        let mut plain = good.clone();
        plain.as_object_mut().unwrap().remove("use");
        plain["key_ops"] = json!(["verify"]);
        assert!(read(algorithm, &json!([plain])).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_key_that_is_no_point_of_its_curve_does_not_count() {
    let ec = Signer::es256().jwk();
    let ed = Signer::new(Algorithm::EdDsa, "k1").jwk();
    for (algorithm, jwk, member, value) in [
        (Algorithm::Es256, &ec, "x", encode([0; 32])),
        (Algorithm::Es256, &ec, "y", encode([1; 31])),
        (Algorithm::Es256, &ec, "x", encode([0; 33])),
        (Algorithm::Es256, &ec, "crv", "P-384".to_owned()),
        (Algorithm::Es256, &ec, "crv", "secp256k1".to_owned()),
        (
            Algorithm::Es256,
            &ec,
            "x",
            format!("{}=", ec["x"].as_str().unwrap()),
        ),
        (Algorithm::EdDsa, &ed, "x", encode([1; 31])),
        (Algorithm::EdDsa, &ed, "x", encode([1; 44])),
        (Algorithm::EdDsa, &ed, "crv", "X25519".to_owned()),
    ] {
        let mut bad = jwk.clone();
        bad[member] = json!(value);
        assert!(is_unusable(algorithm, &json!([bad])), "{member} {value}");
    }
}

#[test]
fn short_rsa_keys_and_weak_exponents_do_not_count() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let good = Signer::new(algorithm, "k1").jwk();
        let modulus = crate::jws::decode(good["n"].as_str().unwrap()).unwrap();
        let mut almost = modulus.clone();
        almost[0] &= 0x7f;
        let padded = [&[0; 128], &modulus[..128]].concat();
        for (member, bytes) in [
            ("n", &modulus[..64]),
            ("n", &modulus[..128]),
            ("n", &almost),
            ("n", &padded),
            ("n", &[][..]),
            ("n", &[0xff; 1025][..]),
            ("e", &[1][..]),
            ("e", &[3][..]),
            ("e", &[1, 0, 0][..]),
            ("e", &[][..]),
            ("e", &[0xff; 9][..]),
        ] {
            let mut bad = good.clone();
            bad[member] = json!(encode(bytes));
            assert!(is_unusable(algorithm, &json!([bad])), "{member} {bytes:?}");
        }
    }
}

#[test]
fn a_secret_in_a_key_set_is_never_used() {
    let secret = Signer::with_secret(SECRET).jwk();
    for algorithm in PUBLIC_ALGORITHMS {
        assert!(is_unusable(algorithm, &json!([secret])));
    }
    assert!(matches!(
        read(Algorithm::Hs256, &json!([secret])),
        Err(JwksError::Symmetric)
    ));
}

#[test]
fn two_keys_of_one_name_refuse_the_set_and_unusable_ones_do_not_matter() {
    let (first, second) = (Signer::es256(), Signer::es256());
    assert!(matches!(
        read(Algorithm::Es256, &json!([first.jwk(), second.jwk()])),
        Err(JwksError::RepeatedKid)
    ));
    let others = json!([
        { "kty": "new", "kid": "k1" }, {}, Signer::new(Algorithm::EdDsa, "k1").jwk(), first.jwk(),
    ]);
    let verifier = read(Algorithm::Es256, &others).unwrap();
    assert!(verifier.verify(&first.sign(&claims()), NOW).is_ok());
    assert!(verifier.verify(&second.sign(&claims()), NOW).is_err());
}
