use std::sync::Arc;

use storage::Clock;
use storage::testing::on_both_engines;

use super::guess;
use crate::api_keys::{InvalidKey, MAX_GRACE_SECONDS};
use crate::rate_limit::RateLimit;
use crate::testing::{App, CLIENT, act};
use crate::{Asker, AuthenticateError, ChangeKeyError, CreatedKey, KeyAdminSettings, NewApiKey};

impl App {
    async fn rotates(&self, key: &CreatedKey, grace: u32) -> Result<CreatedKey, ChangeKeyError> {
        let keys = &self.node.keys;
        keys.rotate_key(act(), Asker::Machine, self.organization, key.key.id, grace)
            .await
    }

    async fn refuses(&self, key: &CreatedKey) -> bool {
        match self.authenticates(key).await {
            Ok(_) => false,
            Err(AuthenticateError::NotProven) => true,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_old_secret_works_until_the_end_of_the_grace_period() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let old = app.creates_key("ci").await;
        app.authenticates(&old).await.unwrap();
        let new = app.rotates(&old, 60).await.unwrap();
        assert_eq!(new.key.id, old.key.id);
        assert_eq!(
            new.key.previous_secret_until,
            Some(app.clock.now().plus_seconds(60))
        );
        let elsewhere = app.another_node().await;
        for seconds in [0, 59] {
            app.clock.advance_seconds(seconds);
            app.authenticates(&old).await.unwrap();
            app.authenticates(&new).await.unwrap();
            elsewhere.authenticates(&old).await.unwrap();
        }
        // Both nodes remember a proof of the old secret.
        app.clock.advance_seconds(1);
        assert!(app.refuses(&old).await);
        assert!(elsewhere.authenticates(&old).await.is_err());
        app.authenticates(&new).await.unwrap();
        elsewhere.authenticates(&new).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn without_a_grace_period_the_old_secret_ends_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let old = app.creates_key("ci").await;
        app.authenticates(&old).await.unwrap();
        let new = app.rotates(&old, 0).await.unwrap();
        assert_eq!(new.key.previous_secret_until, None);
        assert!(app.refuses(&old).await);
        app.authenticates(&new).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_second_rotation_ends_the_first_secret() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let first = app.creates_key("ci").await;
        app.authenticates(&first).await.unwrap();
        let second = app.rotates(&first, 60).await.unwrap();
        app.authenticates(&first).await.unwrap();
        let third = app.rotates(&second, 60).await.unwrap();
        assert!(app.refuses(&first).await);
        app.authenticates(&second).await.unwrap();
        app.authenticates(&third).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn grace_is_bounded_by_seven_days_and_by_the_keys_own_end() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let expires_at = app.clock.now().plus_seconds(100);
        let new = NewApiKey {
            expires_at: Some(expires_at),
            ..app.new_key("ci")
        };
        let key = app.creates(new).await;
        let refused = app.rotates(&key, MAX_GRACE_SECONDS + 1).await.unwrap_err();
        assert!(matches!(
            refused,
            ChangeKeyError::Invalid(InvalidKey::Grace)
        ));
        let rotated = app.rotates(&key, MAX_GRACE_SECONDS).await.unwrap();
        assert_eq!(rotated.key.previous_secret_until, Some(expires_at));
        app.clock.advance_seconds(100);
        let refused = app.rotates(&key, 0).await.unwrap_err();
        assert!(matches!(refused, ChangeKeyError::Expired), "{refused}");
        assert!(app.refuses(&key).await);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_key_can_be_rotated_and_stays_disabled() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.disables(&key).await;
        let rotated = app.rotates(&key, 60).await.unwrap();
        for secret in [&key, &rotated] {
            let told = app.authenticates(secret).await.unwrap_err();
            assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_rotations_one_is_current_and_none_is_lost() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let first = Arc::new(app.creates_key("ci").await);
        let rotations: Vec<_> = (0..16)
            .map(|_| {
                let (app, first) = (app.clone(), first.clone());
                tokio::spawn(async move { app.rotates(&first, 60).await.unwrap() })
            })
            .collect();
        let mut rotated = Vec::new();
        for rotation in rotations {
            rotated.push(rotation.await.unwrap());
        }
        let mut still = Vec::new();
        for rotated in rotated {
            if !app.refuses(&rotated).await {
                still.push(rotated);
            }
        }
        assert_eq!(still.len(), 2, "the current one and the one before");
        app.clock.advance_seconds(60);
        let mut current = 0;
        for rotated in &still {
            current += usize::from(!app.refuses(rotated).await);
        }
        assert_eq!(current, 1);
        assert!(app.refuses(&first).await);
    })
    .await;
}

#[tokio::test]
async fn during_grace_guesses_cost_no_more_hashes_than_the_budget() {
    on_both_engines(|database| async move {
        let settings = KeyAdminSettings {
            failed_credentials: RateLimit {
                per_minute: 1,
                burst: 5,
            },
            ..KeyAdminSettings::default()
        };
        let app = App::with(database, settings).await;
        let old = app.creates_key("ci").await;
        let new = app.rotates(&old, 60).await.unwrap();
        // Right answers cost nothing, with the old secret neither.
        app.authenticates(&old).await.unwrap();
        app.authenticates(&new).await.unwrap();
        let before = app.node.keys.hasher().hashes_started();
        for _ in 0..20 {
            let guess = guess(old.key.id);
            app.node.presents(&guess, CLIENT).await.unwrap_err();
        }
        assert_eq!(app.node.keys.hasher().hashes_started() - before, 5);
    })
    .await;
}
