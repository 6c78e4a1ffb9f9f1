//! What happens, minute by minute: how many tokens were issued, what was refused and why, and which keys issue most.
//!
//! It is a chart, not an account: how often each key was used is counted exactly, with the session rows
//! ([`KeyUsage`](crate::api_keys::KeyUsage)). Here a request costs one short lock and one look-up; every few seconds
//! [`Activity::write_down`] adds what has gathered to the database. A server that crashes loses what it had not written;
//! one that stops writes it first. Days older than [`KEPT_DAYS`] are removed ([`KeyAdmin::forget_activity`]).
//!
//! What gathers is bounded: past [`MAX_GATHERED`] entries of a kind, which only a database that is away for long brings
//! about, those of the earliest minute or hour are dropped.

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use storage::metrics::{Histogram, HistogramSnapshot, SIZES};
use storage::{Clock, Database, OrganizationId, StorageError, Timestamp};

use crate::{ApiKeyId, KeyAdmin};

/// How many days activity is kept.
pub const KEPT_DAYS: i64 = 14;
/// How many counts of each kind gather in memory at most.
pub const MAX_GATHERED: usize = 10_000;
/// The most steps of one series.
pub const MAX_STEPS: i64 = 2_000;

const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 60 * 60;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
/// What was not refused.
const ISSUED: &str = "";

/// Whole minutes since the Unix epoch, the organization, and the code of the refusal or [`ISSUED`].
type MinuteKey = (i64, OrganizationId, &'static str);
/// Whole hours since the Unix epoch, the organization, and the API key.
type HourKey = (i64, OrganizationId, ApiKeyId);

/// What has gathered since it was last written. In the order in which it is written, too: two nodes do not lock the same
/// rows in different orders.
#[derive(Debug, Default)]
struct Gathered {
    minutes: BTreeMap<MinuteKey, i64>,
    hours: BTreeMap<HourKey, i64>,
    /// Requests whose count was dropped.
    dropped: i64,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.hours.is_empty()
    }

    fn add(&mut self, other: Self) {
        for (key, count) in other.minutes {
            self.dropped += count_up(&mut self.minutes, key, count);
        }
        for (key, count) in other.hours {
            count_up(&mut self.hours, key, count);
        }
        self.dropped += other.dropped;
    }
}

/// Adds to an entry. Where that is one too many, the least is dropped; the answer is what it had counted.
fn count_up<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, count: i64) -> i64 {
    *counts.entry(key).or_insert(0) += count;
    if counts.len() <= MAX_GATHERED {
        return 0;
    }
    counts.pop_first().map_or(0, |(_, dropped)| dropped)
}

/// Counts what this node issues and refuses.
#[derive(Debug)]
pub struct Activity {
    database: Database,
    clock: Arc<dyn Clock>,
    gathered: Mutex<Gathered>,
    groups: Histogram,
}

impl Activity {
    pub(crate) fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            gathered: Mutex::default(),
            groups: Histogram::new(SIZES),
        }
    }

    /// The transactions in which this node has recorded tokens since it started, by how many tokens were in each.
    pub fn groups(&self) -> HistogramSnapshot {
        self.groups.snapshot()
    }

    /// Counts the tokens of one transaction by the keys that asked for them.
    pub fn issued(&self, tokens: impl Iterator<Item = (OrganizationId, ApiKeyId)>) {
        let (minute, hour) = (self.now_in(MINUTE_SECONDS), self.now_in(HOUR_SECONDS));
        let mut gathered = self.lock();
        let mut size = 0;
        for (organization, key) in tokens {
            gathered.dropped += count_up(&mut gathered.minutes, (minute, organization, ISSUED), 1);
            count_up(&mut gathered.hours, (hour, organization, key), 1);
            size += 1;
        }
        // A batch of which everything was refused records nothing.
        if size > 0 {
            self.groups.observe(size);
        }
    }

    /// Counts a request that was refused, by the code of the answer.
    pub fn refused(&self, organization: OrganizationId, code: &'static str) {
        let minute = self.now_in(MINUTE_SECONDS);
        let mut gathered = self.lock();
        gathered.dropped += count_up(&mut gathered.minutes, (minute, organization, code), 1);
    }

    /// Adds what has gathered to the database. What a database that is away did not take is kept for the next time; what
    /// it refuses is dropped, for it would refuse it for ever.
    pub async fn write_down(&self) -> Result<(), StorageError> {
        let gathered = std::mem::take(&mut *self.lock());
        if gathered.dropped > 0 {
            let requests = gathered.dropped;
            tracing::warn!(
                requests,
                "too much activity had gathered; the earliest is not charted"
            );
        }
        if gathered.is_empty() {
            return Ok(());
        }
        let written = self.write(&gathered).await;
        if written.as_ref().is_err_and(StorageError::is_unavailable) {
            self.lock().add(Gathered {
                dropped: 0,
                ..gathered
            });
        }
        written
    }

    async fn write(&self, gathered: &Gathered) -> Result<(), StorageError> {
        let mut tx = self.database.write().await?;
        store::add_minutes(tx.conn(), &gathered.minutes).await?;
        store::add_hours(tx.conn(), &gathered.hours).await?;
        tx.commit().await
    }

    fn now_in(&self, seconds: i64) -> i64 {
        self.clock.now().unix_seconds().div_euclid(seconds)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened in a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActivitySeries {
    /// The time in steps, oldest first, without gaps.
    pub steps: Vec<ActivityStep>,
    /// What was refused in all of it, the most frequent first.
    pub refusals: Vec<RefusalCount>,
}

/// What happened in one step of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ActivityStep {
    /// Its beginning.
    pub from: Timestamp,
    /// How many tokens were issued.
    pub issued: i64,
    /// How many requests were refused.
    pub refused: i64,
}

