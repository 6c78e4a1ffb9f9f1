//! Refusals in the audit trail, over HTTP: who had proven a key, and was refused all the same.

use std::time::Instant;

use key_admin::{Act, Asker, Permission};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::Timestamp;

use crate::cli_http::{ok, ok_json};
use crate::support::{App, NewKey, on_both_engines};

/// Kept at once per key and address; 6 a minute come back.
const BURST: usize = 20;

async fn events(app: &App, query: &str) -> Vec<Value> {
    let path = format!("/v1/audit-events?limit=100&{query}");
    let answer = app.call(Method::GET, &path, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

fn most(begun: Instant) -> usize {
    BURST + usize::try_from(begun.elapsed().as_secs() / 10).unwrap() + 1
}

async fn disabled_key(app: &App) -> (String, String) {
    let (key, secret) = app.create_key(NewKey::default()).await;
    let act = Act::on_command_line();
    let keys = &app.services.keys;
    keys.disable_key(&act, Asker::Machine, app.organization.id, key.id)
        .await
        .unwrap();
    app.server_sees_changes().await;
    (key.id.to_string(), secret)
}

#[tokio::test]
async fn a_refused_key_leaves_an_event_with_the_code_that_it_was_told() {
    on_both_engines(|app| async move {
        let (disabled, disabled_secret) = disabled_key(&app).await;
        let elsewhere = NewKey {
            networks: vec!["203.0.113.0/24".parse().unwrap()],
            ..NewKey::default()
        };
        let (elsewhere, elsewhere_secret) = app.create_key(elsewhere).await;
        let limited = json!({ "name": "once", "permissions": ["read"], "rate_limit": { "per_minute": 1, "burst": 1 } });
        let limited = app.call(Method::POST, "/v1/api-keys", Some(limited)).await.json();
        let limited_secret = limited["secret"].as_str().unwrap();
        let limited = limited["api_key"]["id"].as_str().unwrap();
        let first = app.call_with(limited_secret, Method::GET, "/v1/account", None).await;
        assert_eq!(first.status, 200, "{}", first.text);

        for (id, secret, code) in [
            (disabled.as_str(), disabled_secret.as_str(), "key_disabled"),
            (&elsewhere.id.to_string(), &elsewhere_secret, "address_not_allowed"),
            (limited, limited_secret, "rate_limited"),
        ] {
            let answer = app.call_with(secret, Method::GET, "/v1/account", None).await;
            assert_eq!(answer.json()["code"], code);
            let found = events(&app, &format!("action=api_key.refuse&target_id={id}")).await;
            let [event] = found.as_slice() else {
                panic!("{code}: {found:?}");
            };
            assert_eq!(event["detail"], json!({ "reasons": [{ "code": code }] }));
            assert_eq!((&event["actor_kind"], &event["actor_id"]), (&json!("api_key"), &json!(id)));
            assert_eq!(event["target_kind"], "api_key");
            assert_eq!(event["client_address"], "127.0.0.1");
            assert_eq!(event["request_id"], answer.header("x-request-id"));
            assert!(!event.to_string().contains(&secret[17..]), "{event}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_leaves_none() {
    on_both_engines(|app| async move {
        let (_, expired) = app
            .create_key(NewKey {
                expires_at: Some(Timestamp::from_unix_micros(
                    app.services.clock.now().unix_micros() + 1_000_000_000,
                )),
                ..NewKey::default()
            })
            .await;
        let mut wrong = expired.clone();
        wrong.replace_range(20..21, if &expired[20..21] == "a" { "b" } else { "a" });
        let before = events(&app, "").await;
        for key in ["nonsense", wrong.as_str()] {
            let answer = app.call_with(key, Method::GET, "/v1/account", None).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        }
        assert_eq!(events(&app, "").await, before);
    })
    .await;
}

#[tokio::test]
async fn a_refused_operation_leaves_its_name_and_why() {
    on_both_engines(|app| async move {
        let (key, reader) = app
            .create_key(NewKey {
                permissions: vec![Permission::KeysRead, Permission::KeysWrite],
                ..NewKey::default()
            })
            .await;
        let user = json!({ "email": "grace@example.com", "password": "canary canary", "role": "viewer" });
        let denied = app.call_with(&reader, Method::POST, "/v1/users", Some(user)).await;
        denied.assert_problem(StatusCode::FORBIDDEN, "permission_denied");
        let stronger = json!({ "name": "canary", "permissions": ["users:write"] });
        let stronger = app.call_with(&reader, Method::POST, "/v1/api-keys", Some(stronger)).await;
        stronger.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        let token = json!({ "user": { "id": "canary", "roles": ["viewer"] } });
        let no_token = app.issue_with(&reader, &token).await;
        no_token.assert_problem(StatusCode::FORBIDDEN, "permission_denied");

        let found = events(&app, &format!("action=operation.refuse&actor_id={}", key.id)).await;
        let expected = [
            (&no_token, json!({ "operation": "issueSessionToken", "reasons": [{ "code": "permission_denied" }] })),
            (
                &stronger,
                json!({ "operation": "createApiKey",
                        "reasons": [{ "code": "stronger_than_caller", "pointer": "/permissions" }] }),
            ),
            (&denied, json!({ "operation": "createUser", "reasons": [{ "code": "permission_denied" }] })),
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (event, (answer, detail)) in found.iter().zip(expected) {
            assert_eq!(event["detail"], detail);
            assert_eq!(event["request_id"], answer.header("x-request-id"));
            assert_eq!(event["target_id"], json!(key.id.to_string()));
            assert!(!event.to_string().contains("canary"), "{event}");
        }
        let admin = app.key_of_an_admin().await;
        let ada = format!("/v1/users/{}", app.owner);
        let refused = app.call_with(&admin, Method::PATCH, &ada, Some(json!({ "role": "viewer" }))).await;
        refused.assert_problem(StatusCode::FORBIDDEN, "owners_only");
        let newest = &events(&app, "action=operation.refuse").await[0]["detail"];
        assert_eq!(*newest, json!({ "operation": "updateUser", "reasons": [{ "code": "owners_only" }] }));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_the_policy_refuses_is_recorded_once() {
    on_both_engines(|app| async move {
        let ceiling = serde_json::from_value(json!({ "roles": ["viewer"] })).unwrap();
        let (_, key) = app.create_key(NewKey { ceiling, ..NewKey::default() }).await;
        let mut request = json!({ "user": { "id": "u", "roles": ["editor"], "attributes": { "tenant_id": "t" } } });
        let refused = app.issue_with(&key, &request).await;
        refused.assert_problem(StatusCode::FORBIDDEN, "role_not_allowed");
        request["dry_run"] = json!(true);
        let refused = app.issue_with(&key, &request).await;
        refused.assert_problem(StatusCode::FORBIDDEN, "role_not_allowed");
        assert_eq!(events(&app, "action=session_token.refuse").await.len(), 1);
        assert_eq!(events(&app, "action=operation.refuse").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_refused_calls_from_one_address_write_the_sample() {
    on_both_engines(|app| async move {
        let (id, key) = disabled_key(&app).await;
        let begun = Instant::now();
        for _ in 0..1_000 {
            let answer = app.call_with(&key, Method::GET, "/v1/account", None).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, "key_disabled");
        }
        let kept = events(&app, &format!("target_id={id}&action=api_key.refuse"))
            .await
            .len();
        assert!((BURST..=most(begun)).contains(&kept), "{kept}");
    })
    .await;
}

#[tokio::test]
async fn all_kinds_of_refusals_share_one_budget() {
    on_both_engines(|app| async move {
        let (key, secret) = app
            .create_key(NewKey {
                permissions: vec![Permission::TokensIssue],
                ..NewKey::default()
            })
            .await;
        let begun = Instant::now();
        let no_roles = json!({ "user": { "id": "u", "roles": [] } });
        for _ in 0..BURST {
            let answer = app.issue_with(&secret, &no_roles).await;
            answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "roles_empty");
            let answer = app.call_with(&secret, Method::GET, "/v1/users", None).await;
            answer.assert_problem(StatusCode::FORBIDDEN, "permission_denied");
        }
        let kept = events(&app, &format!("actor_id={}", key.id)).await;
        assert!(
            (BURST..=most(begun)).contains(&kept.len()),
            "{}",
            kept.len()
        );
        for action in ["session_token.refuse", "operation.refuse"] {
            assert!(
                kept.iter().any(|event| event["action"] == action),
                "{action}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_command_line_lists_them() {
    on_both_engines(|app| async move {
        let (id, key) = disabled_key(&app).await;
        app.call_with(&key, Method::GET, "/v1/account", None).await;
        let found = ok_json(&app, &["audit", "list", "--action", "api_key.refuse"]);
        assert_eq!(found["data"][0]["target_id"], json!(id));
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        let table = ok(&app, &["audit", "list", "--action", "api_key.refuse"]);
        assert!(
            table.contains("api_key.refuse") && table.contains(&id),
            "{table}"
        );
        let none = ok_json(&app, &["audit", "list", "--action", "operation.refuse"]);
        assert_eq!(none["data"], json!([]));
    })
    .await;
}
