//! Sessions over HTTP: found, read, revoked.

use key_admin::{KeyCeiling, Permission};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, NewKey, on_both_engines};

fn request(subject: &str, tenant: &str) -> Value {
    json!({ "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": tenant } } })
}

impl App {
    async fn issues(&self, subject: &str) -> Value {
        self.issue(&request(subject, "t-1")).await.issued()
    }

    async fn finds(&self, query: &str) -> Vec<String> {
        let answer = self
            .call(Method::GET, &format!("/v1/sessions{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let json = answer.json();
        let found = json["data"].as_array().unwrap().iter();
        found
            .map(|it| it["subject"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn revokes(&self, body: Value) -> Answer {
        self.call(Method::POST, "/v1/sessions/revoke", Some(body))
            .await
    }

    async fn session(&self, issued: &Value) -> Value {
        let id = issued["session_id"].as_str().unwrap();
        let answer = self
            .call(Method::GET, &format!("/v1/sessions/{id}"), None)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

#[tokio::test]
async fn a_session_shows_what_was_issued_and_what_became_of_it() {
    on_both_engines(|app| async move {
        let issued = app.issues("user-42").await;
        let session = app.session(&issued).await;
        for (member, expected) in [
            ("id", issued["session_id"].clone()),
            ("chain_id", issued["session_id"].clone()),
            ("state", json!("active")),
            ("subject", json!("user-42")),
            ("audience", json!("default")),
            ("roles", json!(["viewer"])),
            ("attributes", json!({ "tenant_id": "t-1" })),
            ("resources", json!([])),
            ("expires_at", issued["expires_at"].clone()),
        ] {
            assert_eq!(session[member], expected, "{member}");
        }
        assert!(session.get("revoked_by").is_none() && session.get("token").is_none());
        let id = issued["session_id"].as_str().unwrap();
        let path = format!("/v1/sessions/{id}");
        for _ in 0..2 {
            assert_eq!(app.call(Method::DELETE, &path, None).await.status, 204);
            let session = app.session(&issued).await;
            assert_eq!(
                (&session["state"], &session["revoked_by"]),
                (&json!("revoked"), &json!("session"))
            );
        }
        let events = app
            .call(Method::GET, "/v1/audit-events?action=session.revoke", None)
            .await
            .json();
        assert_eq!(events["data"].as_array().unwrap().len(), 1);
        assert_eq!(events["data"][0]["target_id"], id);

        let stranger = app.key_of_another_organization().await;
        let other = app.issues("user-43").await;
        let path = format!("/v1/sessions/{}", other["session_id"].as_str().unwrap());
        for method in [Method::GET, Method::DELETE] {
            let answer = app.call_with(&stranger, method, &path, None).await;
            answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        assert_eq!(app.session(&other).await["state"], "active");
        let theirs = app
            .call_with(&stranger, Method::GET, "/v1/sessions", None)
            .await
            .json();
        assert_eq!(theirs["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn filters_and_pages() {
    on_both_engines(|app| async move {
        for subject in ["a", "b", "c", "d"] {
            let tenant = if subject < "c" { "t-1" } else { "t-2" };
            app.issue(&request(subject, tenant)).await.issued();
        }
        for (query, expected) in [
            ("", vec!["d", "c", "b", "a"]),
            ("?subject=b", vec!["b"]),
            ("?attribute=tenant_id:t-2", vec!["d", "c"]),
            ("?attribute=tenant_id:t", vec![]),
            ("?active=true&attribute=tenant_id:t-1", vec!["b", "a"]),
            ("?active=false", vec![]),
            ("?audience=default&limit=2", vec!["d", "c"]),
            ("?since=2020-01-01T00:00:00Z&subject=a", vec!["a"]),
            ("?until=2020-01-01T00:00:00Z", vec![]),
            ("?api_key_id=key_000000000000", vec![]),
        ] {
            assert_eq!(app.finds(query).await, expected, "{query}");
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/sessions?limit=3{cursor}");
            let page = app.call(Method::GET, &path, None).await.json();
            let data = page["data"].as_array().unwrap();
            seen.extend(
                data.iter()
                    .map(|it| it["subject"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ["d", "c", "b", "a"]);
        for (query, code) in [
            ("?unknown=1", "invalid_query"),
            ("?active=maybe", "invalid_query"),
            ("?limit=0", "invalid_limit"),
            ("?cursor=x", "invalid_cursor"),
            ("?api_key_id=x", "invalid_filter"),
            ("?subject=", "invalid_filter"),
            ("?subject=%00", "invalid_filter"),
            ("?attribute=tenant_id", "invalid_filter"),
            ("?attribute=:x", "invalid_filter"),
            ("?audience=nowhere", "no_such_audience"),
            ("?since=yesterday", "invalid_time"),
        ] {
            let answer = app
                .call(Method::GET, &format!("/v1/sessions{query}"), None)
                .await;
            answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
    })
    .await;
}

#[tokio::test]
async fn many_are_revoked_by_one_thing_that_they_have_in_common() {
    on_both_engines(|app| async move {
        let id = app.call(Method::GET, "/v1/account", None).await.json()["api_key"]["id"].clone();
        for (body, kind) in [
            (json!({ "subject": "u" }), "subject"),
            (json!({ "role": "viewer" }), "role"),
            (json!({ "audience": "default" }), "audience"),
            (
                json!({ "attribute": { "name": "tenant_id", "value": "t-1" } }),
                "attribute",
            ),
            (json!({ "api_key_id": id }), "api_key"),
            (json!({ "all": true }), "organization"),
        ] {
            let before = app.issues("u").await;
            let answer = app.revokes(body).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""));
            let session = app.session(&before).await;
            assert_eq!(
                (&session["state"], &session["revoked_by"]),
                (&json!("revoked"), &json!(kind))
            );
        }
        let after = app.issues("u").await;
        assert_eq!(app.session(&after).await["state"], "active");
        assert_eq!(app.finds("?active=true").await.len(), 1);
        assert_eq!(app.finds("?active=false").await.len(), 6);
        for (body, code) in [
            (json!({}), "invalid_target"),
            (json!({ "all": false }), "invalid_target"),
            (json!({ "subject": "u", "all": true }), "invalid_target"),
            (
                json!({ "subject": "u", "role": "viewer" }),
                "invalid_target",
            ),
            (json!({ "subject": "" }), "invalid_target"),
            (json!({ "subject": null }), "invalid_field"),
            (json!({ "audience": "nowhere" }), "no_such_audience"),
            (json!({ "api_key_id": "x" }), "invalid_filter"),
            (
                json!({ "attribute": { "name": "tenant_id", "value": ["t-1"] } }),
                "invalid_target",
            ),
            (
                json!({ "attribute": { "name": "planet", "value": "mars" } }),
                "invalid_target",
            ),
            (
                json!({ "attribute": { "name": "tenant_id", "value": 1 } }),
                "invalid_target",
            ),
            (
                json!({ "all": true, "before": "2999-01-01T00:00:00Z" }),
                "in_the_future",
            ),
            (json!({ "all": true, "before": "now" }), "invalid_time"),
            (json!({ "everything": true }), "unknown_field"),
        ] {
            let answer = app.revokes(body).await;
            answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
        assert_eq!(app.session(&after).await["state"], "active");
        let past = app
            .revokes(json!({ "all": true, "before": "2020-01-01T00:00:00Z" }))
            .await;
        assert_eq!(past.status, 204);
        assert_eq!(app.session(&after).await["state"], "active");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_taken_back_takes_its_tokens_along_unless_told_not_to() {
    on_both_engines(|app| async move {
        for (keep, delete) in [(false, false), (true, false), (false, true), (true, true)] {
            let new = NewKey {
                ceiling: KeyCeiling::default(),
                permissions: vec![Permission::TokensIssue],
                ..NewKey::default()
            };
            let (key, secret) = app.create_key(new).await;
            let issued = app.issue_with(&secret, &request("u", "t-1")).await.issued();
            let path = format!("/v1/api-keys/{}", key.id);
            let answer = if delete {
                app.call(
                    Method::DELETE,
                    &format!("{path}?keep_sessions={keep}"),
                    None,
                )
                .await
            } else {
                let body = json!({ "keep_sessions": keep });
                app.call(Method::POST, &format!("{path}/revoke"), Some(body))
                    .await
            };
            assert!([200, 204].contains(&answer.status), "{}", answer.text);
            let session = app.session(&issued).await;
            let expected = if keep { "active" } else { "revoked" };
            assert_eq!(session["state"], expected, "{keep} {delete}");
        }
    })
    .await;
}
