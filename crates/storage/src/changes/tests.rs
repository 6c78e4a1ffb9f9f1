use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ChangeFeed;
use crate::metrics::Counter;
use crate::testing::on_both_engines;
use crate::tests::{change, organization};
use crate::{Database, StorageError, execute, fetch_one, hold_changes, record_change};

const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_change_is_seen_with_its_version() {
    on_both_engines(|database| async move {
        let (acme, globex) = (
            organization(&database, "acme").await,
            organization(&database, "globex").await,
        );
        change(&database, globex).await;
        let feed = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        let version = change(&database, acme).await;
        feed.refresh().await.unwrap();
        assert_eq!(feed.version_of(acme), version);
        assert_eq!(feed.version_of(globex), 0, "it has not changed since");
    })
    .await;
}

#[tokio::test]
async fn a_change_that_was_not_committed_is_not_seen() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let feed = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        let mut tx = database.write().await.unwrap();
        record_change(&mut tx, acme).await.unwrap();
        drop(tx);
        feed.refresh().await.unwrap();
        assert_eq!(feed.version_of(acme), 0);
        let version = change(&database, acme).await;
        feed.refresh().await.unwrap();
        assert_eq!(feed.version_of(acme), version);
    })
    .await;
}

/// Some hold changes back, others make them. Each adds one to what it has read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_wait_for_whoever_holds_them_back() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "0").await;
        let feed = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        let work: Vec<_> = (0..16)
            .map(|number| {
                let database = database.clone();
                tokio::spawn(async move {
                    let mut tx = database.write().await.unwrap();
                    if number % 2 == 0 {
                        hold_changes(&mut tx).await.unwrap();
                    } else {
                        record_change(&mut tx, acme).await.unwrap();
                    }
                    let sql = "select name from organizations where id = $1";
                    let (name,) = fetch_one!(tx.conn(), (String,), sql, acme).unwrap();
                    let next = (name.parse::<i64>().unwrap() + 1).to_string();
                    let sql = "update organizations set name = $2 where id = $1";
                    execute!(tx.conn(), sql, acme, next).unwrap();
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in work {
            task.await.unwrap();
        }
        let mut read = database.read().await.unwrap();
        let sql = "select name from organizations where id = $1";
        let (name,) = fetch_one!(read.conn(), (String,), sql, acme).unwrap();
        assert_eq!(name, "16");
        feed.refresh().await.unwrap();
        assert_eq!(feed.version_of(acme), 8, "holding back is no change");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_misses_no_change_of_many_recorders() {
    const RECORDERS: usize = 16;
    const CHANGES: usize = 4;
    on_both_engines(|database| async move {
        let feed = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let poller = tokio::spawn({
            let (feed, done) = (feed.clone(), done.clone());
            async move {
                while !done.load(Ordering::Acquire) {
                    feed.refresh().await.unwrap();
                }
            }
        });
        let mut recorders = Vec::new();
        for recorder in 0..RECORDERS {
            let organization = organization(&database, &format!("org-{recorder}")).await;
            let database = database.clone();
            recorders.push(tokio::spawn(async move {
                let mut versions = Vec::new();
                for _ in 0..CHANGES {
                    let mut tx = database.write().await.unwrap();
                    versions.push(record_change(&mut tx, organization).await.unwrap());
                    // The moment in which a later version could overtake this one.
                    tokio::task::yield_now().await;
                    tx.commit().await.unwrap();
                }
                (organization, versions)
            }));
        }
        let mut all = BTreeSet::new();
        let mut newest = Vec::new();
        for recorder in recorders {
            let (organization, versions) = recorder.await.unwrap();
            newest.push((organization, versions.last().copied()));
            all.extend(versions);
        }
        done.store(true, Ordering::Release);
        poller.await.unwrap();
        feed.refresh().await.unwrap();

        assert_eq!(all, (1..).take(RECORDERS * CHANGES).collect());
        for (organization, version) in newest {
            assert_eq!(Some(feed.version_of(organization)), version);
        }
    })
    .await;
}

/// A feed whose last confirmation is older than its bound.
pub(crate) fn overdue(database: &Database) -> ChangeFeed {
    ChangeFeed {
        database: database.clone(),
        bound: LONG,
        started: Instant::now().checked_sub(2 * LONG).unwrap(),
        confirmed: AtomicU64::new(0),
        seen: Mutex::new(0),
        position: AtomicI64::new(0),
        versions: RwLock::default(),
        changes: Counter::default(),
        failures: Counter::default(),
    }
}

#[tokio::test]
async fn past_the_bound_a_confirmation_asks_the_database() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let version = change(&database, acme).await;
        let feed = overdue(&database);
        assert!(!feed.is_fresh());
        feed.confirm().await.unwrap();
        assert!(feed.is_fresh());
        assert_eq!(feed.version_of(acme), version);
    })
    .await;
}

#[tokio::test]
async fn without_a_database_the_cache_is_trusted_for_the_bound_and_no_longer() {
    on_both_engines(|database| async move {
        let within = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        let past = overdue(&database);
        database.close().await;
        within.confirm().await.unwrap();
        past.catch_up().await;
        let stale = past.confirm().await.unwrap_err();
        assert!(matches!(stale, StorageError::Stale), "{stale:?}");
        assert!(stale.is_unavailable());
    })
    .await;
}
