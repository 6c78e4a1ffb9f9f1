//! Rows that are committed to the [intake](storage::intake) and sorted into their table later, many at once.
//!
//! One task commits and answers, another one sorts. A process that ends in between leaves rows in the intake: whoever opens the
//! database next [takes them over](take_over). Rows that the table refuses stay in the intake, and are tried again: until it takes
//! them, no more tokens leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use key_admin::Activity;
use storage::{Database, Intake, IntakeGroup, SessionId, StorageError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::direct::TRY_AGAIN_AFTER;
use super::queue::{MAX_ROWS, Pending, gather};
use super::writing::{Writer, within_time, write_once};
use super::{RecordError, count};
use crate::sessions::row::{self, Row};

/// Rows that are sorted at once.
const SORTED_AT_ONCE: usize = 4096;
/// How long a row is in the intake alone, while it is not looked for.
const SORTED_AFTER: Duration = Duration::from_secs(1);
/// How long a table that refuses rows is left alone.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// Groups that may wait to be sorted, while the database is away. Then nothing more is committed.
const WAITING_GROUPS: usize = 128;
/// Groups that are taken over at once.
const TAKEN_OVER_AT_ONCE: u32 = 64;

/// Where the sorting is, for those that commit.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Groups of the intake whose rows are in their table.
    sorted: Mutex<Vec<i64>>,
    stuck: AtomicBool,
}

impl Progress {
    /// Does the table refuse rows?
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    fn sorted(&self) -> MutexGuard<'_, Vec<i64>> {
        self.sorted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group on its way from the intake to the table.
struct Group {
    /// None when it was not committed: its rows arrive nowhere.
    committed: Option<i64>,
    rows: Vec<Row>,
}

/// Starts both tasks. They end after the last row of the queue.
pub(super) fn start(
    database: Database,
    intake: Intake,
    activity: Arc<Activity>,
    waiting: mpsc::Receiver<Pending>,
) -> Arc<Progress> {
    let progress = Arc::<Progress>::default();
    let (groups, committed) = mpsc::channel(WAITING_GROUPS);
    let committer = Committer {
        intake,
        activity,
        progress: progress.clone(),
    };
    tokio::spawn(committer.run(waiting, groups));
    let sorter = Sorter {
        writer: Writer::new(database),
        progress: progress.clone(),
        refused: Vec::new(),
    };
    tokio::spawn(sorter.run(committed));
    progress
}

/// The task that commits rows to the intake.
struct Committer {
    intake: Intake,
    activity: Arc<Activity>,
    progress: Arc<Progress>,
}

impl Committer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Pending>, groups: mpsc::Sender<Group>) {
        let mut group = Vec::with_capacity(MAX_ROWS);
        while waiting.recv_many(&mut group, MAX_ROWS).await > 0 {
            gather(&mut waiting, &mut group).await;
            let outcome = self.commit(&group).await;
            let told = outcome.map(|_| ());
            let rows = group.drain(..).map(|pending| pending.tell(told));
            let group = Group {
                committed: outcome.ok(),
                rows: rows.collect(),
            };
            // Nobody sorts any more only when the process ends.
            if groups.send(group).await.is_err() {
                break;
            }
        }
        self.intake.close().await;
    }

    /// In the same transaction the intake forgets what has been sorted.
    async fn commit(&mut self, group: &[Pending]) -> Result<i64, RecordError> {
        let rows: Vec<&Row> = group.iter().map(|pending| &pending.row).collect();
        let sorted = std::mem::take(&mut *self.progress.sorted());
        let append = async { self.intake.append(row::list(&rows)?, &sorted).await };
        let committed = within_time(rows.len(), append).await;
        match committed {
            Ok(_) => count(&self.activity, &rows),
            Err(_) => self.progress.sorted().extend(sorted),
        }
        committed
    }
}

/// The task that sorts the rows of the intake into their table.
struct Sorter {
    writer: Writer,
    progress: Arc<Progress>,
    /// What the table has refused.
    refused: Vec<Group>,
}

