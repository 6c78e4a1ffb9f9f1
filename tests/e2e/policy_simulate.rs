//! What another policy would change, over HTTP.

use key_admin::{Act, Asker, Permission};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::{Timestamp, fetch_one};

use crate::support::{Answer, App, NewKey, on_both_engines};

async fn simulate(app: &App, body: Value) -> Answer {
    app.call(Method::POST, "/v1/policy/simulate", Some(body))
        .await
}

async fn report(app: &App, body: Value) -> Value {
    let answer = simulate(app, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// How many sessions, and how many in the groups of each kind.
fn counts(report: &Value) -> [u64; 6] {
    let sum = |kind: &str| {
        let groups = report[kind].as_array().unwrap().iter();
        groups.map(|group| group["count"].as_u64().unwrap()).sum()
    };
    let number = |name: &str| report[name].as_u64().unwrap();
    [
        number("replayed"),
        number("unchanged"),
        number("undetermined"),
        sum("newly_refused"),
        sum("newly_granted"),
        sum("changed"),
    ]
}

async fn use_policy(app: &App, policy: &Value) {
    let document = serde_json::from_value(policy.clone()).unwrap();
    let act = Act::on_command_line();
    let service = &app.services.policy;
    service
        .replace(&act, app.organization.id, None, document)
        .await
        .unwrap();
    app.server_sees_changes().await;
}

/// Open roles, a plain attribute with a default, and a sensitive one.
fn policy() -> Value {
    json!({
        "roles": [
            { "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] },
            { "name": "editor", "inherits": ["viewer"] },
        ],
        "attributes": [
            { "name": "plan", "type": "string", "from_role": { "viewer": "free" } },
            { "name": "tenant_id", "type": "string", "sensitive": true },
        ],
    })
}

fn user(roles: &[&str], attributes: &Value) -> Value {
    json!({ "user": { "id": "u", "roles": roles, "attributes": attributes } })
}

#[tokio::test]
async fn sessions_are_decided_again_under_another_policy() {
    on_both_engines(|app| async move {
        use_policy(&app, &policy()).await;
        for _ in 0..3 {
            app.issue(&user(&["viewer"], &json!({}))).await.issued();
        }
        let latest = app
            .issue(&user(
                &["editor"],
                &json!({ "plan": "pro", "tenant_id": "t-1" }),
            ))
            .await
            .issued();
        let same = report(&app, json!({ "policy": policy() })).await;
        assert_eq!(counts(&same), [4, 4, 0, 0, 0, 0]);

        // Granted to refused.
        let mut other = policy();
        other["roles"].as_array_mut().unwrap().remove(1);
        let refused = report(&app, json!({ "policy": other })).await;
        assert_eq!(counts(&refused), [4, 3, 0, 1, 0, 0]);
        let group = &refused["newly_refused"][0];
        assert_eq!(group["roles"], json!(["editor"]));
        assert_eq!(group["reasons"], json!(["unknown_role"]));
        assert_eq!(group["example_session_id"], latest["session_id"]);
        assert_eq!(
            group["api_key_id"],
            format!("key_{}", &app.key["jtn_".len()..][..12])
        );

        // Refused to granted: the narrower policy becomes the current one.
        use_policy(&app, &other).await;
        let granted = report(&app, json!({ "policy": policy() })).await;
        assert_eq!(counts(&granted), [4, 3, 0, 0, 1, 0]);
        assert_eq!(
            granted["newly_granted"][0]["reasons"],
            json!(["unknown_role"])
        );
        use_policy(&app, &policy()).await;

        // Another default: what the request named stays.
        let mut other = policy();
        other["attributes"][0]["from_role"]["viewer"] = json!("trial");
        let changed = report(&app, json!({ "policy": other })).await;
        assert_eq!(counts(&changed), [4, 1, 0, 0, 0, 3]);
        assert_eq!(changed["changed"][0]["attributes"], json!(["plan"]));
        assert_eq!(changed["changed"][0]["count"], 3);

        // Another scope.
        let mut other = policy();
        other["roles"][0]["permissions"][0]["action"] = json!("edit");
        let changed = report(&app, json!({ "policy": other })).await;
        assert_eq!(counts(&changed), [4, 0, 0, 0, 0, 4]);
        assert_eq!(changed["changed"][0]["scope_changed"], true);
    })
    .await;
}

#[tokio::test]
async fn what_depends_on_a_hidden_value_or_a_key_that_is_gone_is_undetermined() {
    on_both_engines(|app| async move {
        use_policy(&app, &policy()).await;
        app.issue(&user(&["viewer"], &json!({ "tenant_id": "t-1" })))
            .await
            .issued();
        app.issue(&user(&["viewer"], &json!({}))).await.issued();

        let with = |field: &str, value: Value| {
            let mut other = policy();
            other["attributes"][1][field] = value;
            json!({ "policy": other })
        };
        let required = report(&app, with("required", json!(true))).await;
        assert_eq!(
            counts(&required),
            [2, 1, 0, 1, 0, 0],
            "the hidden value is there"
        );
        let pattern = report(&app, with("pattern", json!("x-[0-9]"))).await;
        assert_eq!(counts(&pattern), [2, 1, 1, 0, 0, 0]);
        let described = report(&app, with("description", json!("whose rows"))).await;
        assert_eq!(counts(&described), [2, 2, 0, 0, 0, 0]);
        let mut gone = policy();
        gone["attributes"].as_array_mut().unwrap().remove(1);
        let undeclared = report(&app, json!({ "policy": gone })).await;
        assert_eq!(
            counts(&undeclared),
            [2, 1, 0, 1, 0, 0],
            "whatever the value is"
        );
        // A value that the policy names is known by its hash.
        let mut named = policy();
        named["attributes"][1]["allowed_values"] = json!(["t-1", "t-2"]);
        let known = report(&app, json!({ "policy": named })).await;
        assert_eq!(counts(&known), [2, 2, 0, 0, 0, 0]);

        let (short_lived, key) = app.create_key(NewKey::default()).await;
        app.issue_with(&key, &user(&["viewer"], &json!({})))
            .await
            .issued();
        let act = Act::on_command_line();
        app.services
            .keys
            .delete_key(
                &act,
                Asker::Machine,
                app.organization.id,
                short_lived.id,
                key_admin::IssuedTokens::Keep,
            )
            .await
            .unwrap();
        let report = report(&app, json!({ "policy": policy() })).await;
        assert_eq!(counts(&report), [3, 2, 1, 0, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn period_key_and_number_choose_the_sessions() {
    on_both_engines(|app| async move {
        use_policy(&app, &policy()).await;
        let (other, key) = app.create_key(NewKey::default()).await;
        for _ in 0..3 {
            app.issue(&user(&["viewer"], &json!({}))).await.issued();
        }
        app.issue_with(&key, &user(&["viewer"], &json!({})))
            .await
            .issued();
        let mut read = app.read_sessions().await;
        let sql = "select min(issued_at), max(issued_at) from sessions";
        let (first, last) = fetch_one!(read.conn(), (Timestamp, Timestamp), sql).unwrap();
        let after = last.plus_seconds(1);
        for (filter, expected) in [
            (json!({ "last": 2 }), 2),
            (json!({ "last": 10_000 }), 4),
            (json!({ "api_key_id": other.id.to_string() }), 1),
            (json!({ "api_key_id": "key_000000000000" }), 0),
            (json!({ "since": first.to_string() }), 4),
            (json!({ "since": after.to_string() }), 0),
            (json!({ "until": first.to_string() }), 0),
            (
                json!({ "since": first.to_string(), "until": after.to_string(), "last": 3 }),
                3,
            ),
        ] {
            let mut body = filter.clone();
            body["policy"] = policy();
            assert_eq!(report(&app, body).await["replayed"], expected, "{filter}");
        }
        for (wrong, code) in [
            (json!({ "last": 0 }), "invalid_limit"),
            (json!({ "last": 10_001 }), "invalid_limit"),
            (json!({ "since": "yesterday" }), "invalid_field"),
            (json!({ "api_key_id": "x" }), "invalid_filter"),
            (json!({ "more": 1 }), "unknown_field"),
        ] {
            let mut body = wrong;
            body["policy"] = policy();
            simulate(&app, body)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_candidate_is_refused_with_each_fault() {
    on_both_engines(|app| async move {
        let wrong = json!({
            "roles": [{ "name": "a", "inherits": ["ghost"] }, { "name": "b", "required_attributes": ["ghost"] }],
        });
        let answer = simulate(&app, json!({ "policy": wrong })).await;
        let body = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
        assert_eq!(body["errors"].as_array().unwrap().len(), 2, "{body}");
    })
    .await;
}

/// Everything that a simulation could have written.
async fn state(app: &App) -> (i64, i64, i64, i64) {
    let mut read = app.read_sessions().await;
    let sql = "select (select count(*) from sessions), (select count(*) from audit_events),
                      (select cast(sum(version + policy_version) as bigint) from organizations),
                      (select version from change_counter)";
    fetch_one!(read.conn(), (i64, i64, i64, i64), sql).unwrap()
}

#[tokio::test]
async fn nothing_is_written_and_others_see_nothing() {
    on_both_engines(|app| async move {
        use_policy(&app, &policy()).await;
        app.issue(&user(&["viewer"], &json!({}))).await.issued();
        let stranger = app.key_of_another_organization().await;
        let permissions = vec![Permission::TokensIssue];
        let (_, weak) = app
            .create_key(NewKey {
                permissions,
                ..NewKey::default()
            })
            .await;
        let before = state(&app).await;
        let body = json!({ "policy": { "roles": [{ "name": "nobody" }] } });
        assert_eq!(
            counts(&report(&app, body.clone()).await),
            [1, 0, 0, 1, 0, 0]
        );
        let path = "/v1/policy/simulate";
        let theirs = app
            .call_with(&stranger, Method::POST, path, Some(body.clone()))
            .await;
        assert_eq!(counts(&theirs.json()), [0; 6]);
        assert_eq!(state(&app).await, before);
        let refused = app.call_with(&weak, Method::POST, path, Some(body)).await;
        refused.assert_problem(StatusCode::FORBIDDEN, "permission_denied");
    })
    .await;
}
