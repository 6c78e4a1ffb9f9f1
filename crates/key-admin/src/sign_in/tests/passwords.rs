use storage::testing::on_both_engines;

use super::*;
use crate::rate_limit::RateLimit;
use crate::testing::{add_organization, add_user};
use crate::{Actor, KeyAdminSettings};

#[tokio::test]
async fn the_right_password_begins_a_session() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, ADA, UserRole::Owner).await;
        let session = done(tries(&app, " Ada@Example.com", PASSWORD).await.unwrap());
        let signed_in = person(&app, &session).await.unwrap();
        assert_eq!(signed_in.user(), &ada);
        assert_eq!(signed_in.organization_id(), app.organization);
        assert_eq!(signed_in.session(), session.person.session());
        assert_eq!(session.secret.expose_secret().len(), 43);
        let [event] = events(&app, "console.sign_in").await.try_into().unwrap();
        assert_eq!(
            (event.actor_kind.as_str(), event.actor_id),
            ("user", ada.id.to_string())
        );
        assert_eq!(event.detail["method"], "password");
        assert_eq!(event.client_address.as_deref(), Some("192.0.2.1"));
        assert_eq!(event.request_id.as_deref(), Some("req_1"));
    })
    .await;
}

#[tokio::test]
async fn whoever_is_refused_learns_nothing_and_has_cost_one_hash() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        changes(&app, bob.id, suspended()).await;
        let without = adds(&app, "eve@example.com", UserRole::Member).await;
        let mut tx = app.database.write().await.unwrap();
        let sql = "update users set password_hash = $2 where principal_id = $1";
        storage::execute!(tx.conn(), sql, without.id, crate::users::NO_PASSWORD).unwrap();
        tx.commit().await.unwrap();

        let hasher = app.node.keys.hasher();
        for (email, password) in [
            (ADA, "eight noisy otters"),
            ("bob@example.com", PASSWORD),
            ("bob@example.com", "eight noisy otters"),
            ("eve@example.com", PASSWORD),
            ("eve@example.com", "!"),
            ("nobody@example.com", PASSWORD),
            ("no address", PASSWORD),
            ("", ""),
        ] {
            let before = hasher.hashes_started();
            let refused = tries(&app, email, password).await;
            assert!(matches!(refused, Err(SignInError::Wrong)), "{email}");
            assert_eq!(hasher.hashes_started(), before + 1, "{email}");
        }
        let refused = events(&app, "console.sign_in.refuse").await;
        let mut told = reasons(&refused);
        told.sort_unstable();
        let all = [
            "no_password",
            "no_password",
            "suspended",
            "suspended",
            "wrong_password",
        ];
        assert_eq!(told, all);
        assert!(refused.iter().all(|event| event.actor_kind == "stranger"));
        assert!(events(&app, "console.sign_in").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn failures_of_a_client_are_limited_and_successes_are_not_counted() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        for _ in 0..11 {
            signs_in(&app, ADA).await;
        }
        for number in 0..10 {
            let email = format!("user{number}@example.com");
            let refused = tries(&app, &email, PASSWORD).await;
            assert!(matches!(refused, Err(SignInError::Wrong)));
        }
        let before = app.node.keys.hasher().hashes_started();
        let limited = tries(&app, ADA, PASSWORD).await;
        assert!(matches!(limited, Err(SignInError::Limited(_))));
        assert_eq!(app.node.keys.hasher().hashes_started(), before);

        let elsewhere = browser_at("198.51.100.7");
        let keys = &app.node.keys;
        let other = keys.sign_in(&elsewhere, ADA, PASSWORD.into()).await;
        done(other.unwrap());
        app.clock.advance_seconds(6);
        signs_in(&app, ADA).await;
    })
    .await;
}

#[tokio::test]
async fn failures_of_an_account_are_limited_from_everywhere_together() {
    on_both_engines(|database| async move {
        let mut settings = KeyAdminSettings::default();
        settings.sign_in.failed_sign_ins_per_account = RateLimit {
            per_minute: 1,
            burst: 2,
        };
        let app = App::with(database, settings).await;
        adds(&app, ADA, UserRole::Owner).await;
        let keys = &app.node.keys;
        // An address that nobody has is limited in the same way.
        for email in [ADA, "nobody@example.com"] {
            for client in ["192.0.2.7", "192.0.2.8"] {
                let refused = keys
                    .sign_in(&browser_at(client), email, "wrong".into())
                    .await;
                assert!(matches!(refused, Err(SignInError::Wrong)));
            }
            let limited = keys
                .sign_in(&browser_at("192.0.2.9"), email, PASSWORD.into())
                .await;
            assert!(matches!(limited, Err(SignInError::Limited(_))));
        }
        app.clock.advance_seconds(60);
        signs_in(&app, ADA).await;
    })
    .await;
}

#[tokio::test]
async fn so_many_failures_are_kept() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = add_user(&app, UserRole::Owner).await;
        let throttle = &app.node.keys.throttle;
        for _ in 0..30 {
            let failure = super::super::throttle::Failure {
                organization: app.organization,
                user: Some(ada),
                reason: "wrong_password",
                provider: None,
            };
            throttle.record(&browser(), failure);
            throttle.settled().await;
        }
        assert_eq!(events(&app, "console.sign_in.refuse").await.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_of_ones_own_ends_all_other_sessions() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let (present, other) = (signs_in(&app, ADA).await, signs_in(&app, ADA).await);
        let keys = &app.node.keys;
        let new = "nine noisy badgers";
        let change = async |current: &str, new: &str| {
            let (current, new) = (current.into(), new.into());
            keys.change_own_password(act(), &present.person, current, new)
                .await
        };
        let wrong = change("eight noisy otters", new).await;
        assert!(matches!(wrong, Err(ChangePasswordError::Wrong)));
        let short = change(PASSWORD, "short").await;
        let rule = ChangePasswordError::User(crate::UserError::PasswordLength);
        assert_eq!(short.unwrap_err().to_string(), rule.to_string());
        assert!(person(&app, &other).await.is_some());

        change(PASSWORD, new).await.unwrap();
        assert!(person(&app, &present).await.is_some());
        assert!(person(&app, &other).await.is_none());
        assert!(tries(&app, ADA, PASSWORD).await.is_err());
        done(tries(&app, ADA, new).await.unwrap());
        assert_eq!(events(&app, "user.password.change").await.len(), 1);
        assert!(keys.has_password(&present.person).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_nothing_of_it() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let ada = adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        enables(&app, &session.person).await;
        let keys = &app.node.keys;
        let by = Some(UserRole::Owner);
        let removed = keys
            .remove_second_factor_of(act(), by, globex, ada.id)
            .await;
        assert!(matches!(
            removed,
            Err(SecondFactorError::User(crate::UserError::NotFound))
        ));
        let filter = AuditFilter::default();
        let trail = audit::list(&app.database, globex, &filter, None, 100).await;
        assert_eq!(trail.unwrap().len(), 1);
        assert_eq!(
            browser().act(Actor::Stranger).client,
            Some(browser().address)
        );
    })
    .await;
}
