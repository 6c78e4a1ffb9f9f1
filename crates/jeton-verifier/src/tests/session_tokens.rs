//! What a session token must say, with tokens signed by another library.

use std::sync::OnceLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm as JwtAlgorithm, EncodingKey, Header as JwtHeader};
use serde_json::{Value, json};

use super::support::{AUDIENCE, ISSUER, NOW, Signer, claims, jwks, rules, verifier_of, with};
use crate::{
    Algorithm, DEFAULT_LEEWAY_SECONDS, LeewayTooLarge, Missing, Rules, Verifier, VerifyError,
};

fn key() -> EncodingKey {
    static PRIVATE_KEY: OnceLock<Vec<u8>> = OnceLock::new();
    let der = PRIVATE_KEY.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        pair.to_pkcs8v1().unwrap().as_ref().to_vec()
    });
    EncodingKey::from_ec_der(der)
}

fn verifier() -> Verifier {
    let mut jwk = Jwk::from_encoding_key(&key(), JwtAlgorithm::ES256).unwrap();
    jwk.common.key_id = Some("k1".into());
    jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
    Verifier::new(ISSUER, AUDIENCE, &json!({ "keys": [jwk] }).to_string()).unwrap()
}

fn sign(claims: &Value) -> String {
    let mut header = JwtHeader::new(JwtAlgorithm::ES256);
    header.typ = Some("at+jwt".into());
    header.kid = Some("k1".into());
    jsonwebtoken::encode(&header, claims, &key()).unwrap()
}

#[test]
fn a_good_token_gives_its_claims() {
    let claims = verifier().verify(&sign(&claims()), NOW).unwrap();
    assert_eq!(claims.sub, "user-42");
    assert_eq!(claims.signing_key(), "k1");
    assert_eq!(claims.attributes().string("tenant_id"), Ok("t-1"));
    assert!(claims.attributes().strings("regions").is_err());
}

#[test]
fn claims_are_written_as_they_were_read() {
    let mut payload = claims();
    payload["resources"] = json!([{ "type": "dashboard", "id": "sales" }]);
    let claims = verifier().verify(&sign(&payload), NOW).unwrap();
    assert_eq!(serde_json::to_value(&claims).unwrap(), payload);
}

#[test]
fn debug_output_has_neither_subject_nor_attribute_values() {
    let claims = verifier().verify(&sign(&claims()), NOW).unwrap();
    let output = format!("{claims:?}");
    assert!(output.contains("tenant_id"), "{output}");
    assert!(
        !output.contains("t-1") && !output.contains("user-42"),
        "{output}"
    );
}

#[test]
fn every_claim_is_checked() {
    let leeway = DEFAULT_LEEWAY_SECONDS;
    for (altered, error) in [
        (
            with("iss", json!("https://evil.example.com")),
            VerifyError::Issuer,
        ),
        (
            with("iss", json!(format!("{ISSUER}/"))),
            VerifyError::Issuer,
        ),
        (with("iss", json!([ISSUER])), VerifyError::Claims),
        (with("aud", json!("analytics.evil")), VerifyError::Audience),
        (with("aud", json!("Analytics")), VerifyError::Audience),
        (with("aud", json!([AUDIENCE])), VerifyError::Claims),
        (with("exp", json!(NOW)), VerifyError::Claims),
        (with("exp", json!(-1)), VerifyError::Claims),
        (with("exp", json!("9999999999")), VerifyError::Claims),
        (with("exp", json!(1e300)), VerifyError::Claims),
        (with("exp", json!(u64::MAX)), VerifyError::Claims),
        (with("exp", json!(true)), VerifyError::Claims),
        (with("exp", Value::Null), VerifyError::Claims),
        (with("iat", json!(1.5)), VerifyError::Claims),
        (
            with("nbf", json!(NOW + leeway + 1)),
            VerifyError::NotYetValid,
        ),
        (
            with("iat", json!(NOW + leeway + 1)),
            VerifyError::NotYetValid,
        ),
        (with("sub", json!("")), VerifyError::Claims),
        (with("jti", json!("")), VerifyError::Claims),
        (with("client_id", json!("")), VerifyError::Claims),
        (with("roles", json!("viewer")), VerifyError::Claims),
        (with("roles", json!([1])), VerifyError::Claims),
        (with("attributes", json!(null)), VerifyError::Claims),
        (with("resources", json!([])), VerifyError::Claims),
        (
            with(
                "resources",
                json!([{ "type": "d", "id": "1", "only": "x" }]),
            ),
            VerifyError::Claims,
        ),
        (with("scope", json!(["a"])), VerifyError::Claims),
        (with("cnf", json!({ "jkt": "x" })), VerifyError::Claims),
    ] {
        assert_eq!(
            verifier().verify(&sign(&altered), NOW),
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
            verifier().verify(&sign(&altered), NOW),
            Err(VerifyError::Claims),
            "no {name}"
        );
    }
}

