use std::sync::Arc;

use storage::testing::on_both_engines;

use super::{format, guess};
use crate::rate_limit::RateLimit;
use crate::testing::{App, CLIENT};
use crate::{AuthenticateError, KeyAdminSettings};

/// One failure comes back per minute, and the clock stands still unless a test moves it.
const BUDGET: u32 = 5;
/// As many as somebody sends who does not care about the answers.
const MANY: u32 = 10_000;

async fn with_budget(database: storage::Database) -> Arc<App> {
    let limit = RateLimit {
        per_minute: 1,
        burst: BUDGET,
    };
    with_limit(database, limit).await
}

async fn with_limit(database: storage::Database, failed_credentials: RateLimit) -> Arc<App> {
    let settings = KeyAdminSettings {
        failed_credentials,
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
async fn ten_thousand_guesses_cost_one_default_budget_of_hashes() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let burst = KeyAdminSettings::default().failed_credentials.burst;
        let guessed = guesses_many_times(&app, |_| {}).await;
        assert_eq!(guessed, Guessed::all_hashed(burst));
    })
    .await;
}

#[tokio::test]
async fn an_hour_of_guesses_costs_the_burst_and_what_an_hour_gives_back() {
    const HOUR: u32 = 3600;
    on_both_engines(|database| async move {
        let limit = RateLimit {
            per_minute: 2,
            burst: BUDGET,
        };
        let app = with_limit(database, limit).await;
        let guessed = guesses_many_times(&app, |attempt| {
            // The whole seconds that have passed when the attempts are spread evenly over the hour.
            let passed = |attempts: u32| i64::from(attempts * HOUR / MANY);
            app.clock
                .advance_seconds(passed(attempt + 1) - passed(attempt));
        })
        .await;
        // The bucket is never full while guesses keep coming, so that no refill is lost: one guess each 30 s. The
        // last one would come with the hour's end, after the last attempt.
        let refilled = HOUR / 60 * limit.per_minute - 1;
        assert_eq!(guessed, Guessed::all_hashed(limit.burst + refilled));
    })
    .await;
}

/// What came of [`MANY`] guesses.
#[derive(Debug, PartialEq, Eq)]
struct Guessed {
    refused_as_wrong: u32,
    limited: u32,
    hashes: u64,
}

impl Guessed {
    /// Each guess that was looked at cost one hash, and the others none.
    fn all_hashed(count: u32) -> Self {
        Self {
            refused_as_wrong: count,
            limited: MANY - count,
            hashes: count.into(),
        }
    }
}

/// Presents that many different wrong secrets of one key from one address.
async fn guesses_many_times(app: &App, after_each: impl Fn(u32)) -> Guessed {
    let id = app.creates_key("ci").await.key.id;
    let before = app.node.keys.hasher().hashes_started();
    let (mut refused_as_wrong, mut limited) = (0, 0);
    for attempt in 0..MANY {
        match app.node.presents(&guess(id), CLIENT).await.unwrap_err() {
            AuthenticateError::NotProven => refused_as_wrong += 1,
            AuthenticateError::TooManyFailures(_) => limited += 1,
            other => panic!("{other:?}"),
        }
        after_each(attempt);
    }
    Guessed {
        refused_as_wrong,
        limited,
        hashes: app.node.keys.hasher().hashes_started() - before,
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_right_keys_from_one_address_are_no_guesses() {
    on_both_engines(|database| async move {
        let limit = RateLimit {
            per_minute: 1,
            burst: 40,
        };
        let settings = KeyAdminSettings {
            failed_credentials: limit,
            max_live_keys_per_owner: 200,
            ..KeyAdminSettings::default()
        };
        let app = Arc::new(App::with(database, settings).await);
        let mut keys = Vec::new();
        for number in 0..120 {
            keys.push(app.creates_key(&format!("key {number}")).await);
        }
        let uses = keys.into_iter().map(|key| {
            let app = app.clone();
            tokio::spawn(async move { app.authenticates(&key).await.map(|_| ()) })
        });
        // Collected, so that all of them are under way.
        for used in uses.collect::<Vec<_>>() {
            used.await.unwrap().unwrap();
        }
    })
    .await;
}
