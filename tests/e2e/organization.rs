//! The organization's settings, over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::people::{ACCOUNTS, USERS, key_of, make, user};
use crate::support::{Answer, App, on_both_engines};

const ORGANIZATION: &str = "/v1/organization";
const KEYS: &str = "/v1/api-keys";

async fn show(app: &App) -> Value {
    let answer = app.call(Method::GET, ORGANIZATION, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn change(app: &App, body: Value) -> Answer {
    app.call(Method::PATCH, ORGANIZATION, Some(body)).await
}

async fn limit(app: &App, seconds: Value) {
    let body = json!({ "max_key_lifetime_seconds": seconds });
    let changed = change(app, body).await;
    assert_eq!(changed.json()["max_key_lifetime_seconds"], seconds);
}

#[tokio::test]
async fn settings_are_shown_changed_and_taken_back() {
    on_both_engines(|app| async move {
        let made = show(&app).await;
        assert_eq!(
            made,
            json!({
                "id": app.organization.id.to_string(), "slug": "acme", "name": "Acme",
                "max_key_lifetime_seconds": null, "created_at": app.organization.created_at.to_string(),
            })
        );
        let both = json!({ "name": " Été Ltd ", "max_key_lifetime_seconds": 7_776_000 });
        let mut expected = made.clone();
        expected["name"] = "Été Ltd".into();
        expected["max_key_lifetime_seconds"] = 7_776_000.into();
        let answer = change(&app, both).await;
        assert_eq!((answer.status, answer.json()), (200, expected.clone()));
        assert_eq!(show(&app).await, expected);
        let account = app.call(Method::GET, "/v1/account", None).await.json();
        assert_eq!(account["organization"]["name"], "Été Ltd");

        assert_eq!(change(&app, json!({})).await.json(), expected);
        limit(&app, json!(null)).await;
        expected["max_key_lifetime_seconds"] = Value::Null;
        assert_eq!(show(&app).await, expected, "the name stays");
        assert_eq!(change(&app, json!({ "name": "Acme" })).await.json(), made);
    })
    .await;
}

#[tokio::test]
async fn a_change_leaves_an_event_with_before_and_after() {
    on_both_engines(|app| async move {
        let changed = change(&app, json!({ "max_key_lifetime_seconds": 60 })).await;
        change(
            &app,
            json!({ "name": "Acme", "max_key_lifetime_seconds": 60 }),
        )
        .await;
        change(&app, json!({ "max_key_lifetime_seconds": 0 })).await;
        let path = "/v1/audit-events?action=organization.update";
        let events = app.call(Method::GET, path, None).await.json();
        let events = events["data"].as_array().unwrap();
        assert_eq!(
            events.len(),
            1,
            "neither no change nor a refusal: {events:?}"
        );
        assert_eq!(
            events[0]["detail"],
            json!({
                "before": { "name": "Acme", "max_key_lifetime_seconds": null },
                "after": { "name": "Acme", "max_key_lifetime_seconds": 60 },
            })
        );
        assert_eq!(events[0]["target_kind"], "organization");
        assert_eq!(events[0]["target_id"], app.organization.id.to_string());
        assert_eq!(events[0]["request_id"], changed.header("x-request-id"));
    })
    .await;
}

#[tokio::test]
async fn wrong_settings_are_refused_and_change_nothing() {
    on_both_engines(|app| async move {
        let before = show(&app).await;
        let lifetime = "/max_key_lifetime_seconds";
        let seconds =
            |value: Value| json!({ "name": "changed", "max_key_lifetime_seconds": value });
        for (body, code, pointer) in [
            (json!({ "name": "" }), "invalid_name", "/name"),
            (json!({ "name": " \t" }), "invalid_name", "/name"),
            (json!({ "name": "a\u{0}b" }), "invalid_name", "/name"),
            (json!({ "name": "x".repeat(101) }), "invalid_name", "/name"),
            (json!({ "name": null }), "invalid_field", "/name"),
            (json!({ "name": 7 }), "invalid_field", "/name"),
            (seconds(json!(0)), "invalid_max_key_lifetime", lifetime),
            (
                seconds(json!(1_576_800_001)),
                "invalid_max_key_lifetime",
                lifetime,
            ),
            (seconds(json!(-1)), "invalid_field", lifetime),
            (seconds(json!(1.5)), "invalid_field", lifetime),
            (seconds(json!("90d")), "invalid_field", lifetime),
            (seconds(json!(4_294_967_296_u64)), "invalid_field", lifetime),
            (json!({ "slug": "other" }), "unknown_field", "/slug"),
            (json!({ "id": "x" }), "unknown_field", "/id"),
            (json!(["x"]), "invalid_field", ""),
        ] {
            let answer = change(&app, body).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        assert_eq!(show(&app).await, before);
        limit(&app, json!(1_576_800_000)).await;
    })
    .await;
}

#[tokio::test]
async fn a_lowered_maximum_counts_from_now_on() {
    on_both_engines(|app| async move {
        let create = async |body: Value| app.call(Method::POST, KEYS, Some(body)).await;
        let old = create(json!({ "name": "old", "permissions": ["keys:read"] }))
            .await
            .json();
        let secret = old["secret"].as_str().unwrap();
        let path = format!("{KEYS}/{}", old["api_key"]["id"].as_str().unwrap());
        limit(&app, json!(3600)).await;

        let kept = app.call_with(secret, Method::GET, &path, None).await.json();
        assert!(
            kept.get("expires_at").is_none(),
            "it works, and for ever: {kept}"
        );
        let patch = async |body: Value| app.call(Method::PATCH, &path, Some(body)).await;
        let rotate = async || {
            app.call(Method::POST, &format!("{path}/rotate"), Some(json!({})))
                .await
        };
        for refused in [
            create(json!({ "name": "endless", "permissions": [] })).await,
            create(json!({ "name": "long", "permissions": [], "expires_in_seconds": 3601 })).await,
            patch(json!({ "expires_at": "2100-01-01T00:00:00Z" })).await,
            rotate().await,
        ] {
            let problem =
                refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "lifetime_too_long");
            assert_eq!(problem["errors"][0]["pointer"], "/expires_at");
        }
        let narrowed = patch(json!({ "allowed_networks": ["127.0.0.0/8"] })).await;
        assert_eq!(
            narrowed.status, 200,
            "a narrowing that leaves the expiry alone: {}",
            narrowed.text
        );
        assert_eq!(
            app.call_with(secret, Method::GET, &path, None).await.status,
            200
        );

        let short =
            create(json!({ "name": "short", "permissions": [], "expires_in_seconds": 3600 })).await;
        assert_eq!(short.status, 201, "{}", short.text);
        let short = short.json()["api_key"]["expires_at"].clone();
        let earlier = patch(json!({ "expires_at": short })).await;
        earlier.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "lifetime_too_long");
        limit(&app, json!(7200)).await;
        assert_eq!(patch(json!({ "expires_at": short })).await.status, 200);
        assert_eq!(rotate().await.status, 200, "it obeys now");

        limit(&app, json!(null)).await;
        assert_eq!(patch(json!({ "expires_at": null })).await.status, 200);
        assert_eq!(
            create(json!({ "name": "endless", "permissions": [] }))
                .await
                .status,
            201
        );
    })
    .await;
}

#[tokio::test]
async fn owners_and_admins_change_viewers_read_members_do_neither() {
    on_both_engines(|app| async move {
        let rename = || Some(json!({ "name": "Acme" }));
        for (role, read, write) in [
            ("owner", 200, 200),
            ("admin", 200, 200),
            ("member", 403, 403),
            ("viewer", 200, 403),
        ] {
            let owner = make(&app, USERS, user(&format!("{role}@example.com"), role)).await;
            let key = key_of(&app, &owner).await;
            let answer = app.call_with(&key, Method::GET, ORGANIZATION, None).await;
            assert_eq!(answer.status, read, "{role}: {}", answer.text);
            let answer = app
                .call_with(&key, Method::PATCH, ORGANIZATION, rename())
                .await;
            assert_eq!(answer.status, write, "{role}: {}", answer.text);
        }
        let program = make(&app, ACCOUNTS, json!({ "name": "ci" })).await;
        let key = key_of(&app, &program).await;
        let answer = app
            .call_with(&key, Method::PATCH, ORGANIZATION, rename())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn another_organization_shows_and_changes_itself() {
    on_both_engines(|app| async move {
        let stranger = app.key_of_another_organization().await;
        let ours = show(&app).await;
        let body = json!({ "name": "Theirs", "max_key_lifetime_seconds": 60 });
        let changed = app
            .call_with(&stranger, Method::PATCH, ORGANIZATION, Some(body))
            .await;
        let theirs = changed.json();
        assert_eq!(
            (&theirs["slug"], &theirs["name"]),
            (&json!("other"), &json!("Theirs"))
        );
        let shown = app
            .call_with(&stranger, Method::GET, ORGANIZATION, None)
            .await;
        assert_eq!(shown.json(), theirs);
        assert_eq!(show(&app).await, ours);
        let endless = json!({ "name": "endless", "permissions": [] });
        assert_eq!(
            app.call(Method::POST, KEYS, Some(endless)).await.status,
            201
        );
    })
    .await;
}