#[test]
fn leeway_is_for_beginnings_and_never_for_the_end() {
    let signer = Signer::es256();
    let verifier = |seconds| {
        let rules = rules().leeway_seconds(seconds).unwrap();
        Verifier::from_jwks(rules, Algorithm::Es256, &jwks([&signer])).unwrap()
    };
    let token = signer.sign(&claims());
    for leeway in [0, 30, 300] {
        assert!(verifier(leeway).verify(&token, NOW + 899).is_ok());
        assert_eq!(
            verifier(leeway).verify(&token, NOW + 900),
            Err(VerifyError::Expired)
        );
        assert!(verifier(leeway).verify(&token, NOW - leeway).is_ok());
        assert_eq!(
            verifier(leeway).verify(&token, NOW - leeway - 1),
            Err(VerifyError::NotYetValid)
        );
    }
    assert_eq!(rules().leeway_seconds(301), Err(LeewayTooLarge));
}

#[test]
fn a_list_of_one_audience_is_accepted_only_where_it_is_configured() {
    let signer = Signer::es256();
    let verifier = Verifier::from_jwks(
        Rules::new(ISSUER, AUDIENCE).accept_audience_list(),
        Algorithm::Es256,
        &jwks([&signer]),
    )
    .unwrap();
    for (aud, result) in [
        (json!(AUDIENCE), Ok(())),
        (json!([AUDIENCE]), Ok(())),
        (json!(["other"]), Err(VerifyError::Audience)),
        (json!([AUDIENCE, "other"]), Err(VerifyError::Claims)),
        (json!([[AUDIENCE]]), Err(VerifyError::Claims)),
        (json!([]), Err(VerifyError::Claims)),
    ] {
        let token = signer.sign(&with("aud", aud.clone()));
        assert_eq!(verifier.verify(&token, NOW).map(|_| ()), result, "{aud}");
    }
}

#[test]
fn roles_scopes_and_resources_are_compared_as_a_whole() {
    let signer = Signer::es256();
    let mut payload = claims();
    payload["resources"] = json!([{ "type": "dashboard", "id": "sales" }]);
    let claims = verifier_of(&signer)
        .verify(&signer.sign(&payload), NOW)
        .unwrap();
    assert_eq!(claims.require_role("viewer"), Ok(()));
    assert_eq!(
        claims.require_role("view"),
        Err(Missing::Role("view".into()))
    );
    assert_eq!(claims.require_scope("sales:read"), Ok(()));
    for absent in ["sales", "dashboard:view sales:read", "", " "] {
        assert_eq!(
            claims.require_scope(absent),
            Err(Missing::Scope(absent.into()))
        );
    }
    assert_eq!(claims.require_resource("dashboard", "sales"), Ok(()));
    assert!(claims.require_resource("dashboard", "costs").is_err());
    payload.as_object_mut().unwrap().remove("resources");
    let unlimited = verifier_of(&signer)
        .verify(&signer.sign(&payload), NOW)
        .unwrap();
    assert!(unlimited.require_resource("dashboard", "sales").is_err());
}
