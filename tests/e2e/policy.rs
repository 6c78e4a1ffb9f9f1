//! The policy as a whole, over HTTP.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::Engine;

use crate::support::{Answer, App, on_both_engines};

pub(crate) const POLICY: &str = "/v1/policy";

/// A policy with one role.
fn only(role: &str) -> Value {
    json!({ "roles": [{ "name": role }], "attributes": [] })
}

pub(crate) async fn show(app: &App) -> Answer {
    let answer = app.call(Method::GET, POLICY, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

pub(crate) async fn put(app: &App, body: Value) -> Answer {
    app.call(Method::PUT, POLICY, Some(body)).await
}

async fn put_if(app: &App, tag: &str, body: &Value) -> Answer {
    let request = app.http.put(app.server.url() + POLICY);
    let request = request
        .header("x-api-key", &app.key)
        .header("if-match", tag);
    app.send(request.json(body)).await
}

async fn replacements(app: &App) -> Vec<Value> {
    let path = "/v1/audit-events?action=policy.replace";
    let events = app.call(Method::GET, path, None).await.json();
    events["data"].as_array().unwrap().clone()
}

fn paths(changed: &Value) -> Vec<&str> {
    let changes = changed["changes"].as_array().unwrap();
    changes
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_policy_is_shown_replaced_and_shown_again() {
    on_both_engines(|app| async move {
        let first = show(&app).await;
        let names: Vec<_> = first.json()["roles"].as_array().unwrap().clone();
        let names: Vec<_> = names.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["admin", "auditor", "editor", "guest", "viewer"]);

        let wanted = json!({
            "roles": [
                { "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }], "max_ttl_seconds": 60 },
                { "name": "auditor", "description": "Reads é." },
            ],
            "attributes": [{ "name": "tenant_id", "type": "string", "normalize": ["trim"] }],
            "row_rules": [{
                "name": "own", "table": "orders", "roles": ["viewer"],
                "where": { "column": "tenant", "operator": "=", "attribute": "tenant_id" },
            }],
        });
        let replaced = put(&app, wanted.clone()).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let changed = replaced.json();
        assert!(paths(&changed).contains(&"roles/admin"), "{changed}");
        assert!(paths(&changed).contains(&"roles/viewer/max_ttl_seconds"), "{changed}");
        assert_eq!(replaced.header("etag"), format!("\"{}\"", changed["version"]));
        assert_ne!(replaced.header("etag"), first.header("etag"));

        let shown = show(&app).await;
        assert_eq!(shown.header("etag"), replaced.header("etag"));
        assert_eq!(shown.header("content-type"), "application/json");
        let mut sorted = wanted;
        sorted["roles"].as_array_mut().unwrap().reverse();
        assert_eq!(shown.json(), sorted);

        let again = put(&app, shown.json()).await;
        assert_eq!(again.json(), json!({ "version": changed["version"], "changes": [] }));
        assert_eq!(replacements(&app).await.len(), 2, "no change leaves no event");
    })
    .await;
}

#[tokio::test]
async fn a_replacement_leaves_one_event_with_its_changes() {
    on_both_engines(|app| async move {
        let replaced = put(&app, only("viewer")).await;
        let events = replacements(&app).await;
        let event = &events[0];
        assert_eq!(event["request_id"], replaced.header("x-request-id"));
        assert_eq!(
            (&event["target_kind"], &event["actor_kind"]),
            (&json!("policy"), &json!("api_key"))
        );
        assert_eq!(event["detail"]["changes"], replaced.json()["changes"]);
    })
    .await;
}

#[tokio::test]
async fn a_large_change_leaves_a_bounded_event() {
    on_both_engines(|app| async move {
        let permissions: Vec<_> = (0..2_000)
            .map(|index| json!({ "resource": format!("dashboard/{index}-{}", "x".repeat(100)), "action": "view" }))
            .collect();
        let mut document = only("viewer");
        document["roles"][0]["permissions"] = permissions.into();
        let replaced = put(&app, document).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let events = replacements(&app).await;
        assert!(events[0].to_string().len() < 70_000);
        assert_eq!(paths(&events[0]["detail"]), paths(&replaced.json()));
    })
    .await;
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_changes_nothing() {
    on_both_engines(|app| async move {
        let seen = show(&app).await.header("etag").to_owned();
        let replaced = put_if(&app, &seen, &only("viewer")).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let current = replaced.header("etag").to_owned();
        let weak = format!("W/{current}");
        for tag in [seen.as_str(), "\"0\"", "\"x\"", "x", weak.as_str(), ""] {
            let answer = put_if(&app, tag, &only("editor")).await;
            answer.assert_problem(StatusCode::PRECONDITION_FAILED, "policy_changed");
        }
        assert_eq!(show(&app).await.header("etag"), current);
        assert_eq!(put_if(&app, "*", &only("editor")).await.status, 200);

        let known = show(&app).await.header("etag").to_owned();
        let request = app
            .http
            .get(app.server.url() + POLICY)
            .header("x-api-key", &app.key);
        let unchanged = app.send(request.header("if-none-match", &known)).await;
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
        assert_eq!(unchanged.header("etag"), known);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_saw_the_same_version_one_replaces_it() {
    on_both_engines(|app| async move {
        let seen = show(&app).await.header("etag").to_owned();
        let bodies: Vec<_> = (0..16).map(|index| only(&format!("r{index}"))).collect();
        let answers = join_all(bodies.iter().map(|body| put_if(&app, &seen, body))).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 15));
        for answer in lost {
            answer.assert_problem(StatusCode::PRECONDITION_FAILED, "policy_changed");
        }
        let name = show(&app).await.json()["roles"][0]["name"].clone();
        let winner = bodies
            .iter()
            .zip(&answers)
            .find(|(_, answer)| answer.status == 200);
        assert_eq!(winner.unwrap().0["roles"][0]["name"], name);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_writes_nothing() {
    on_both_engines(|app| async move {
        let before = show(&app).await;
        let dry = format!("{POLICY}?dry_run=true");
        let tried = app.call(Method::PUT, &dry, Some(only("viewer"))).await;
        assert_eq!(tried.status, 200, "{}", tried.text);
        assert_eq!(tried.header("etag"), before.header("etag"));
        let wrong = json!({ "roles": [{ "name": "a", "inherits": ["b"] }] });
        let refused = app.call(Method::PUT, &dry, Some(wrong)).await;
        refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
        let request = app
            .http
            .put(app.server.url() + dry.as_str())
            .json(&only("viewer"));
        let old = request
            .header("x-api-key", &app.key)
            .header("if-match", "\"0\"");
        let changed = app.send(old).await;
        changed.assert_problem(StatusCode::PRECONDITION_FAILED, "policy_changed");

        let after = show(&app).await;
        assert_eq!(
            (after.header("etag"), &after.text),
            (before.header("etag"), &before.text)
        );
        assert_eq!(
            replacements(&app).await.len(),
            1,
            "the one of the arrangement"
        );
        let done = put(&app, only("viewer")).await.json();
        assert_eq!(done["changes"], tried.json()["changes"]);
    })
    .await;
}

async fn put_text(app: &App, media_type: &str, text: &str) -> Answer {
    let request = app.http.put(app.server.url() + POLICY);
    let request = request
        .header("x-api-key", &app.key)
        .header("content-type", media_type);
    app.send(request.body(text.to_owned())).await
}

#[tokio::test]
async fn a_policy_goes_in_and_out_as_yaml() {
    on_both_engines(|app| async move {
        let yaml = "roles:\n  - name: viewer\n    permissions:\n      - {resource: dashboard, action: view}\nattributes: []\n";
        let replaced = put_text(&app, "application/yaml", yaml).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let request = app.http.get(app.server.url() + POLICY).header("x-api-key", &app.key);
        let shown = app.send(request.header("accept", "application/yaml")).await;
        assert_eq!(shown.header("content-type"), "application/yaml");
        assert!(shown.text.starts_with("# A policy of Jeton"), "{}", shown.text);
        let before = show(&app).await;
        let again = put_text(&app, "application/yaml", &shown.text).await.json();
        assert_eq!(again["changes"], json!([]), "what is shown is what is sent");

        for wrong in ["roles: [", "roles: [{name: viewer, extra: 1}]", "a: &x 1\nb: *x", "roles:\n  - name: viewer\n    permissions:\n"] {
            let refused = put_text(&app, "application/yaml", wrong).await;
            let problem = refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_document");
            assert!(problem["errors"][0]["detail"].is_string(), "{problem}");
        }
        let faulty = put_text(&app, "application/yaml", "roles: [{name: a, inherits: [ghost]}]").await;
        faulty.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
        assert_eq!(show(&app).await.text, before.text);
    })
    .await;
}

#[tokio::test]
async fn casbins_rules_replace_what_roles_may_and_keep_the_rest() {
    on_both_engines(|app| async move {
        let policy = json!({
            "roles": [{ "name": "viewer", "max_ttl_seconds": 60, "permissions": [{ "resource": "old", "action": "view" }] }, { "name": "gone" }],
            "attributes": [{ "name": "tenant_id", "type": "string", "required": true }],
        });
        assert_eq!(put(&app, policy).await.status, 200);
        let csv = "p, viewer, dashboard, view\np, admin, *, *\np, admin, user/root, delete, deny\ng, admin, viewer\n";
        let replaced = put_text(&app, "text/csv", csv).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let now = show(&app).await.json();
        let roles: Vec<_> = now["roles"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(roles, ["admin", "viewer"]);
        assert_eq!(now["roles"][1]["max_ttl_seconds"], 60);
        assert_eq!(now["attributes"][0]["name"], "tenant_id");
        for wrong in ["p, viewer, dashboard", "p, viewer, dashboard, view, Deny", "g, a, b\ng, b, a", "x, y"] {
            let refused = put_text(&app, "text/csv", wrong).await;
            refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_document");
        }
        assert_eq!(show(&app).await.json(), now);
    })
    .await;
}

#[tokio::test]
async fn other_forms_are_refused() {
    on_both_engines(|app| async move {
        for content_type in [
            "text/plain",
            "application/xml",
            "application/json; charset=latin1",
            "",
        ] {
            let request = app
                .http
                .put(app.server.url() + POLICY)
                .header("x-api-key", &app.key);
            let request = request.header("content-type", content_type).body("{}");
            let answer = app.send(request).await;
            answer.assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        }
        for (accept, status) in [
            ("text/html", 406),
            ("application/json;q=0, application/yaml;q=0, */*", 406),
            ("*/*", 200),
            ("text/html, application/*;q=0.1", 200),
        ] {
            let request = app
                .http
                .get(app.server.url() + POLICY)
                .header("x-api-key", &app.key);
            let answer = app.send(request.header("accept", accept)).await;
            assert_eq!(answer.status, status, "{accept}");
            if status == 406 {
                answer.assert_problem(StatusCode::NOT_ACCEPTABLE, "not_acceptable");
            }
        }
    })
    .await;
}

/// Only this operation takes more than 64 KiB.
#[tokio::test]
async fn a_policy_has_at_most_32_mib() {
    let app = App::start(Engine::Sqlite).await;
    let send = async |length: usize| {
        let document = only("viewer").to_string();
        let padded = format!("{document}{}", " ".repeat(length - document.len()));
        let request = app
            .http
            .put(app.server.url() + POLICY)
            .header("x-api-key", &app.key);
        app.send(
            request
                .header("content-type", "application/json")
                .body(padded),
        )
        .await
    };
    let largest = 32 * 1024 * 1024;
    let answer = send(largest).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = send(largest + 1).await;
    answer.assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
}

#[tokio::test]
async fn organizations_have_policies_of_their_own() {
    on_both_engines(|app| async move {
        let stranger = app.key_of_another_organization().await;
        let ours = show(&app).await;
        let theirs = app.call_with(&stranger, Method::GET, POLICY, None).await;
        assert_eq!(theirs.json(), json!({ "roles": [], "attributes": [] }));
        let put = app
            .call_with(&stranger, Method::PUT, POLICY, Some(only("spy")))
            .await;
        assert_eq!(put.status, 200, "{}", put.text);
        for (method, path) in [
            (Method::GET, "/v1/roles/viewer"),
            (Method::DELETE, "/v1/roles/guest"),
            (Method::GET, "/v1/attributes/tenant_id"),
            (Method::DELETE, "/v1/attributes/plan"),
        ] {
            let answer = app.call_with(&stranger, method, path, None).await;
            answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        let listed = app
            .call_with(&stranger, Method::GET, "/v1/roles", None)
            .await
            .json();
        assert_eq!(listed, json!({ "data": [{ "name": "spy" }] }));
        let after = show(&app).await;
        assert_eq!(
            (after.header("etag"), &after.text),
            (ours.header("etag"), &ours.text)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_edits_at_once_none_is_lost() {
    on_both_engines(|app| async move {
        let names: Vec<_> = (0..64).map(|index| format!("new-{index}")).collect();
        let edits = names.iter().enumerate().map(|(index, name)| {
            let (path, body) = if index % 2 == 0 {
                ("/v1/roles", json!({ "name": name, "inherits": ["viewer"] }))
            } else {
                (
                    "/v1/attributes",
                    json!({ "name": name.replace('-', "_"), "type": "string" }),
                )
            };
            app.call(Method::POST, path, Some(body))
        });
        for answer in join_all(edits).await {
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        let policy = show(&app).await.json();
        let declared: BTreeSet<_> = ["roles", "attributes"]
            .iter()
            .flat_map(|section| policy[section].as_array().unwrap())
            .map(|it| it["name"].as_str().unwrap().replace('_', "-"))
            .collect();
        assert!(
            names.iter().all(|name| declared.contains(name)),
            "{declared:?}"
        );
        let mut events = 0;
        for action in ["role.create", "attribute.create"] {
            let path = format!("/v1/audit-events?action={action}&limit=100");
            let found = app.call(Method::GET, &path, None).await.json();
            events += found["data"].as_array().unwrap().len();
        }
        assert_eq!(events, 64);
    })
    .await;
}
