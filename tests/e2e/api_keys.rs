//! The whole life of an API key, over HTTP.

use key_admin::Permission;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, NewKey, decode, on_both_engines};

fn request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

/// A call to `/v1/api-keys` and below, with the unlimited key.
async fn call(app: &App, method: Method, path: &str, body: Option<Value>) -> Answer {
    call_with(app, &app.key, method, path, body).await
}

async fn call_with(
    app: &App,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    app.call_with(key, method, &format!("/v1/api-keys{path}"), body)
        .await
}

async fn create(app: &App, body: Value) -> (String, String) {
    let answer = call(app, Method::POST, "", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let created = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&created["api_key"]["id"]), text(&created["secret"]))
}

#[tokio::test]
async fn a_key_is_made_shown_once_used_and_seen_in_the_list() {
    on_both_engines(|app| async move {
        let (id, secret) = create(
            &app,
            json!({
                "name": "backend", "permissions": ["tokens:issue"], "expires_in_seconds": 3600,
                "ceiling": { "roles": ["viewer"], "fixed_attributes": { "tenant_id": "t-7" }, "max_ttl_seconds": 60 },
                "allowed_networks": ["127.0.0.0/8"], "rate_limit": { "per_minute": 600, "burst": 10 },
            }),
        )
        .await;
        for _ in 0..2 {
            let issued = app.issue_with(&secret, &json!({ "user": { "id": "u", "roles": ["viewer"] } })).await.issued();
            assert_eq!(issued["attributes"], json!({ "tenant_id": "t-7" }));
            assert_eq!(decode(issued["token"].as_str().unwrap()).1["client_id"], id);
        }
        let shown = call(&app, Method::GET, &format!("/{id}"), None).await;
        let key = shown.json();
        assert_eq!((&key["name"], &key["state"]), (&json!("backend"), &json!("active")));
        assert_eq!(key["prefix"], secret[..16]);
        assert_eq!(key["tokens_issued"], json!({ "today": 2, "last_30_days": 2, "ever": 2 }));
        assert_eq!(key["last_used_address"], "127.0.0.1");
        assert_eq!(key["owner"]["name"], "ada@acme.example");
        let listed = call(&app, Method::GET, "?search=BACK", None).await;
        assert_eq!(listed.json()["data"], json!([key]));
        for answer in [shown, listed] {
            assert!(!answer.text.contains(&secret[17..]) && !answer.text.contains("argon2"), "{}", answer.text);
        }
        let usage = call(&app, Method::GET, &format!("/{id}/usage"), None).await.json();
        assert_eq!(usage["days"].as_array().unwrap().len(), 30);
        assert_eq!(usage["days"][29]["tokens_issued"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_renamed_limited_disabled_enabled_and_revoked() {
    on_both_engines(|app| async move {
        let (id, secret) = create(&app, json!({ "name": "one", "permissions": ["tokens:issue"] })).await;
        let at = |action: &str| format!("/{id}{action}");
        let patch = json!({ "name": "two", "ceiling": { "roles": ["guest"] }, "expires_at": "2100-01-01T00:00:00Z" });
        let patched = call(&app, Method::PATCH, &at(""), Some(patch)).await.json();
        assert_eq!((&patched["name"], &patched["expires_at"]), (&json!("two"), &json!("2100-01-01T00:00:00Z")));
        app.issue_with(&secret, &request()).await.assert_problem(StatusCode::FORBIDDEN, "role_not_allowed");
        let patch = json!({ "ceiling": { "allowed_attributes": { "tenant_id": ["t-1", "t-2"], "regions": ["eu"] } } });
        let patched = call(&app, Method::PATCH, &at(""), Some(patch.clone())).await.json();
        assert_eq!(patched["ceiling"]["allowed_attributes"], patch["ceiling"]["allowed_attributes"]);
        let with = |attributes: Value| json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": attributes } });
        let allowed = json!({ "tenant_id": "t-2", "regions": ["eu"] });
        assert_eq!(app.issue_with(&secret, &with(allowed.clone())).await.issued()["attributes"], allowed);
        for (attributes, status, code) in [
            (json!({ "tenant_id": "t-3", "regions": ["eu"] }), StatusCode::FORBIDDEN, "attribute_beyond_key"),
            (json!({ "tenant_id": "t-1", "regions": ["eu", "us"] }), StatusCode::FORBIDDEN, "attribute_beyond_key"),
            (json!({ "tenant_id": "t-1" }), StatusCode::UNPROCESSABLE_ENTITY, "missing_attribute"),
        ] {
            app.issue_with(&secret, &with(attributes)).await.assert_problem(status, code);
        }
        let patch = json!({ "ceiling": {}, "expires_at": null });
        let patched = call(&app, Method::PATCH, &at(""), Some(patch)).await.json();
        assert!(patched.get("expires_at").is_none(), "{patched}");
        app.issue_with(&secret, &request()).await.issued();

        assert_eq!(call(&app, Method::POST, &at("/disable"), None).await.json()["state"], "disabled");
        app.issue_with(&secret, &request()).await.assert_problem(StatusCode::UNAUTHORIZED, "key_disabled");
        assert_eq!(call(&app, Method::POST, &at("/enable"), None).await.json()["state"], "active");
        app.issue_with(&secret, &request()).await.issued();

        let revoke = json!({ "reason": "laptop lost" });
        let revoked = call(&app, Method::POST, &at("/revoke"), Some(revoke)).await.json();
        assert_eq!((&revoked["state"], &revoked["revoked_reason"]), (&json!("revoked"), &json!("laptop lost")));
        app.issue_with(&secret, &request()).await.assert_problem(StatusCode::UNAUTHORIZED, "key_revoked");
        call(&app, Method::POST, &at("/enable"), None).await.assert_problem(StatusCode::CONFLICT, "api_key_is_revoked");

        assert_eq!(call(&app, Method::DELETE, &at(""), None).await.status, 204);
        app.issue_with(&secret, &request()).await.assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        call(&app, Method::GET, &at(""), None).await.assert_problem(StatusCode::NOT_FOUND, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_has_two_secrets_for_the_grace_period_or_one_at_once() {
    on_both_engines(|app| async move {
        let (id, first) = create(&app, json!({ "name": "one", "permissions": ["tokens:issue"] })).await;
        let path = format!("/{id}/rotate");
        let rotate = |grace: u32| {
            call(&app, Method::POST, &path, Some(json!({ "grace_seconds": grace })))
        };
        let second = rotate(3600).await.json()["secret"].as_str().unwrap().to_owned();
        for secret in [&first, &second] {
            app.issue_with(secret, &request()).await.issued();
        }
        let third = rotate(0).await.json()["secret"].as_str().unwrap().to_owned();
        app.issue_with(&third, &request()).await.issued();
        for secret in [&first, &second] {
            app.issue_with(secret, &request()).await.assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        }
        assert_eq!(rotate(604_801).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_grace")["errors"][0]["pointer"], "/grace_seconds");
    })
    .await;
}

#[tokio::test]
async fn wrong_keys_are_not_made() {
    on_both_engines(|app| async move {
        let with = |field: &str, value: Value| {
            let mut body = json!({ "name": "x", "permissions": ["tokens:issue"] });
            body[field] = value;
            body
        };
        for (body, code, pointer) in [
            (with("name", json!(" ")), "invalid_name", "/name"),
            (with("name", json!("x".repeat(101))), "invalid_name", "/name"),
            (with("name", json!("x\n")), "invalid_name", "/name"),
            (with("allowed_networks", json!(vec!["10.0.0.0/8"; 101])), "too_many_networks", "/allowed_networks"),
            (with("permissions", json!(["everything"])), "unknown_permission", "/permissions"),
            (with("expires_at", json!("2020-01-01T00:00:00Z")), "expiry_in_the_past", "/expires_at"),
            (with("expires_at", json!("2026-02-30T00:00:00Z")), "invalid_field", "/expires_at"),
            (with("expires_at", json!(null)), "invalid_field", "/expires_at"),
            (with("owner_id", json!("own_00000000000000000000000000000000")), "no_such_owner", "/owner_id"),
            (with("owner_id", json!("ada")), "invalid_field", "/owner_id"),
            (with("ceiling", json!({ "roles": ["nobody"] })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "audiences": ["nowhere"] })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "fixed_attributes": { "planet": "mars" } })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "fixed_attributes": { "tenant_id": "" } })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "allowed_attributes": { "planet": ["mars"] } })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "allowed_attributes": { "tenant_id": [] } })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!({ "allowed_attributes": { "tenant_id": [7] } })), "invalid_ceiling", "/ceiling"),
            (with("ceiling", json!([])), "invalid_field", "/ceiling"),
            (with("allowed_networks", json!(["0.0.0.0/33"])), "invalid_field", "/allowed_networks/0"),
            (with("rate_limit", json!({ "per_minute": 0, "burst": 1 })), "invalid_rate_limit", "/rate_limit"),
            (with("secret", json!("mine")), "unknown_field", "/secret"),
            (with("organization", json!("other")), "unknown_field", "/organization"),
        ] {
            let answer = call(&app, Method::POST, "", Some(body)).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let both = json!({ "name": "x", "permissions": [], "expires_at": "2100-01-01T00:00:00Z", "expires_in_seconds": 9 });
        call(&app, Method::POST, "", Some(both)).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "conflicting_fields");
        for (query, code) in [
            ("?limit=0", "invalid_limit"),
            ("?limit=101", "invalid_limit"),
            ("?limit=abc", "invalid_query"),
            ("?cursor=!", "invalid_cursor"),
            ("?state=lost", "invalid_state"),
            ("?sort=name", "invalid_query"),
            ("?search=%00", "invalid_filter"),
        ] {
            call(&app, Method::GET, query, None).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
        assert_eq!(call(&app, Method::GET, "", None).await.json()["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_makes_no_key_stronger_than_itself() {
    on_both_engines(|app| async move {
        let weak = NewKey {
            permissions: vec![Permission::KeysRead, Permission::KeysWrite],
            ceiling: serde_json::from_value(json!({ "roles": ["viewer"], "max_ttl_seconds": 60 }))
                .unwrap(),
            ..NewKey::default()
        };
        let (_, weak) = app.create_key(weak).await;
        let within = json!({ "roles": ["viewer"], "max_ttl_seconds": 30 });
        for (body, pointer) in [
            (
                json!({ "name": "x", "permissions": ["tokens:issue"], "ceiling": within }),
                "/permissions",
            ),
            (
                json!({ "name": "x", "permissions": ["write"], "ceiling": within }),
                "/permissions",
            ),
            (json!({ "name": "x", "permissions": [] }), "/ceiling/roles"),
            (
                json!({ "name": "x", "permissions": [], "ceiling": { "roles": ["viewer"] } }),
                "/ceiling/max_ttl_seconds",
            ),
        ] {
            let answer = call_with(&app, &weak, Method::POST, "", Some(body)).await;
            let problem = answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let fine = json!({ "name": "x", "permissions": ["keys:read"], "ceiling": within });
        assert_eq!(
            call_with(&app, &weak, Method::POST, "", Some(fine))
                .await
                .status,
            201
        );
        // Nor does it get at the secret of a stronger one, or widen a weak one.
        let (strong, _) = create(
            &app,
            json!({ "name": "strong", "permissions": ["tokens:issue"] }),
        )
        .await;
        for (path, body) in [("/rotate", json!({})), ("", json!({ "name": "mine" }))] {
            let method = if path.is_empty() {
                Method::PATCH
            } else {
                Method::POST
            };
            let answer =
                call_with(&app, &weak, method, &format!("/{strong}{path}"), Some(body)).await;
            answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_gets_no_key_of_an_owner() {
    on_both_engines(|app| async move {
        let admin = app.key_of_an_admin().await;
        let owners = json!({ "name": "x", "permissions": ["users:write"], "owner_id": app.owner.to_string() });
        let answer = call_with(&app, &admin, Method::POST, "", Some(owners)).await;
        let problem = answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        assert_eq!(problem["errors"][0]["pointer"], "/owner_id");
        let (id, _) = create(&app, json!({ "name": "of the owner", "permissions": [] })).await;
        let rotate = format!("/{id}/rotate");
        let answer = call_with(&app, &admin, Method::POST, &rotate, Some(json!({}))).await;
        answer.assert_problem(StatusCode::FORBIDDEN, "stronger_than_caller");
        let own = json!({ "name": "x", "permissions": ["users:write"] });
        assert_eq!(call_with(&app, &admin, Method::POST, "", Some(own)).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_nothing_of_a_key() {
    on_both_engines(|app| async move {
        let (id, _) = create(&app, json!({ "name": "ours", "permissions": [] })).await;
        let stranger = app.key_of_another_organization().await;
        for (method, path, body) in [
            (Method::GET, String::new(), None),
            (Method::GET, "/usage".into(), None),
            (
                Method::PATCH,
                String::new(),
                Some(json!({ "name": "theirs" })),
            ),
            (Method::POST, "/rotate".into(), Some(json!({}))),
            (Method::POST, "/disable".into(), None),
            (Method::POST, "/enable".into(), None),
            (Method::POST, "/revoke".into(), Some(json!({}))),
            (Method::DELETE, String::new(), None),
        ] {
            for target in [id.as_str(), "key_000000000000", "nonsense"] {
                let answer = call_with(
                    &app,
                    &stranger,
                    method.clone(),
                    &format!("/{target}{path}"),
                    body.clone(),
                )
                .await;
                answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
        let listed = call_with(&app, &stranger, Method::GET, "", None).await;
        assert!(!listed.text.contains(&id), "{}", listed.text);
        assert_eq!(
            call(&app, Method::GET, &format!("/{id}"), None)
                .await
                .json()["name"],
            "ours"
        );
    })
    .await;
}

#[tokio::test]
async fn pages_give_each_key_once() {
    on_both_engines(|app| async move {
        for number in 0..4 {
            create(
                &app,
                json!({ "name": format!("key {number}"), "permissions": [] }),
            )
            .await;
        }
        let mut seen = Vec::new();
        let mut path = "?limit=2".to_owned();
        loop {
            let page = call(&app, Method::GET, &path, None).await.json();
            seen.extend(
                page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| key["id"].clone()),
            );
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("?limit=2&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 5, "four and the one that asks");
        let distinct: std::collections::HashSet<_> = seen.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_used_too_often_is_told_when_to_come_back() {
    on_both_engines(|app| async move {
        let limited = json!({ "name": "x", "permissions": ["tokens:issue"], "rate_limit": { "per_minute": 1, "burst": 2 } });
        let (_, secret) = create(&app, limited).await;
        for _ in 0..2 {
            app.issue_with(&secret, &request()).await.issued();
        }
        let answer = app.issue_with(&secret, &request()).await;
        answer.assert_problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=1;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"default\";r=0;t={wait}"));
    })
    .await;
}

#[tokio::test]
async fn whoever_finds_a_key_can_have_it_revoked() {
    on_both_engines(|app| async move {
        let (id, secret) = create(
            &app,
            json!({ "name": "leaked", "permissions": ["tokens:issue"] }),
        )
        .await;
        let report = |key: String| {
            let request = app.http.post(app.server.url() + "/v1/api-keys/report-leak");
            app.send(request.json(&json!({ "api_key": key })))
        };
        let wrong = secret.replace("jtn_", "jtn-");
        report(wrong)
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
        app.issue_with(&secret, &request()).await.issued();
        for _ in 0..2 {
            assert_eq!(report(secret.clone()).await.status, 204);
        }
        app.issue_with(&secret, &request())
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "key_revoked");
        let key = call(&app, Method::GET, &format!("/{id}"), None)
            .await
            .json();
        assert_eq!(key["revoked_reason"], "reported as leaked");
    })
    .await;
}
