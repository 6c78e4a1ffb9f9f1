//! The audit trail, over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, on_both_engines};

const EVENTS: &str = "/v1/audit-events";

async fn events(app: &App, query: &str) -> Vec<Value> {
    let answer = app
        .call(Method::GET, &format!("{EVENTS}{query}"), None)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

fn of<'a>(events: &'a [Value], member: &str) -> Vec<&'a str> {
    let texts = events.iter().map(|event| event[member].as_str().unwrap());
    texts.collect()
}

async fn caller_id(app: &App) -> String {
    let account = app.call(Method::GET, "/v1/account", None).await.json();
    account["api_key"]["id"].as_str().unwrap().to_owned()
}

async fn make_account(app: &App, name: &str) -> String {
    let body = json!({ "name": name });
    let made = app
        .call(Method::POST, "/v1/service-accounts", Some(body))
        .await;
    made.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_change_tells_who_made_it_and_in_which_request() {
    on_both_engines(|app| async move {
        let new = json!({ "email": "grace@example.com", "password": PASSWORD, "role": "member" });
        let created = app.call(Method::POST, "/v1/users", Some(new)).await;
        let id = created.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/users/{id}");
        let change = json!({ "role": "admin", "password": "another horse battery" });
        let changed = app.call(Method::PATCH, &path, Some(change.clone())).await;
        // No change, no event.
        app.call(Method::PATCH, &path, Some(json!({ "role": "admin" })))
            .await;
        let removed = app.call(Method::DELETE, &path, None).await;
        assert_eq!(removed.status, 204);

        let found = events(&app, &format!("?target_id={id}")).await;
        assert_eq!(
            of(&found, "action"),
            ["user.delete", "user.update", "user.create"]
        );
        let requests = [&removed, &changed, &created].map(|answer| answer.header("x-request-id"));
        assert_eq!(of(&found, "request_id"), requests);
        let caller = caller_id(&app).await;
        for event in &found {
            assert_eq!(
                (&event["actor_kind"], &event["actor_id"]),
                (&json!("api_key"), &json!(caller))
            );
            assert_eq!(
                (&event["target_kind"], &event["target_id"]),
                (&json!("user"), &json!(id))
            );
            assert_eq!(event["client_address"], "127.0.0.1");
            assert!(event["id"].as_str().unwrap().starts_with("evt_"), "{event}");
            assert!(event["at"].as_str().unwrap().ends_with('Z'), "{event}");
        }
        let update = &found[1]["detail"];
        assert_eq!(
            (&update["before"]["role"], &update["after"]["role"]),
            (&json!("member"), &json!("admin"))
        );
        assert_eq!(update["password"], "changed");
    })
    .await;
}

#[tokio::test]
async fn the_trail_holds_no_password_and_no_secret() {
    on_both_engines(|app| async move {
        let user = json!({ "email": "grace@example.com", "password": PASSWORD, "role": "admin" });
        let user = app.call(Method::POST, "/v1/users", Some(user)).await.json();
        let user_path = format!("/v1/users/{}", user["id"].as_str().unwrap());
        let change = json!({ "password": "another horse battery" });
        assert_eq!(
            app.call(Method::PATCH, &user_path, Some(change))
                .await
                .status,
            200
        );
        let key = json!({ "name": "x", "permissions": ["tokens:issue"], "owner_id": user["id"] });
        let created = app
            .call(Method::POST, "/v1/api-keys", Some(key))
            .await
            .json();
        let key_path = format!(
            "/v1/api-keys/{}/rotate",
            created["api_key"]["id"].as_str().unwrap()
        );
        let rotated = app
            .call(Method::POST, &key_path, Some(json!({})))
            .await
            .json();
        let remove = format!("{user_path}?revoke_keys=true");
        assert_eq!(app.call(Method::DELETE, &remove, None).await.status, 204);

        let trail = app.call(Method::GET, EVENTS, None).await;
        for done in [
            "user.create",
            "user.update",
            "user.delete",
            "api_key.create",
            "api_key.rotate",
        ] {
            assert!(trail.text.contains(done), "{done}: {}", trail.text);
        }
        for key in [&created, &rotated] {
            // `jtn_`, the id, `_`, and what is secret.
            let secret = &key["secret"].as_str().unwrap()[17..];
            assert!(!trail.text.contains(secret), "{}", trail.text);
        }
        for secret in ["horse", "argon2", "password_hash", "secret_hash"] {
            assert!(!trail.text.contains(secret), "{secret}: {}", trail.text);
        }
    })
    .await;
}

#[tokio::test]
async fn the_command_line_is_an_actor_without_an_id_or_address() {
    on_both_engines(|app| async move {
        let caller = caller_id(&app).await;
        let found = events(&app, &format!("?target_id={caller}")).await;
        assert_eq!(of(&found, "action"), ["api_key.create"]);
        assert_eq!(found[0]["actor_kind"], "command_line");
        for absent in ["actor_id", "client_address", "request_id"] {
            assert!(found[0].get(absent).is_none(), "{absent}: {}", found[0]);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_leaves_no_event() {
    on_both_engines(|app| async move {
        let before = events(&app, "").await;
        let ada = format!("/v1/users/{}", app.owner);
        for (method, path, body, status) in [
            (
                Method::PATCH,
                ada.as_str(),
                Some(json!({ "role": "viewer" })),
                409,
            ),
            (Method::DELETE, ada.as_str(), None, 409),
            (
                Method::POST,
                "/v1/service-accounts",
                Some(json!({ "name": "" })),
                422,
            ),
            (Method::DELETE, "/v1/service-accounts/nonsense", None, 404),
        ] {
            assert_eq!(app.call(method, path, body).await.status, status);
        }
        assert_eq!(events(&app, "").await, before);
    })
    .await;
}

#[tokio::test]
async fn events_are_filtered_and_paged_newest_first() {
    on_both_engines(|app| async move {
        let mut accounts = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            accounts.push(make_account(&app, name).await);
        }
        accounts.reverse();
        let suspend = json!({ "state": "suspended" });
        let path = format!("/v1/service-accounts/{}", accounts[0]);
        assert_eq!(
            app.call(Method::PATCH, &path, Some(suspend)).await.status,
            200
        );

        let created = events(&app, "?action=service_account.create").await;
        assert_eq!(of(&created, "target_id"), accounts);
        let caller = caller_id(&app).await;
        assert_eq!(events(&app, &format!("?actor_id={caller}")).await.len(), 6);
        assert!(
            events(&app, &format!("?actor_id={}", app.owner))
                .await
                .is_empty()
        );
        let both = format!("?action=service_account.update&target_id={}", accounts[0]);
        assert_eq!(events(&app, &both).await.len(), 1);
        let neither = format!("?action=service_account.update&target_id={}", accounts[1]);
        assert!(events(&app, &neither).await.is_empty());

        let all = events(&app, "").await;
        let mut sorted = of(&all, "id");
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(of(&all, "id"), sorted);
        for filter in ["", "&action=service_account.create"] {
            let mut paged = Vec::new();
            let mut query = format!("?limit=2{filter}");
            loop {
                let page = app
                    .call(Method::GET, &format!("{EVENTS}{query}"), None)
                    .await
                    .json();
                paged.extend(page["data"].as_array().unwrap().clone());
                match page["next_cursor"].as_str() {
                    Some(cursor) => query = format!("?limit=2{filter}&cursor={cursor}"),
                    None => break,
                }
            }
            assert_eq!(
                paged,
                if filter.is_empty() {
                    all.clone()
                } else {
                    created.clone()
                }
            );
        }
    })
    .await;
}

#[tokio::test]
async fn another_organization_has_a_trail_of_its_own() {
    on_both_engines(|app| async move {
        let id = make_account(&app, "ours").await;
        let stranger = app.key_of_another_organization().await;
        for query in [String::new(), format!("?target_id={id}")] {
            let request = app.http.get(format!("{}{EVENTS}{query}", app.server.url()));
            let answer = app.send(request.header("x-api-key", &stranger)).await;
            assert_eq!(answer.status, 200);
            assert!(
                !answer.text.contains(&id) && !answer.text.contains("ours"),
                "{}",
                answer.text
            );
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    on_both_engines(|app| async move {
        let long = format!("?actor_id={}", "x".repeat(101));
        for (query, code) in [
            ("?limit=0", "invalid_limit"),
            ("?limit=x", "invalid_query"),
            ("?cursor=x", "invalid_cursor"),
            ("?since=2026-01-01", "invalid_time"),
            ("?until=yesterday", "invalid_time"),
            ("?search=%25", "invalid_filter"),
            ("?actor=x", "invalid_query"),
            ("?action=", "invalid_filter"),
            ("?action=%00", "invalid_filter"),
            ("?target_id=%27%20or%201%3D1", "invalid_filter"),
            (long.as_str(), "invalid_filter"),
        ] {
            let answer = app
                .call(Method::GET, &format!("{EVENTS}{query}"), None)
                .await;
            answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
    })
    .await;
}

#[tokio::test]
async fn refusals_are_in_the_audit_trail_without_values_and_not_without_end() {
    on_both_engines(|app| async move {
        let wrong = json!({
            "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": ["canary"] } },
        });
        for _ in 0..30 {
            app.issue(&wrong)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "attribute_type");
        }
        let act = key_admin::audit::AuditFilter {
            action: Some("session_token.refuse".into()),
            ..Default::default()
        };
        let database = &app.services.database;
        let events = key_admin::audit::list(database, app.organization.id, &act, None, 100)
            .await
            .unwrap();
        assert!(
            (20..30).contains(&events.len()),
            "a burst of 20 and the rate: {}",
            events.len()
        );
        let reasons = &events[0].detail["reasons"];
        assert_eq!(
            *reasons,
            json!([{ "code": "attribute_type", "pointer": "/user/attributes/tenant_id" }])
        );
        assert!(
            events
                .iter()
                .all(|event| !event.detail.to_string().contains("canary"))
        );
        assert_eq!(events[0].client_address.as_deref(), Some("127.0.0.1"));
        assert!(events[0].request_id.as_deref().unwrap().starts_with("req_"));
    })
    .await;
}

#[tokio::test]
async fn events_are_narrowed_by_noun_actor_text_and_time() {
    on_both_engines(|app| async move {
        let id = make_account(&app, "nightly").await;
        let path = format!("/v1/service-accounts/{id}");
        app.call(Method::PATCH, &path, Some(json!({ "name": "weekly" })))
            .await;
        let about = async |query: &str| {
            let found = events(&app, &format!("?target_id={id}&{query}")).await;
            of(&found, "action").join(" ")
        };
        let both = "service_account.update service_account.create";
        assert_eq!(about("noun=service_account").await, both);
        assert_eq!(about("noun=service").await, "");
        assert_eq!(about("actor_kind=api_key").await, both);
        assert_eq!(about("actor_kind=user").await, "");
        assert_eq!(about("search=UPDATE").await, "service_account.update");
        assert_eq!(
            about("since=2020-01-01T00:00:00Z&until=2999-01-01T00:00:00Z").await,
            both
        );
        assert_eq!(about("until=2020-01-01T00:00:00Z").await, "");
        assert_eq!(about("since=2999-01-01T00:00:00Z").await, "");
    })
    .await;
}
