//! Presented tokens: real ones, and forged ones.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use key_admin::MasterSecret;
use key_admin::sealing::Sealer;
use policy::GrantRequest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{SessionId, execute, fetch_one};

use super::{App, MASTER, NOW, found, request, signing_kid};
use crate::audiences::{AudienceSettings, TokenFormat};
use crate::signing_keys::{KeyState, SigningAlgorithm, store};
use crate::{CheckTokenError, CheckedToken, InactiveToken};

pub(super) async fn check(app: &App, token: &str) -> Result<CheckedToken, InactiveToken> {
    let checked = app
        .services
        .issuer
        .check_token(&app.organization.slug, token);
    checked.await.map_err(|error| match error {
        CheckTokenError::Inactive(inactive) => inactive,
        other => panic!("{other:?}"),
    })
}

/// The key that signs for the organization, as the server holds it, and its header.
pub(super) async fn signer(app: &App) -> (EncodingKey, Header) {
    let sealer = Sealer::new(&MasterSecret::parse(MASTER).unwrap()).unwrap();
    let mut read = app.database.read_settled().await.unwrap();
    let keys = store::published(read.conn(), app.organization.id).await;
    let keys = keys.unwrap();
    let key = keys
        .iter()
        .find(|key| key.state == KeyState::Active)
        .unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("at+jwt".into());
    header.kid = Some(key.kid.clone());
    let private = key.private(&sealer).unwrap();
    (EncodingKey::from_ec_der(private.expose_secret()), header)
}

/// Signs these very bytes.
pub(super) fn sign(key: &EncodingKey, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, Algorithm::ES256).unwrap();
    format!("{signed}.{signature}")
}

pub(super) fn claims_in(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn an_issued_token_is_active_and_says_what_it_said() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let checked = check(&app, token).await.unwrap();
        assert_eq!(checked.session.id, issued.claims().session_id());
        assert_eq!(
            (checked.session.subject.as_str(), checked.audience.as_str()),
            ("user-42", "default")
        );
        assert_eq!(checked.roles, ["viewer"]);
        assert_eq!(
            Value::from(checked.attributes.clone()),
            json!({"tenant_id": "t-1", "regions": ["eu", "us"]})
        );
        assert_eq!(checked.resources.len(), 1);
        assert_eq!(Some(checked.session.kid.clone()), signer(&app).await.1.kid);
        let printed = format!("{checked:?}");
        assert!(
            !printed.contains("t-1") && !printed.contains("user-42"),
            "{printed}"
        );

        // A key that signs no more verifies until its last token has ended.
        let mut tx = app.database.write().await.unwrap();
        let sql = "update signing_keys set state = 'previous' where state = 'active'";
        execute!(tx.conn(), sql).unwrap();
        let sql = "update signing_keys set state = 'active' where state = 'next'";
        execute!(tx.conn(), sql).unwrap();
        storage::record_change(&mut tx, app.organization.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        app.services.feed.catch_up().await;
        assert_eq!(
            check(&app, token).await.unwrap().session.kid,
            checked.session.kid
        );
    })
    .await;
}

