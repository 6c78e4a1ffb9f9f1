//! Many session tokens in one request.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, decode, on_both_engines};

const PATH: &str = "/v1/session-tokens/batch";

fn viewer(id: &str) -> Value {
    json!({ "user": { "id": id, "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

async fn batch(app: &App, key: &str, requests: Value) -> Answer {
    let body = json!({ "requests": requests });
    app.call_with(key, Method::POST, PATH, Some(body)).await
}

#[tokio::test]
async fn each_request_has_its_own_result_in_order() {
    on_both_engines(|app| async move {
        let mut stranger = viewer("user-2");
        stranger["user"]["roles"] = json!(["viewer", "nobody"]);
        stranger["user"]["attributes"] = json!({ "planet": "mars" });
        let mut short = viewer("user-3");
        short["ttl_seconds"] = json!(60);
        let answer = batch(
            &app,
            &app.key,
            json!([viewer("user-1"), stranger.clone(), short]),
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let results = answer.json()["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), 3);
        for (index, subject, life) in [(0, "user-1", 900), (2, "user-3", 60)] {
            let token = &results[index]["token"];
            let (_, claims) = decode(token["token"].as_str().unwrap());
            assert_eq!(
                (&claims["sub"], &token["expires_in"]),
                (&json!(subject), &json!(life))
            );
            assert!(app.has_session(token).await);
        }
        // As the one request is answered, but for the request's id.
        let mut single = app.issue(&stranger).await.json();
        single["request_id"] = json!(answer.header("x-request-id"));
        assert_eq!(results[1], json!({ "problem": single }));
        assert_eq!(app.count_sessions().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_refusals_alone_has_its_results_too() {
    on_both_engines(|app| async move {
        let stranger = json!({ "user": { "id": "user-1", "roles": ["nobody"] } });
        let answer = batch(&app, &app.key, json!([stranger, stranger])).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let results = answer.json()["results"].as_array().unwrap().clone();
        let codes: Vec<&Value> = results.iter().map(|it| &it["problem"]["code"]).collect();
        assert_eq!(codes, ["unknown_role", "unknown_role"]);
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_fault_of_form_refuses_the_whole_body_where_it_stands() {
    on_both_engines(|app| async move {
        let mut wrong = viewer("user-2");
        wrong["user"]["role"] = json!("viewer");
        let mut dry = viewer("user-2");
        dry["dry_run"] = json!(true);
        for (item, pointer, code) in [
            (wrong, "/requests/1/user/role", "unknown_field"),
            (dry, "/requests/1/dry_run", "unknown_field"),
            (json!([]), "/requests/1", "invalid_field"),
            (json!({}), "/requests/1", "missing_field"),
        ] {
            let answer = batch(&app, &app.key, json!([viewer("user-1"), item])).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer);
        }
        for count in [0, 101] {
            let requests: Vec<Value> = (0..count).map(|_| viewer("u")).collect();
            let answer = batch(&app, &app.key, json!(requests)).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_batch");
            assert_eq!(problem["errors"][0]["pointer"], "/requests");
        }
        assert_eq!(app.count_sessions().await, 0);
        let requests: Vec<Value> = (0..100).map(|it| viewer(&format!("user-{it}"))).collect();
        assert_eq!(batch(&app, &app.key, json!(requests)).await.status, 200);
        assert_eq!(app.count_sessions().await, 100);
    })
    .await;
}

#[tokio::test]
async fn a_batch_counts_as_many_uses_of_its_key() {
    on_both_engines(|app| async move {
        let limited = json!({ "name": "x", "permissions": ["tokens:issue"],
                              "rate_limit": { "per_minute": 1, "burst": 4 } });
        let created = app.call(Method::POST, "/v1/api-keys", Some(limited)).await;
        let created = created.json();
        let key = created["secret"].as_str().unwrap();
        let of = |count: usize| json!((0..count).map(|_| viewer("u")).collect::<Vec<_>>());
        let never = batch(&app, key, of(5)).await;
        never.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "batch_beyond_burst");
        assert_eq!(batch(&app, key, of(2)).await.status, 200);
        let answer = batch(&app, key, of(2)).await;
        answer.assert_problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        assert_eq!(app.count_sessions().await, 2, "none of a refused batch");
    })
    .await;
}

#[tokio::test]
async fn refusals_of_a_batch_are_in_the_audit_trail_and_its_tokens_are_counted() {
    on_both_engines(|app| async move {
        let mut nobody = viewer("user-1");
        nobody["user"]["roles"] = json!(["nobody"]);
        let answer = batch(&app, &app.key, json!([viewer("user-1"), nobody])).await;
        assert_eq!(answer.status, 200);
        let path = "/v1/audit-events?action=session_token.refuse";
        let events = app.call(Method::GET, path, None).await.json();
        let events = events["data"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        let id = format!("key_{}", &app.key["jtn_".len()..][..12]);
        let usage = app
            .call(Method::GET, &format!("/v1/api-keys/{id}/usage"), None)
            .await;
        assert_eq!(usage.json()["tokens_issued"]["ever"], 1, "{}", usage.text);
    })
    .await;
}
