//! Requests that must not become tokens. Each has its own stable code, and leaves no session.

mod requests;
mod values;

use std::collections::BTreeMap;

use key_admin::KeyCeiling;
use reqwest::StatusCode;
use serde_json::json;

use self::{
    requests::{attribute, id, ttl, with, wrong_limits, wrong_shapes, wrong_users},
    values::{empty_values, values_of_wrong_type, values_outside_their_declaration},
};
use crate::support::{App, NewKey, on_both_engines};

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
