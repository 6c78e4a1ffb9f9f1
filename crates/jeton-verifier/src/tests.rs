//! Tokens made here with jsonwebtoken, altered one thing at a time.

use std::sync::OnceLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{EncodingKey, Header as JwtHeader};
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://tokens.example.com/orgs/acme";

fn key() -> EncodingKey {
    static PRIVATE_KEY: OnceLock<Vec<u8>> = OnceLock::new();
    let der = PRIVATE_KEY.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        pair.to_pkcs8v1().unwrap().as_ref().to_vec()
    });
    EncodingKey::from_ec_der(der)
}

fn verifier() -> Verifier {
    let mut jwk = Jwk::from_encoding_key(&key(), Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("k1".into());
    jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
    Verifier::new(ISSUER, "analytics", &json!({ "keys": [jwk] }).to_string()).unwrap()
}

fn header() -> JwtHeader {
    let mut header = JwtHeader::new(Algorithm::ES256);
    header.typ = Some("at+jwt".into());
    header.kid = Some("k1".into());
    header
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "analytics", "sub": "user-42", "client_id": "key_000000000000", "jti": "j",
        "iat": NOW, "nbf": NOW - 10, "exp": NOW + 900, "roles": ["viewer"], "attributes": { "tenant_id": "t-1" },
    })
}

fn sign(header: &JwtHeader, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &key()).unwrap()
}

#[test]
fn a_good_token_gives_its_claims() {
    let claims = verifier().verify(&sign(&header(), &claims()), NOW).unwrap();
    assert_eq!(claims.sub, "user-42");
    assert_eq!(claims.attribute("tenant_id"), Some(&json!("t-1")));
    assert_eq!(claims.attribute("regions"), None);
}

#[test]
fn a_token_altered_in_any_character_is_refused() {
    let token = sign(&header(), &claims());
    let verifier = verifier();
    for at in 0..token.len() {
        for replacement in "ABab019-_.=~ ".chars() {
            let mut altered = token.clone();
            altered.replace_range(at..=at, &replacement.to_string());
            assert!(
                altered == token || verifier.verify(&altered, NOW).is_err(),
                "{at} {replacement}"
            );
        }
        assert!(verifier.verify(&token[..at], NOW).is_err(), "cut at {at}");
    }
    for suffix in ["=", "\n", ".", ".x", " "] {
        assert!(
            verifier.verify(&format!("{token}{suffix}"), NOW).is_err(),
            "{suffix:?}"
        );
    }
}

#[test]
fn every_claim_is_checked() {
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    for (altered, error) in [
        (
            with("iss", json!("https://evil.example.com")),
            VerifyError::Issuer,
        ),
        (with("iss", json!([ISSUER])), VerifyError::Claims),
        (with("aud", json!("analytics.evil")), VerifyError::Audience),
        (with("aud", json!(["analytics"])), VerifyError::Claims),
        (with("exp", json!(NOW)), VerifyError::Expired),
        (with("exp", json!(-1)), VerifyError::Claims),
        (with("exp", json!("9999999999")), VerifyError::Claims),
        (with("exp", json!(1e300)), VerifyError::Claims),
        (
            with("nbf", json!(NOW + LEEWAY_SECONDS + 1)),
            VerifyError::NotYetValid,
        ),
        (with("roles", json!("viewer")), VerifyError::Claims),
        (with("attributes", json!(null)), VerifyError::Claims),
    ] {
        assert_eq!(
            verifier().verify(&sign(&header(), &altered), NOW),
            Err(error),
            "{altered}"
        );
    }
    let required = [
        "iss",
        "aud",
        "sub",
        "client_id",
        "jti",
        "iat",
        "nbf",
        "exp",
        "roles",
        "attributes",
    ];
    for name in required {
        let mut altered = claims();
        altered.as_object_mut().unwrap().remove(name);
        assert_eq!(
            verifier().verify(&sign(&header(), &altered), NOW),
            Err(VerifyError::Claims),
            "no {name}"
        );
    }
}

#[test]
fn only_our_header_is_accepted() {
    let mut no_typ = header();
    no_typ.typ = None;
    let mut jwt = header();
    jwt.typ = Some("JWT".into());
    let mut unknown_kid = header();
    unknown_kid.kid = Some("k2".into());
    let mut with_jku = header();
    with_jku.jku = Some("https://evil.example.com/jwks.json".into());
    let mut with_crit = header();
    with_crit.crit = Some(vec!["b64".into()]);
    for (header, error) in [
        (no_typ, VerifyError::Malformed),
        (jwt, VerifyError::Malformed),
        (unknown_kid, VerifyError::UnknownKey),
        (with_jku, VerifyError::Malformed),
        (with_crit, VerifyError::Malformed),
    ] {
        assert_eq!(
            verifier().verify(&sign(&header, &claims()), NOW),
            Err(error),
            "{header:?}"
        );
    }
}

#[test]
fn unsigned_and_wrongly_signed_tokens_are_refused() {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "nOnE", "HS256", "ES384"] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" });
        let token = format!("{}.{}.", encode(&header), encode(&claims()));
        assert_eq!(
            verifier().verify(&token, NOW),
            Err(VerifyError::Malformed),
            "{alg}"
        );
    }
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
    for signature in [vec![], vec![0; 64], vec![0; 63], vec![1; 65]] {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        let token = format!("{}.{}.{signature}", encode(&header), encode(&claims()));
        assert!(verifier().verify(&token, NOW).is_err());
    }
    assert_eq!(
        verifier().verify(&"a".repeat(MAX_TOKEN_BYTES + 1), NOW),
        Err(VerifyError::Malformed)
    );
}

#[test]
fn a_key_set_without_a_usable_key_is_refused() {
    assert!(matches!(
        Verifier::new(ISSUER, "a", "{"),
        Err(JwksError::Syntax(_))
    ));
    assert!(matches!(
        Verifier::new(ISSUER, "a", r#"{"keys":[]}"#),
        Err(JwksError::NoUsableKey)
    ));
}
