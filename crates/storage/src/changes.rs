//! Which organizations changed: how caches on every node learn that they are out of date.
//!
//! A change that any cache depends on calls [`record_change`] in its own transaction: a global counter goes up by
//! one and the organization is stamped with the new value. Because the counter's row stays locked until the commit,
//! versions become visible in their order, and a poll for "versions above the last I saw" misses none.
//!
//! Each node polls. A cached entry carries the version it was read at and is used only while no newer version of
//! its organization has been seen. A node that cannot poll for longer than the bound refuses to answer
//! ([`StorageError::Stale`]): better no token than one from a key that was revoked elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::metrics::Counter;
use crate::{Conn, Database, OrganizationId, StorageError, execute, fetch_all, fetch_one};

/// Stamps the organization with the next version. Call it last in the transaction: it serializes with other changes
/// until the commit. A transaction that must not run beside another change calls it first, for that very lock.
pub async fn record_change(
    tx: &mut crate::Transaction,
    organization: OrganizationId,
) -> Result<i64, StorageError> {
    let version = next_version(tx.conn()).await?;
    stamp(tx.conn(), organization, version).await?;
    Ok(version)
}

/// Lets no other change happen until the transaction ends, and is none itself: no cache is read again. For work on rows
/// that changes lock, too: whoever waits for both always waits for this first.
pub async fn hold_changes(tx: &mut crate::Transaction) -> Result<(), StorageError> {
    execute!(
        tx.conn(),
        "update change_counter set version = version where id = 1"
    )?;
    Ok(())
}

async fn next_version(conn: Conn<'_>) -> Result<i64, StorageError> {
    let (version,) = fetch_one!(
        conn,
        (i64,),
        "update change_counter set version = version + 1 where id = 1 returning version"
    )?;
    Ok(version)
}

async fn stamp(
    conn: Conn<'_>,
    organization: OrganizationId,
    version: i64,
) -> Result<(), StorageError> {
    execute!(
        conn,
        "update organizations set version = $2 where id = $1",
        organization,
        version
    )?;
    Ok(())
}

async fn changed_since(
    conn: Conn<'_>,
    version: i64,
) -> Result<Vec<(OrganizationId, i64)>, StorageError> {
    fetch_all!(
        conn,
        (OrganizationId, i64),
        "select id, version from organizations where version > $1 order by version, id",
        version
    )
}

/// How often a node asks for changes.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How far a node has caught up with changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeProgress {
    /// The newest version it has seen.
    pub version: i64,
    /// How long ago it last knew that there was no newer one that it had not seen.
    pub confirmed_ago: Duration,
    /// How many changes of organizations it has seen since it started.
    pub changes: u64,
    /// How often it asked since then and got no answer.
    pub failures: u64,
}

/// This node's knowledge of changes.
#[derive(Debug)]
pub struct ChangeFeed {
    database: Database,
    bound: Duration,
    started: Instant,
    /// Milliseconds after `started` at which the last successful poll began.
    confirmed: AtomicU64,
    /// The version every poll starts from; the lock also keeps polls one after the other.
    seen: Mutex<i64>,
    /// The same, for who only wants to know.
    position: AtomicI64,
    /// Only organizations that changed since the start: an entry read after it is current without one.
    versions: RwLock<HashMap<OrganizationId, i64>>,
    changes: Counter,
    failures: Counter,
}

impl ChangeFeed {
    /// Reads where the database stands and keeps polling until the last handle is dropped. `bound` is the longest
    /// time for which cached entries are trusted without a successful poll.
    pub async fn start(database: Database, bound: Duration) -> Result<Arc<Self>, StorageError> {
        let started = Instant::now();
        let (seen,) = {
            let mut read = database.read().await?;
            fetch_one!(
                read.conn(),
                (i64,),
                "select version from change_counter where id = 1"
            )?
        };
        let feed = Arc::new(Self {
            database,
            bound,
            started,
            confirmed: AtomicU64::new(0),
            seen: Mutex::new(seen),
            position: AtomicI64::new(seen),
            versions: RwLock::default(),
            changes: Counter::default(),
            failures: Counter::default(),
        });
        tokio::spawn(poll(Arc::downgrade(&feed)));
        Ok(feed)
    }

    /// The newest version of the organization this node has seen; 0 when it has not changed since the start.
    pub fn version_of(&self, organization: OrganizationId) -> i64 {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.get(&organization).copied().unwrap_or(0)
    }

    /// The longest time for which cached entries are trusted without a successful poll.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// How far this node has caught up.
    pub fn progress(&self) -> ChangeProgress {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        ChangeProgress {
            version: self.position.load(Ordering::Relaxed),
            confirmed_ago: Duration::from_millis(self.elapsed_millis().saturating_sub(confirmed)),
            changes: self.changes.get(),
            failures: self.failures.get(),
        }
    }

    /// Makes sure that changes were confirmed within the bound, asking the database now if they were not.
    pub async fn confirm(&self) -> Result<(), StorageError> {
        if self.is_fresh() {
            return Ok(());
        }
        // Boxed, because it is rare, and part of every request.
        if let Err(error) = Box::pin(self.refresh_unless(Self::is_fresh)).await {
            tracing::warn!(%error, "changes cannot be confirmed");
            return Err(StorageError::Stale);
        }
        Ok(())
    }

    /// Asks the database now, after this node's own commit, so that the node acts on it at once. A failure is no
    /// failure of the commit: it is logged, and the next poll or [`confirm`](Self::confirm) makes up for it.
    pub async fn catch_up(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a change is committed, but this node could not read it back yet");
        }
    }

    /// Asks the database now.
    pub async fn refresh(&self) -> Result<(), StorageError> {
        self.refresh_unless(|_| false).await
    }

    /// Asks the database, unless somebody else's answer has come while this caller waited for its turn. A database
    /// that does not answer must not keep everybody waiting: the connection is given up after the bound.
    async fn refresh_unless(&self, answered: impl Fn(&Self) -> bool) -> Result<(), StorageError> {
        let asking = async {
            let mut seen = self.seen.lock().await;
            if answered(self) {
                return Ok(());
            }
            let asked = self.elapsed_millis();
            let changed = {
                let mut read = self.database.read().await?;
                changed_since(read.conn(), *seen).await?
            };
            if let Some((_, newest)) = changed.last() {
                *seen = *newest;
                self.changes.add(changed.len() as u64);
                self.position.store(*newest, Ordering::Relaxed);
                let mut versions = self
                    .versions
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                versions.extend(changed);
            }
            self.confirmed.fetch_max(asked, Ordering::Release);
            Ok(())
        };
        let answer = tokio::time::timeout(self.bound, asking).await;
        let answer = answer.unwrap_or(Err(StorageError::Stale));
        if answer.is_err() {
            self.failures.increment();
        }
        answer
    }

    fn is_fresh(&self) -> bool {
        let age = self
            .elapsed_millis()
            .saturating_sub(self.confirmed.load(Ordering::Acquire));
        Duration::from_millis(age) < self.bound
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

async fn poll(feed: std::sync::Weak<ChangeFeed>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(feed) = feed.upgrade() else { return };
        if let Err(error) = feed.refresh().await {
            tracing::warn!(%error, "polling for changes failed");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
