//! Published attacks on JWT verifiers, each refused for the reason it should be.

use serde_json::{Value, json};

use super::support::{
    AUDIENCE, ISSUER, NOW, PUBLIC_ALGORITHMS, Signer, claims, encode, jwks, rules, verifier_of,
};
use crate::{Algorithm, MAX_TOKEN_BYTES, Rules, Verifier, VerifyError};

fn refused(token: &str, signer: &Signer) -> VerifyError {
    verifier_of(signer).verify(token, NOW).unwrap_err()
}

/// All spellings of "none" with letters of either case (CVE-2015-9235), and a few more.
#[test]
fn unsigned_tokens_are_refused_in_all_spellings_of_none() {
    let signer = Signer::es256();
    let cased = (0..16_u8).map(|upper| {
        let letter = |(at, letter): (usize, char)| {
            if upper & (1 << at) == 0 {
                letter
            } else {
                letter.to_ascii_uppercase()
            }
        };
        "none".chars().enumerate().map(letter).collect::<String>()
    });
    let others = ["", " none", "none ", "n\u{f6}ne", "null", "NONE\0"].map(str::to_owned);
    for alg in cased.chain(others) {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" });
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims().to_string())
        );
        let good = encode(signer.signature(message.as_bytes()));
        for signature in ["", good.as_str()] {
            let token = format!("{message}.{signature}");
            assert_eq!(refused(&token, &signer), VerifyError::Malformed, "{alg}");
        }
        assert_eq!(refused(&message, &signer), VerifyError::Malformed);
    }
    let unsigned = signer.sign(&claims());
    let (message, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(
        refused(&format!("{message}."), &signer),
        VerifyError::Signature
    );
}

/// CVE-2016-10555: the public key, which everybody has, as the secret of HS256.
#[test]
fn hs256_with_the_public_key_as_the_secret_is_refused() {
    for algorithm in PUBLIC_ALGORITHMS {
        let signer = Signer::new(algorithm, "k1");
        let jwk = signer.jwk();
        let parameter = |name: &str| jwk[name].as_str().map(str::to_owned).unwrap_or_default();
        let secrets = [
            signer.pem(),
            signer.pem().trim_end().to_owned(),
            jwk.to_string(),
            jwks([&signer]),
            parameter("x"),
            parameter("n"),
            String::new(),
        ];
        for secret in secrets {
            let forger = Signer::with_secret(secret.clone());
            for alg in ["HS256", "HS384", "HS512"] {
                let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" });
                let token = forger.sign_text(&header.to_string(), &claims().to_string());
                assert_eq!(
                    refused(&token, &signer),
                    VerifyError::Malformed,
                    "{alg} {secret}"
                );
            }
            let lying = forger.sign_text(&signer.header().to_string(), &claims().to_string());
            assert_eq!(refused(&lying, &signer), VerifyError::Signature, "{secret}");
        }
    }
}

/// CVE-2018-0114 and relatives: the token brings its key, or says where to get it, or how else to read it. The
/// signatures are good ones.
#[test]
fn other_header_members_are_refused_even_if_signed() {
    let signer = Signer::es256();
    for (name, value) in [
        ("jwk", signer.jwk()),
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("p2c", json!(1_000_000_000)),
        ("exp", json!(NOW + 900)),
        ("ALG", json!("none")),
        ("", json!(null)),
    ] {
        let mut header = signer.header();
        header[name] = value;
        let token = signer.sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(refused(&token, &signer), VerifyError::Malformed, "{name}");
    }
}

#[test]
fn a_forged_key_in_the_header_is_not_used() {
    let (signer, forger) = (Signer::es256(), Signer::es256());
    let mut header = forger.header();
    header["jwk"] = forger.jwk();
    let token = forger.sign_text(&header.to_string(), &claims().to_string());
    assert_eq!(refused(&token, &signer), VerifyError::Malformed);
    assert_eq!(
        refused(&forger.sign(&claims()), &signer),
        VerifyError::Signature
    );
}

