//! Published attacks on verifiers, tried on the check behind introspection. What they change about a good token is
//! the only thing wrong with it.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;

use super::checking::{check, claims_in, sign, signer};
use super::renewing::act;
use super::{App, found};
use crate::audiences::AudienceSettings;
use crate::signing_keys::SigningAlgorithm;

/// A token that holds, and what it is made of.
struct Good {
    token: String,
    key: EncodingKey,
    kid: String,
    payload: String,
}

impl Good {
    async fn of(app: &App) -> Self {
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret().to_owned();
        let (key, header) = signer(app).await;
        Self {
            payload: claims_in(&token).to_string(),
            kid: header.kid.unwrap(),
            token,
            key,
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }

    /// The same with another header, signed with the organization's own key.
    fn with(&self, member: &str, value: Value) -> String {
        let mut header = self.header();
        header[member] = value;
        sign(&self.key, &header.to_string(), &self.payload)
    }

    /// Header and payload with this signature.
    fn signed_with(&self, header: &Value, signature: &[u8]) -> String {
        let header = BASE64.encode(header.to_string());
        let payload = BASE64.encode(&self.payload);
        format!("{header}.{payload}.{}", BASE64.encode(signature))
    }
}

impl App {
    async fn refuses(&self, what: &str, tokens: impl IntoIterator<Item = String>) {
        for token in tokens {
            let checked = check(self, &token).await;
            assert!(checked.is_err(), "{what}: {token}");
        }
    }
}

#[tokio::test]
async fn algorithms_that_the_key_is_not_for_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let good = Good::of(&app).await;
        check(&app, &good.with("alg", json!("ES256")))
            .await
            .unwrap();
        let signature = good.token.rsplit_once('.').unwrap().1;
        let none = ["none", "None", "NONE", "nOnE", "", "ES256 "].map(|alg| {
            let mut header = good.header();
            header["alg"] = json!(alg);
            let header = BASE64.encode(header.to_string());
            let unsigned = format!("{header}.{}", BASE64.encode(&good.payload));
            [
                format!("{unsigned}."),
                format!("{unsigned}.{signature}"),
                unsigned,
            ]
        });
        app.refuses("none", none.into_iter().flatten()).await;

        // The public key, in every form in which somebody might have taken it for the secret.
        let issuer = app.services.issuer.organization(&app.organization.slug);
        let issuer = issuer.await.unwrap().unwrap();
        let jwks: Value = serde_json::from_str(&issuer.value.jwks().body).unwrap();
        let jwk = jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|jwk| jwk["kid"] == good.kid.as_str())
            .unwrap();
        let coordinate = |name: &str| BASE64.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
        // RFC 5480: a P-256 key in a SubjectPublicKeyInfo.
        let prefix = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
        let mut spki = BASE64_STANDARD.decode(prefix).unwrap();
        spki.extend(&point[1..]);
        let text = BASE64_STANDARD.encode(&spki);
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
            &text[..64],
            &text[64..]
        );
        let secrets = [
            point,
            spki,
            pem.trim_end().as_bytes().to_vec(),
            pem.into_bytes(),
            jwk.to_string().into_bytes(),
            issuer.value.jwks().body.as_bytes().to_vec(),
        ];
        let confused = secrets.map(|secret| {
            let mut header = good.header();
            header["alg"] = json!("HS256");
            let signed = format!(
                "{}.{}",
                BASE64.encode(header.to_string()),
                BASE64.encode(&good.payload)
            );
            let key = EncodingKey::from_secret(&secret);
            let mac = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
            format!("{signed}.{}", mac.unwrap())
        });
        app.refuses("HS256 with the public key", confused).await;
    })
    .await;
}

