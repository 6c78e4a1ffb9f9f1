//! The request and the answer of Toucan AI's endpoint.

use key_admin::{Act, KeyCeiling};
use policy::{AudienceLimits, AudienceName};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use token_issuer::audiences::{AudienceSettings, NewAudience};
use token_issuer::signing_keys::SigningAlgorithm;

use crate::support::{Answer, App, NewKey, decode, on_both_engines};

fn editor() -> Value {
    json!({ "user": { "distinctId": "user-42", "role": "editor", "attributes": { "tenant_id": "t-1" } } })
}

async fn generate(app: &App, key: &str, body: &Value) -> Answer {
    let body = Some(body.clone());
    app.call_with(key, Method::POST, "/embed/generate-token", body)
        .await
}

#[tokio::test]
async fn the_answer_has_exactly_the_known_shape() {
    on_both_engines(|app| async move {
        let answer = generate(&app, &app.key, &editor()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        let token = body["token"].as_str().unwrap();
        assert_eq!(body, json!({ "token": token, "expiresIn": "1h" }));
        let (_, claims) = decode(token);
        assert_eq!(claims["sub"], "user-42");
        assert_eq!(
            (&claims["aud"], &claims["roles"]),
            (&json!("default"), &json!(["editor"]))
        );
        assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 3600);
        assert_eq!(app.count_sessions().await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_answer_tells_the_real_lifetime() {
    on_both_engines(|app| async move {
        for (max_ttl_seconds, text) in [(120, "2m"), (90, "90s"), (1800, "15m")] {
            let ceiling = KeyCeiling {
                max_ttl_seconds: Some(max_ttl_seconds),
                ..KeyCeiling::default()
            };
            let new = NewKey {
                ceiling,
                ..NewKey::default()
            };
            let (_, key) = app.create_key(new).await;
            let body = generate(&app, &key, &editor()).await.json();
            assert_eq!(body["expiresIn"], text);
        }
    })
    .await;
}

#[tokio::test]
async fn the_audience_toucan_is_used_where_there_is_one() {
    on_both_engines(|app| async move {
        let audience = NewAudience {
            name: AudienceName::parse("toucan").unwrap(),
            aud: Some("https://toucan.test".into()),
            algorithm: SigningAlgorithm::default(),
            limits: AudienceLimits {
                default_ttl_seconds: 300,
                max_ttl_seconds: 7200,
            },
            settings: AudienceSettings::default(),
            secret: None,
        };
        let (act, issuer) = (Act::on_command_line(), &app.services.issuer);
        issuer
            .create_audience(&act, app.organization.id, audience)
            .await
            .unwrap();
        app.server_sees_changes().await;
        let body = generate(&app, &app.key, &editor()).await.json();
        let (_, claims) = decode(body["token"].as_str().unwrap());
        assert_eq!(claims["aud"], "https://toucan.test");
        assert_eq!(body["expiresIn"], "1h");
    })
    .await;
}

#[tokio::test]
async fn permissions_narrow_the_scope_and_never_widen_it() {
    on_both_engines(|app| async move {
        let with = |permissions: Value| {
            let mut body = editor();
            body["permissions"] = permissions;
            body
        };
        for (permissions, scope) in [
            (json!({ "dashboard": ["can_view"] }), "dashboard:view"),
            (json!({ "dashboard": "can_view" }), "dashboard:view"),
            (
                json!({ "dashboard": ["can_edit"] }),
                "dashboard:edit dashboard:view",
            ),
            (
                json!({ "dashboard": ["can_view", "can_edit"] }),
                "dashboard:edit dashboard:view",
            ),
        ] {
            let answer = generate(&app, &app.key, &with(permissions)).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let (_, claims) = decode(answer.json()["token"].as_str().unwrap());
            assert_eq!(claims["scope"], scope);
        }
        let issued = app.count_sessions().await;
        for (permissions, code, pointer) in [
            (
                json!({ "ai": ["can_query"] }),
                "scope_not_granted",
                "/permissions/ai/0",
            ),
            (
                json!({ "chart": ["can_view"] }),
                "scope_not_granted",
                "/permissions/chart/0",
            ),
            (
                json!({ "dashboard": ["can_query"] }),
                "unknown_embed_permission",
                "/permissions/dashboard/0",
            ),
            (
                json!({ "folder": ["can_view"] }),
                "unknown_embed_permission",
                "/permissions/folder/0",
            ),
            (
                json!({ "dashboard": [] }),
                "unknown_embed_permission",
                "/permissions/dashboard",
            ),
            (json!({}), "unknown_embed_permission", "/permissions"),
            (
                json!({ "dashboard": true }),
                "invalid_field",
                "/permissions/dashboard",
            ),
            (json!([]), "invalid_field", "/permissions"),
            (json!(null), "invalid_field", "/permissions"),
        ] {
            let answer = generate(&app, &app.key, &with(permissions)).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
        assert_eq!(app.count_sessions().await, issued);
    })
    .await;
}

#[tokio::test]
async fn refusals_point_at_the_fields_of_this_request() {
    on_both_engines(|app| async move {
        for (at, value, code, pointer) in [
            (
                "/user/distinctId",
                json!(""),
                "invalid_subject",
                "/user/distinctId",
            ),
            ("/user/role", json!("nobody"), "unknown_role", "/user/role"),
            (
                "/user/attributes",
                json!({}),
                "missing_attribute",
                "/user/attributes/tenant_id",
            ),
            (
                "/user/attributes/tenant_id",
                json!(""),
                "attribute_empty",
                "/user/attributes/tenant_id",
            ),
            (
                "/user",
                json!({ "distinctId": "u" }),
                "missing_field",
                "/user",
            ),
            (
                "/user",
                json!({ "distinctId": "u", "role": "viewer", "roles": [] }),
                "unknown_field",
                "/user/roles",
            ),
        ] {
            let mut body = editor();
            *body.pointer_mut(at).unwrap() = value;
            let answer = generate(&app, &app.key, &body).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            let errors = problem["errors"].as_array().unwrap();
            let found: Vec<_> = errors.iter().map(|it| &it["pointer"]).collect();
            assert_eq!(
                found,
                [pointer],
                "the hour that nobody asked for is no reason"
            );
        }
        let other = app.key_of_another_organization().await;
        let answer = generate(&app, &other, &editor()).await;
        answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_role");
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}
