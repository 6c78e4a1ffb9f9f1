//! Rows that are committed to the [intake](storage::intake) and sorted into their table later, many at once.
//!
//! One task commits and answers, another one sorts. A process that ends in between leaves rows in the intake: whoever opens the
//! database next [takes them over](take_over). Rows that the table refuses stay in the intake, and are tried again: until it takes
//! them, no more tokens leave this way, and whoever looks for sessions is told to come back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use key_admin::Activity;
use storage::{Database, Intake, IntakeGroup, StorageError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::direct::TRY_AGAIN_AFTER;
use super::queue::{MAX_ROWS, Pending, gather};
use super::writing::{Writer, within_time, write_once};
use super::{PATIENCE, RecordError, count};
use crate::sessions::row::{self, Row};

/// Rows that are sorted at once.
const SORTED_AT_ONCE: usize = 4096;
/// How long a row is in the intake alone, while it is not looked for.
const SORTED_AFTER: Duration = Duration::from_secs(1);
/// When nothing has come for this long, the intake forgets what has been sorted by itself.
const IDLE: Duration = Duration::from_secs(5);
/// How long a table that refuses rows is left alone.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// Groups that may wait to be sorted, while the database is away. Then nothing more is committed.
const WAITING_GROUPS: usize = 128;
/// Groups that are taken over at once.
const TAKEN_OVER_AT_ONCE: u32 = 64;

/// Groups of the intake whose rows are in their table, and which it may forget.
type Sorted = Arc<Mutex<Vec<i64>>>;

/// A group that is committed to the intake.
pub(in crate::sessions) struct Group {
    id: i64,
    rows: Vec<Row>,
}

/// Starts both tasks. They end after the last row of the queue. The table has refused some groups already.
pub(super) fn start(
    database: Database,
    intake: Intake,
    activity: Arc<Activity>,
    waiting: mpsc::Receiver<Pending>,
    refused: Vec<Group>,
) {
    for row in refused.iter().flat_map(|group| &group.rows) {
        database.arrivals().depart(row.session());
    }
    database.arrivals().stall(!refused.is_empty());
    let sorted = Sorted::default();
    let (groups, committed) = mpsc::channel(WAITING_GROUPS);
    let committer = Committer {
        database: database.clone(),
        intake,
        activity,
        sorted: sorted.clone(),
    };
    tokio::spawn(committer.run(waiting, groups));
    let sorter = Sorter {
        writer: Writer::new(database),
        sorted,
        refused,
    };
    tokio::spawn(sorter.run(committed));
}

/// The task that commits rows to the intake.
struct Committer {
    database: Database,
    intake: Intake,
    activity: Arc<Activity>,
    sorted: Sorted,
}

impl Committer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Pending>, groups: mpsc::Sender<Group>) {
        let mut group = Vec::with_capacity(MAX_ROWS);
        loop {
            match timeout(IDLE, waiting.recv_many(&mut group, MAX_ROWS)).await {
                Err(_) => self.forget_sorted().await,
                Ok(0) => break,
                Ok(_) => {
                    gather(&mut waiting, &mut group).await;
                    self.commit_and_tell(&mut group, &groups).await;
                }
            }
        }
        self.intake.close().await;
    }

    /// Of a group that is not committed, as far as this knows, nobody gets a token, and its rows are not waited for.
    async fn commit_and_tell(&mut self, group: &mut Vec<Pending>, groups: &mpsc::Sender<Group>) {
        // A sorter that does not follow is told of here, before anything is promised.
        let outcome = match timeout(PATIENCE, groups.reserve()).await {
            Ok(Ok(place)) => self.commit(group).await.map(|id| (id, place)),
            _ => Err(RecordError::Unavailable),
        };
        match outcome {
            Ok((id, place)) => {
                let rows = group.drain(..).map(|pending| pending.tell(Ok(())));
                let rows = rows.collect();
                place.send(Group { id, rows });
            }
            Err(error) => {
                let rows = group.drain(..).map(|pending| pending.tell(Err(error)));
                let rows = rows.map(|row| row.session());
                self.database.arrivals().arrive(rows);
            }
        }
    }

    /// In the same transaction the intake forgets what has been sorted.
    async fn commit(&mut self, group: &[Pending]) -> Result<i64, RecordError> {
        // Nobody would find the rows.
        if self.database.arrivals().is_stalled() {
            return Err(RecordError::Refused);
        }
        let rows: Vec<&Row> = group.iter().map(|pending| &pending.row).collect();
        let sorted = std::mem::take(&mut *lock(&self.sorted));
        let append = async { self.intake.append(row::list(&rows)?, &sorted).await };
        let committed = within_time(rows.len(), append).await;
        match committed {
            Ok(_) => count(&self.activity, &rows),
            Err(_) => lock(&self.sorted).extend(sorted),
        }
        committed
    }

    /// Groups must not stay for longer than their rows stay in the table: taken over then, they would be there again.
    async fn forget_sorted(&mut self) {
        let sorted = std::mem::take(&mut *lock(&self.sorted));
        if sorted.is_empty() || self.database.is_closed() {
            return;
        }
        if within_time(0, self.intake.forget(&sorted)).await.is_err() {
            lock(&self.sorted).extend(sorted);
        }
    }
}

