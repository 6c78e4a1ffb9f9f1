use std::time::Duration;

use storage::testing::on_both_engines;
use storage::{Clock, StorageError};

use super::guess;
use crate::api_keys::format;
use crate::rate_limit::Limited;
use crate::rate_limit::RateLimit;
use crate::testing::{App, CLIENT, MASTER};
use crate::{AuthenticateError, KeyAdminSettings, NewApiKey, Permission};

#[tokio::test]
async fn a_key_proves_who_asks() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        for _ in 0..2 {
            let caller = app.authenticates(&key).await.unwrap();
            assert_eq!(caller.key_id(), key.key.id);
            assert_eq!(caller.organization(), app.organization);
            assert_eq!(caller.organization_slug().as_str(), "acme");
            assert_eq!(caller.owner(), app.owner);
            assert_eq!(caller.owner_kind(), "service_account");
            assert_eq!(caller.permissions(), [Permission::TokensIssue]);
        }
    })
    .await;
}

#[tokio::test]
async fn unknown_wrong_and_deleted_keys_look_alike() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let deleted = app.creates_key("deleted").await;
        app.authenticates(&deleted).await.unwrap();
        app.deletes(&deleted).await;

        let (_, unknown) = format::generate().unwrap();
        for presented in [&unknown, &guess(key.key.id), &deleted.secret] {
            let refused = app.node.presents(presented, CLIENT).await.unwrap_err();
            assert!(
                matches!(refused, AuthenticateError::NotProven),
                "{refused:?}"
            );
            assert_eq!(refused.to_string(), "the API key is not valid");
        }
        app.authenticates(&key).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn only_the_right_secret_is_told_that_its_key_is_disabled() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.authenticates(&key).await.unwrap();
        app.disables(&key).await;
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");
        assert_guess_learns_nothing(&app, &key).await;
    })
    .await;
}

#[tokio::test]
async fn only_the_right_secret_is_told_that_its_key_has_expired() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app
            .creates(NewApiKey {
                expires_at: Some(app.clock.now().plus_seconds(60)),
                ..app.new_key("ci")
            })
            .await;
        app.clock.advance_seconds(59);
        app.authenticates(&key).await.unwrap();
        app.clock.advance_seconds(1);
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::KeyExpired), "{told:?}");
        assert_guess_learns_nothing(&app, &key).await;
    })
    .await;
}

#[tokio::test]
async fn only_the_right_secret_is_told_that_its_owner_is_suspended() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.authenticates(&key).await.unwrap();
        app.suspends_owner().await;
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(told, AuthenticateError::OwnerSuspended),
            "{told:?}"
        );
        assert_guess_learns_nothing(&app, &key).await;
    })
    .await;
}

#[tokio::test]
async fn only_the_right_secret_is_told_that_its_address_is_not_allowed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app
            .creates(NewApiKey {
                allowed_networks: vec!["10.0.0.0/8".parse().unwrap()],
                ..app.new_key("ci")
            })
            .await;
        for inside in ["10.1.2.3", "::ffff:10.1.2.3"] {
            app.node.presents(&key.secret, inside).await.unwrap();
        }
        for outside in ["11.0.0.1", "::1", "::ffff:11.0.0.1"] {
            let told = app.node.presents(&key.secret, outside).await.unwrap_err();
            assert!(
                matches!(told, AuthenticateError::AddressNotAllowed),
                "{outside}: {told:?}"
            );
        }
        assert_guess_learns_nothing(&app, &key).await;
    })
    .await;
}

async fn assert_guess_learns_nothing(app: &App, key: &crate::CreatedKey) {
    let refused = app.node.presents(&guess(key.key.id), CLIENT).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, AuthenticateError::NotProven),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_key_is_used_no_more_often_than_its_limit() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let limited = app
            .creates(NewApiKey {
                rate_limit: Some(RateLimit {
                    per_minute: 1,
                    burst: 3,
                }),
                ..app.new_key("limited")
            })
            .await;
        let other = app.creates_key("other").await;
        for _ in 0..3 {
            app.authenticates(&limited).await.unwrap();
        }
        let told = app.authenticates(&limited).await.unwrap_err();
        let AuthenticateError::RateLimited(Limited { retry_after, .. }) = told else {
            panic!("{told:?}")
        };
        assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_mins(1));
        app.authenticates(&other).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_one_node_changes_the_others_heed_when_they_learn_of_it() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let elsewhere = app.another_node().await;
        let disabled = app.creates_key("to be disabled").await;
        let deleted = app.creates_key("to be deleted").await;
        elsewhere.authenticates(&disabled).await.unwrap();
        elsewhere.authenticates(&deleted).await.unwrap();

        app.disables(&disabled).await;
        app.deletes(&deleted).await;
        elsewhere.feed.refresh().await.unwrap();

        let told = elsewhere.authenticates(&disabled).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");
        let told = elsewhere.authenticates(&deleted).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::NotProven), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn past_the_bound_no_node_lets_a_disabled_key_in() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bound = Duration::from_millis(5);
        let elsewhere = app
            .node_with(MASTER, bound, KeyAdminSettings::default())
            .await;
        let key = app.creates_key("ci").await;
        // A busy machine may take longer to confirm than this bound allows; then the node refuses too.
        let _ = elsewhere.authenticates(&key).await;
        app.disables(&key).await;
        tokio::time::sleep(bound).await;
        let told = elsewhere.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(
                told,
                AuthenticateError::KeyDisabled | AuthenticateError::Storage(StorageError::Stale)
            ),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn without_a_database_a_first_use_is_unavailable_and_not_wrong() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.database.close().await;
        let told = app.authenticates(&key).await.unwrap_err();
        let AuthenticateError::Storage(error) = told else {
            panic!("{told:?}")
        };
        assert!(error.is_unavailable(), "{error:?}");
    })
    .await;
}