#[tokio::test]
async fn every_claim_of_a_token_is_checked() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let good = claims_in(issued.token().expose_secret());
        let (key, header) = signer(&app).await;
        let now = NOW.unix_seconds();
        for (claim, value, expected) in [
            (
                "iss",
                json!("https://tokens.example.com/orgs/other"),
                InactiveToken::Issuer,
            ),
            ("aud", json!("other"), InactiveToken::Audience),
            ("aud", json!(["default"]), InactiveToken::Claims),
            ("exp", json!(now), InactiveToken::Expired),
            ("exp", json!("9999999999"), InactiveToken::Claims),
            ("nbf", json!(now + 31), InactiveToken::NotYetValid),
            (
                "jti",
                json!(SessionId::first_at(NOW)),
                InactiveToken::NoSession,
            ),
            ("jti", json!("j"), InactiveToken::Claims),
            ("roles", json!("viewer"), InactiveToken::Claims),
            ("attributes", Value::Null, InactiveToken::Claims),
        ] {
            let mut altered = good.clone();
            altered[claim] = value;
            let token = jsonwebtoken::encode(&header, &altered, &key).unwrap();
            assert_eq!(
                check(&app, &token).await.unwrap_err(),
                expected,
                "{altered}"
            );
        }
        for claim in [
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
        ] {
            let mut altered = good.clone();
            altered.as_object_mut().unwrap().remove(claim);
            let token = jsonwebtoken::encode(&header, &altered, &key).unwrap();
            assert_eq!(
                check(&app, &token).await.unwrap_err(),
                InactiveToken::Claims,
                "{claim}"
            );
        }
        let mut last_second = good.clone();
        last_second["exp"] = json!(now + 1);
        let token = jsonwebtoken::encode(&header, &last_second, &key).unwrap();
        check(&app, &token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn forged_tokens_are_not_active() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let payload = claims_in(token).to_string();
        let (key, header) = signer(&app).await;
        let kid = header.kid.clone().unwrap();
        let ours = |more: &str| format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"{more}}}"#);
        check(&app, &sign(&key, &ours(""), &payload)).await.unwrap();

        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let stranger = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let twice = payload.replacen('{', r#"{"sub":"admin","#, 1);
        let twice_inside =
            payload.replacen(r#""tenant_id":"#, r#""tenant_id":"t-2","tenant_id":"#, 1);
        assert!(twice_inside.len() > payload.len());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let none = BASE64.encode(ours("").replace("ES256", "none"));
        let unsigned = format!("{none}.{}.", BASE64.encode(&payload));
        let oversized = sign(
            &key,
            &ours(""),
            &payload.replacen("user-42", &"u".repeat(9000), 1),
        );
        for (forged, expected) in [
            (
                sign(&stranger, &ours(""), &payload),
                InactiveToken::Signature,
            ),
            (
                sign(&key, &ours("").replace(&kid, "k1"), &payload),
                InactiveToken::UnknownKey,
            ),
            (
                sign(
                    &key,
                    &ours(r#","jku":"https://evil.example.com""#),
                    &payload,
                ),
                InactiveToken::Malformed,
            ),
            (
                sign(&key, &ours(&format!(r#","kid":"{kid}""#)), &payload),
                InactiveToken::Malformed,
            ),
            (
                sign(&key, &ours("").replace("at+jwt", "JWT"), &payload),
                InactiveToken::Malformed,
            ),
            (
                sign(&key, &ours("").replace("ES256", "HS256"), &payload),
                InactiveToken::Malformed,
            ),
            (
                sign(&key, &format!(r#"["ES256","at+jwt","{kid}"]"#), &payload),
                InactiveToken::Malformed,
            ),
            (sign(&key, &ours(""), &twice), InactiveToken::Claims),
            (sign(&key, &ours(""), &twice_inside), InactiveToken::Claims),
            (sign(&key, &ours(""), "[]"), InactiveToken::Claims),
            (unsigned, InactiveToken::Malformed),
            (oversized, InactiveToken::Malformed),
            (signed.to_owned(), InactiveToken::Malformed),
            (format!("{token}.x"), InactiveToken::Malformed),
            (String::new(), InactiveToken::Malformed),
        ] {
            assert_eq!(
                check(&app, &forged).await.unwrap_err(),
                expected,
                "{forged}"
            );
        }
        let altered = format!("{signed}.{}A", &signature[..signature.len() - 1]);
        let other = format!("{signed}.{}Q", &signature[..signature.len() - 1]);
        for altered in [altered, other] {
            assert!(altered == token || check(&app, &altered).await.is_err());
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_organization_is_not_known() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issued = app.issues("user-42").await.unwrap();
        let token = issued.token().expose_secret();
        let (globex, _) = found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
        let checked = app.services.issuer.check_token(&globex.slug, token).await;
        assert!(
            matches!(
                checked,
                Err(CheckTokenError::Inactive(InactiveToken::UnknownKey))
            ),
            "{checked:?}"
        );
        let mut read = app.database.read_settled().await.unwrap();
        let sql = "select count(*) from sessions";
        assert_eq!(fetch_one!(read.conn(), (i64,), sql).unwrap(), (1,));
    })
    .await;
}

/// Consumers name keys as they like, two of them alike.
#[tokio::test]
async fn keys_that_go_by_one_name_are_told_apart() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let mut settings = AudienceSettings::default();
        settings.claims.key_id = Some("shared".to_owned());
        let mut opaque = settings.clone();
        opaque.format = TokenFormat::Opaque;
        for (name, settings) in [("one", &settings), ("two", &settings), ("three", &opaque)] {
            app.makes(name, SigningAlgorithm::Es256, settings.clone())
                .await;
        }
        for audience in ["three", "two", "one", "default"] {
            let grant = GrantRequest {
                audience: audience.to_owned(),
                ..request("u")
            };
            let token = app.grants(grant).await;
            let token = token.token().expose_secret();
            let checked = check(&app, token).await.unwrap();
            assert_eq!(checked.audience.as_str(), audience);
            if audience.len() == 3 {
                assert_eq!(signing_kid(token), "shared");
                // By the key's own name nobody knows it.
                let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": checked.session.kid });
                let rest = token.split_once('.').unwrap().1;
                let own = format!("{}.{rest}", BASE64.encode(header.to_string()));
                assert_eq!(
                    check(&app, &own).await.unwrap_err(),
                    InactiveToken::UnknownKey
                );
            }
        }
    })
    .await;
}
