//! Encrypted and opaque tokens: opened by libraries that are not ours, and unreadable to everybody else.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::audiences::{at, call, make};
use crate::support::{App, ask, decode, node, on_both_engines, python};

/// The key pair of RFC 7518, appendix C.
fn consumer() -> (Value, Value) {
    let public = json!({
        "kty": "EC", "crv": "P-256", "kid": "bob-1",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    });
    let mut private = public.clone();
    private["d"] = json!("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    (private, public)
}

fn request(audience: &str) -> Value {
    json!({
        "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "tenant-of-nobody-else" } },
        "audience": audience,
    })
}

async fn authorized(app: &App, token: &str) -> Result<Value, Value> {
    let body = json!({ "token": token, "checks": [{ "resource": "dashboard", "action": "view" }] });
    let answer = app
        .call(reqwest::Method::POST, "/v1/authorize", Some(body))
        .await;
    let json = answer.json();
    if answer.status == StatusCode::OK {
        Ok(json["results"][0]["allowed"].clone())
    } else {
        Err(json["errors"][0]["code"].clone())
    }
}

#[tokio::test]
async fn an_encrypted_token_is_opened_by_its_consumer_alone() {
    on_both_engines(|app| async move {
        let (private, public) = consumer();
        let format = json!({ "kind": "encrypted", "key": public });
        let made = make(&app, json!({ "name": "hidden", "format": format })).await;
        assert_eq!(made["format"], format);
        let issued = app.issue(&request("hidden")).await.json();
        let token = issued["token"].as_str().unwrap();
        assert_eq!(token.split('.').count(), 5);

        let task = json!({ "jwk": private, "tokens": [token] });
        for (program, script) in [
            (python(), "tests/verifiers/decrypt_joserfc.py"),
            (node(), "tests/verifiers/decrypt_jose.mjs"),
        ] {
            let opened = ask(&program, script, &task);
            let header = &opened[0]["header"];
            assert_eq!(
                (&header["alg"], &header["enc"], &header["cty"], &header["kid"]),
                (&json!("ECDH-ES"), &json!("A256GCM"), &json!("JWT"), &json!("bob-1")),
                "{script}"
            );
            let inside = opened[0]["inside"].as_str().unwrap();
            let (_, claims) = decode(inside);
            assert_eq!(claims["jti"], issued["session_id"]);
            assert_eq!(claims["attributes"]["tenant_id"], "tenant-of-nobody-else");
            let jwks = json!({ "jwks_url": app.jwks_url(), "issuer": app.issuer(), "audience": "hidden", "algorithm": "ES256", "tokens": [inside] });
            let verified = ask(&python(), "tests/verifiers/pyjwt.py", &jwks);
            assert_eq!(verified[0]["ok"], true, "{verified}");
        }
        assert_eq!(authorized(&app, token).await, Ok(json!(true)));
        let mut altered = token.to_owned();
        let last = altered.pop().unwrap();
        altered.push(if last == 'A' { 'B' } else { 'A' });
        assert_eq!(authorized(&app, &altered).await, Err(json!("token_not_active")));
    })
    .await;
}

#[tokio::test]
async fn an_opaque_token_says_nothing_and_is_resolved_by_the_issuer() {
    on_both_engines(|app| async move {
        let made = make(
            &app,
            json!({ "name": "hidden", "format": { "kind": "opaque" } }),
        )
        .await;
        let issued = app.issue(&request("hidden")).await.json();
        let token = issued["token"].as_str().unwrap();
        assert!(
            token.starts_with("jts_") && token.len() == 47,
            "{}",
            token.len()
        );
        let other = app.issue(&request("hidden")).await.token();
        assert_ne!(token, other);
        assert_eq!(authorized(&app, token).await, Ok(json!(true)));
        for forged in [
            format!("{token}A"),
            token.to_lowercase(),
            format!("jts_{}", "A".repeat(43)),
            token.replacen("jts_", "", 1),
        ] {
            assert_eq!(
                authorized(&app, &forged).await,
                Err(json!("token_not_active"))
            );
        }
        // Its own organization's only.
        let stranger = app.key_of_another_organization().await;
        let body =
            json!({ "token": token, "checks": [{ "resource": "dashboard", "action": "view" }] });
        let path = "/v1/authorize";
        let refused = app
            .call_with(&stranger, reqwest::Method::POST, path, Some(body))
            .await;
        refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_not_active");
        // With the audience, its keys go, and what they signed.
        let removed = call(&app, reqwest::Method::DELETE, &at(&made, ""), None).await;
        assert_eq!(removed.status, 204);
        assert_eq!(
            authorized(&app, token).await,
            Err(json!("token_not_active"))
        );
    })
    .await;
}
