//! Introspection (RFC 7662) and revocation (RFC 7009), as standard clients use them.

use key_admin::Permission;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, App, Form as _, NewKey, on_both_engines};

fn request() -> Value {
    json!({
        "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
        "resources": [{ "type": "dashboard", "id": "sales" }],
    })
}

impl App {
    async fn key_that_only_issues(&self) -> String {
        let new = NewKey {
            permissions: vec![Permission::TokensIssue],
            ..NewKey::default()
        };
        self.create_key(new).await.1
    }

    fn oauth(&self, endpoint: &str) -> RequestBuilder {
        self.http
            .post(format!("{}/oauth2/{endpoint}", self.server.url()))
    }

    async fn asks(&self, endpoint: &str, key: &str, token: &str) -> Answer {
        let form = [("token", token), ("token_type_hint", "access_token")];
        self.send(
            self.oauth(endpoint)
                .basic_auth("client", Some(key))
                .form(&form),
        )
        .await
    }

    async fn introspects(&self, token: &str) -> Value {
        let answer = self.asks("introspect", &self.key, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    }
}

#[tokio::test]
async fn an_active_token_tells_what_it_says_and_any_other_nothing() {
    on_both_engines(|app| async move {
        let issued = app.issue(&request()).await.issued();
        let token = issued["token"].as_str().unwrap();
        let said = app.introspects(token).await;
        for (member, expected) in [
            ("active", json!(true)),
            ("sub", json!("user-42")),
            ("aud", json!("default")),
            ("iss", json!(app.issuer())),
            ("scope", json!("dashboard:view")),
            ("token_type", json!("Bearer")),
            ("jti", issued["session_id"].clone()),
            ("session_id", issued["session_id"].clone()),
            ("roles", json!(["viewer"])),
            ("attributes", json!({ "tenant_id": "t-1" })),
            ("resources", json!([{ "type": "dashboard", "id": "sales" }])),
        ] {
            assert_eq!(said[member], expected, "{member}");
        }
        assert_eq!(
            said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(),
            900
        );
        assert!(said["nbf"].as_i64() < said["iat"].as_i64());
        let stranger = app.key_of_another_organization().await;
        let answer = app.asks("introspect", &stranger, token).await;
        assert_eq!(answer.text, r#"{"active":false}"#);
        for bad in ["x", "a.b.c", &app.key, &token[..token.len() - 4]] {
            assert_eq!(app.introspects(bad).await, json!({ "active": false }));
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_not_active_and_anything_can_be_revoked() {
    on_both_engines(|app| async move {
        let issued = app.issue(&request()).await.issued();
        let token = issued["token"].as_str().unwrap();
        let stranger = app.key_of_another_organization().await;
        for (key, token) in [(&stranger, token), (&app.key, "x"), (&app.key, "a.b.c")] {
            let answer = app.asks("revoke", key, token).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        }
        assert_eq!(app.introspects(token).await["active"], true);
        for _ in 0..2 {
            assert_eq!(app.asks("revoke", &app.key, token).await.status, 200);
            assert_eq!(app.introspects(token).await, json!({ "active": false }));
        }
    })
    .await;
}

#[tokio::test]
async fn every_refusal_is_in_the_form_of_rfc_6749() {
    on_both_engines(|app| async move {
        let powerless = app.key_that_only_issues().await;
        for endpoint in ["introspect", "revoke"] {
            let good = [("token", "x")];
            let long = "x".repeat(70_000);
            let call = || app.oauth(endpoint);
            let key = Some(app.key.as_str());
            let not_a_key = format!("{}x", app.key);
            let twice = "token=x&token=y";
            let form = "application/x-www-form-urlencoded";
            for (request, status, error) in [
                (call().form(&good), 401, "invalid_client"),
                (
                    call().basic_auth("c", Some("wrong")).form(&good),
                    401,
                    "invalid_client",
                ),
                (
                    call().basic_auth("c", Some(not_a_key)).form(&good),
                    401,
                    "invalid_client",
                ),
                (
                    call().header("authorization", "Basic !").form(&good),
                    401,
                    "invalid_client",
                ),
                (
                    call()
                        .basic_auth("c", key)
                        .header("x-api-key", &app.key)
                        .form(&good),
                    400,
                    "invalid_request",
                ),
                (
                    call().basic_auth("c", Some(&powerless)).form(&good),
                    403,
                    "unauthorized_client",
                ),
                (
                    call().basic_auth("c", key).form(&[("other", "x")]),
                    400,
                    "invalid_request",
                ),
                (
                    call().basic_auth("c", key).form(&[("token", "")]),
                    400,
                    "invalid_request",
                ),
                (
                    call()
                        .basic_auth("c", key)
                        .header("content-type", form)
                        .body(twice),
                    400,
                    "invalid_request",
                ),
                (
                    call().basic_auth("c", key).json(&json!({ "token": "x" })),
                    415,
                    "invalid_request",
                ),
                (
                    call()
                        .basic_auth("c", key)
                        .form(&[("token", long.as_str())]),
                    413,
                    "invalid_request",
                ),
            ] {
                let answer = app.send(request).await;
                assert_eq!(
                    (answer.status, &answer.json()["error"]),
                    (status, &json!(error)),
                    "{}",
                    answer.text
                );
                assert_eq!(answer.header("content-type"), "application/json");
                assert_eq!(answer.header("cache-control"), "no-store");
                assert!(answer.json()["error_description"].is_string());
                let challenge = answer.headers.get_all("www-authenticate").iter();
                let basic = challenge.filter(|it| it.to_str().unwrap().starts_with("Basic"));
                assert_eq!(basic.count(), usize::from(status == 401));
            }
        }
        let refused = app
            .call(
                Method::GET,
                "/v1/audit-events?action=operation.refuse",
                None,
            )
            .await
            .json();
        assert_eq!(refused["data"].as_array().unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_key_comes_by_every_way_that_the_api_knows() {
    on_both_engines(|app| async move {
        let good = [("token", "x")];
        for endpoint in ["introspect", "revoke"] {
            let call = || app.oauth(endpoint);
            for request in [
                call().header("x-api-key", &app.key).form(&good),
                call().bearer_auth(&app.key).form(&good),
                call()
                    .header("authorization", format!("ApiKey {}", app.key))
                    .form(&good),
            ] {
                assert_eq!(app.send(request).await.status, 200);
            }
        }
    })
    .await;
}
