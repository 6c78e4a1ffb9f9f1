//! The token inspector.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use storage::Engine as Database;

use crate::support::App;

fn request(subject: &str) -> Value {
    json!({ "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": "t-canary" } } })
}

/// The same token with other claims and the old signature.
fn changed(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let payload = String::from_utf8(BASE64.decode(parts[1]).unwrap()).unwrap();
    let payload = BASE64.encode(payload.replace("viewer", "admin"));
    format!("{}.{payload}.{}", parts[0], parts[2])
}

async fn token_of_another_organization(app: &App) -> String {
    let key = app.key_of_another_organization().await;
    let policy = json!({ "roles": [{ "name": "viewer" }],
                         "attributes": [{ "name": "tenant_id", "type": "string" }] });
    let path = "/v1/policy";
    let answer = app
        .call_with(&key, reqwest::Method::PUT, path, Some(policy))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let issued = app.issue_with(&key, &request("stranger")).await.issued();
    issued["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn any_text_is_told_as_what_it_is_and_nothing_of_it_is_kept() {
    for engine in [Database::Sqlite, Database::Postgres] {
        let app = App::start_with(engine, &[("JETON_LOG__FILTER", "trace")]).await;
        let token = |issued: Value| issued["token"].as_str().unwrap().to_owned();
        let good = token(app.issue(&request("user-1")).await.issued());
        let revoked = app.issue(&request("user-2")).await.issued();
        let path = format!("/v1/sessions/{}", revoked["session_id"].as_str().unwrap());
        app.call(reqwest::Method::DELETE, &path, None).await;
        let texts = json!({
            "good": good,
            "changed": changed(&good),
            "revoked": token(revoked),
            "foreign": token_of_another_organization(&app).await,
            "key": app.key,
            "rubbish": "<script>alert('canary-rubbish')</script>",
        });
        let told = app.walks("tokens", json!({ "texts": texts })).await;
        let expected = [
            (
                "good",
                &[
                    "It passes.",
                    "right",
                    "user-1",
                    "t-canary",
                    "active",
                    "test",
                ][..],
            ),
            (
                "changed",
                &["It does not pass.", "wrong", "they were changed", "admin"],
            ),
            (
                "revoked",
                &["somebody revoked its session", "user-2", "revoked"],
            ),
            ("foreign", &["does not publish", "stranger", "orgs/other"]),
            ("key", &["An API key, not a token", "rotate or revoke it"]),
            ("rubbish", &["Not a token"]),
        ];
        for (name, parts) in expected {
            let seen = told[name]["text"].as_str().unwrap();
            for part in parts {
                assert!(seen.contains(part), "{name}: {part} in {seen}");
            }
            assert_eq!(told[name]["echoed"], false, "{name}");
            assert_eq!(told[name]["cache"], "no-store", "{name}");
            let address = told[name]["address"].as_str().unwrap();
            assert!(address.ends_with("/console/tokens"), "{address}");
        }
        let foreign = told["foreign"]["text"].as_str().unwrap();
        assert!(!foreign.contains("Its session"), "{foreign}");
        assert_eq!(told["empty"], "Paste a token, of 64 KiB at most.");
        let log = app.server.log();
        for secret in ["canary", &good, &good[good.len() - 40..], &app.key[20..]] {
            assert!(!log.contains(secret), "{secret} in the log");
        }
    }
}
