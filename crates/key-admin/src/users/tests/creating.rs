use secrecy::SecretString;
use storage::testing::on_both_engines;
use storage::{Clock, OrganizationId, fetch_one};

use super::*;
use crate::PrincipalState;
use crate::testing::add_organization;

#[tokio::test]
async fn a_user_is_listed_as_it_was_made() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "Ada@Example.com", UserRole::Owner).await;
        assert_eq!(
            (ada.email.as_str(), ada.name.as_str()),
            ("ada@example.com", "ada@example.com")
        );
        assert_eq!(
            (ada.role, ada.state),
            (UserRole::Owner, PrincipalState::Active)
        );
        assert_eq!(ada.created_at, app.clock.now());

        let new = NewUser {
            name: Some("  Bob  ".into()),
            ..new_user("bob@example.com", UserRole::Viewer)
        };
        let bob = creates(&app, machine(), new).await.unwrap();
        assert_eq!(bob.name, "Bob");
        let mut both = vec![ada, bob];
        both.sort_by_key(|user| user.id);
        assert_eq!(users_of(&app, app.organization).await, both);
        for user in both {
            let keys = &app.node.keys;
            assert_eq!(
                keys.get_user(app.organization, user.id).await.unwrap(),
                user
            );
        }
        let service_account = app.node.keys.get_user(app.organization, app.owner).await;
        assert!(matches!(service_account, Err(UserError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for number in 0..5 {
            app.clock.advance_seconds(1);
            adds(&app, &format!("user{number}@example.com"), UserRole::Member).await;
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = PrincipalPage { after, limit: 2 };
            let keys = &app.node.keys;
            let users = keys.list_users(app.organization, page).await.unwrap();
            assert!(users.len() <= 2);
            let Some(last) = users.last() else { break };
            after = Some(last.id);
            seen.extend(users);
        }
        assert_eq!(seen, users_of(&app, app.organization).await);
        let emails: Vec<_> = seen
            .iter()
            .map(|user| user.email.as_str().as_bytes()[4])
            .collect();
        assert_eq!(emails, b"01234", "oldest first");
    })
    .await;
}

#[tokio::test]
async fn an_address_belongs_to_one_user_of_the_installation() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, "ada@example.com", UserRole::Owner).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let (act, by) = machine();
        for organization in [app.organization, globex] {
            let new = new_user("ADA@example.com", UserRole::Member);
            let refused = app.node.keys.create_user(&act, by, organization, new).await;
            assert!(matches!(refused, Err(UserError::EmailTaken)), "{refused:?}");
        }
        assert_eq!(users_of(&app, app.organization).await.len(), 1);
        assert!(users_of(&app, globex).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn names_and_passwords_that_do_not_fit_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let with = |password: &str| NewUser {
            password: SecretString::from(password),
            ..new_user("lovelace@example.com", UserRole::Owner)
        };
        for (new, fault) in [
            (with("short"), "PasswordLength"),
            (with(&"x".repeat(129)), "PasswordLength"),
            (with("Password1234"), "CommonPassword"),
            (with("Countess LOVELACE"), "PersonalPassword"),
            (with("the acme password"), "PersonalPassword"),
            (
                NewUser {
                    name: Some(" ".into()),
                    ..with(PASSWORD)
                },
                "InvalidName",
            ),
            (
                NewUser {
                    name: Some("x".repeat(101)),
                    ..with(PASSWORD)
                },
                "InvalidName",
            ),
        ] {
            let refused = creates(&app, machine(), new).await.unwrap_err();
            assert_eq!(format!("{refused:?}"), fault);
        }
        assert!(users_of(&app, app.organization).await.is_empty());
        let all = AuditFilter::default();
        let events = audit::list(&app.database, app.organization, &all, None, 9).await;
        let actions: Vec<_> = events.unwrap().into_iter().map(|it| it.action).collect();
        assert_eq!(actions, ["organization.create"]);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_made_in_an_organization_that_does_not_exist() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (act, by) = machine();
        let nowhere = OrganizationId::new(&*app.clock);
        let new = new_user("ada@example.com", UserRole::Owner);
        let refused = app.node.keys.create_user(&act, by, nowhere, new).await;
        assert!(
            matches!(refused, Err(UserError::NoSuchOrganization)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_stored_hash_belongs_to_the_password() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        let stored = stored_hash(&app, ada.id).await;
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let belongs = app
            .node
            .keys
            .hasher()
            .verify(PASSWORD.into(), stored.into())
            .await;
        assert!(belongs.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_trail_names_who_was_made_and_by_whom_and_holds_no_password() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        let bob = creates(
            &app,
            person(&ada),
            new_user("bob@example.com", UserRole::Member),
        )
        .await;
        let bob = bob.unwrap();
        let hash = stored_hash(&app, bob.id).await;
        let changed = changes(&app, person(&ada), bob.id, password("nine noisy otters"));
        changed.await.unwrap();

        let events = events_about(&app, bob.id).await;
        assert_eq!(actions(&events), ["user.create", "user.update"]);
        let made = &events[0];
        assert_eq!(
            (made.actor_kind.as_str(), &made.actor_id),
            ("user", &ada.id.to_string())
        );
        assert_eq!(made.client_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(made.request_id.as_deref(), Some("req_1"));
        assert_eq!(made.target_kind, "user");
        assert_eq!(of_user(&made.detail, "after", "email"), "bob@example.com");
        assert_eq!(of_user(&made.detail, "after", "role"), "member");
        assert_eq!(events[1].detail["password"], "changed");

        let new_hash = stored_hash(&app, bob.id).await;
        assert_ne!(hash, new_hash);
        let trail = format!("{events:?} {}", serde_json::to_string(&events).unwrap());
        for secret in [PASSWORD, "nine noisy otters", &hash, &new_hash, "argon2"] {
            assert!(!trail.contains(secret), "{secret}: {trail}");
        }
    })
    .await;
}

async fn stored_hash(app: &App, id: PrincipalId) -> String {
    let mut read = app.database.read().await.unwrap();
    let sql = "select password_hash from users where principal_id = $1";
    fetch_one!(read.conn(), (String,), sql, id).unwrap().0
}