#[test]
fn a_kid_is_looked_up_and_never_interpreted() {
    let signer = Signer::es256();
    for kid in [
        "",
        "k2",
        "K1",
        "k1 ",
        "k1\0",
        "../../../../dev/null",
        "/dev/null",
        "' or 1=1--",
        "k1' union select 'secret",
        "http://127.0.0.1:9/k1",
        "%6b1",
        "\u{202e}k1",
    ] {
        let mut header = signer.header();
        header["kid"] = json!(kid);
        let token = signer.sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(refused(&token, &signer), VerifyError::UnknownKey, "{kid}");
    }
    for kid in [
        json!(1),
        json!(["k1"]),
        json!(null),
        json!({ "k1": 1 }),
        json!(true),
    ] {
        let mut header = signer.header();
        header["kid"] = kid.clone();
        let token = signer.sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(refused(&token, &signer), VerifyError::Malformed, "{kid}");
    }
}

/// RFC 8725 section 3.11: a token of one kind is not taken for one of another.
#[test]
fn only_the_type_of_a_session_token_is_accepted() {
    let signer = Signer::es256();
    let typed = |typ: Value| {
        let mut header = signer.header();
        header["typ"] = typ;
        signer.sign_text(&header.to_string(), &claims().to_string())
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
    ] {
        assert!(
            verifier_of(&signer).verify(&typed(json!(typ)), NOW).is_ok(),
            "{typ}"
        );
    }
    for typ in [
        "JWT",
        "jwt",
        "",
        "at+jwt ",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "revocations+jwt",
        "application/",
        "application/application/at+jwt",
        "text/at+jwt",
        "at+jwt;charset=utf-8",
    ] {
        assert_eq!(
            refused(&typed(json!(typ)), &signer),
            VerifyError::Malformed,
            "{typ}"
        );
    }
    assert_eq!(
        refused(&typed(json!(["at+jwt"])), &signer),
        VerifyError::Malformed
    );
    for absent in ["alg", "typ", "kid"] {
        let mut header = signer.header();
        header.as_object_mut().unwrap().remove(absent);
        let token = signer.sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(
            refused(&token, &signer),
            VerifyError::Malformed,
            "no {absent}"
        );
    }
}

/// Two parsers may read two different tokens from the same text.
#[test]
fn repeated_members_are_refused_at_any_depth_and_in_any_spelling() {
    let signer = Signer::es256();
    for header in [
        r#"{"alg":"ES256","typ":"at+jwt","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}{}"#,
        r#"["ES256","at+jwt","k1"]"#,
        "\u{feff}{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
        "",
    ] {
        let token = signer.sign_text(header, &claims().to_string());
        assert_eq!(refused(&token, &signer), VerifyError::Malformed, "{header}");
    }
    let whole = claims().to_string();
    let opened = whole.strip_suffix('}').unwrap();
    for payload in [
        format!("{opened},\"sub\":\"admin\"}}"),
        format!("{opened},\"\\u0073ub\":\"admin\"}}"),
        format!("{opened},\"own\":1,\"own\":2}}"),
        whole.replace(
            r#""tenant_id":"t-1""#,
            r#""tenant_id":"t-1","tenant_id":"t-2""#,
        ),
        format!("{opened},\"own\":[{{\"a\":1,\"a\":2}}]}}"),
        format!("{whole}x"),
        format!("\u{feff}{whole}"),
        "null".to_owned(),
        String::new(),
    ] {
        let token = signer.sign_text(&signer.header().to_string(), &payload);
        assert_eq!(refused(&token, &signer), VerifyError::Claims, "{payload}");
    }
}

#[test]
fn only_canonical_base64url_is_read() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    let segments: Vec<_> = token.split('.').collect();
    for at in 0..3 {
        for spelling in [
            "{}=", "{}==", " {}", "{} ", "{}\n", "\t{}", "{}\r\n", "{}%3D", "{}\0",
        ] {
            let mut altered: Vec<_> = segments.iter().map(ToString::to_string).collect();
            altered[at] = spelling.replace("{}", segments[at]);
            let altered = altered.join(".");
            assert_eq!(
                refused(&altered, &signer),
                VerifyError::Malformed,
                "{altered:?}"
            );
        }
    }
    // 64 bytes leave four spare bits in the last character: 16 spellings of one signature, of which one is canonical.
    let (most, last) = token.split_at(token.len() - 1);
    for other in ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_'])
    {
        let refused = verifier_of(&signer)
            .verify(&format!("{most}{other}"), NOW)
            .is_err();
        assert!(refused || last == other.to_string(), "{other}");
    }
    // The alphabet of plain base64.
    let token = std::iter::repeat_with(|| signer.sign(&claims()))
        .find(|token| token.contains(['-', '_']))
        .unwrap();
    let altered = token.replace('-', "+").replace('_', "/");
    assert_eq!(refused(&altered, &signer), VerifyError::Malformed);
}

