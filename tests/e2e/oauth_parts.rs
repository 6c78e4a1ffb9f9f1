//! Session tokens that are exchanged for ones that may do less (RFC 8693).

use key_admin::KeyCeiling;
use reqwest::StatusCode;
use serde_json::json;

use crate::oauth_token::{assert_refused, exchange, part, user, viewer, with};
use crate::support::{App, NewKey, decode, on_both_engines};

/// A token with something of everything.
async fn whole(app: &App) -> String {
    let request = json!({
        "user": { "id": "user-42", "roles": ["viewer", "editor"],
                  "attributes": { "tenant_id": "t-1", "regions": ["eu", "us"], "plan": "pro" } },
        "ttl_seconds": 600,
        "resources": [{ "type": "dashboard", "id": "sales" }, { "type": "dashboard", "id": "costs" }],
    });
    app.issue(&request).await.token()
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_that_may_do_less() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let (_, before) = decode(&token);
        for (details, roles, regions, resources) in [
            (
                json!({}),
                json!(["viewer", "editor"]),
                json!(["eu", "us"]),
                2,
            ),
            (
                json!({ "roles": ["viewer"] }),
                json!(["viewer"]),
                json!(["eu", "us"]),
                2,
            ),
            (
                json!({ "attributes": { "regions": ["us"] } }),
                json!(["viewer", "editor"]),
                json!(["us"]),
                2,
            ),
            (
                json!({ "resources": [{ "type": "dashboard", "id": "costs" }], "ttl_seconds": 60 }),
                json!(["viewer", "editor"]),
                json!(["eu", "us"]),
                1,
            ),
        ] {
            let answer = exchange(&app, &app.key, &part(&token, &details)).await;
            assert_eq!(answer.status, 200, "{details}: {}", answer.text);
            let (_, claims) = decode(answer.json()["access_token"].as_str().unwrap());
            assert_eq!(
                (&claims["sub"], &claims["roles"]),
                (&json!("user-42"), &roles)
            );
            assert_eq!(
                claims["attributes"]["tenant_id"], "t-1",
                "what is not named stays"
            );
            assert_eq!(claims["attributes"]["plan"], "pro");
            assert_eq!(claims["attributes"]["regions"], regions);
            assert_eq!(claims["resources"].as_array().unwrap().len(), resources);
            assert!(claims["exp"].as_i64() <= before["exp"].as_i64());
            assert_ne!(claims["jti"], before["jti"]);
        }
    })
    .await;
}

