//! Wrong input about users and service accounts.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::people::{ACCOUNTS, USERS, at, ids, make, user};
use crate::support::{PASSWORD, on_both_engines};

/// Wrong bodies for making a user, with the code and place that they are refused with.
fn wrong_users() -> Vec<(Value, &'static str, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut body = user("grace@example.com", "member");
        body[field] = value;
        body
    };
    vec![
        (with("email", json!("")), "invalid_email", "/email"),
        (with("email", json!("grace")), "invalid_email", "/email"),
        (with("email", json!("grace@.")), "invalid_email", "/email"),
        (
            with("email", json!("a\u{0}@example.com")),
            "invalid_email",
            "/email",
        ),
        (
            with("email", json!("x".repeat(250) + "@example.com")),
            "invalid_email",
            "/email",
        ),
        (with("email", json!(null)), "invalid_field", "/email"),
        (with("name", json!("")), "invalid_name", "/name"),
        (with("name", json!(" \t ")), "invalid_name", "/name"),
        (with("name", json!("a\u{0}b")), "invalid_name", "/name"),
        (
            with("name", json!("x".repeat(101))),
            "invalid_name",
            "/name",
        ),
        (with("name", json!(null)), "invalid_field", "/name"),
        (with("role", json!("Owner")), "invalid_role", "/role"),
        (with("role", json!("")), "invalid_role", "/role"),
        (
            with("role", json!({ "owner": null })),
            "invalid_field",
            "/role",
        ),
        (with("role", json!(null)), "invalid_field", "/role"),
        (
            with("password", json!("hm4!kv7m.qu")),
            "password_length",
            "/password",
        ),
        (
            with("password", json!("kv7m".repeat(33))),
            "password_length",
            "/password",
        ),
        (
            with("password", json!("PassWord1234")),
            "common_password",
            "/password",
        ),
        (
            with("password", json!("my name is Grace!")),
            "personal_password",
            "/password",
        ),
        (
            with("password", json!("all of ACME knows")),
            "personal_password",
            "/password",
        ),
        (
            with("password", json!(123_456_789_012_i64)),
            "invalid_field",
            "/password",
        ),
        (with("password", json!(null)), "invalid_field", "/password"),
        (with("state", json!("active")), "unknown_field", "/state"),
        (
            with("organization_id", json!("x")),
            "unknown_field",
            "/organization_id",
        ),
        (
            json!({ "email": "grace@example.com", "role": "member" }),
            "missing_field",
            "",
        ),
        (
            json!({ "email": "grace@example.com", "password": PASSWORD }),
            "missing_field",
            "",
        ),
        (
            json!(["grace@example.com", PASSWORD, "owner"]),
            "invalid_field",
            "",
        ),
    ]
}

fn wrong_changes() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({ "name": " " }), "invalid_name", "/name"),
        (json!({ "name": null }), "invalid_field", "/name"),
        (json!({ "role": "king" }), "invalid_role", "/role"),
        (json!({ "role": null }), "invalid_field", "/role"),
        (json!({ "state": "deleted" }), "invalid_state", "/state"),
        (json!({ "state": null }), "invalid_field", "/state"),
        (
            json!({ "password": "short" }),
            "password_length",
            "/password",
        ),
        (
            json!({ "password": "passwordpassword" }),
            "common_password",
            "/password",
        ),
        (
            json!({ "password": "graceful horses" }),
            "personal_password",
            "/password",
        ),
        (json!({ "password": null }), "invalid_field", "/password"),
        (
            json!({ "email": "other@example.com" }),
            "unknown_field",
            "/email",
        ),
        (json!({ "id": "x" }), "unknown_field", "/id"),
        (json!([]), "invalid_field", ""),
    ]
}

fn wrong_accounts() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({ "name": "" }), "invalid_name", "/name"),
        (json!({ "name": "x".repeat(101) }), "invalid_name", "/name"),
        (json!({ "name": "a\nb" }), "invalid_name", "/name"),
        (json!({ "name": null }), "invalid_field", "/name"),
        (
            json!({ "name": "x", "role": "owner" }),
            "unknown_field",
            "/role",
        ),
    ]
}

#[tokio::test]
async fn wrong_input_is_refused_with_its_code_and_place_and_not_repeated() {
    on_both_engines(|app| async move {
        let grace = make(&app, USERS, user("grace@example.com", "member")).await;
        let account = make(&app, ACCOUNTS, json!({ "name": "ci" })).await;
        let suspended = (json!({ "state": "gone" }), "invalid_state", "/state");
        let tables = [
            (Method::POST, USERS.to_owned(), wrong_users()),
            (Method::PATCH, at(USERS, &grace), wrong_changes()),
            (Method::POST, ACCOUNTS.to_owned(), wrong_accounts()),
            (Method::PATCH, at(ACCOUNTS, &account), wrong_accounts()),
            (Method::PATCH, at(ACCOUNTS, &account), vec![suspended]),
        ];
        for (method, path, table) in tables {
            for (body, code, pointer) in table {
                let answer = app.call(method.clone(), &path, Some(body.clone())).await;
                let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
                assert_eq!(
                    problem["errors"][0]["pointer"], pointer,
                    "{body}: {problem}"
                );
                if let Some(password) = body["password"].as_str() {
                    assert!(!answer.text.contains(password), "{}", answer.text);
                }
            }
        }
        for (query, code) in [
            ("?limit=0", "invalid_limit"),
            ("?limit=101", "invalid_limit"),
            ("?limit=-1", "invalid_query"),
            ("?limit=2&limit=3", "invalid_query"),
            ("?cursor=", "invalid_cursor"),
            ("?cursor=b3du", "invalid_cursor"),
            ("?role=owner", "invalid_query"),
        ] {
            for path in [USERS, ACCOUNTS] {
                let answer = app.call(Method::GET, &format!("{path}{query}"), None).await;
                answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            }
        }
        for path in [at(USERS, &grace), at(ACCOUNTS, &account)] {
            for query in ["?revoke_keys=yes", "?revoke_keys", "?force=true"] {
                let answer = app
                    .call(Method::DELETE, &format!("{path}{query}"), None)
                    .await;
                answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_query");
            }
            assert_eq!(
                app.call(Method::GET, &path, None).await.json()["state"],
                "active"
            );
        }
        assert_eq!(ids(&app, &app.key, USERS).await.len(), 2);
        assert_eq!(ids(&app, &app.key, ACCOUNTS).await.len(), 1);
    })
    .await;
}
