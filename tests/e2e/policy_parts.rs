//! Roles and attributes, one by one, over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, on_both_engines};

async fn call(app: &App, method: Method, path: &str, body: Option<Value>) -> Answer {
    app.call(method, &format!("/v1{path}"), body).await
}

async fn events(app: &App, target: &str) -> Vec<Value> {
    let path = format!("/audit-events?target_id={target}");
    let events = call(app, Method::GET, &path, None).await.json();
    events["data"].as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_role_is_declared_shown_replaced_and_removed() {
    on_both_engines(|app| async move {
        let role = json!({
            "name": "seller", "description": "Sells.", "inherits": ["viewer"],
            "permissions": [{ "resource": "order", "action": "*" }, { "resource": "order/secret", "action": "view", "effect": "deny" }],
            "required_attributes": ["regions"], "audiences": ["default"],
            "default_ttl_seconds": 60, "max_ttl_seconds": 120,
        });
        let created = call(&app, Method::POST, "/roles", Some(role.clone())).await;
        assert_eq!((created.status, created.json()), (201, role.clone()));
        let again = call(&app, Method::POST, "/roles", Some(role.clone())).await;
        again.assert_problem(StatusCode::CONFLICT, "already_exists");
        assert_eq!(call(&app, Method::GET, "/roles/seller", None).await.json(), role);

        let bare = json!({ "name": "seller" });
        let replaced = call(&app, Method::PUT, "/roles/seller", Some(bare.clone())).await;
        assert_eq!((replaced.status, replaced.json()), (200, bare.clone()));
        assert_eq!(call(&app, Method::GET, "/roles/seller", None).await.json(), bare);
        let removed = call(&app, Method::DELETE, "/roles/seller", None).await;
        assert_eq!((removed.status, removed.text.as_str()), (204, ""));
        for (method, body) in [(Method::GET, None), (Method::PUT, Some(bare)), (Method::DELETE, None)] {
            let gone = call(&app, method, "/roles/seller", body).await;
            gone.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }

        let events = events(&app, "seller").await;
        assert_eq!(actions(&events), ["role.delete", "role.update", "role.create"]);
        let requests = [&removed, &replaced, &created].map(|it| it.header("x-request-id"));
        for (event, request) in events.iter().zip(requests) {
            assert_eq!((&event["target_kind"], &event["request_id"]), (&json!("role"), &json!(request)));
        }
        assert_eq!(events[0]["detail"]["changes"], json!([{ "path": "roles/seller", "before": {} }]));
    })
    .await;
}

#[tokio::test]
async fn an_attribute_is_declared_shown_replaced_and_removed() {
    on_both_engines(|app| async move {
        let attribute = json!({
            "name": "shop", "type": "string", "list": true, "normalize": ["trim", "case_fold"],
            "requires": ["tenant_id"], "from_role": { "guest": ["lobby"] }, "pattern": "[a-z]+",
            "max_length": 10, "max_items": 3, "description": "Which shops.",
        });
        let created = call(&app, Method::POST, "/attributes", Some(attribute.clone())).await;
        assert_eq!((created.status, created.json()), (201, attribute.clone()));
        let again = call(&app, Method::POST, "/attributes", Some(attribute.clone())).await;
        again.assert_problem(StatusCode::CONFLICT, "already_exists");
        assert_eq!(
            call(&app, Method::GET, "/attributes/shop", None)
                .await
                .json(),
            attribute
        );

        let bare = json!({ "name": "shop", "type": "integer" });
        let replaced = call(&app, Method::PUT, "/attributes/shop", Some(bare.clone())).await;
        assert_eq!((replaced.status, replaced.json()), (200, bare.clone()));
        let removed = call(&app, Method::DELETE, "/attributes/shop", None).await;
        assert_eq!(removed.status, 204);
        for (method, body) in [
            (Method::GET, None),
            (Method::PUT, Some(bare)),
            (Method::DELETE, None),
        ] {
            let gone = call(&app, method, "/attributes/shop", body).await;
            gone.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        let events = events(&app, "shop").await;
        assert_eq!(
            actions(&events),
            ["attribute.delete", "attribute.update", "attribute.create"]
        );
    })
    .await;
}

#[tokio::test]
async fn what_others_name_stays() {
    on_both_engines(|app| async move {
        for (path, code) in [
            ("/roles/viewer", "unknown_role"),
            ("/attributes/since", "undeclared_attribute"),
        ] {
            let refused = call(&app, Method::DELETE, path, None).await;
            let problem =
                refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
            assert_eq!(problem["errors"][0]["code"], code, "{problem}");
            assert_eq!(
                problem["errors"][0]["pointer"], "",
                "nothing of the request is wrong"
            );
            assert_eq!(call(&app, Method::GET, path, None).await.status, 200);
        }
        assert_eq!(
            call(&app, Method::DELETE, "/roles/auditor", None)
                .await
                .status,
            204
        );
        assert_eq!(
            call(&app, Method::DELETE, "/attributes/since", None)
                .await
                .status,
            204
        );
    })
    .await;
}

#[tokio::test]
async fn a_part_is_refused_at_its_place_and_changes_nothing() {
    on_both_engines(|app| async move {
        let before = call(&app, Method::GET, "/policy", None).await;
        for (path, body, code, pointer) in [
            ("/roles", json!({ "name": "a", "inherits": ["ghost"] }), "unknown_role", "/inherits"),
            ("/roles", json!({ "name": "a", "inherits": ["a"] }), "inheritance_cycle", "/inherits"),
            ("/roles", json!({ "name": "a", "description": "a\u{0}b" }), "invalid_text", "/description"),
            ("/roles", json!({ "name": "a", "max_ttl_seconds": 0 }), "out_of_range", "/max_ttl_seconds"),
            ("/roles", json!({ "name": "a", "audiences": [] }), "empty_list", "/audiences"),
            ("/attributes", json!({ "name": "a", "type": "string", "pattern": "(" }), "invalid_pattern", "/pattern"),
            ("/attributes", json!({ "name": "a", "type": "string", "requires": ["b"] }), "undeclared_attribute", "/requires"),
            (
                "/attributes",
                json!({ "name": "a", "type": "string", "sensitive": true, "from_role": { "viewer": "x" } }),
                "sensitive_value",
                "/from_role",
            ),
        ] {
            let answer = call(&app, Method::POST, path, Some(body)).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
            let error = &problem["errors"][0];
            assert_eq!((&error["code"], &error["pointer"]), (&json!(code), &json!(pointer)), "{problem}");
        }
        for (path, body, code, pointer) in [
            ("/roles", json!({}), "missing_field", ""),
            ("/roles", json!(["a"]), "invalid_field", ""),
            ("/roles", json!({ "name": "A" }), "invalid_field", "/name"),
            ("/roles", json!({ "name": "a", "color": 1 }), "unknown_field", "/color"),
            ("/roles", json!({ "name": "a", "permissions": [["x", "y"]] }), "invalid_field", "/permissions/0"),
            ("/attributes", json!({ "name": "iss", "type": "string" }), "invalid_field", "/name"),
            ("/attributes", json!({ "name": "a", "type": "text" }), "invalid_field", "/type"),
            ("/attributes", json!({ "name": "a", "type": "string", "max_items": -1 }), "invalid_field", "/max_items"),
        ] {
            let answer = call(&app, Method::POST, path, Some(body)).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let renamed = call(&app, Method::PUT, "/roles/guest", Some(json!({ "name": "visitor" }))).await;
        renamed.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "name_mismatch");
        let after = call(&app, Method::GET, "/policy", None).await;
        assert_eq!((after.header("etag"), &after.text), (before.header("etag"), &before.text));
    })
    .await;
}

#[tokio::test]
async fn lists_go_by_name_page_by_page() {
    on_both_engines(|app| async move {
        for (path, count) in [("/roles", 5), ("/attributes", 9)] {
            let whole = call(&app, Method::GET, path, None).await.json();
            assert!(whole.get("next_cursor").is_none(), "{whole}");
            let whole = whole["data"].as_array().unwrap().clone();
            assert_eq!(whole.len(), count);
            let mut paged = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = call(&app, Method::GET, &format!("{path}?limit=2{cursor}"), None)
                    .await
                    .json();
                paged.extend(page["data"].as_array().unwrap().iter().cloned());
                let Some(next) = page.get("next_cursor") else {
                    break;
                };
                cursor = format!("&cursor={}", next.as_str().unwrap());
            }
            assert_eq!(paged, whole);
            for (query, code) in [
                ("limit=0", "invalid_limit"),
                ("limit=101", "invalid_limit"),
                ("cursor=x", "invalid_cursor"),
                ("cursor=AAAA", "invalid_cursor"),
                ("page=2", "invalid_query"),
            ] {
                let answer = call(&app, Method::GET, &format!("{path}?{query}"), None).await;
                answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            }
            for name in ["A", "%00", "a%20b", "ghost"] {
                let answer = call(&app, Method::GET, &format!("{path}/{name}"), None).await;
                answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
    })
    .await;
}
