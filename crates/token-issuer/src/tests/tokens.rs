use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::fetch_all;
use storage::testing::on_both_engines;

use super::{App, NOW, found};

async fn jwks(app: &App) -> Vec<Value> {
    let issuer = app.services.issuer.organization(&app.organization.slug);
    let issuer = issuer.await.unwrap().unwrap();
    let jwks: Value = serde_json::from_str(&issuer.value.jwks().body).unwrap();
    assert_eq!(jwks.as_object().unwrap().len(), 1, "{jwks}");
    jwks["keys"].as_array().unwrap().clone()
}

fn coordinate(key: &Value, name: &str) -> Vec<u8> {
    let bytes = BASE64.decode(key[name].as_str().unwrap()).unwrap();
    assert_eq!(bytes.len(), 32, "{name}");
    bytes
}

/// RFC 7638 section 3.2: the required members in the order of their names, without white space.
fn thumbprint(key: &Value) -> String {
    let (x, y) = (&key["x"], &key["y"]);
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#);
    BASE64.encode(digest(&SHA256, canonical.as_bytes()))
}

#[tokio::test]
async fn the_jwks_shows_the_active_and_the_next_key_and_nothing_private() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = jwks(&app).await;
        for key in &keys {
            let mut members: Vec<_> = key
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            members.sort_unstable();
            assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
            let fixed = ["alg", "crv", "kty", "use"].map(|member| &key[member]);
            assert_eq!(fixed, ["ES256", "P-256", "EC", "sig"]);
            assert_eq!(key["kid"], thumbprint(key));
        }
        let mut read = app.database.read_settled().await.unwrap();
        let sql = "select kid, state from signing_keys order by state";
        let stored = fetch_all!(read.conn(), (String, String), sql).unwrap();
        let states: Vec<_> = stored.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states, ["active", "next"]);
        let published: Vec<_> = keys.iter().map(|key| &key["kid"]).collect();
        let stored: Vec<_> = stored.iter().map(|(kid, _)| kid.as_str()).collect();
        assert_eq!(published, stored);
    })
    .await;
}

#[tokio::test]
async fn organizations_share_no_keys() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (globex, _) = found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
        let theirs = app.services.issuer.organization(&globex.slug);
        let theirs = theirs.await.unwrap().unwrap();
        for key in jwks(&app).await {
            let kid = key["kid"].as_str().unwrap();
            assert!(!theirs.value.jwks().body.contains(kid));
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_says_what_was_granted_and_the_published_key_verifies_it() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part: &str| -> Value {
            serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
        };

        let keys = jwks(&app).await;
        let active = &keys[0];
        assert_eq!(
            read(header),
            json!({"typ": "at+jwt", "alg": "ES256", "kid": active["kid"]})
        );
        let iat = NOW.unix_seconds();
        assert_eq!(
            read(claims),
            json!({
                "iss": "https://tokens.example.com/orgs/acme",
                "aud": "default",
                "sub": "user-42",
                "client_id": app.caller.key_id().to_string(),
                "jti": issued.claims().session_id().to_string(),
                "iat": iat,
                "nbf": iat - 10,
                "exp": iat + 900,
                "roles": ["viewer"],
                "attributes": {"tenant_id": "t-1", "regions": ["eu", "us"]},
                "resources": [{"type": "dashboard", "id": "sales"}],
                "scope": "dashboard:view",
            })
        );

        let point = [vec![4], coordinate(active, "x"), coordinate(active, "y")].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signature = BASE64.decode(signature).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
        let altered = signed.replacen('.', "..", 1);
        public.verify(altered.as_bytes(), &signature).unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn no_two_tokens_are_the_same_session() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (first, second) = (
            app.issues("user-42").await.unwrap(),
            app.issues("user-42").await.unwrap(),
        );
        assert_ne!(first.claims().session_id(), second.claims().session_id());
        assert_eq!(first.claims().issued_at(), second.claims().issued_at());
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let printed = format!("{issued:?} {:?}", app.services);
        let signature = issued.token().expose_secret().rsplit('.').next().unwrap();
        for secret in [signature, super::MASTER, "1, 35, 69, 103", "$argon2id$"] {
            assert!(!printed.contains(secret), "{secret} in {printed}");
        }
    })
    .await;
}
