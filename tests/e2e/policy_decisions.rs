//! What a policy that was sent over HTTP means for the next token.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::policy::put;
use crate::support::{App, decode, on_both_engines};

fn policy() -> Value {
    json!({
        "roles": [
            { "name": "viewer", "default_ttl_seconds": 120, "permissions": [{ "resource": "file", "action": "view" }] },
            { "name": "contractor", "permissions": [{ "resource": "file/secret", "action": "*", "effect": "deny" }] },
            { "name": "partner", "audiences": ["partners"] },
            { "name": "eu", "permissions": [{ "resource": "map", "action": "view" }] },
            { "name": "us" },
        ],
        "attributes": [
            { "name": "tenant", "type": "string", "normalize": ["trim", "case_fold"], "pattern": "t-[a-z0-9]+" },
            { "name": "account", "type": "string", "normalize": ["uuid"] },
            { "name": "country", "type": "string", "requires": ["city"] },
            { "name": "city", "type": "string", "requires": ["country"] },
            { "name": "region", "type": "string", "from_role": { "eu": "eu", "us": "us" } },
            { "name": "regions", "type": "string", "list": true, "from_role": { "eu": ["eu"], "us": ["us"] } },
            { "name": "ssn", "type": "string", "sensitive": true, "pattern": "[0-9]{9}" },
        ],
    })
}

fn user(roles: &[&str], attributes: Value) -> Value {
    let mut request = json!({ "user": { "id": "user-42", "roles": roles } });
    request["user"]["attributes"] = attributes;
    request
}

