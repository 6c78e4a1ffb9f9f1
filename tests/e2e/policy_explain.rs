//! Why a request would be granted or refused, over HTTP.

use std::collections::BTreeMap;

use key_admin::{Act, KeyCeiling, Permission};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, NewKey, decode, on_both_engines};

async fn explain(app: &App, key: &str, body: Value) -> Answer {
    app.call_with(key, Method::POST, "/v1/policy/explain", Some(body))
        .await
}

fn viewer() -> Value {
    json!({ "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

#[tokio::test]
async fn an_explanation_has_the_claims_that_issuance_makes() {
    on_both_engines(|app| async move {
        let answer = explain(&app, &app.key, viewer()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let explained = answer.json();
        assert_eq!(
            (&explained["granted"], &explained["reasons"]),
            (&json!(true), &json!([]))
        );
        assert_eq!(explained["effective"]["ttl_seconds"], 900);
        assert!(explained["policy_version"].as_i64().unwrap() > 0);
        assert!(!explained["steps"].as_array().unwrap().is_empty());
        assert_eq!(app.count_sessions().await, 0);

        let (_, mut issued) = decode(&app.issue(&viewer()).await.token());
        let bytes = explained["claims_bytes"].as_u64().unwrap();
        assert_eq!(bytes, issued.to_string().len() as u64);
        let mut claims = explained["claims"].clone();
        for of_the_moment in ["jti", "iat", "nbf", "exp"] {
            assert!(
                claims
                    .as_object_mut()
                    .unwrap()
                    .remove(of_the_moment)
                    .is_some()
            );
            issued.as_object_mut().unwrap().remove(of_the_moment);
        }
        assert_eq!(claims, issued);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_explained_with_reasons_and_rules() {
    on_both_engines(|app| async move {
        let request = json!({ "user": { "id": "u", "roles": ["viewer", "nobody"] } });
        let explained = explain(&app, &app.key, request.clone()).await.json();
        assert_eq!(explained["granted"], false);
        let refused = app.issue(&request).await.json();
        assert_eq!(explained["reasons"], refused["errors"]);
        assert_eq!(explained.get("claims"), None);
        let steps = explained["steps"].as_array().unwrap();
        let refusing: Vec<_> = steps
            .iter()
            .filter(|it| it["outcome"] == "refused")
            .collect();
        assert_eq!(refusing.len(), 2, "{explained}");
        assert!(
            refused.get("steps").is_none(),
            "who is refused sees no rules: {refused}"
        );

        let mut long = viewer();
        long["resources"] = (0..100)
            .map(|n| json!({ "type": "dashboard", "id": format!("{n}{}", "x".repeat(200)) }))
            .collect();
        let explained = explain(&app, &app.key, long).await.json();
        assert_eq!(
            (&explained["granted"], &explained["reasons"][0]["code"]),
            (&json!(false), &json!("token_too_large"))
        );
    })
    .await;
}

#[tokio::test]
async fn another_key_of_the_organization_can_be_asked_about_and_hides_what_is_sensitive() {
    on_both_engines(|app| async move {
        let policy = json!({
            "roles": [{ "name": "viewer" }],
            "attributes": [
                { "name": "tenant_id", "type": "string", "sensitive": true },
                { "name": "regions", "type": "string", "list": true, "sensitive": true },
            ],
        });
        let policy = serde_json::from_value(policy).unwrap();
        let act = Act::on_command_line();
        let replaced = app.services.policy.replace(&act, app.organization.id, None, policy).await;
        replaced.unwrap();
        let ceiling = KeyCeiling {
            fixed_attributes: BTreeMap::from([("tenant_id".to_owned(), json!("tenant-canary"))]),
            ..KeyCeiling::default()
        };
        let (limited, _) = app.create_key(NewKey { ceiling, ..NewKey::default() }).await;
        let mut request = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "regions": ["eu"] } } });
        request["api_key_id"] = json!(limited.id.to_string());
        let answer = explain(&app, &app.key, request.clone()).await;
        assert!(!answer.text.contains("canary"), "{}", answer.text);
        let explained = answer.json();
        assert_eq!(explained["granted"], false, "a key must not show in lists what is sensitive");
        assert_eq!(explained["reasons"][0]["code"], "policy_unusable");

        let ceiling = KeyCeiling {
            max_ttl_seconds: Some(60),
            ..KeyCeiling::default()
        };
        let (limited, _) = app.create_key(NewKey { ceiling, ..NewKey::default() }).await;
        request["api_key_id"] = json!(limited.id.to_string());
        let explained = explain(&app, &app.key, request.clone()).await.json();
        assert_eq!(explained["claims"]["attributes"], json!({ "regions": ["eu"] }), "what it sent");
        assert_eq!(explained["claims"]["client_id"], limited.id.to_string());
        assert_eq!(explained["effective"]["ttl_seconds"], 60);

        let stranger = app.key_of_another_organization().await;
        for (key, id) in [(&stranger, limited.id.to_string()), (&app.key, "key_000000000000".into()), (&app.key, "x".into())] {
            request["api_key_id"] = json!(id);
            explain(&app, key, request.clone()).await.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_the_policy_gets_no_explanation() {
    on_both_engines(|app| async move {
        let permissions = vec![Permission::TokensIssue, Permission::KeysRead];
        let (_, key) = app
            .create_key(NewKey {
                permissions,
                ..NewKey::default()
            })
            .await;
        explain(&app, &key, viewer())
            .await
            .assert_problem(StatusCode::FORBIDDEN, "permission_denied");
    })
    .await;
}
