//! Requests that must not become tokens. Each has its own stable code, and leaves no session.

use std::collections::BTreeMap;

use key_admin::KeyCeiling;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{App, NewKey, on_both_engines};

/// A good request with one thing changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut request = json!({
        "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
    });
    change(&mut request);
    request
}

fn attribute(name: &str, value: Value) -> Value {
    with(|request| request["user"]["attributes"][name] = value)
}

fn id(id: &str) -> Value {
    with(|request| request["user"]["id"] = id.into())
}

fn roles(roles: Value) -> Value {
    with(|request| request["user"]["roles"] = roles)
}

fn ttl(seconds: Value) -> Value {
    with(|request| request["ttl_seconds"] = seconds)
}

fn resource(kind: &str, id: &str) -> Value {
    with(|request| request["resources"] = json!([{ "type": kind, "id": id }]))
}

/// What is sent, the code that comes back, and the place it points at; all of it 422.
type Refused = (Value, &'static str, &'static str);

fn wrong_users() -> Vec<Refused> {
    vec![
        (id("nimda\u{202e}"), "invalid_subject", "/user/id"),
        (id("\u{200b}"), "invalid_subject", "/user/id"),
        (id(""), "invalid_subject", "/user/id"),
        (id(&"x".repeat(256)), "invalid_subject", "/user/id"),
        (id(&"é".repeat(128)), "invalid_subject", "/user/id"),
        (id("a\nb"), "invalid_subject", "/user/id"),
        (id("a\u{0}b"), "invalid_subject", "/user/id"),
        (id("a\u{85}b"), "invalid_subject", "/user/id"),
        (roles(json!(["nobody"])), "unknown_role", "/user/roles/0"),
        (
            roles(json!(["viewer", "Viewer"])),
            "unknown_role",
            "/user/roles/1",
        ),
        (
            roles(json!(["viewer", "viewer "])),
            "unknown_role",
            "/user/roles/1",
        ),
        (roles(json!([])), "roles_empty", "/user/roles"),
        (
            roles(json!(["viewer", "viewer"])),
            "duplicate_role",
            "/user/roles/1",
        ),
        (
            roles(json!(vec!["viewer"; 51])),
            "too_many_roles",
            "/user/roles",
        ),
    ]
}

fn values_of_wrong_type() -> Vec<Refused> {
    vec![
        (
            attribute("planet", json!("mars")),
            "undeclared_attribute",
            "/user/attributes/planet",
        ),
        (
            attribute("__proto__", json!("x")),
            "undeclared_attribute",
            "/user/attributes/__proto__",
        ),
        (
            attribute("a/b~c", json!("x")),
            "undeclared_attribute",
            "/user/attributes/a~1b~0c",
        ),
        (
            with(|it| it["user"]["attributes"] = json!({})),
            "missing_attribute",
            "/user/attributes/tenant_id",
        ),
        (
            roles(json!(["auditor"])),
            "missing_attribute",
            "/user/attributes/since",
        ),
        (
            attribute("tenant_id", json!(7)),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!(["t-1"])),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!({ "eq": "t-1" })),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("regions", json!("eu")),
            "attribute_type",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!(["eu", 7])),
            "attribute_type",
            "/user/attributes/regions/1",
        ),
        (
            attribute("level", json!(1.5)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!("1")),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!(9_007_199_254_740_992_i64)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!(true)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("internal", json!("true")),
            "attribute_type",
            "/user/attributes/internal",
        ),
        (
            attribute("internal", json!(0)),
            "attribute_type",
            "/user/attributes/internal",
        ),
        (
            attribute("score", json!("0.1")),
            "attribute_type",
            "/user/attributes/score",
        ),
        (
            attribute("since", json!("2023-02-29")),
            "attribute_type",
            "/user/attributes/since",
        ),
        (
            attribute("since", json!("29.02.2024")),
            "attribute_type",
            "/user/attributes/since",
        ),
    ]
}

fn values_outside_their_declaration() -> Vec<Refused> {
    vec![
        (
            attribute("plan", json!("enterprise")),
            "attribute_value_not_allowed",
            "/user/attributes/plan",
        ),
        (
            attribute("code", json!("ABC123")),
            "attribute_pattern",
            "/user/attributes/code",
        ),
        (
            attribute("tenant_id", json!("x".repeat(37))),
            "attribute_too_long",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("a\u{0}")),
            "attribute_characters",
            "/user/attributes/tenant_id",
        ),
    ]
}

