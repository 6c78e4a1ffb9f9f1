//! Users and service accounts, over HTTP.

use std::collections::BTreeSet;

use key_admin::Permission;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, on_both_engines};

const USERS: &str = "/v1/users";
const ACCOUNTS: &str = "/v1/service-accounts";

async fn call(app: &App, method: Method, path: &str, body: Option<Value>) -> Answer {
    call_with(app, &app.key, method, path, body).await
}

async fn call_with(
    app: &App,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = app.http.request(method, app.server.url() + path);
    if let Some(body) = body {
        request = request.json(&body);
    }
    app.send(request.header("x-api-key", key)).await
}

fn user(email: &str, role: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "role": role })
}

/// Makes a user or service account; its view.
async fn make(app: &App, path: &str, body: Value) -> Value {
    let answer = call(app, Method::POST, path, Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Its path.
fn at(path: &str, view: &Value) -> String {
    format!("{path}/{}", view["id"].as_str().unwrap())
}

/// A key with all permissions for this owner.
async fn key_of(app: &App, owner: &Value) -> String {
    let permissions: Vec<_> = Permission::ALL.iter().map(ToString::to_string).collect();
    let body = json!({ "name": "x", "owner_id": owner["id"], "permissions": permissions });
    let answer = call(app, Method::POST, "/v1/api-keys", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["secret"].as_str().unwrap().to_owned()
}

async fn account_status(app: &App, key: &str) -> Answer {
    call_with(app, key, Method::GET, "/v1/account", None).await
}

async fn ids(app: &App, key: &str, path: &str) -> Vec<String> {
    let listed = call_with(app, key, Method::GET, path, None).await.json();
    let data = listed["data"].as_array().unwrap();
    let ids = data.iter().map(|it| it["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test]
async fn a_user_is_made_shown_and_changed() {
    on_both_engines(|app| async move {
        let created = make(&app, USERS, user(" Grace@Example.COM ", "member")).await;
        assert_eq!(created["email"], "grace@example.com");
        assert_eq!(created["name"], "grace@example.com");
        assert_eq!((&created["role"], &created["state"]), (&json!("member"), &json!("active")));
        let members: BTreeSet<_> = created.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(["id", "email", "name", "role", "state", "created_at"]));

        let path = at(USERS, &created);
        assert_eq!(call(&app, Method::GET, &path, None).await.json(), created);
        let listed = call(&app, Method::GET, USERS, None).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 2, "and the first owner");
        assert_eq!(listed["data"][0]["email"], "ada@acme.example");
        assert_eq!(listed["data"][1], created);
        assert!(listed.get("next_cursor").is_none(), "{listed}");

        let change = json!({ "name": " Grace ", "role": "admin", "password": "another horse battery" });
        let changed = call(&app, Method::PATCH, &path, Some(change)).await;
        assert!(!changed.text.contains("horse") && !changed.text.contains("argon2"), "{}", changed.text);
        let mut expected = created.clone();
        expected["name"] = "Grace".into();
        expected["role"] = "admin".into();
        assert_eq!(changed.json(), expected);
        assert_eq!(call(&app, Method::PATCH, &path, Some(json!({}))).await.json(), expected);
        assert_eq!(call(&app, Method::GET, &path, None).await.json(), expected);

        let named = json!({ "email": "b@example.com", "password": PASSWORD, "role": "viewer", "name": "Bo" });
        assert_eq!(make(&app, USERS, named).await["name"], "Bo");
    })
    .await;
}

#[tokio::test]
async fn suspending_an_owner_of_keys_stops_them_and_removing_takes_them_along() {
    on_both_engines(|app| async move {
        for (path, body) in [
            (USERS, user("grace@example.com", "admin")),
            (ACCOUNTS, json!({ "name": "ci" })),
        ] {
            let owner = make(&app, path, body).await;
            let path = at(path, &owner);
            let key = key_of(&app, &owner).await;
            assert_eq!(account_status(&app, &key).await.status, 200);

            let suspend = Some(json!({ "state": "suspended" }));
            let suspended = call(&app, Method::PATCH, &path, suspend).await.json();
            assert_eq!(suspended["state"], "suspended");
            account_status(&app, &key)
                .await
                .assert_problem(StatusCode::UNAUTHORIZED, "owner_suspended");
            let activate = Some(json!({ "state": "active" }));
            assert_eq!(
                call(&app, Method::PATCH, &path, activate).await.json(),
                owner
            );
            assert_eq!(account_status(&app, &key).await.status, 200);

            for query in ["", "?revoke_keys=false"] {
                let answer = call(&app, Method::DELETE, &format!("{path}{query}"), None).await;
                answer.assert_problem(StatusCode::CONFLICT, "live_keys");
            }
            assert_eq!(account_status(&app, &key).await.status, 200);
            let removed = call(
                &app,
                Method::DELETE,
                &format!("{path}?revoke_keys=true"),
                None,
            )
            .await;
            assert_eq!((removed.status, removed.text.as_str()), (204, ""));
            account_status(&app, &key)
                .await
                .assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
            for (method, body) in [
                (Method::GET, None),
                (Method::PATCH, Some(json!({}))),
                (Method::DELETE, None),
            ] {
                call(&app, method, &path, body)
                    .await
                    .assert_problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
        let keyless = make(&app, ACCOUNTS, json!({ "name": "idle" })).await;
        assert_eq!(
            call(&app, Method::DELETE, &at(ACCOUNTS, &keyless), None)
                .await
                .status,
            204
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_account_is_made_shown_and_renamed() {
    on_both_engines(|app| async move {
        let created = make(&app, ACCOUNTS, json!({ "name": " ci " })).await;
        assert_eq!(
            (&created["name"], &created["state"]),
            (&json!("ci"), &json!("active"))
        );
        let path = at(ACCOUNTS, &created);
        assert_eq!(call(&app, Method::GET, &path, None).await.json(), created);
        let listed = call(&app, Method::GET, ACCOUNTS, None).await.json();
        assert_eq!(listed, json!({ "data": [created] }));
        let renamed = call(&app, Method::PATCH, &path, Some(json!({ "name": "cd" }))).await;
        assert_eq!(renamed.json()["name"], "cd");
        assert_eq!(
            call(&app, Method::GET, &path, None).await.json(),
            renamed.json()
        );
        // The two nouns have one kind of identifier and do not answer for each other.
        for path in [
            at(USERS, &created),
            format!("{ACCOUNTS}/{}", app.owner),
            format!("{USERS}/ada@acme.example"),
        ] {
            for (method, body) in [
                (Method::GET, None),
                (Method::PATCH, Some(json!({ "name": "x" }))),
                (Method::DELETE, None),
            ] {
                let answer = call(&app, method, &path, body).await;
                answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_active_owner_stays() {
    on_both_engines(|app| async move {
        let ada = format!("{USERS}/{}", app.owner);
        let takes_the_owner_away = [
            (Method::PATCH, ada.clone(), Some(json!({ "role": "admin" }))),
            (
                Method::PATCH,
                ada.clone(),
                Some(json!({ "state": "suspended" })),
            ),
            (Method::DELETE, format!("{ada}?revoke_keys=true"), None),
        ];
        for (method, path, body) in &takes_the_owner_away {
            let answer = call(&app, method.clone(), path, body.clone()).await;
            answer.assert_problem(StatusCode::CONFLICT, "last_owner");
        }
        let second = make(&app, USERS, user("grace@example.com", "owner")).await;
        let second = at(USERS, &second);
        let suspended = call(
            &app,
            Method::PATCH,
            &second,
            Some(json!({ "state": "suspended" })),
        )
        .await;
        assert_eq!(suspended.status, 200);
        for (method, path, body) in takes_the_owner_away {
            let answer = call(&app, method, &path, body).await;
            answer.assert_problem(StatusCode::CONFLICT, "last_owner");
        }
        assert_eq!(
            call(
                &app,
                Method::PATCH,
                &second,
                Some(json!({ "state": "active" }))
            )
            .await
            .status,
            200
        );
        // The key follows its owner: who is no owner any more cannot become one again.
        assert_eq!(
            call(&app, Method::PATCH, &ada, Some(json!({ "role": "admin" })))
                .await
                .json()["role"],
            "admin"
        );
        let answer = call(&app, Method::PATCH, &ada, Some(json!({ "role": "owner" }))).await;
        answer.assert_problem(StatusCode::FORBIDDEN, "owners_only");
    })
    .await;
}

#[tokio::test]
async fn only_owners_touch_owners_and_service_accounts_are_none() {
    on_both_engines(|app| async move {
        let admin = make(&app, USERS, user("grace@example.com", "admin")).await;
        let account = make(&app, ACCOUNTS, json!({ "name": "ci" })).await;
        let ada = format!("{USERS}/{}", app.owner);
        for (number, owner) in [&admin, &account].into_iter().enumerate() {
            let key = key_of(&app, owner).await;
            let owner_to_be = user("eve@example.com", "owner");
            for (method, path, body) in [
                (Method::POST, USERS.to_owned(), Some(owner_to_be)),
                (
                    Method::PATCH,
                    at(USERS, &admin),
                    Some(json!({ "role": "owner" })),
                ),
                (Method::PATCH, ada.clone(), Some(json!({ "name": "Eve" }))),
                (
                    Method::PATCH,
                    ada.clone(),
                    Some(json!({ "password": "another horse battery" })),
                ),
                (
                    Method::PATCH,
                    ada.clone(),
                    Some(json!({ "state": "suspended" })),
                ),
                (
                    Method::PATCH,
                    ada.clone(),
                    Some(json!({ "role": "viewer" })),
                ),
                (Method::DELETE, format!("{ada}?revoke_keys=true"), None),
            ] {
                let answer = call_with(&app, &key, method, &path, body).await;
                answer.assert_problem(StatusCode::FORBIDDEN, "owners_only");
            }
            let email = format!("admin-{number}@example.com");
            let made =
                call_with(&app, &key, Method::POST, USERS, Some(user(&email, "admin"))).await;
            assert_eq!(made.status, 201, "{}", made.text);
            let path = at(USERS, &made.json());
            assert_eq!(
                call_with(&app, &key, Method::DELETE, &path, None)
                    .await
                    .status,
                204
            );
        }
        let shown = call(&app, Method::GET, &ada, None).await.json();
        assert_eq!(
            (&shown["role"], &shown["state"]),
            (&json!("owner"), &json!("active"))
        );
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_nobody_here() {
    on_both_engines(|app| async move {
        let person = make(&app, USERS, user("grace@example.com", "member")).await;
        let program = make(&app, ACCOUNTS, json!({ "name": "ci" })).await;
        let stranger = app.key_of_another_organization().await;
        let unknown = call_with(&app, &stranger, Method::GET, "/v1/nothing", None).await;
        let unknown = unknown.text.replace(unknown.header("x-request-id"), "");
        for path in [
            at(USERS, &person),
            format!("{USERS}/{}", app.owner),
            format!("{USERS}/own_00000000000000000000000000000000"),
            format!("{USERS}/nonsense"),
            at(ACCOUNTS, &program),
            format!("{ACCOUNTS}/own_00000000000000000000000000000000"),
        ] {
            let suspend = json!({ "state": "suspended" });
            for (method, path, body) in [
                (Method::GET, path.clone(), None),
                (Method::PATCH, path.clone(), Some(suspend)),
                (Method::DELETE, path.clone(), None),
                (Method::DELETE, format!("{path}?revoke_keys=true"), None),
            ] {
                let answer = call_with(&app, &stranger, method, &path, body).await;
                answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
                let text = answer.text.replace(answer.header("x-request-id"), "");
                assert_eq!(text, unknown, "{path}");
            }
        }
        let theirs = call_with(&app, &stranger, Method::GET, USERS, None)
            .await
            .json();
        assert_eq!(theirs["data"].as_array().unwrap().len(), 1, "{theirs}");
        assert_eq!(theirs["data"][0]["email"], "bob@other.example");
        assert!(ids(&app, &stranger, ACCOUNTS).await.is_empty());
        // A cursor of ours leads a stranger to nobody of ours.
        let page = call(&app, Method::GET, &format!("{USERS}?limit=1"), None)
            .await
            .json();
        let path = format!("{USERS}?cursor={}", page["next_cursor"].as_str().unwrap());
        let theirs = call_with(&app, &stranger, Method::GET, &path, None).await;
        assert!(!theirs.text.contains("grace@"), "{}", theirs.text);
        assert_eq!(
            call(&app, Method::GET, &at(USERS, &person), None)
                .await
                .json(),
            person
        );
        assert_eq!(
            call(&app, Method::GET, &at(ACCOUNTS, &program), None)
                .await
                .json(),
            program
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_belongs_to_one_user_of_the_server() {
    on_both_engines(|app| async move {
        make(&app, USERS, user("grace@example.com", "member")).await;
        let stranger = app.key_of_another_organization().await;
        for key in [&app.key, &stranger] {
            let again = Some(user("GRACE@example.com", "viewer"));
            let answer = call_with(&app, key, Method::POST, USERS, again).await;
            let problem = answer.assert_problem(StatusCode::CONFLICT, "email_taken");
            assert!(!problem.to_string().contains("acme"), "{problem}");
        }
    })
    .await;
}

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
                let answer = call(&app, method.clone(), &path, Some(body.clone())).await;
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
                let answer = call(&app, Method::GET, &format!("{path}{query}"), None).await;
                answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            }
        }
        for path in [at(USERS, &grace), at(ACCOUNTS, &account)] {
            for query in ["?revoke_keys=yes", "?revoke_keys", "?force=true"] {
                let answer = call(&app, Method::DELETE, &format!("{path}{query}"), None).await;
                answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_query");
            }
            assert_eq!(
                call(&app, Method::GET, &path, None).await.json()["state"],
                "active"
            );
        }
        assert_eq!(ids(&app, &app.key, USERS).await.len(), 2);
        assert_eq!(ids(&app, &app.key, ACCOUNTS).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn pages_give_each_once_oldest_first() {
    on_both_engines(|app| async move {
        let (mut users, mut accounts) = (vec![app.owner.to_string()], Vec::new());
        let id = |view: Value| view["id"].as_str().unwrap().to_owned();
        for number in 0..5 {
            if number > 0 {
                let email = format!("user-{number}@example.com");
                users.push(id(make(&app, USERS, user(&email, "viewer")).await));
            }
            let name = json!({ "name": format!("account {number}") });
            accounts.push(id(make(&app, ACCOUNTS, name).await));
        }
        for (path, expected) in [(USERS, users), (ACCOUNTS, accounts)] {
            let mut pages = Vec::new();
            let mut next = format!("{path}?limit=2");
            loop {
                pages.push(ids(&app, &app.key, &next).await);
                let page = call(&app, Method::GET, &next, None).await.json();
                match page["next_cursor"].as_str() {
                    Some(cursor) => next = format!("{path}?limit=2&cursor={cursor}"),
                    None => break,
                }
            }
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
            assert_eq!(pages.concat(), expected);
            assert_eq!(
                ids(&app, &app.key, &format!("{path}?limit=5")).await,
                expected
            );
        }
    })
    .await;
}
