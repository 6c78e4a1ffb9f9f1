//! Writes session rows, and answers when they are committed.
//!
//! Where the operator has chosen [`IssuanceLog::Buffered`], it answers before. Who reads sessions then
//! [waits](Recorder::settle) until those that this node has issued so far are written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use key_admin::Activity;
use serde::{Deserialize, Serialize};
use storage::{Database, GroupWriter, SessionId, StorageError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::row::{self, Row};
use super::{AttributeHasher, store, usage};
use crate::claims::SignedToken;
use crate::issuance::Origin;
use crate::metrics::{QueueUse, Steps};

/// Why a token was not recorded. It is then not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The disk cannot follow.
    #[error("more tokens are waiting to be recorded than the database can take")]
    Overloaded,
    /// The database cannot be reached or is full.
    #[error("the session could not be recorded")]
    Unavailable,
    /// The database refused the row.
    #[error("the session row was refused")]
    Refused,
}

/// What must hold of another session while a row is written.
#[derive(Clone, Copy, Debug)]
enum Condition {
    Nothing,
    /// It is renewed by this, once, and stands.
    Renews(SessionId),
    /// It stands.
    PartOf(SessionId),
}

/// When a token may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuanceLog {
    /// When its row is committed: no crash leaves a token without one.
    #[default]
    Durable,
    /// When its row is on its way: a crash loses the rows of the tokens of the last moment. Such a token is good for who
    /// verifies it by its signature, and unknown to introspection; nothing counts or lists it.
    Buffered,
}

/// The proof that the row of this session is committed, or on its way where that is enough. Only the [`Recorder`] makes
/// one.
#[derive(Debug)]
pub(crate) struct Recorded(());

/// Requests that may wait for their row. At 20 µs per row this is well under a second of work.
const QUEUE: usize = 8192;
/// A database that takes longer has gone; its connection is given up, so that the next group gets another one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Rows in one transaction.
const MAX_ROWS: usize = 512;
/// How long a group waits for more rows at most. About as long as a commit takes.
const MAX_GATHERING: Duration = Duration::from_millis(2);
/// How long a request waits for a place in the queue where it does not wait for its row.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long rows wait for others where no request waits for them.
const BUFFERED_FOR: Duration = Duration::from_millis(10);
/// How long a database that was away is left alone.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What waits for the writer.
enum Pending {
    /// A row that a request waits for.
    Awaited(Row, oneshot::Sender<Result<(), RecordError>>),
    /// A row that nobody waits for.
    Buffered(Row),
    /// Nothing; it is told when all before it is written.
    Mark(oneshot::Sender<()>),
}

impl Pending {
    fn row(&self) -> Option<&Row> {
        match self {
            Self::Awaited(row, _) | Self::Buffered(row) => Some(row),
            Self::Mark(_) => None,
        }
    }

    fn is_mark(&self) -> bool {
        matches!(self, Self::Mark(_))
    }

