//! Rows that are on their way to where queries look for them.
//!
//! A session row may be promised before it is in its table: it waits in the [intake](crate::intake), or only in memory where the
//! operator has chosen that. Whoever looks for such rows waits for them first, so that nobody ever sees the difference.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::SessionId;

/// The rows that this process has promised and not written yet.
#[derive(Debug)]
pub struct Arrivals {
    departed: Mutex<Departed>,
    /// How many rows have arrived.
    arrived: watch::Sender<u64>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Departed {
    /// How many rows have departed.
    rows: u64,
    on_their_way: HashSet<SessionId>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            departed: Mutex::default(),
            arrived: watch::Sender::new(0),
            wanted: Notify::new(),
        }
    }
}

impl Arrivals {
    /// This row is on its way from now on. To be called before its queue takes it, by whoever has a place there already, so that
    /// rows arrive in the order in which a queue took them.
    pub fn depart(&self, row: SessionId) {
        let mut departed = self.lock();
        departed.rows += 1;
        departed.on_their_way.insert(row);
    }

    /// These rows are where they belong, or never will be.
    pub fn arrive(&self, rows: impl Iterator<Item = SessionId>) {
        let mut arrived = 0;
        {
            let mut departed = self.lock();
            for row in rows {
                departed.on_their_way.remove(&row);
                arrived += 1;
            }
        }
        self.arrived.send_modify(|all| *all += arrived);
    }

    /// What has departed never arrives: nobody is to wait for it.
    pub fn close(&self) {
        let mut departed = self.lock();
        departed.on_their_way.clear();
        let rows = departed.rows;
        drop(departed);
        self.arrived.send_modify(|all| *all = rows.max(*all));
    }

    /// Is this row on its way?
    pub fn has(&self, row: SessionId) -> bool {
        self.lock().on_their_way.contains(&row)
    }

    /// How many rows are on their way.
    pub fn count(&self) -> usize {
        self.lock().on_their_way.len()
    }

    /// Returns when all rows that have departed so far have arrived.
    pub async fn settle(&self) {
        let target = self.lock().rows;
        let mut arrived = self.arrived.subscribe();
        while *arrived.borrow_and_update() < target {
            self.wanted.notify_one();
            if arrived.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns when somebody waits for rows that are on their way. May return once more for one who waits no longer.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Departed> {
        self.departed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
