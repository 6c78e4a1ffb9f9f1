//! A member and the member's own keys, over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, on_both_engines};

const KEYS: &str = "/v1/api-keys";

/// A user of this role with one key, made as an administrator does: the user's id, the key's id, and the key.
async fn user_with_key(app: &App, email: &str, role: &str) -> (String, String, String) {
    let user = json!({ "email": email, "password": PASSWORD, "role": role });
    let made = app.call(Method::POST, "/v1/users", Some(user)).await.json();
    let owner = made["id"].as_str().unwrap().to_owned();
    let key = json!({ "name": "first", "permissions": ["write"], "owner_id": owner });
    let (id, secret) = created(&app.call(Method::POST, KEYS, Some(key)).await.json());
    (owner, id, secret)
}

fn created(answer: &Value) -> (String, String) {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    };
    (text(&answer["api_key"]["id"]), text(&answer["secret"]))
}

/// Everything that can be done to a key, in an order in which each can be done once.
fn deeds(id: &str) -> Vec<(Method, String, Option<Value>)> {
    let at = |path: &str| format!("{KEYS}/{id}{path}");
    vec![
        (Method::PATCH, at(""), Some(json!({ "name": "renamed" }))),
        (
            Method::PATCH,
            at(""),
            Some(json!({ "permissions": ["tokens:issue"] })),
        ),
        (Method::POST, at("/rotate"), Some(json!({}))),
        (Method::POST, at("/disable"), None),
        (Method::POST, at("/enable"), None),
        (
            Method::POST,
            at("/revoke"),
            Some(json!({ "reason": "done" })),
        ),
        (Method::DELETE, at(""), None),
    ]
}

#[tokio::test]
async fn a_member_makes_and_changes_its_own_keys() {
    on_both_engines(|app| async move {
        let (owner, first, key) = user_with_key(&app, "grace@example.com", "member").await;
        for named in [None, Some(&owner)] {
            // All that a member's key may hold; more would be stronger than itself.
            let permissions = ["tokens:issue", "keys:read", "keys:write"];
            let mut new = json!({ "name": "second", "permissions": permissions });
            if let Some(owner) = named {
                new["owner_id"] = json!(owner);
            }
            let answer = app.call_with(&key, Method::POST, KEYS, Some(new)).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            assert_eq!(answer.json()["api_key"]["owner"]["id"], json!(owner));
            let (second, secret) = created(&answer.json());
            let token = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } });
            app.issue_with(&secret, &token).await.issued();
            for (method, path, body) in deeds(&second) {
                let answer = app.call_with(&key, method.clone(), &path, body).await;
                assert!([200, 204].contains(&answer.status), "{method} {path}: {}", answer.text);
            }
        }
        let more = json!({ "name": "more", "permissions": ["users:read"] });
        let answer = app.call_with(&key, Method::POST, KEYS, Some(more)).await;
        answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        let revoke = format!("{KEYS}/{first}/revoke");
        let itself = app
            .call_with(&key, Method::POST, &revoke, Some(json!({})))
            .await;
        assert_eq!(itself.status, 200, "{}", itself.text);
        let gone = app.call_with(&key, Method::GET, "/v1/account", None).await;
        gone.assert_problem(StatusCode::UNAUTHORIZED, "key_revoked");
    })
    .await;
}

#[tokio::test]
async fn a_member_only_reads_keys_of_others() {
    on_both_engines(|app| async move {
        let (_, _, key) = user_with_key(&app, "grace@example.com", "member").await;
        let account = json!({ "name": "ci" });
        let account = app
            .call(Method::POST, "/v1/service-accounts", Some(account))
            .await
            .json();
        let (peer, ..) = user_with_key(&app, "mary@example.com", "member").await;
        let (viewer, ..) = user_with_key(&app, "vera@example.com", "viewer").await;
        let owner = app.owner.to_string();
        for other in [account["id"].as_str().unwrap(), &peer, &viewer, &owner] {
            let new =
                json!({ "name": "theirs", "permissions": ["tokens:issue"], "owner_id": other });
            let refused = app
                .call_with(&key, Method::POST, KEYS, Some(new.clone()))
                .await;
            let problem = refused.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
            assert_eq!(problem["errors"][0]["pointer"], "/owner_id");
            let (id, _) = created(&app.call(Method::POST, KEYS, Some(new)).await.json());
            let path = format!("{KEYS}/{id}");
            let before = app.call_with(&key, Method::GET, &path, None).await;
            assert_eq!(before.status, 200, "{}", before.text);
            for (method, path, body) in deeds(&id) {
                let answer = app.call_with(&key, method, &path, body).await;
                let problem = answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
                assert_eq!(problem["errors"][0]["pointer"], "/owner_id");
            }
            let after = app.call_with(&key, Method::GET, &path, None).await;
            assert_eq!(after.text, before.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_demoted_admin_keeps_its_own_keys_only() {
    on_both_engines(|app| async move {
        let (admin, own, key) = user_with_key(&app, "joe@example.com", "admin").await;
        let new = json!({ "name": "ours", "permissions": ["tokens:issue"], "owner_id": app.owner.to_string() });
        let (ours, _) = created(&app.call(Method::POST, KEYS, Some(new)).await.json());
        let disable = |id: &str| format!("{KEYS}/{id}/disable");
        assert_eq!(app.call_with(&key, Method::POST, &disable(&ours), None).await.status, 200);
        let demote = json!({ "role": "member" });
        let demoted = app.call(Method::PATCH, &format!("/v1/users/{admin}"), Some(demote)).await;
        assert_eq!(demoted.status, 200, "{}", demoted.text);
        let refused = app.call_with(&key, Method::DELETE, &format!("{KEYS}/{ours}"), None).await;
        refused.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        let users = app.call_with(&key, Method::GET, "/v1/users", None).await;
        users.assert_problem(StatusCode::FORBIDDEN, "permission_denied");
        let rename = json!({ "name": "still mine", "permissions": ["tokens:issue", "keys:read", "keys:write"] });
        let renamed = app.call_with(&key, Method::PATCH, &format!("{KEYS}/{own}"), Some(rename)).await;
        assert_eq!(renamed.status, 200, "{}", renamed.text);
    })
    .await;
}