/// Values that would restrict nothing.
fn empty_values() -> Vec<Refused> {
    vec![
        (
            attribute("tenant_id", json!("\u{200b}")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!(null)),
            "attribute_null",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("  \u{a0}")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("regions", json!(null)),
            "attribute_null",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!([])),
            "attribute_empty",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!([""])),
            "attribute_empty",
            "/user/attributes/regions/0",
        ),
        (
            attribute("regions", json!(["eu", null])),
            "attribute_null",
            "/user/attributes/regions/1",
        ),
        (
            attribute("regions", json!(vec!["x"; 101])),
            "attribute_too_many_items",
            "/user/attributes/regions",
        ),
        (
            attribute("store_ids", json!([1, 2, 3, 4])),
            "attribute_too_many_items",
            "/user/attributes/store_ids",
        ),
    ]
}

fn wrong_limits() -> Vec<Refused> {
    vec![
        (ttl(json!(0)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(-1)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(3601)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(i64::MAX)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(0.5)), "invalid_field", "/ttl_seconds"),
        (ttl(json!("300")), "invalid_field", "/ttl_seconds"),
        (ttl(json!(null)), "invalid_field", "/ttl_seconds"),
        (
            ttl(json!(9_223_372_036_854_775_808_u64)),
            "invalid_field",
            "/ttl_seconds",
        ),
        (
            with(|it| it["audience"] = "other".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = "defaul".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = "".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = json!(["default"])),
            "invalid_field",
            "/audience",
        ),
        (
            resource("Dash board", "a"),
            "invalid_resource",
            "/resources/0/type",
        ),
        (
            resource("dashboard", ""),
            "invalid_resource",
            "/resources/0/id",
        ),
        (
            resource("dashboard", "a\tb"),
            "invalid_resource",
            "/resources/0/id",
        ),
        (
            with(|it| {
                it["resources"] = json!(vec![json!({ "type": "dashboard", "id": "a" }); 101]);
            }),
            "too_many_resources",
            "/resources",
        ),
    ]
}

fn wrong_shapes() -> Vec<Refused> {
    vec![
        // serde alone would take a list of a struct's values for the struct.
        (
            json!([["u", ["viewer"], { "tenant_id": "t" }], "default", 300, [], false]),
            "invalid_field",
            "",
        ),
        (
            json!({ "user": ["u", ["viewer"], { "tenant_id": "t" }] }),
            "invalid_field",
            "/user",
        ),
        (
            with(|it| it["resources"] = json!([["dashboard", "x"]])),
            "invalid_field",
            "/resources/0",
        ),
        (
            with(|it| it["subject"] = "x".into()),
            "unknown_field",
            "/subject",
        ),
        (
            with(|it| it["user"]["name"] = "x".into()),
            "unknown_field",
            "/user/name",
        ),
        (
            with(|it| it["dry_run"] = "yes".into()),
            "invalid_field",
            "/dry_run",
        ),
        (json!({}), "missing_field", ""),
        (json!({ "user": { "id": "u" } }), "missing_field", "/user"),
        (json!({ "user": null }), "invalid_field", "/user"),
        (json!([]), "invalid_field", ""),
        (json!(null), "invalid_field", ""),
    ]
}