#[tokio::test]
async fn no_exchange_makes_a_token_wider() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let resource = |id: &str| json!([{ "type": "dashboard", "id": id }]);
        let chart = json!([{ "type": "chart", "id": "sales" }]);
        for (details, pointer) in [
            (json!({ "roles": ["viewer", "admin"] }), "roles/1"),
            (json!({ "roles": ["admin"] }), "roles/0"),
            (json!({ "roles": ["auditor"] }), "roles/0"),
            (
                json!({ "attributes": { "tenant_id": "t-2" } }),
                "attributes/tenant_id",
            ),
            (
                json!({ "attributes": { "tenant_id": null } }),
                "attributes/tenant_id",
            ),
            (
                json!({ "attributes": { "regions": ["eu", "asia"] } }),
                "attributes/regions",
            ),
            (
                json!({ "attributes": { "regions": "eu" } }),
                "attributes/regions",
            ),
            (
                json!({ "attributes": { "plan": "free" } }),
                "attributes/plan",
            ),
            (
                json!({ "attributes": { "internal": true } }),
                "attributes/internal",
            ),
            (json!({ "resources": [] }), "resources"),
            (json!({ "resources": resource("other") }), "resources/0"),
            (json!({ "resources": chart }), "resources/0"),
            (json!({ "ttl_seconds": 601 }), "ttl_seconds"),
        ] {
            let answer = exchange(&app, &app.key, &part(&token, &details)).await;
            let body = assert_refused(&answer, 400, "invalid_request");
            let errors = body["errors"].as_array().unwrap();
            let pointer = format!("/authorization_details/0/{pointer}");
            assert!(
                errors.iter().any(|it| it["pointer"] == pointer),
                "{details}: {body}"
            );
        }
        let empty = json!({ "attributes": { "regions": [] } });
        assert_refused(
            &exchange(&app, &app.key, &part(&token, &empty)).await,
            400,
            "invalid_request",
        );
        assert_eq!(app.count_sessions().await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_calling_key_adds_nothing_and_must_allow_all() {
    on_both_engines(|app| async move {
        let request = json!({ "user": { "id": "u", "roles": ["editor"], "attributes": { "tenant_id": "t-1" } } });
        let token = app.issue(&request).await.token();
        for (ceiling, code) in [
            (json!({ "roles": ["viewer"] }), "role_not_allowed"),
            (json!({ "fixed_attributes": { "tenant_id": "t-9" } }), "attribute_fixed"),
            (json!({ "fixed_attributes": { "plan": "pro" } }), "attribute_not_in_token"),
        ] {
            let ceiling: KeyCeiling = serde_json::from_value(ceiling).unwrap();
            let (_, key) = app.create_key(NewKey { ceiling, ..NewKey::default() }).await;
            let body = assert_refused(&exchange(&app, &key, &part(&token, &json!({}))).await, 400, "invalid_request");
            assert_eq!(body["errors"][0]["code"], code);
        }
        let audiences: KeyCeiling = serde_json::from_value(json!({ "audiences": [] })).unwrap();
        let (_, key) = app.create_key(NewKey { ceiling: audiences, ..NewKey::default() }).await;
        assert_refused(&exchange(&app, &key, &part(&token, &json!({}))).await, 400, "invalid_target");
        let other = app.key_of_another_organization().await;
        assert_refused(&exchange(&app, &other, &part(&token, &json!({}))).await, 400, "invalid_request");
        assert_refused(&exchange(&app, &app.key, &part("eyJ.x.y", &json!({}))).await, 400, "invalid_request");
    })
    .await;
}

#[tokio::test]
async fn a_narrowed_scope_stays_narrow() {
    on_both_engines(|app| async move {
        let mut editor = viewer();
        editor["roles"] = json!(["editor"]);
        let narrow = with(user(&editor), "scope", Some("dashboard:view"));
        let body = exchange(&app, &app.key, &narrow).await.json();
        assert_eq!(body["scope"], "dashboard:view");
        let token = body["access_token"].as_str().unwrap();
        let again = exchange(&app, &app.key, &part(token, &json!({})))
            .await
            .json();
        assert_eq!(
            again["scope"], "dashboard:view",
            "though the role allows more"
        );
        let wider = with(part(token, &json!({})), "scope", Some("dashboard:edit"));
        let answer = exchange(&app, &app.key, &wider).await;
        let body = assert_refused(&answer, 400, "invalid_scope");
        assert_eq!(body["errors"][0]["pointer"], "/scope/0");
    })
    .await;
}

async fn is_active(app: &App, token: &str) -> bool {
    let body =
        json!({ "token": token, "checks": [{ "resource": "dashboard/sales", "action": "view" }] });
    let answer = app
        .call(reqwest::Method::POST, "/v1/authorize", Some(body))
        .await;
    if answer.status != 200 {
        answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_not_active");
    }
    answer.status == 200
}

async fn revoke(app: &App, token: &str) {
    let id = decode(token).1["jti"].as_str().unwrap().to_owned();
    let id: storage::SessionId = id.parse().unwrap();
    let mut tx = app.services.database.write().await.unwrap();
    let sql = "update sessions set revoked_at = issued_at where id = $1";
    assert_eq!(storage::execute!(tx.conn(), sql, id).unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_part_is_void_with_the_whole_of_another_key() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let (_, key) = app.create_key(NewKey::default()).await;
        let first = exchange(&app, &key, &part(&token, &json!({}))).await.json();
        let first = first["access_token"].as_str().unwrap();
        let second = exchange(
            &app,
            &app.key,
            &part(first, &json!({ "roles": ["viewer"] })),
        )
        .await
        .json();
        let second = second["access_token"].as_str().unwrap();
        assert!(is_active(&app, first).await && is_active(&app, second).await);
        revoke(&app, &token).await;
        assert!(!is_active(&app, &token).await);
        assert!(!is_active(&app, first).await && !is_active(&app, second).await);
        for void in [token.as_str(), first] {
            let answer = exchange(&app, &app.key, &part(void, &json!({}))).await;
            assert_refused(&answer, 400, "invalid_request");
        }
    })
    .await;
}