#[test]
fn anything_but_three_segments_is_refused() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    let jwe = format!(
        "{}.a.b.c.d",
        encode(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#)
    );
    let json = json!({ "payload": "e30", "protected": "e30", "signature": "" }).to_string();
    for altered in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        ".".repeat(MAX_TOKEN_BYTES),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.x"),
        format!("Bearer {token}"),
        token.replacen('.', "..", 1),
        token.rsplit_once('.').unwrap().0.to_owned(),
        jwe,
        json,
        "\u{1f512}".repeat(3),
    ] {
        assert_eq!(
            refused(&altered, &signer),
            VerifyError::Malformed,
            "{altered}"
        );
    }
}

#[test]
fn tokens_above_the_size_limit_are_refused_unread() {
    let signer = Signer::es256();
    let sized = |length: usize| {
        let mut claims = claims();
        claims["own"] = json!("x".repeat(length));
        signer.sign(&claims)
    };
    let most = (0..MAX_TOKEN_BYTES)
        .rev()
        .find(|length| sized(*length).len() <= MAX_TOKEN_BYTES);
    let most = most.unwrap();
    assert!(verifier_of(&signer).verify(&sized(most), NOW).is_ok());
    assert_eq!(refused(&sized(most + 3), &signer), VerifyError::Malformed);
    assert_eq!(
        refused(&"a.".repeat(1 << 20), &signer),
        VerifyError::Malformed
    );
}

#[test]
fn deep_nesting_is_refused_and_costs_no_stack() {
    let signer = Signer::es256();
    let whole = claims().to_string();
    let opened = whole.strip_suffix('}').unwrap();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = 5_000 / open.len();
        let payload = format!(
            "{opened},\"own\":{}1{}}}",
            open.repeat(deep),
            close.repeat(deep)
        );
        let token = signer.sign_text(&signer.header().to_string(), &payload);
        assert!(matches!(
            refused(&token, &signer),
            VerifyError::Claims | VerifyError::Malformed
        ));
        let fits = 1_000 / open.len();
        let payload = format!(
            "{opened},\"own\":{}1{}}}",
            open.repeat(fits),
            close.repeat(fits)
        );
        let token = signer.sign_text(&signer.header().to_string(), &payload);
        assert_eq!(refused(&token, &signer), VerifyError::Claims);
        let token = signer.sign_text(&open.repeat(fits), &whole);
        assert_eq!(refused(&token, &signer), VerifyError::Malformed);
    }
}

#[test]
fn tokens_of_others_are_refused() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    let verifier = |issuer: &str, audience: &str, signer: &Signer| {
        let rules = Rules::new(issuer, audience);
        Verifier::from_jwks(rules, Algorithm::Es256, &jwks([signer])).unwrap()
    };
    for (verifier, error) in [
        (
            verifier("https://tokens.example.com/orgs/acm", AUDIENCE, &signer),
            VerifyError::Issuer,
        ),
        (verifier(ISSUER, "default", &signer), VerifyError::Audience),
        // A key of another audience or organization, under its own name and under ours.
        (
            verifier(ISSUER, AUDIENCE, &Signer::new(Algorithm::Es256, "k2")),
            VerifyError::UnknownKey,
        ),
        (
            verifier(ISSUER, AUDIENCE, &Signer::new(Algorithm::Es256, "k1")),
            VerifyError::Signature,
        ),
    ] {
        assert_eq!(verifier.verify(&token, NOW), Err(error));
    }
}

#[test]
fn a_retired_key_is_a_key_that_is_not_known() {
    let (retired, active) = (Signer::new(Algorithm::Es256, "old"), Signer::es256());
    let both = jwks([&retired, &active]);
    let before = Verifier::from_jwks(rules(), Algorithm::Es256, &both).unwrap();
    let token = retired.sign(&claims());
    assert!(before.verify(&token, NOW).is_ok());
    assert_eq!(refused(&token, &active), VerifyError::UnknownKey);
}
