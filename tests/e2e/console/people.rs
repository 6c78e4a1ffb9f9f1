//! Users and service accounts, from their first day to their last.

use key_admin::users::{Email, NewUser};
use key_admin::{Act, Asker, KeyCeiling, NewApiKey, Permission, PrincipalPage, User, UserRole};
use secrecy::ExposeSecret;
use serde_json::json;
use storage::{Clock, PrincipalId, SystemClock, execute};

use crate::support::{App, PASSWORD, on_both_engines};

pub(super) async fn adds_user(app: &App, email: &str, role: UserRole) -> User {
    let new = NewUser {
        email: Email::parse(email).unwrap(),
        password: PASSWORD.into(),
        role,
        name: None,
    };
    let keys = &app.services.keys;
    keys.create_user(&Act::on_command_line(), None, app.organization.id, new)
        .await
        .unwrap()
}

async fn key_of(app: &App, owner: PrincipalId, name: &str) -> String {
    let new = NewApiKey {
        organization: app.organization.id,
        owner,
        created_by: None,
        name: name.into(),
        expires_at: None,
        permissions: vec![Permission::TokensIssue, Permission::KeysRead],
        ceiling: KeyCeiling::default(),
        allowed_networks: Vec::new(),
        rate_limit: None,
    };
    let keys = &app.services.keys;
    let act = Act::on_command_line();
    let made = keys.create_key(&act, Asker::Machine, new).await.unwrap();
    app.server_sees_changes().await;
    made.secret.expose_secret().to_owned()
}

/// As if the user had set it up; its codes do not matter here.
async fn has_second_factor(app: &App, user: PrincipalId) {
    let mut tx = app.services.database.write().await.unwrap();
    execute!(
        tx.conn(),
        "insert into second_factors (user_id, organization_id, sealed_secret, last_step, created_at, confirmed_at)
         values ($1, $2, $3, 0, $4, $4)",
        user,
        app.organization.id,
        [0_u8; 16].as_slice(),
        SystemClock.now(),
    )
    .unwrap();
    tx.commit().await.unwrap();
}

async fn works(app: &App, key: &str) -> u16 {
    app.server_sees_changes().await;
    let answer = app.call_with(key, reqwest::Method::GET, "/v1/account", None);
    answer.await.status
}

#[tokio::test]
async fn a_user_is_added_edited_suspended_reset_and_removed() {
    on_both_engines(|app| async move {
        let grace = adds_user(&app, "grace@acme.example", UserRole::Member).await;
        has_second_factor(&app, grace.id).await;
        let key = key_of(&app, grace.id, "Grace's backend").await;
        adds_user(&app, "vera@acme.example", UserRole::Viewer).await;
        assert_eq!(works(&app, &key).await, 200);

        let seen = app
            .walks("users", json!({ "grace": grace.id.to_string() }))
            .await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        assert!(text("invalid").contains("not an e-mail address"), "{seen}");
        assert!(text("taken").contains("exists already"), "{seen}");
        assert_eq!(text("password").len(), 23);
        assert_eq!(text("copied"), text("password"));
        assert_eq!(seen["shown_again"], false, "{seen}");
        assert!(text("found").contains("Heidi"), "{seen}");
        assert_ne!(text("reset"), text("password"));
        assert!(text("last_owner").contains("last active owner"), "{seen}");
        assert!(
            text("stops").contains("Grace's backend") && text("stops").contains("1 live key"),
            "{seen}"
        );
        assert_eq!(seen["viewer_adds"], 0, "{seen}");
        assert_eq!(seen["viewer_status"], 403, "{seen}");
        assert_eq!(works(&app, &key).await, 401);
        let page = PrincipalPage {
            after: None,
            limit: 10,
        };
        let left = app
            .services
            .keys
            .list_users(app.organization.id, page)
            .await
            .unwrap();
        let emails: Vec<_> = left.iter().map(|user| user.email.as_str()).collect();
        assert_eq!(
            emails,
            [
                "ada@acme.example",
                "vera@acme.example",
                "heidi@acme.example"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_account_is_added_renamed_suspended_and_removed_with_its_key() {
    on_both_engines(|app| async move {
        let seen = app.walks("service_accounts", json!({})).await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        assert!(text("nameless").contains("1 to 100 characters"), "{seen}");
        assert!(text("stops").contains("Reports key"), "{seen}");
        assert_eq!(seen["while_suspended"], 401, "{seen}");
        assert_eq!(seen["when_active"], 200, "{seen}");
        assert_eq!(works(&app, &text("key")).await, 401);
    })
    .await;
}