    /// Tells who waits. A requester that went away leaves a row without a token, which does no harm.
    fn tell(self, outcome: Result<(), RecordError>) {
        match self {
            Self::Awaited(_, done) => {
                let _ = done.send(outcome);
            }
            Self::Buffered(_) => {}
            Self::Mark(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Writes session rows.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Pending>,
    database: Database,
    hasher: Arc<AttributeHasher>,
    activity: Arc<Activity>,
    steps: Arc<Steps>,
    log: IssuanceLog,
}

impl Recorder {
    pub(crate) fn start(
        database: Database,
        log: IssuanceLog,
        hasher: Arc<AttributeHasher>,
        activity: Arc<Activity>,
        steps: Arc<Steps>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let groups = Groups {
            writer: GroupWriter::new(database.clone()),
            activity: activity.clone(),
            log,
        };
        tokio::spawn(groups.write_all(waiting));
        Self {
            queue,
            database,
            hasher,
            activity,
            steps,
            log,
        }
    }

    /// How many rows wait. Those that the writer has taken are not among them.
    pub(crate) fn queue_use(&self) -> QueueUse {
        let capacity = self.queue.max_capacity();
        QueueUse {
            waiting: capacity.saturating_sub(self.queue.capacity()) as u64,
            capacity: capacity as u64,
        }
    }

    /// Waits until the token's row is committed, or only until it is on its way, as the operator has chosen.
    pub(crate) async fn record(
        &self,
        token: &SignedToken,
        origin: &Origin,
    ) -> Result<Recorded, RecordError> {
        let _timer = self.steps.record.time();
        let row = Row::new(token, origin, &self.hasher).map_err(|_| RecordError::Refused)?;
        if self.log == IssuanceLog::Buffered {
            self.queue_in_time(Pending::Buffered(row)).await?;
            return Ok(Recorded(()));
        }
        let (done, committed) = oneshot::channel();
        self.queue(Pending::Awaited(row, done))?;
        match committed.await {
            Ok(Ok(())) => Ok(Recorded(())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RecordError::Unavailable),
        }
    }

    fn queue(&self, pending: Pending) -> Result<(), RecordError> {
        self.queue.try_send(pending).map_err(|error| match error {
            TrySendError::Full(_) => RecordError::Overloaded,
            TrySendError::Closed(_) => RecordError::Unavailable,
        })
    }

    /// The same, with some patience. Who waits for its row is slowed down by that; others only by this.
    async fn queue_in_time(&self, pending: Pending) -> Result<(), RecordError> {
        let queued = tokio::time::timeout(PATIENCE, self.queue.send(pending));
        match queued.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(RecordError::Unavailable),
            Err(_) => Err(RecordError::Overloaded),
        }
    }

    /// Returns when the rows of all tokens that have left so far are written. Where tokens wait for that, at once.
    pub(crate) async fn settle(&self) {
        if self.log == IssuanceLog::Durable {
            return;
        }
        let (done, written) = oneshot::channel();
        // Both fail only when the writer has ended, and then nothing more is written.
        if self.queue.send(Pending::Mark(done)).await.is_ok() {
            let _ = written.await;
        }
    }

    /// Records these tokens in one transaction: all of them, or none.
    pub(crate) async fn record_together(
        &self,
        tokens: &[SignedToken],
        origin: &Origin,
    ) -> Result<Vec<Recorded>, RecordError> {
        if !tokens.is_empty() {
            self.in_transaction(tokens, origin, Condition::Nothing)
                .await?;
        }
        Ok(tokens.iter().map(|_| Recorded(())).collect())
    }

    /// Records a token that takes the place of another, once; `None` when that one has been renewed or revoked meanwhile.
    pub(crate) async fn record_renewal(
        &self,
        token: &SignedToken,
        origin: &Origin,
        renewed: SessionId,
    ) -> Result<Option<Recorded>, RecordError> {
        let tokens = std::slice::from_ref(token);
        let recorded = self.in_transaction(tokens, origin, Condition::Renews(renewed));
        Ok(recorded.await?.then_some(Recorded(())))
    }

    /// Records a token that may do less than another; `None` when that one has been revoked meanwhile.
    pub(crate) async fn record_part(
        &self,
        token: &SignedToken,
        origin: &Origin,
        whole: SessionId,
    ) -> Result<Option<Recorded>, RecordError> {
        let tokens = std::slice::from_ref(token);
        let recorded = self.in_transaction(tokens, origin, Condition::PartOf(whole));
        Ok(recorded.await?.then_some(Recorded(())))
    }

    async fn in_transaction(
        &self,
        tokens: &[SignedToken],
        origin: &Origin,
        condition: Condition,
    ) -> Result<bool, RecordError> {
        if !matches!(condition, Condition::Nothing) {
            self.settle().await;
        }
        let _timer = self.steps.record.time();
        let rows = tokens
            .iter()
            .map(|token| Row::new(token, origin, &self.hasher));
        let rows: Vec<Row> = rows
            .collect::<Result<_, _>>()
            .map_err(|_| RecordError::Refused)?;
        let recorded = within_time(rows.len(), async {
            let mut tx = self.database.write().await?;
            let holds = match (condition, tokens.first()) {
                (Condition::Renews(renewed), Some(token)) => {
                    let now = token.claims().issued_at();
                    store::mark_renewed(tx.conn(), renewed, now).await?
                }
                (Condition::PartOf(whole), _) => store::hold_standing(tx.conn(), whole).await?,
                (Condition::Nothing | Condition::Renews(_), _) => true,
            };
            if !holds {
                return Ok(false);
            }
            store::record(tx.conn(), group(rows.iter())?).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await?;
        if recorded {
            count(&self.activity, rows.iter());
        }
        Ok(recorded)
    }
}

/// The task that writes what waits, a group at a time.
struct Groups {
    writer: GroupWriter,
    activity: Arc<Activity>,
    log: IssuanceLog,
}

impl Groups {
    async fn write_all(mut self, mut waiting: mpsc::Receiver<Pending>) {
        let mut group = Vec::with_capacity(MAX_ROWS);
        while waiting.recv_many(&mut group, MAX_ROWS).await > 0 {
            match self.log {
                IssuanceLog::Durable => gather(&mut waiting, &mut group).await,
                IssuanceLog::Buffered => gather_long(&mut waiting, &mut group).await,
            }
            let outcome = self.write_patiently(&group).await;
            // One row that the database refuses must not take the others with it.
            let one_by_one = outcome == Err(RecordError::Refused) && group.len() > 1;
            for pending in group.drain(..) {
                let outcome = if one_by_one {
                    self.write_patiently(std::slice::from_ref(&pending)).await
                } else {
                    outcome
                };
                pending.tell(outcome);
            }
        }
    }

    /// The tokens of buffered rows have left: they are tried until the database is back. The queue fills up meanwhile, and
    /// then no more tokens leave.
    async fn write_patiently(&mut self, pending: &[Pending]) -> Result<(), RecordError> {
        loop {
            match (self.write(pending).await, self.log) {
                (Err(RecordError::Unavailable), IssuanceLog::Buffered) => {
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                (outcome, _) => return outcome,
            }
        }
    }

    async fn write(&mut self, pending: &[Pending]) -> Result<(), RecordError> {
        let rows: Vec<&Row> = pending.iter().filter_map(Pending::row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let rows = rows.iter().copied();
        within_time(rows.len(), async {
            store::record_at_once(&mut self.writer, group(rows.clone())?).await
        })
        .await?;
        count(&self.activity, rows);
        Ok(())
    }
}

/// Lets requests that are on their way catch this group: a commit costs as much as the rows of many. It goes on while
/// requests come faster than they are looked for, which on an idle server is not at all, and for a bounded time.
async fn gather(waiting: &mut mpsc::Receiver<Pending>, group: &mut Vec<Pending>) {
    let started = Instant::now();
    while group.len() < MAX_ROWS && started.elapsed() < MAX_GATHERING {
        tokio::task::yield_now().await;
        if waiting.is_empty() {
            return;
        }
        let room = MAX_ROWS - group.len();
        waiting.recv_many(group, room).await;
    }
}

/// The same where nobody waits, unless somebody asks for what is on its way.
async fn gather_long(waiting: &mut mpsc::Receiver<Pending>, group: &mut Vec<Pending>) {
    let enough = group.len() + waiting.len() >= MAX_ROWS;
    if !enough && !group.iter().any(Pending::is_mark) {
        tokio::time::sleep(BUFFERED_FOR).await;
    }
    let room = MAX_ROWS.saturating_sub(group.len());
    if room > 0 && !waiting.is_empty() {
        waiting.recv_many(group, room).await;
    }
}

/// What is written of these rows: themselves, and what they add to the counts of their keys.
fn group<'a>(
    rows: impl ExactSizeIterator<Item = &'a Row> + Clone,
) -> Result<[String; 3], StorageError> {
    let (keys, days) = usage::of(rows.clone().map(|row| &row.issued))?;
    Ok([row::list(rows), keys, days])
}

fn count<'a>(activity: &Activity, rows: impl Iterator<Item = &'a Row>) {
    activity.issued(rows.map(|row| (row.issued.organization, row.issued.api_key)));
}

/// Waits for a transaction as long as makes sense, and sorts out what went wrong.
async fn within_time<T>(
    rows: usize,
    transaction: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, RecordError> {
    let Ok(written) = tokio::time::timeout(WRITE_TIMEOUT, transaction).await else {
        tracing::error!(rows, "the database did not commit sessions in time");
        return Err(RecordError::Unavailable);
    };
    written.map_err(|error| {
        if error.is_unavailable() {
            tracing::error!(%error, rows, "sessions could not be recorded");
            RecordError::Unavailable
        } else {
            tracing::error!(%error, rows, "session rows were refused");
            RecordError::Refused
        }
    })
}