#[tokio::test]
async fn headers_that_bring_their_own_key_or_rules_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let good = Good::of(&app).await;
        let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = stranger.public_key().as_ref();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]) });
        let strangers = EncodingKey::from_ec_der(stranger.to_pkcs8v1().unwrap().as_ref());
        for (member, value) in [
            ("jwk", jwk),
            ("jku", json!("https://evil.example.com/jwks.json")),
            ("x5u", json!("https://evil.example.com/chain.pem")),
            ("x5c", json!(["MIIB"])),
            ("crit", json!(["exp"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
            ("iss", json!("https://tokens.example.com/orgs/acme")),
        ] {
            let mut header = good.header();
            header[member] = value.clone();
            let brought = sign(&strangers, &header.to_string(), &good.payload);
            app.refuses(member, [good.with(member, value), brought]).await;
        }
        let kids = ["", "../../../../dev/null", "' or '1'='1", "\u{0}", "https://evil.example.com/k"];
        app.refuses("kid", kids.map(|kid| good.with("kid", json!(kid)))).await;
        let types = ["JWT", "at+jwt ", "revocations+jwt", "application/json", ""];
        app.refuses("typ", types.map(|typ| good.with("typ", json!(typ)))).await;
    })
    .await;
}

#[tokio::test]
async fn texts_and_signatures_out_of_form_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let good = Good::of(&app).await;
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let order: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let zero = vec![0; 32];
        let signatures = [
            [zero.clone(), zero.clone()].concat(),
            [order.clone(), order.clone()].concat(),
            [zero.clone(), order.clone()].concat(),
            [order, zero].concat(),
            Vec::new(),
            vec![0; 63],
            vec![0; 128],
        ];
        let header = good.header();
        let psychic = signatures.map(|signature| good.signed_with(&header, &signature));
        app.refuses("r and s", psychic).await;

        let token = &good.token;
        let parts: Vec<&str> = token.split('.').collect();
        let [head, body, signature] = parts[..] else {
            panic!("three parts");
        };
        let bent = [
            format!("{head}=.{body}.{signature}"),
            format!("{head}.{body}=.{signature}"),
            format!("{head}.{body}.{signature}=="),
            format!(" {token}"),
            format!("{token}\n"),
            format!("{head}.\t{body}.{signature}"),
            format!("{head}.{body}.{signature}\r\n"),
            format!("\u{feff}{token}"),
            format!("Bearer {token}"),
            format!("{head}.{body}"),
            format!("{head}.{body}.{signature}."),
            format!("{head}.{body}.{signature}.{signature}"),
            format!(".{body}.{signature}"),
            format!("{head}..{signature}"),
            format!("{}{token}", ".".repeat(4000)),
            format!("\"{token}\""),
            json!({ "protected": head, "payload": body, "signature": signature }).to_string(),
        ];
        app.refuses("form", bent).await;
        // An encrypted token would be opened before anything is known of it.
        let bombs = [
            json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }),
            json!({ "alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_000_000_000_u32, "p2s": "c2FsdA" }),
        ];
        let bombs = bombs.map(|header| {
            let header = BASE64.encode(header.to_string());
            format!("{header}..{}.{}.{}", BASE64.encode([0; 12]), body, BASE64.encode([0; 16]))
        });
        app.refuses("JWE", bombs).await;
    })
    .await;
}

#[tokio::test]
async fn keys_of_others_and_retired_ones_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let good = Good::of(&app).await;
        let settings = AudienceSettings::default();
        let other = app.makes("other", SigningAlgorithm::Es256, settings).await;
        let mut request = super::request("user-42");
        request.audience = "other".to_owned();
        let theirs = app.grants(request).await;
        let theirs = theirs.token().expose_secret().to_owned();
        // What each audience's key signed, under the other's payload.
        let (head, _, signature) = {
            let mut parts = theirs.split('.');
            let mut next = || parts.next().unwrap().to_owned();
            (next(), next(), next())
        };
        let payload = BASE64.encode(&good.payload);
        app.refuses(
            "another audience",
            [format!("{head}.{payload}.{signature}")],
        )
        .await;
        let mut aud: Value = serde_json::from_str(&good.payload).unwrap();
        aud["aud"] = json!("other");
        let swapped = sign(&good.key, &good.header().to_string(), &aud.to_string());
        app.refuses("another audience", [swapped]).await;

        let (globex, _) = found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
        let issuer = &app.services.issuer;
        assert!(issuer.check_token(&globex.slug, &good.token).await.is_err());

        check(&app, &theirs).await.unwrap();
        let (organization, kid) = (app.organization.id, super::signing_kid(&theirs));
        issuer
            .retire_signing_key(act(), organization, other.id, &kid)
            .await
            .unwrap();
        app.refuses("retired", [theirs]).await;
        check(&app, &good.token).await.unwrap();
    })
    .await;
}
