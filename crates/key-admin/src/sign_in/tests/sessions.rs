use storage::testing::on_both_engines;

use super::*;
use crate::Deletion;

const MINUTE: i64 = 60;

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        for _ in 0..3 {
            app.clock.advance_seconds(60 * MINUTE - 1);
            assert!(person(&app, &session).await.is_some());
        }
        app.clock.advance_seconds(60 * MINUTE);
        assert!(person(&app, &session).await.is_none());
        assert_eq!(app.node.keys.forget_sign_ins().await.unwrap(), 1);
        assert_eq!(app.node.keys.forget_sign_ins().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_in_the_end_however_much_it_is_used() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        let begun = app.clock.now();
        assert_eq!(session.ends_at, begun.plus_seconds(12 * 60 * MINUTE));
        for _ in 0..(12 * 2 - 1) {
            app.clock.advance_seconds(30 * MINUTE);
            assert!(person(&app, &session).await.is_some());
        }
        app.clock.advance_seconds(30 * MINUTE - 1);
        assert!(person(&app, &session).await.is_some());
        app.clock.advance_seconds(1);
        assert!(person(&app, &session).await.is_none());
        assert_eq!(app.node.keys.forget_sign_ins().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_last_use_is_written_down_once_a_minute() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        let begun = app.clock.now();
        for (seconds, seen) in [(59, 0), (1, 60), (59, 60), (1, 120)] {
            app.clock.advance_seconds(seconds);
            let signed_in = person(&app, &session).await.unwrap();
            let listed = app.node.keys.console_sessions(&signed_in).await.unwrap();
            assert_eq!(listed[0].last_seen_at, begun.plus_seconds(seen));
        }
    })
    .await;
}

#[tokio::test]
async fn every_sign_in_has_a_secret_and_an_id_of_its_own() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let keys = &app.node.keys;
        let fixed = SecretString::from("0".repeat(43));
        assert!(keys.console_session(&fixed).await.unwrap().is_none());
        let (one, other) = (signs_in(&app, ADA).await, signs_in(&app, ADA).await);
        assert_ne!(one.secret.expose_secret(), other.secret.expose_secret());
        assert_ne!(one.person.session(), other.person.session());
        assert!(keys.console_session(&fixed).await.unwrap().is_none());
        let id = SecretString::from(one.person.session().to_string());
        assert!(keys.console_session(&id).await.unwrap().is_none());
        assert!(person(&app, &one).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_person_sees_and_ends_sessions() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        adds(&app, "bob@example.com", UserRole::Owner).await;
        let first = signs_in(&app, ADA).await;
        app.clock.advance_seconds(1);
        let second = signs_in(&app, ADA).await;
        let bobs = signs_in(&app, "bob@example.com").await;
        let keys = &app.node.keys;
        let listed = keys.console_sessions(&first.person).await.unwrap();
        let seen: Vec<_> = listed.iter().map(|it| (it.id, it.current)).collect();
        let ids = (second.person.session(), first.person.session());
        assert_eq!(seen, [(ids.0, false), (ids.1, true)]);
        assert_eq!(listed[0].user_agent, "Test/1.0");
        assert_eq!(listed[0].address, "192.0.2.1");

        let not_mine = keys
            .end_console_session(act(), &first.person, bobs.person.session())
            .await;
        assert!(matches!(not_mine, Err(EndSessionError::NotFound)));
        keys.end_console_session(act(), &first.person, ids.0)
            .await
            .unwrap();
        assert!(person(&app, &second).await.is_none());
        keys.sign_out(act(), &first.person).await.unwrap();
        keys.sign_out(act(), &first.person).await.unwrap();
        assert!(person(&app, &first).await.is_none());
        assert!(person(&app, &bobs).await.is_some());
        assert_eq!(events(&app, "console.sign_out").await.len(), 1);
        assert_eq!(events(&app, "console.end_session").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_of_the_person() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        adds(&app, "bob@example.com", UserRole::Owner).await;
        let mine = [signs_in(&app, ADA).await, signs_in(&app, ADA).await];
        let bobs = signs_in(&app, "bob@example.com").await;
        let keys = &app.node.keys;
        let ended = keys.sign_out_everywhere(act(), &mine[0].person).await;
        assert_eq!(ended.unwrap(), 2);
        for session in &mine {
            assert!(person(&app, session).await.is_none());
        }
        assert!(person(&app, &bobs).await.is_some());
        assert_eq!(events(&app, "console.sign_out_everywhere").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_others_do_to_a_user_reaches_its_sessions_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let bob = adds(&app, "bob@example.com", UserRole::Admin).await;
        let session = signs_in(&app, "bob@example.com").await;
        let demoted = UserChange {
            role: Some(UserRole::Viewer),
            ..UserChange::default()
        };
        changes(&app, bob.id, demoted).await;
        let role = person(&app, &session).await.unwrap().user().role;
        assert_eq!(role, UserRole::Viewer);

        changes(&app, bob.id, suspended()).await;
        assert!(person(&app, &session).await.is_none());
        let active = UserChange {
            state: Some(PrincipalState::Active),
            ..UserChange::default()
        };
        changes(&app, bob.id, active).await;
        assert!(
            person(&app, &session).await.is_none(),
            "it does not come back"
        );

        let session = signs_in(&app, "bob@example.com").await;
        let reset = UserChange {
            password: Some("nine noisy badgers".into()),
            ..UserChange::default()
        };
        changes(&app, bob.id, reset).await;
        assert!(person(&app, &session).await.is_none());

        let session = done(
            tries(&app, "bob@example.com", "nine noisy badgers")
                .await
                .unwrap(),
        );
        enables(&app, &session.person).await;
        let deletion = Deletion { revoke_keys: true };
        app.node
            .keys
            .delete_user(act(), None, app.organization, bob.id, deletion)
            .await
            .unwrap();
        assert!(person(&app, &session).await.is_none());
    })
    .await;
}

#[test]
fn a_browsers_name_is_cut_to_what_can_be_shown() {
    let name = format!("a\u{1b}[31m\r\nb{}", "é".repeat(300));
    let browser = Browser::new(address("192.0.2.1"), &name, None);
    assert_eq!(browser.user_agent().chars().count(), 200);
    assert!(browser.user_agent().starts_with("a[31mbé"));
}
