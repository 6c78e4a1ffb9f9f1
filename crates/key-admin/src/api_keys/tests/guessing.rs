use std::sync::Arc;

use storage::testing::on_both_engines;

use super::{format, guess};
use crate::rate_limit::RateLimit;
use crate::testing::{App, CLIENT};
use crate::{AuthenticateError, KeyAdminSettings};

/// One failure comes back per minute: none does during a test.
const BUDGET: u32 = 5;

async fn with_budget(database: storage::Database) -> Arc<App> {
    let settings = KeyAdminSettings {
        failed_credentials: RateLimit {
            per_minute: 1,
            burst: BUDGET,
        },
        ..KeyAdminSettings::default()
    };
    Arc::new(App::with(database, settings).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_first_uses_of_one_key_cost_one_hash() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let key = Arc::new(app.creates_key("ci").await);
        let before = app.node.keys.hasher().hashes_started();
        let uses: Vec<_> = (0..64)
            .map(|_| {
                let (app, key) = (app.clone(), key.clone());
                tokio::spawn(async move { app.authenticates(&key).await })
            })
            .collect();
        for used in uses {
            used.await.unwrap().unwrap();
        }
        assert_eq!(app.node.keys.hasher().hashes_started() - before, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_cost_no_more_hashes_than_the_budget() {
    on_both_engines(|database| async move {
        let app = with_budget(database).await;
        let key = app.creates_key("ci").await;
        app.authenticates(&key).await.unwrap();
        let before = app.node.keys.hasher().hashes_started();
        let guesses: Vec<_> = (0..40)
            .map(|_| {
                let (app, guess) = (app.clone(), guess(key.key.id));
                tokio::spawn(async move { app.node.presents(&guess, CLIENT).await })
            })
            .collect();
        let mut checked = 0;
        for guess in guesses {
            // Whoever has proven its key is not held up by others at the same address.
            app.authenticates(&key).await.unwrap();
            match guess.await.unwrap().unwrap_err() {
                AuthenticateError::NotProven => checked += 1,
                AuthenticateError::TooManyFailures(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let hashes = app.node.keys.hasher().hashes_started() - before;
        assert_eq!((checked, hashes), (BUDGET, u64::from(BUDGET)));

        let elsewhere = "198.51.100.7";
        let told = app.node.presents(&guess(key.key.id), elsewhere).await;
        assert!(
            matches!(told, Err(AuthenticateError::NotProven)),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_wrong_key_again_costs_budget_again() {
    on_both_engines(|database| async move {
        let app = with_budget(database).await;
        let wrong = guess(app.creates_key("ci").await.key.id);
        for _ in 0..BUDGET {
            let told = app.node.presents(&wrong, CLIENT).await.unwrap_err();
            assert!(matches!(told, AuthenticateError::NotProven), "{told:?}");
        }
        let told = app.node.presents(&wrong, CLIENT).await.unwrap_err();
        assert!(
            matches!(told, AuthenticateError::TooManyFailures(_)),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn one_subscriber_has_one_budget() {
    on_both_engines(|database| async move {
        let app = with_budget(database).await;
        for host in 0..=BUDGET {
            let (_, unknown) = format::generate().unwrap();
            let client = format!("2001:db8:0:1::{host:x}");
            let told = app.node.presents(&unknown, &client).await.unwrap_err();
            let limited = matches!(told, AuthenticateError::TooManyFailures(_));
            assert_eq!(limited, host == BUDGET, "{client}: {told:?}");
        }
        let (_, unknown) = format::generate().unwrap();
        let told = app.node.presents(&unknown, "2001:db8:0:2::1").await;
        assert!(
            matches!(told, Err(AuthenticateError::NotProven)),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn right_keys_cost_no_budget() {
    on_both_engines(|database| async move {
        let app = with_budget(database).await;
        for number in 0..2 * BUDGET {
            let key = app.creates_key(&format!("key {number}")).await;
            app.authenticates(&key).await.unwrap();
        }
        let (_, unknown) = format::generate().unwrap();
        let told = app.node.presents(&unknown, CLIENT).await;
        assert!(
            matches!(told, Err(AuthenticateError::NotProven)),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn checks_that_could_not_be_made_cost_no_budget() {
    on_both_engines(|database| async move {
        let app = with_budget(database).await;
        let key = app.creates_key("ci").await;
        app.database.close().await;
        for _ in 0..2 * BUDGET {
            let told = app.authenticates(&key).await.unwrap_err();
            assert!(matches!(told, AuthenticateError::Storage(_)), "{told:?}");
        }
    })
    .await;
}
