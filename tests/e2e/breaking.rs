//! No change of the API breaks its clients unless its version says so: the document is compared with the last released
//! one, `openapi/released/openapi.json`.

mod differences;

use serde_json::{Value, json};

use self::differences::differences;
use crate::support::repository;

fn document(path: &str) -> Value {
    let text = std::fs::read_to_string(repository().join("openapi").join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// May a version break what another one promised? By semantic versioning: with another major, and below 1.0 another minor.
fn may_break(released: &str, now: &str) -> bool {
    let parts = |version: &str| -> Vec<u64> {
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    let (released, now) = (parts(released), parts(now));
    let significant = if released[0] == 0 { 2 } else { 1 };
    released[..significant] != now[..significant]
}

#[test]
fn nothing_breaks_within_a_version() {
    let (released, now) = (document("released/openapi.json"), document("openapi.json"));
    let version = |document: &Value| document["info"]["version"].as_str().unwrap().to_owned();
    if may_break(&version(&released), &version(&now)) {
        return;
    }
    let found = differences(&released, &now);
    assert!(
        found.is_empty(),
        "clients of the last release would break; undo it, or raise the version in Cargo.toml:\n{}",
        found.join("\n")
    );
}

#[test]
fn versions_say_what_may_break() {
    assert!(!may_break("0.1.0", "0.1.7"));
    assert!(may_break("0.1.0", "0.2.0"));
    assert!(!may_break("1.2.0", "1.3.0"));
    assert!(may_break("1.9.0", "2.0.0"));
}

/// A change of a document, in words and done.
type Change = (&'static str, fn(&mut Value));

/// The document with one change.
fn changed(change: impl FnOnce(&mut Value)) -> (Value, Value) {
    let released = document("openapi.json");
    let mut now = released.clone();
    change(&mut now);
    assert_ne!(released, now, "the change changes something");
    (released, now)
}

#[test]
fn what_breaks_clients_is_found() {
    let changes: [Change; 13] = [
        ("an operation is gone", |it| {
            it["paths"]["/v1/users/{id}"]
                .as_object_mut()
                .unwrap()
                .remove("patch");
        }),
        ("an operation has another name", |it| {
            it["paths"]["/v1/users"]["get"]["operationId"] = json!("findUsers");
        }),
        ("a parameter is gone", |it| {
            let parameters = &mut it["paths"]["/v1/users"]["get"]["parameters"];
            parameters.as_array_mut().unwrap().remove(0);
        }),
        ("a parameter is required", |it| {
            it["paths"]["/v1/users"]["get"]["parameters"][0]["required"] = json!(true);
        }),
        ("a success has another status", |it| {
            let answers = it["paths"]["/v1/users"]["post"]["responses"]
                .as_object_mut()
                .unwrap();
            let created = answers.remove("201").unwrap();
            answers.insert("200".to_owned(), created);
        }),
        ("a way to authenticate is gone", |it| {
            it["paths"]["/v1/users"]["get"]["security"]
                .as_array_mut()
                .unwrap()
                .pop();
        }),
        ("a field of a request is gone", |it| {
            let fields = &mut it["components"]["schemas"]["CreateUserRequest"]["properties"];
            fields.as_object_mut().unwrap().remove("name");
        }),
        ("a field of a request is required", |it| {
            let required = &mut it["components"]["schemas"]["CreateUserRequest"]["required"];
            required.as_array_mut().unwrap().push(json!("name"));
        }),
        ("a bound is narrower", |it| {
            it["components"]["schemas"]["IssueSessionTokenRequest"]["properties"]["resources"]["maxItems"] =
                json!(1);
        }),
        ("a field of an answer is gone", |it| {
            let fields = &mut it["components"]["schemas"]["SessionToken"]["properties"];
            fields.as_object_mut().unwrap().remove("refresh_in");
        }),
        ("a field of an answer can be absent", |it| {
            let required = &mut it["components"]["schemas"]["SessionToken"]["required"];
            required.as_array_mut().unwrap().retain(|it| it != "token");
        }),
        ("a field of an answer has another type", |it| {
            it["components"]["schemas"]["SessionToken"]["properties"]["expires_in"]["type"] =
                json!("string");
        }),
        ("a field of an answer can be null", |it| {
            it["components"]["schemas"]["SessionToken"]["properties"]["token"]["type"] =
                json!(["string", "null"]);
        }),
    ];
    for (what, change) in changes {
        let (released, now) = changed(change);
        assert_eq!(differences(&released, &now).len(), 1, "{what}");
    }
}

#[test]
fn what_only_adds_does_not_break() {
    let changes: [Change; 5] = [
        ("an operation", |it| {
            it["paths"]["/v1/new"] = it["paths"]["/v1/account"].clone();
        }),
        ("an optional field of a request", |it| {
            it["components"]["schemas"]["CreateUserRequest"]["properties"]["new"] =
                json!({ "type": "string" });
        }),
        ("a wider bound", |it| {
            it["components"]["schemas"]["IssueSessionTokenRequest"]["properties"]["resources"]["maxItems"] =
                json!(1000);
        }),
        ("a field of an answer", |it| {
            it["components"]["schemas"]["SessionToken"]["properties"]["new"] =
                json!({ "type": "string" });
        }),
        ("words", |it| {
            it["paths"]["/v1/users"]["get"]["description"] = json!("Other words.");
        }),
    ];
    for (what, change) in changes {
        let (released, now) = changed(change);
        assert_eq!(differences(&released, &now), Vec::<String>::new(), "{what}");
    }
}