async fn with_policy(app: &App) {
    let answer = put(app, policy()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn what_a_policy_does_not_allow_is_refused_at_its_place() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        for (body, code, pointer) in [
            (
                user(&["eu", "us"], json!({})),
                "attribute_ambiguous",
                "/user/attributes/region",
            ),
            (
                user(&["partner"], json!({})),
                "role_not_for_audience",
                "/user/roles/0",
            ),
            (
                user(&["viewer"], json!({ "country": "fr" })),
                "missing_attribute",
                "/user/attributes/city",
            ),
            (
                user(&["viewer"], json!({ "city": "Nantes" })),
                "missing_attribute",
                "/user/attributes/country",
            ),
            (
                user(&["viewer"], json!({ "tenant": "t_1" })),
                "attribute_pattern",
                "/user/attributes/tenant",
            ),
            (
                user(&["viewer"], json!({ "tenant": " \t" })),
                "attribute_empty",
                "/user/attributes/tenant",
            ),
            (
                user(&["viewer"], json!({ "account": "7" })),
                "attribute_type",
                "/user/attributes/account",
            ),
            (
                user(&["viewer"], json!({ "ssn": "secret-s5n" })),
                "attribute_pattern",
                "/user/attributes/ssn",
            ),
        ] {
            let problem = app
                .issue(&body)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_policy_says_is_in_the_token() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        for (body, attributes) in [
            (
                user(&["viewer"], json!({ "tenant": "\u{a0}T-A1 " })),
                json!({ "tenant": "t-a1" }),
            ),
            (
                user(
                    &["viewer"],
                    json!({ "account": "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}" }),
                ),
                json!({ "account": "6ba7b810-9dad-11d1-80b4-00c04fd430c8" }),
            ),
            (
                user(&["viewer"], json!({ "country": "fr", "city": "Nantes" })),
                json!({ "country": "fr", "city": "Nantes" }),
            ),
            (
                user(&["eu"], json!({})),
                json!({ "region": "eu", "regions": ["eu"] }),
            ),
            (
                user(&["eu", "us"], json!({ "region": "us" })),
                json!({ "region": "us", "regions": ["eu", "us"] }),
            ),
            (
                user(&["eu"], json!({ "regions": ["mars"], "region": "x" })),
                json!({ "region": "x", "regions": ["mars"] }),
            ),
        ] {
            let issued = app.issue(&body).await;
            assert_eq!(issued.issued()["attributes"], attributes, "{body}");
            let (_, claims) = decode(&issued.token());
            assert_eq!(claims["attributes"], attributes, "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn roles_give_lifetimes_and_permissions_and_a_denial_wins() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let issued = app.issue(&user(&["viewer"], json!({}))).await;
        assert_eq!(issued.issued()["expires_in"], 120, "the role's default");
        assert_eq!(decode(&issued.token()).1["scope"], "file:view");
        let mut longer = user(&["viewer"], json!({}));
        longer["ttl_seconds"] = 300.into();
        assert_eq!(
            app.issue(&longer).await.issued()["expires_in"],
            300,
            "a default is no limit"
        );
        let denied = app
            .issue(&user(&["viewer", "contractor", "eu"], json!({})))
            .await;
        let scope = decode(&denied.token()).1["scope"].clone();
        assert_eq!(
            scope, "map:view",
            "the claim cannot say \"but not file/secret\""
        );
    })
    .await;
}

#[tokio::test]
async fn the_next_token_on_the_same_node_goes_by_the_new_policy() {
    on_both_engines(|app| async move {
        for round in 0..10 {
            let name = format!("round-{round}");
            let request = user(&[&name], json!({}));
            app.issue(&request)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_role");
            let policy = json!({ "roles": [{ "name": name, "max_ttl_seconds": round + 60 }] });
            let answer = put(&app, policy).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(app.issue(&request).await.issued()["expires_in"], round + 60);
            let path = format!("/v1/roles/{name}");
            assert_eq!(app.call(Method::DELETE, &path, None).await.status, 204);
            app.issue(&request)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_role");
        }
    })
    .await;
}

#[tokio::test]
async fn values_of_a_sensitive_attribute_show_up_nowhere() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let key = |ceiling: Value| json!({ "name": "k", "permissions": ["tokens:issue"], "ceiling": ceiling });
        for ceiling in [
            json!({ "fixed_attributes": { "ssn": "123456789" } }),
            json!({ "allowed_attributes": { "ssn": ["123456789"] } }),
        ] {
            let answer = app.call(Method::POST, "/v1/api-keys", Some(key(ceiling))).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_ceiling");
            assert!(problem["detail"].as_str().unwrap().contains("sensitive"), "{problem}");
            assert!(!answer.text.contains("123456789"), "{}", answer.text);
        }
        app.issue(&user(&["viewer"], json!({ "ssn": "123456789" }))).await.issued();
        let wrong = user(&["viewer", "ghost"], json!({ "ssn": "123456789x" }));
        let refused = app.issue(&wrong).await;
        refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_role");
        assert!(!refused.text.contains("123456789"), "{}", refused.text);
        for list in ["/v1/api-keys", "/v1/audit-events?limit=100", "/v1/policy"] {
            let answer = app.call(Method::GET, list, None).await;
            assert!(answer.status == 200 && !answer.text.contains("123456789"), "{}", answer.text);
        }
        assert!(!app.server.log().contains("123456789"));
    })
    .await;
}

#[tokio::test]
async fn a_key_that_fixes_what_became_sensitive_issues_nothing() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let body = json!({
            "name": "k", "permissions": ["tokens:issue"], "ceiling": { "fixed_attributes": { "region": "eu" } },
        });
        let made = app.call(Method::POST, "/v1/api-keys", Some(body)).await.json();
        let key = made["secret"].as_str().unwrap();
        let request = user(&["viewer"], json!({}));
        assert_eq!(app.issue_with(key, &request).await.issued()["attributes"]["region"], "eu");
        let sensitive = json!({ "name": "region", "type": "string", "sensitive": true });
        let changed = app.call(Method::PUT, "/v1/attributes/region", Some(sensitive)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let refused = app.issue_with(key, &request).await;
        refused.assert_problem(StatusCode::INTERNAL_SERVER_ERROR, "policy_unusable");
    })
    .await;
}
