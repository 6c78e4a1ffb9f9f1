//! The OpenAPI document: committed, served, and true.

use reqwest::Method;
use serde_json::Value;

use crate::support::{on_both_engines, repository, run_to_end};

fn committed() -> String {
    std::fs::read_to_string(repository().join("openapi/openapi.json")).unwrap()
}

/// Every operation of the document: method, path, description.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    operations
}

#[test]
fn the_committed_document_is_what_the_routers_say() {
    let printed = run_to_end(&["openapi"], &[]);
    assert!(printed.status.success());
    assert_eq!(
        committed(),
        String::from_utf8(printed.stdout).unwrap(),
        "the API changed: run `cargo run -q -p jeton -- openapi > openapi/openapi.json` and look at the difference"
    );
}

#[test]
fn operations_are_described_and_their_ids_are_unique() {
    let document: Value = serde_json::from_str(&committed()).unwrap();
    let mut ids = Vec::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            id.starts_with(|c: char| c.is_ascii_lowercase())
                && id.chars().all(char::is_alphanumeric),
            "{id}"
        );
        ids.push(id.to_owned());
        for member in ["summary", "description"] {
            assert!(
                operation[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{method} {path}: {member}"
            );
        }
        assert_eq!(
            operation["tags"].as_array().map(Vec::len),
            Some(1),
            "{method} {path}"
        );
        assert!(operation["security"].is_array(), "{method} {path}");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn the_server_serves_the_committed_document_and_knows_every_operation_of_it() {
    on_both_engines(|app| async move {
        let served = app.get("/openapi.json").await;
        let audiences = app.call(Method::GET, "/v1/audiences", None).await.json();
        let audience = audiences["data"][0]["id"].as_str().unwrap();
        assert_eq!(served.text.trim_end(), committed().trim_end());
        for (method, path, operation) in operations(&served.json()) {
            let path = path.replace("{slug}", "acme").replace("{id}", audience);
            let answer = app
                .send(
                    app.http
                        .request(method.clone(), format!("{}{path}", app.server.url())),
                )
                .await;
            // `security: [{}]` means that no credential is needed.
            let public = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .any(|it| it.as_object().unwrap().is_empty());
            // Who needs no credential gets an answer, or is told that the body is missing.
            let expected = match (public, &method) {
                (true, &Method::GET) => 200,
                (true, _) => 415,
                (false, _) => 401,
            };
            assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text);
        }
    })
    .await;
}
