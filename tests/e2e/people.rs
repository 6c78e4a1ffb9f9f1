//! Users and service accounts, over HTTP.

use std::collections::BTreeSet;

use key_admin::Permission;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, on_both_engines};

pub(crate) const USERS: &str = "/v1/users";
pub(crate) const ACCOUNTS: &str = "/v1/service-accounts";

pub(crate) fn user(email: &str, role: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "role": role })
}

/// Makes a user or service account; its view.
pub(crate) async fn make(app: &App, path: &str, body: Value) -> Value {
    let answer = app.call(Method::POST, path, Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Its path.
pub(crate) fn at(path: &str, view: &Value) -> String {
    format!("{path}/{}", view["id"].as_str().unwrap())
}

/// A key with all permissions for this owner.
pub(crate) async fn key_of(app: &App, owner: &Value) -> String {
    let permissions: Vec<_> = Permission::ALL.iter().map(ToString::to_string).collect();
    let body = json!({ "name": "x", "owner_id": owner["id"], "permissions": permissions });
    let answer = app.call(Method::POST, "/v1/api-keys", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["secret"].as_str().unwrap().to_owned()
}

async fn account_status(app: &App, key: &str) -> Answer {
    app.call_with(key, Method::GET, "/v1/account", None).await
}

pub(crate) async fn ids(app: &App, key: &str, path: &str) -> Vec<String> {
    let listed = app.call_with(key, Method::GET, path, None).await.json();
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
        assert_eq!(app.call(Method::GET, &path, None).await.json(), created);
        let listed = app.call(Method::GET, USERS, None).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 2, "and the first owner");
        assert_eq!(listed["data"][0]["email"], "ada@acme.example");
        assert_eq!(listed["data"][1], created);
        assert!(listed.get("next_cursor").is_none(), "{listed}");

        let change = json!({ "name": " Grace ", "role": "admin", "password": "another horse battery" });
        let changed = app.call(Method::PATCH, &path, Some(change)).await;
        assert!(!changed.text.contains("horse") && !changed.text.contains("argon2"), "{}", changed.text);
        let mut expected = created.clone();
        expected["name"] = "Grace".into();
        expected["role"] = "admin".into();
        assert_eq!(changed.json(), expected);
        assert_eq!(app.call(Method::PATCH, &path, Some(json!({}))).await.json(), expected);
        assert_eq!(app.call(Method::GET, &path, None).await.json(), expected);

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
            let suspended = app.call(Method::PATCH, &path, suspend).await.json();
            assert_eq!(suspended["state"], "suspended");
            account_status(&app, &key)
                .await
                .assert_problem(StatusCode::UNAUTHORIZED, "owner_suspended");
            let activate = Some(json!({ "state": "active" }));
            assert_eq!(app.call(Method::PATCH, &path, activate).await.json(), owner);
            assert_eq!(account_status(&app, &key).await.status, 200);

            for query in ["", "?revoke_keys=false"] {
                let answer = app
                    .call(Method::DELETE, &format!("{path}{query}"), None)
                    .await;
                answer.assert_problem(StatusCode::CONFLICT, "live_keys");
            }
            assert_eq!(account_status(&app, &key).await.status, 200);
            let removed = app
                .call(Method::DELETE, &format!("{path}?revoke_keys=true"), None)
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
                app.call(method, &path, body)
                    .await
                    .assert_problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
        let keyless = make(&app, ACCOUNTS, json!({ "name": "idle" })).await;
        assert_eq!(
            app.call(Method::DELETE, &at(ACCOUNTS, &keyless), None)
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
        assert_eq!(app.call(Method::GET, &path, None).await.json(), created);
        let listed = app.call(Method::GET, ACCOUNTS, None).await.json();
        assert_eq!(listed, json!({ "data": [created] }));
        let renamed = app
            .call(Method::PATCH, &path, Some(json!({ "name": "cd" })))
            .await;
        assert_eq!(renamed.json()["name"], "cd");
        assert_eq!(
            app.call(Method::GET, &path, None).await.json(),
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
                let answer = app.call(method, &path, body).await;
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
            let answer = app.call(method.clone(), path, body.clone()).await;
            answer.assert_problem(StatusCode::CONFLICT, "last_owner");
        }
        let second = make(&app, USERS, user("grace@example.com", "owner")).await;
        let second = at(USERS, &second);
        let suspended = app
            .call(
                Method::PATCH,
                &second,
                Some(json!({ "state": "suspended" })),
            )
            .await;
        assert_eq!(suspended.status, 200);
        for (method, path, body) in takes_the_owner_away {
            let answer = app.call(method, &path, body).await;
            answer.assert_problem(StatusCode::CONFLICT, "last_owner");
        }
        assert_eq!(
            app.call(Method::PATCH, &second, Some(json!({ "state": "active" })))
                .await
                .status,
            200
        );
        // The key follows its owner: who is no owner any more cannot become one again.
        assert_eq!(
            app.call(Method::PATCH, &ada, Some(json!({ "role": "admin" })))
                .await
                .json()["role"],
            "admin"
        );
        let answer = app
            .call(Method::PATCH, &ada, Some(json!({ "role": "owner" })))
            .await;
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
                let answer = app.call_with(&key, method, &path, body).await;
                answer.assert_problem(StatusCode::FORBIDDEN, "owners_only");
            }
            let email = format!("admin-{number}@example.com");
            let made = app
                .call_with(&key, Method::POST, USERS, Some(user(&email, "admin")))
                .await;
            assert_eq!(made.status, 201, "{}", made.text);
            let path = at(USERS, &made.json());
            assert_eq!(
                app.call_with(&key, Method::DELETE, &path, None)
                    .await
                    .status,
                204
            );
        }
        let shown = app.call(Method::GET, &ada, None).await.json();
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
        let unknown = app
            .call_with(&stranger, Method::GET, "/v1/nothing", None)
            .await;
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
                let answer = app.call_with(&stranger, method, &path, body).await;
                answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
                let text = answer.text.replace(answer.header("x-request-id"), "");
                assert_eq!(text, unknown, "{path}");
            }
        }
        let theirs = app
            .call_with(&stranger, Method::GET, USERS, None)
            .await
            .json();
        assert_eq!(theirs["data"].as_array().unwrap().len(), 1, "{theirs}");
        assert_eq!(theirs["data"][0]["email"], "bob@other.example");
        assert!(ids(&app, &stranger, ACCOUNTS).await.is_empty());
        // A cursor of ours leads a stranger to nobody of ours.
        let page = app
            .call(Method::GET, &format!("{USERS}?limit=1"), None)
            .await
            .json();
        let path = format!("{USERS}?cursor={}", page["next_cursor"].as_str().unwrap());
        let theirs = app.call_with(&stranger, Method::GET, &path, None).await;
        assert!(!theirs.text.contains("grace@"), "{}", theirs.text);
        assert_eq!(
            app.call(Method::GET, &at(USERS, &person), None)
                .await
                .json(),
            person
        );
        assert_eq!(
            app.call(Method::GET, &at(ACCOUNTS, &program), None)
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
            let answer = app.call_with(key, Method::POST, USERS, again).await;
            let problem = answer.assert_problem(StatusCode::CONFLICT, "email_taken");
            assert!(!problem.to_string().contains("acme"), "{problem}");
        }
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
                let page = app.call(Method::GET, &next, None).await.json();
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
