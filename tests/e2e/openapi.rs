//! The OpenAPI document: committed, served, and true.

use std::process::Command;

use reqwest::Method;
use serde_json::Value;

use crate::support::{node, on_both_engines, python, repository, run_to_end};

fn committed() -> String {
    read("openapi.json")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(repository().join("openapi").join(name)).unwrap()
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
fn the_committed_3_0_document_is_derived_from_it() {
    let printed = run_to_end(&["openapi", "--spec", "3.0"], &[]);
    assert!(printed.status.success());
    assert_eq!(
        read("openapi-3.0.json"),
        String::from_utf8(printed.stdout).unwrap(),
        "the API changed: run `cargo run -q -p jeton -- openapi --spec 3.0 > openapi/openapi-3.0.json`"
    );
}

/// The linter's rules are in `openapi/redocly.yaml`; it reads 3.0 as strictly as 3.1.
#[test]
fn the_linter_finds_nothing_to_say() {
    let modules = repository().join("tests/node_modules");
    let linted = Command::new(node())
        .arg(modules.join("@redocly/cli/bin/cli.js"))
        .args(["lint", "--format=stylish", "--max-problems=50"])
        .args(["openapi.json", "openapi-3.0.json"])
        .current_dir(repository().join("openapi"))
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&linted.stdout) + String::from_utf8_lossy(&linted.stderr);
    assert!(linted.status.success(), "{said}");
    assert!(said.contains("Your API descriptions are valid"), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

/// Another reader of both versions, which follows the specification's own schemas.
#[test]
fn both_documents_are_valid() {
    for name in ["openapi.json", "openapi-3.0.json"] {
        let validated = Command::new(python())
            .args(["-m", "openapi_spec_validator"])
            .arg(repository().join("openapi").join(name))
            .output()
            .unwrap();
        assert!(validated.status.success(), "{name}: {validated:?}");
    }
}

#[test]
fn every_error_names_its_codes_and_every_operation_its_permission() {
    let document: Value = serde_json::from_str(&committed()).unwrap();
    let errors = read_errors();
    for (method, path, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let Some(content) = answer["content"].get("application/problem+json") else {
                continue;
            };
            let examples = content["examples"].as_object().unwrap();
            assert!(!examples.is_empty(), "{method} {path} {status}: no code");
            for code in examples.keys() {
                assert!(errors.contains(&format!("| `{code}` | ")), "{code}");
                let words = answer["description"].as_str().unwrap();
                assert!(
                    words.contains(&format!("`{code}`")),
                    "{method} {path}: {code}"
                );
            }
        }
    }
    for known in policy::operations::Operation::ALL {
        let mut all = operations(&document).into_iter();
        let (_, _, operation) = all.find(|it| it.2["operationId"] == known.id()).unwrap();
        let named = operation["x-permission"].as_str();
        assert_eq!(
            named,
            known.permission().map(key_admin::Permission::as_str),
            "{known:?}"
        );
    }
}

fn read_errors() -> String {
    std::fs::read_to_string(repository().join("docs/errors.md")).unwrap()
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
        let older = app.get("/openapi-3.0.json").await;
        assert_eq!(older.text.trim_end(), read("openapi-3.0.json").trim_end());
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