#[tokio::test]
async fn each_wrong_request_is_refused_with_its_code_and_place() {
    on_both_engines(|app| async move {
        let tables = [
            wrong_users(),
            values_of_wrong_type(),
            values_outside_their_declaration(),
            empty_values(),
            wrong_limits(),
            wrong_shapes(),
        ];
        for (request, code, pointer) in tables.into_iter().flatten() {
            let answer = app.issue(&request).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            let errors = problem["errors"].as_array().unwrap();
            // Fifty-one times the same role is too many and also a repetition.
            assert!(
                errors.len() == 1 || code == "too_many_roles",
                "{request}: {problem}"
            );
            assert_eq!(errors[0]["pointer"], pointer, "{request}: {problem}");
            assert_eq!(errors[0]["code"], code);
        }
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_no_header_takes_is_not_issued() {
    on_both_engines(|app| async move {
        let regions = |length: usize| attribute("regions", json!(vec!["x".repeat(length); 100]));
        let mut too_long = regions(200);
        for dry_run in [false, true] {
            too_long["dry_run"] = json!(dry_run);
            let answer = app.issue(&too_long).await;
            answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_too_large");
        }
        assert_eq!(app.count_sessions().await, 0);
        let answer = app.issue(&regions(20)).await;
        assert_eq!(answer.json()["warnings"][0]["code"], "token_large");
        let token = answer.token();
        assert!((2049..=4096).contains(&token.len()), "{}", token.len());
        let small = app.issue(&regions(1)).await;
        assert!(small.json().get("warnings").is_none());
        assert_eq!(
            jeton_verifier::MAX_TOKEN_BYTES,
            token_issuer::claims::MAX_TOKEN_BYTES
        );
    })
    .await;
}

#[tokio::test]
async fn the_limits_themselves_are_granted() {
    on_both_engines(|app| async move {
        for request in [
            id(&"x".repeat(255)),
            attribute("regions", json!(vec!["x"; 100])),
            attribute("tenant_id", json!("x".repeat(36))),
            ttl(json!(1)),
            ttl(json!(3600)),
        ] {
            app.issue(&request).await.issued();
        }
    })
    .await;
}

#[tokio::test]
async fn every_reason_is_told_at_once() {
    on_both_engines(|app| async move {
        let request = json!({
            "user": { "id": "", "roles": ["viewer", "nobody"], "attributes": { "planet": "mars", "level": "x" } },
            "audience": "other", "ttl_seconds": 0,
        });
        let problem = app.issue(&request).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_subject");
        let codes: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        assert_eq!(
            sorted,
            [
                "attribute_type", "invalid_subject", "missing_attribute", "ttl_out_of_range", "undeclared_attribute",
                "unknown_audience", "unknown_role",
            ],
            "{problem}"
        );
        for secret in ["mars", "\"x\""] {
            assert!(!problem.to_string().contains(secret), "values are not repeated: {problem}");
        }
    })
    .await;
}

async fn limited_key(app: &App) -> String {
    let ceiling = KeyCeiling {
        roles: Some(["viewer".to_owned()].into()),
        audiences: Some(["reports".to_owned()].into()),
        fixed_attributes: BTreeMap::from([("tenant_id".to_owned(), json!("t-9"))]),
        allowed_attributes: BTreeMap::from([("regions".to_owned(), vec![json!("eu")])]),
        max_ttl_seconds: Some(120),
    };
    app.create_key(NewKey {
        ceiling,
        ..NewKey::default()
    })
    .await
    .1
}

#[tokio::test]
async fn what_lies_outside_the_key_ceiling_is_forbidden() {
    on_both_engines(|app| async move {
        let key = limited_key(&app).await;
        let request = with(|it| {
            it["user"]["roles"] = json!(["editor"]);
            it["user"]["attributes"]["regions"] = json!(["eu", "us"]);
        });
        let problem = app
            .issue_with(&key, &request)
            .await
            .assert_problem(StatusCode::FORBIDDEN, "role_not_allowed");
        let codes: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["code"].as_str().unwrap())
            .collect();
        assert_eq!(
            codes,
            [
                "role_not_allowed",
                "attribute_beyond_key",
                "attribute_fixed",
                "audience_not_allowed"
            ]
        );
        assert!(
            !problem.to_string().contains("t-9"),
            "the fixed value is not told: {problem}"
        );

        let only_ttl = KeyCeiling {
            max_ttl_seconds: Some(120),
            ..KeyCeiling::default()
        };
        let (_, key) = app
            .create_key(NewKey {
                ceiling: only_ttl,
                ..NewKey::default()
            })
            .await;
        let answer = app.issue_with(&key, &ttl(json!(121))).await;
        answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "ttl_out_of_range");
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_without_the_permission_issues_nothing() {
    on_both_engines(|app| async move {
        let (_, key) = app
            .create_key(NewKey {
                permissions: Vec::new(),
                ..NewKey::default()
            })
            .await;
        app.issue_with(&key, &with(|_| ()))
            .await
            .assert_problem(StatusCode::FORBIDDEN, "permission_denied");
    })
    .await;
}
