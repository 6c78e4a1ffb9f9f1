//! Rows that are on their way to where queries look for them.
//!
//! A session row may be promised before it is in its table: it waits in the [intake](crate::intake), or only in memory where the
//! operator has chosen that. Whoever looks for such rows waits for them first, so that nobody ever sees the difference.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::{SessionId, StorageError};

/// How long anybody waits for rows before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// The rows that this process has promised and not written yet.
#[derive(Debug)]
pub struct Arrivals {
    on_their_way: Mutex<OnTheirWay>,
    /// Whether they are stalled. Told anew whenever some have arrived.
    stalled: watch::Sender<bool>,
    wanted: Notify,
}

/// By when they departed.
#[derive(Debug, Default)]
struct OnTheirWay {
    departed: u64,
    numbers: HashMap<SessionId, u64>,
    outstanding: BTreeSet<u64>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            on_their_way: Mutex::default(),
            stalled: watch::Sender::new(false),
            wanted: Notify::new(),
        }
    }
}

impl Arrivals {
    /// This row is on its way from now on. To be called before it is promised.
    pub fn depart(&self, row: SessionId) {
        let mut ours = self.lock();
        ours.departed += 1;
        let number = ours.departed;
        ours.numbers.insert(row, number);
        ours.outstanding.insert(number);
    }

    /// These rows are where they belong, or are not promised any more.
    pub fn arrive(&self, rows: impl Iterator<Item = SessionId>) {
        let mut ours = self.lock();
        for row in rows {
            if let Some(number) = ours.numbers.remove(&row) {
                ours.outstanding.remove(&number);
            }
        }
        drop(ours);
        self.stalled.send_modify(|_| {});
    }

    /// Rows do not get where they belong for now: nobody is to wait for them, and nobody to be told that there are none.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Has something gone wrong with rows on their way?
    pub fn is_stalled(&self) -> bool {
        *self.stalled.borrow()
    }

    /// Is this row on its way?
    pub fn has(&self, row: SessionId) -> bool {
        self.lock().numbers.contains_key(&row)
    }

    /// How many rows are on their way.
    pub fn count(&self) -> usize {
        self.lock().numbers.len()
    }

    /// Returns when all rows that have departed so far have arrived. Fails when they do not in time.
    pub async fn settle(&self) -> Result<(), StorageError> {
        let last = {
            let ours = self.lock();
            match ours.outstanding.last() {
                None => return Ok(()),
                Some(last) => *last,
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, self.arrived(last)).await;
        Ok(arrived.map_err(|_| sqlx::Error::PoolTimedOut)??)
    }

    async fn arrived(&self, last: u64) -> Result<(), sqlx::Error> {
        let mut news = self.stalled.subscribe();
        loop {
            // Marked as seen before it is looked: what comes in between wakes this again.
            let stalled = *news.borrow_and_update();
            let first = self.lock().outstanding.first().copied();
            if first.is_none_or(|first| first > last) {
                return Ok(());
            }
            if stalled {
                return Err(sqlx::Error::PoolTimedOut);
            }
            self.wanted.notify_one();
            if news.changed().await.is_err() {
                return Err(sqlx::Error::PoolClosed);
            }
        }
    }

    /// Returns when somebody waits for rows that are on their way. May return once more for one who waits no longer.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, OnTheirWay> {
        self.on_their_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
