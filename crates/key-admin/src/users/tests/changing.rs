use storage::testing::on_both_engines;

use super::*;
use crate::testing::add_organization;
use crate::{AuthenticateError, Deletion, PrincipalState};

#[tokio::test]
async fn what_is_not_named_stays() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, "ada@example.com", UserRole::Owner).await;
        let mut bob = adds(&app, "bob@example.com", UserRole::Member).await;
        for change in [
            name("Bob"),
            role(UserRole::Admin),
            state(PrincipalState::Suspended),
            state(PrincipalState::Active),
            password("nine noisy otters"),
        ] {
            bob.name = change.name.clone().unwrap_or(bob.name);
            bob.role = change.role.unwrap_or(bob.role);
            bob.state = change.state.unwrap_or(bob.state);
            let answer = changes(&app, machine(), bob.id, change).await.unwrap();
            assert_eq!(answer, bob);
            let found = app.node.keys.get_user(app.organization, bob.id).await;
            assert_eq!(found.unwrap(), bob);
        }
        assert_eq!(events_about(&app, bob.id).await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn what_is_so_already_is_no_change() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        for change in [
            UserChange::default(),
            name("bob@example.com"),
            role(UserRole::Member),
            state(PrincipalState::Active),
        ] {
            assert_eq!(changes(&app, machine(), bob.id, change).await.unwrap(), bob);
        }
        let events = events_about(&app, bob.id).await;
        assert_eq!(actions(&events), ["user.create"]);
    })
    .await;
}

#[tokio::test]
async fn the_trail_tells_before_and_after() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let change = role(UserRole::Viewer);
        changes(&app, machine(), bob.id, change).await.unwrap();
        let events = events_about(&app, bob.id).await;
        let detail = &events[1].detail;
        assert_eq!(of_user(detail, "before", "role"), "member");
        assert_eq!(of_user(detail, "after", "role"), "viewer");
        assert!(detail.get("password").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_new_password_fits_the_rules_too() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "lovelace@example.com", UserRole::Owner).await;
        for (text, fault) in [
            ("short", "PasswordLength"),
            ("qwertyuiop123", "CommonPassword"),
            ("MyLovelacePassword", "PersonalPassword"),
            ("I work at Acme now", "PersonalPassword"),
        ] {
            let refused = changes(&app, machine(), ada.id, password(text)).await;
            assert_eq!(format!("{:?}", refused.unwrap_err()), fault);
        }
        assert_eq!(events_about(&app, ada.id).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn suspending_a_user_stops_its_keys_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let elsewhere = app.another_node().await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let key = key_of(&app, bob.id).await;
        app.authenticates(&key).await.unwrap();
        elsewhere.authenticates(&key).await.unwrap();

        let suspended = changes(&app, machine(), bob.id, state(PrincipalState::Suspended));
        suspended.await.unwrap();
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(told, AuthenticateError::OwnerSuspended),
            "{told:?}"
        );
        elsewhere.feed.refresh().await.unwrap();
        let told = elsewhere.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(told, AuthenticateError::OwnerSuspended),
            "{told:?}"
        );

        let active = changes(&app, machine(), bob.id, state(PrincipalState::Active));
        active.await.unwrap();
        app.authenticates(&key).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_demotion_reaches_the_keys_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Admin).await;
        let key = key_of(&app, bob.id).await;
        let before = app.authenticates(&key).await.unwrap();
        assert_eq!(before.owner_role(), Some(UserRole::Admin));
        let demoted = changes(&app, machine(), bob.id, role(UserRole::Viewer));
        demoted.await.unwrap();
        let after = app.authenticates(&key).await.unwrap();
        assert_eq!(after.owner_role(), Some(UserRole::Viewer));
    })
    .await;
}

#[tokio::test]
async fn another_organization_finds_nobody() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, "ada@example.com", UserRole::Owner).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let (keys, (act, by)) = (&app.node.keys, machine());

        assert!(users_of(&app, globex).await.is_empty());
        let got = keys.get_user(globex, bob.id).await.map(|_| ());
        assert!(matches!(got, Err(UserError::NotFound)), "{got:?}");
        for change in [
            UserChange::default(),
            name("Eve"),
            password("nine noisy otters"),
        ] {
            let changed = keys.update_user(&act, by, globex, bob.id, change).await;
            assert!(matches!(changed, Err(UserError::NotFound)), "{changed:?}");
        }
        let deletion = Deletion { revoke_keys: true };
        let deleted = keys.delete_user(&act, by, globex, bob.id, deletion).await;
        assert!(matches!(deleted, Err(UserError::NotFound)), "{deleted:?}");

        assert_eq!(keys.get_user(app.organization, bob.id).await.unwrap(), bob);
        let trail = audit::list(&app.database, globex, &AuditFilter::default(), None, 9).await;
        let actions: Vec<_> = trail.unwrap().into_iter().map(|it| it.action).collect();
        assert_eq!(actions, ["organization.create"]);
    })
    .await;
}