/// The task that sorts the rows of the intake into their table.
struct Sorter {
    writer: Writer,
    sorted: Sorted,
    /// What the table has refused.
    refused: Vec<Group>,
}

impl Sorter {
    async fn run(mut self, mut committed: mpsc::Receiver<Group>) {
        while let Some(first) = self.next(&mut committed).await {
            let groups = self.gather(first, &mut committed).await;
            self.sort(groups).await;
        }
    }

    /// While none comes, what was refused is tried again.
    async fn next(&mut self, committed: &mut mpsc::Receiver<Group>) -> Option<Group> {
        while !self.refused.is_empty() {
            if let Ok(group) = timeout(REFUSED_FOR, committed.recv()).await {
                return group;
            }
            let refused = std::mem::take(&mut self.refused);
            self.sort_one_by_one(refused).await;
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

    async fn sort(&mut self, groups: Vec<Group>) {
        let rows: Vec<&Row> = groups.iter().flat_map(|group| &group.rows).collect();
        // The tokens have left: until the database is back, this waits. It is bounded how many wait behind it.
        let written = loop {
            match self.writer.write(&rows).await {
                Err(RecordError::Unavailable) if !self.is_over() => sleep(TRY_AGAIN_AFTER).await,
                written => break written,
            }
        };
        if written.is_ok() {
            self.have_arrived(&groups);
        } else {
            self.sort_one_by_one(groups).await;
        }
    }

    /// One group that the table refuses must not keep the others. Another process may have taken some over.
    async fn sort_one_by_one(&mut self, groups: Vec<Group>) {
        for group in groups {
            let rows: Vec<&Row> = group.rows.iter().collect();
            let written = loop {
                let writing = write_once(self.writer.database(), &rows);
                match within_time(rows.len(), writing).await {
                    Err(RecordError::Unavailable) if !self.is_over() => {
                        sleep(TRY_AGAIN_AFTER).await;
                    }
                    written => break written,
                }
            };
            if written.is_ok() {
                self.have_arrived(std::slice::from_ref(&group));
            } else {
                self.refused.push(group);
            }
        }
        let stalled = !self.refused.is_empty();
        self.writer.database().arrivals().stall(stalled);
    }

    fn have_arrived(&self, groups: &[Group]) {
        lock(&self.sorted).extend(groups.iter().map(|group| group.id));
        let rows = groups.iter().flat_map(|group| &group.rows);
        let arrivals = self.writer.database().arrivals();
        arrivals.arrive(rows.map(Row::session));
    }

    /// The process ends; the next one takes over.
    fn is_over(&self) -> bool {
        self.writer.database().is_closed()
    }
}

fn lock(sorted: &Sorted) -> MutexGuard<'_, Vec<i64>> {
    sorted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sorts what other processes have left in the intake. The answer is what the table refuses; a group that cannot be read stays in
/// the intake.
pub(in crate::sessions) async fn take_over(
    database: &Database,
) -> Result<Vec<Group>, StorageError> {
    let mut refused = Vec::new();
    let Some(mut intake) = Intake::of(database).filter(Intake::exists) else {
        return Ok(refused);
    };
    let mut last = 0;
    loop {
        let groups = intake.after(last, TAKEN_OVER_AT_ONCE).await?;
        let Some(group) = groups.last() else {
            intake.close().await;
            return Ok(refused);
        };
        last = group.id;
        let mut taken = Vec::with_capacity(groups.len());
        for IntakeGroup { id, rows } in groups {
            let rows = match row::read_list(&rows) {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::error!(%error, group = id, "a group of sessions stays in the intake");
                    continue;
                }
            };
            match write_once(database, &rows.iter().collect::<Vec<_>>()).await {
                Ok(()) => taken.push(id),
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, group = id, "session rows were refused");
                    refused.push(Group { id, rows });
                }
            }
        }
        intake.forget(&taken).await?;
    }
}