/// How often something was refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalCount {
    /// The code of the answer.
    pub code: String,
    /// How many requests.
    pub requests: i64,
}

/// A key, and how much it issued in a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyActivity {
    /// The key.
    pub id: ApiKeyId,
    /// Its name; `None` when the key is deleted.
    pub name: Option<String>,
    /// Its owner's name; `None` when the key is deleted.
    pub owner_name: Option<String>,
    /// How many tokens.
    pub tokens_issued: i64,
}

impl KeyAdmin {
    /// Where activity is counted.
    pub fn counter(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Removes what is too old. Called every few minutes.
    pub async fn forget_activity(&self) -> Result<(), StorageError> {
        let oldest = self.clock.now().plus_seconds(-KEPT_DAYS * DAY_SECONDS);
        let mut tx = self.database.write().await?;
        store::forget_minutes(tx.conn(), minute_of(oldest)).await?;
        store::forget_hours(tx.conn(), hour_of(oldest)).await?;
        tx.commit().await
    }

    /// What the organization issued and was refused from a time on until before another, in steps of so many minutes. The
    /// first step begins with a full one; there are at most [`MAX_STEPS`], the latest.
    pub async fn activity(
        &self,
        organization: OrganizationId,
        (from, until): (Timestamp, Timestamp),
        step_minutes: u32,
    ) -> Result<ActivitySeries, StorageError> {
        self.write_down_for_reader().await;
        let step = i64::from(step_minutes.max(1));
        let end = minute_of(until.plus_seconds(MINUTE_SECONDS - 1));
        let last = (end - 1).div_euclid(step);
        let first = minute_of(from).div_euclid(step).max(last + 1 - MAX_STEPS);
        let mut read = self.database.read().await?;
        let counts = store::counts(read.conn(), organization, (first * step, end), step).await?;
        Ok(series(first..=last, step, counts))
    }

    /// The keys that issued most since a time, to the hour; the first issued most.
    pub async fn busiest_keys(
        &self,
        organization: OrganizationId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<KeyActivity>, StorageError> {
        self.write_down_for_reader().await;
        let mut read = self.database.read().await?;
        store::busiest(read.conn(), organization, hour_of(since), limit).await
    }

    /// Who reads sees what this node has done up to now. If it cannot be written, it shows a little later.
    async fn write_down_for_reader(&self) {
        if let Err(error) = self.activity.write_down().await {
            tracing::warn!(%error, "activity could not be written down before it is read");
        }
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(MINUTE_SECONDS)
}

fn hour_of(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(HOUR_SECONDS)
}

/// Puts counts, by the number of their step, into a series without gaps.
fn series(
    numbers: std::ops::RangeInclusive<i64>,
    step: i64,
    counts: Vec<(i64, String, i64)>,
) -> ActivitySeries {
    let first = *numbers.start();
    let mut steps: Vec<ActivityStep> = numbers
        .map(|number| ActivityStep {
            from: Timestamp::from_unix_seconds(number * step * MINUTE_SECONDS),
            issued: 0,
            refused: 0,
        })
        .collect();
    let mut refusals: BTreeMap<String, i64> = BTreeMap::new();
    for (number, code, requests) in counts {
        let place = usize::try_from(number - first).ok();
        let Some(found) = place.and_then(|place| steps.get_mut(place)) else {
            continue;
        };
        if code == ISSUED {
            found.issued += requests;
        } else {
            found.refused += requests;
            *refusals.entry(code).or_default() += requests;
        }
    }
    let mut refusals: Vec<RefusalCount> = refusals
        .into_iter()
        .map(|(code, requests)| RefusalCount { code, requests })
        .collect();
    refusals.sort_by_key(|refusal| std::cmp::Reverse(refusal.requests));
    ActivitySeries { steps, refusals }
}