impl Sorter {
    async fn run(mut self, mut committed: mpsc::Receiver<Group>) {
        while let Some(first) = self.next(&mut committed).await {
            let groups = self.gather(first, &mut committed).await;
            let rows = groups.iter().flat_map(|group| &group.rows);
            let rows: Vec<SessionId> = rows.map(Row::session).collect();
            self.sort(groups).await;
            self.writer.database().arrivals().arrive(rows.into_iter());
        }
    }

    /// While none comes, what was refused is tried again.
    async fn next(&mut self, committed: &mut mpsc::Receiver<Group>) -> Option<Group> {
        while !self.refused.is_empty() {
            match timeout(REFUSED_FOR, committed.recv()).await {
                Ok(group) => return group,
                Err(_) => {
                    for group in std::mem::take(&mut self.refused) {
                        self.sort_alone(group).await;
                    }
                }
            }
        }
        committed.recv().await
    }

    /// What comes within a time, until it is much, or somebody looks for it.
    async fn gather(&self, first: Group, committed: &mut mpsc::Receiver<Group>) -> Vec<Group> {
        let until = Instant::now() + SORTED_AFTER;
        let mut rows = first.rows.len();
        let mut groups = vec![first];
        while rows < SORTED_AT_ONCE {
            let group = tokio::select! {
                biased;
                group = committed.recv() => group,
                () = self.writer.database().arrivals().wanted() => None,
                () = sleep_until(until) => None,
            };
            let Some(group) = group else { break };
            rows += group.rows.len();
            groups.push(group);
        }
        groups
    }

    /// One group that the table refuses must not keep the others.
    async fn sort(&mut self, mut groups: Vec<Group>) {
        groups.retain(|group| group.committed.is_some());
        let rows: Vec<&Row> = groups.iter().flat_map(|group| &group.rows).collect();
        // The tokens have left: until the database is back, this waits. It is bounded how many wait behind it.
        let written = loop {
            match self.writer.write(&rows).await {
                Err(RecordError::Unavailable) => sleep(TRY_AGAIN_AFTER).await,
                written => break written,
            }
        };
        if written.is_ok() {
            let sorted = groups.iter().filter_map(|group| group.committed);
            self.progress.sorted().extend(sorted);
            return;
        }
        for group in groups {
            self.sort_alone(group).await;
        }
    }

    /// Another process may have taken the group over.
    async fn sort_alone(&mut self, group: Group) {
        let Some(id) = group.committed else { return };
        let rows: Vec<&Row> = group.rows.iter().collect();
        let written = loop {
            let writing = write_once(self.writer.database(), &rows);
            match within_time(rows.len(), writing).await {
                Err(RecordError::Unavailable) => sleep(TRY_AGAIN_AFTER).await,
                written => break written,
            }
        };
        if written.is_ok() {
            self.progress.sorted().push(id);
        } else {
            self.refused.push(group);
        }
        let stuck = !self.refused.is_empty();
        self.progress.stuck.store(stuck, Ordering::Relaxed);
    }
}

/// Sorts what other processes have left in the intake. A group that the table does not take stays there.
pub(in crate::sessions) async fn take_over(database: &Database) -> Result<(), StorageError> {
    let Some(mut intake) = Intake::of(database).filter(Intake::exists) else {
        return Ok(());
    };
    let mut last = 0;
    loop {
        let groups = intake.after(last, TAKEN_OVER_AT_ONCE).await?;
        let Some(group) = groups.last() else {
            intake.close().await;
            return Ok(());
        };
        last = group.id;
        let mut taken = Vec::with_capacity(groups.len());
        for IntakeGroup { id, rows } in groups {
            match take_over_group(database, &rows).await {
                Ok(()) => taken.push(id),
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, group = id, "a group of sessions stays in the intake");
                }
            }
        }
        intake.forget(&taken).await?;
    }
}

async fn take_over_group(database: &Database, list: &str) -> Result<(), StorageError> {
    let rows = row::read_list(list)?;
    write_once(database, &rows.iter().collect::<Vec<_>>()).await
}
