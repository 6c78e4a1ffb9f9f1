use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Versioned, VersionedCache};
use crate::changes::tests::overdue;
use crate::testing::on_both_engines;
use crate::tests::{change, organization};
use crate::{ChangeFeed, Database, OrganizationId, StorageError, fetch_one};

const LONG: Duration = Duration::from_hours(1);

/// A cache of the organizations' names, with a count of how often the database was asked.
struct Names {
    database: Database,
    feed: Arc<ChangeFeed>,
    cache: VersionedCache<OrganizationId, String>,
    loads: AtomicUsize,
}

impl Names {
    async fn of(database: Database) -> Arc<Self> {
        let feed = ChangeFeed::start(database.clone(), LONG).await.unwrap();
        Arc::new(Self {
            database,
            cache: VersionedCache::new(feed.clone(), 100),
            feed,
            loads: AtomicUsize::new(0),
        })
    }

    async fn get(&self, id: OrganizationId) -> Arc<Versioned<String>> {
        let found = self.cache.get(&id, || self.load(id)).await;
        found.unwrap().unwrap()
    }

    async fn load(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Versioned<String>>, StorageError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let mut read = self.database.read().await?;
        let sql = "select version, name from organizations where id = $1";
        let (version, value) = fetch_one!(read.conn(), (i64, String), sql, organization)?;
        Ok(Some(Versioned {
            organization,
            version,
            value,
        }))
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_cost_one_load() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let names = Names::of(database).await;
        let callers: Vec<_> = (0..64)
            .map(|_| {
                let names = names.clone();
                tokio::spawn(async move { names.get(acme).await.value.clone() })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "acme");
        }
        assert_eq!(names.loads(), 1);
    })
    .await;
}

#[tokio::test]
async fn only_a_change_of_its_own_organization_makes_an_entry_stale() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let globex = organization(&database, "globex").await;
        let names = Names::of(database.clone()).await;
        names.get(acme).await;

        change(&database, globex).await;
        names.feed.refresh().await.unwrap();
        names.get(acme).await;
        assert_eq!(names.loads(), 1, "another organization changed");

        let version = change(&database, acme).await;
        names.feed.refresh().await.unwrap();
        assert_eq!(names.get(acme).await.version, version);
        names.get(acme).await;
        assert_eq!(names.loads(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_load_that_began_before_a_change_is_not_the_answer_after_it() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let names = Names::of(database.clone()).await;
        let reached = Arc::new(tokio::sync::Barrier::new(2));
        let slow = tokio::spawn({
            let (names, reached) = (names.clone(), reached.clone());
            async move {
                let rounds = AtomicUsize::new(0);
                let load = || async {
                    let loaded = names.load(acme).await;
                    if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
                        reached.wait().await;
                        reached.wait().await;
                    }
                    loaded
                };
                names.cache.get(&acme, load).await.unwrap().unwrap().version
            }
        });
        reached.wait().await;
        let version = change(&database, acme).await;
        names.feed.refresh().await.unwrap();
        reached.wait().await;
        assert_eq!(slow.await.unwrap(), version);
    })
    .await;
}

#[tokio::test]
async fn absence_and_failure_are_not_remembered() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let names = Names::of(database).await;

        let absent = names
            .cache
            .get(&acme, || async { Ok::<_, StorageError>(None) });
        assert!(absent.await.unwrap().is_none());
        let failing = names.cache.get(&acme, || async {
            Err(StorageError::corrupt("name", "for the test"))
        });
        let failure = failing.await.unwrap_err();
        assert!(
            matches!(failure, StorageError::Corrupt { .. }),
            "{failure:?}"
        );

        assert_eq!(names.get(acme).await.value, "acme");
        assert_eq!(names.loads(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_organization_that_changes_during_every_load_is_refused() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let names = Names::of(database.clone()).await;
        let (names, database) = (&names, &database);
        let restless = || async move {
            let loaded = names.load(acme).await;
            change(database, acme).await;
            names.feed.refresh().await?;
            loaded
        };
        let refused = names.cache.get(&acme, restless).await.unwrap_err();
        assert!(matches!(refused, StorageError::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_confirmed_is_not_answered() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let feed = Arc::new(overdue(&database));
        database.close().await;
        let cache = VersionedCache::new(feed, 100);
        let known = || async {
            Ok::<_, StorageError>(Some(Versioned {
                organization: acme,
                version: 0,
                value: "acme",
            }))
        };
        let refused = cache.get(&acme, known).await.unwrap_err();
        assert!(matches!(refused, StorageError::Stale), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn memory_is_bounded() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let feed = ChangeFeed::start(database, LONG).await.unwrap();
        let cache = VersionedCache::new(feed, 100);
        let next = AtomicI64::new(0);
        for key in 0..1_000 {
            let load = || async {
                Ok::<_, StorageError>(Some(Versioned {
                    organization: acme,
                    version: 0,
                    value: next.fetch_add(1, Ordering::SeqCst),
                }))
            };
            let entry = cache.get(&key, load).await.unwrap().unwrap();
            assert_eq!(entry.value, key);
        }
        assert!(cache.entries.len() <= 100);
    })
    .await;
}
