//! Writes session rows, and answers when they are committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use key_admin::Activity;
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

/// The proof that the row of this session is committed. Only the [`Recorder`] makes one.
#[derive(Debug)]
pub(crate) struct Recorded(());

/// Requests that may wait for their row. At 20 µs per row this is well under a second of work.
const QUEUE: usize = 8192;
/// A database that takes longer has gone; its connection is given up, so that the next group gets another one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Rows in one transaction.
const MAX_BATCH: usize = 512;
/// How long a group waits for more rows at most. About as long as a commit takes.
const MAX_GATHERING: Duration = Duration::from_millis(2);

struct Pending {
    row: Row,
    done: oneshot::Sender<Result<(), RecordError>>,
}

/// Writes session rows.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Pending>,
    database: Database,
    hasher: Arc<AttributeHasher>,
    activity: Arc<Activity>,
    steps: Arc<Steps>,
}

impl Recorder {
    pub(crate) fn start(
        database: Database,
        hasher: Arc<AttributeHasher>,
        activity: Arc<Activity>,
        steps: Arc<Steps>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let groups = Groups {
            writer: GroupWriter::new(database.clone()),
            activity: activity.clone(),
        };
        tokio::spawn(groups.write_all(waiting));
        Self {
            queue,
            database,
            hasher,
            activity,
            steps,
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

    /// Waits until the token's row is committed.
    pub(crate) async fn record(
        &self,
        token: &SignedToken,
        origin: &Origin,
    ) -> Result<Recorded, RecordError> {
        let _timer = self.steps.record.time();
        let row = Row::new(token, origin, &self.hasher).map_err(|_| RecordError::Refused)?;
        let (done, committed) = oneshot::channel();
        self.queue
            .try_send(Pending { row, done })
            .map_err(|error| match error {
                TrySendError::Full(_) => RecordError::Overloaded,
                TrySendError::Closed(_) => RecordError::Unavailable,
            })?;
        match committed.await {
            Ok(Ok(())) => Ok(Recorded(())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RecordError::Unavailable),
        }
    }

    /// Records these tokens in one transaction: all of them, or none.
    pub(crate) async fn record_together(
        &self,
        tokens: &[SignedToken],
        origin: &Origin,
    ) -> Result<Vec<Recorded>, RecordError> {
        self.in_transaction(tokens, origin, Condition::Nothing)
            .await?;
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
}

impl Groups {
    async fn write_all(mut self, mut waiting: mpsc::Receiver<Pending>) {
        let mut group = Vec::with_capacity(MAX_BATCH);
        while waiting.recv_many(&mut group, MAX_BATCH).await > 0 {
            gather(&mut waiting, &mut group).await;
            let outcome = self.write(&group).await;
            // One row that the database refuses must not take the others with it.
            if outcome == Err(RecordError::Refused) && group.len() > 1 {
                for pending in group.drain(..) {
                    let outcome = self.write(std::slice::from_ref(&pending)).await;
                    let _ = pending.done.send(outcome);
                }
            } else {
                for pending in group.drain(..) {
                    // A requester that went away leaves a row without a token, which does no harm.
                    let _ = pending.done.send(outcome);
                }
            }
        }
    }

    async fn write(&mut self, pending: &[Pending]) -> Result<(), RecordError> {
        let rows = pending.iter().map(|pending| &pending.row);
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
    while group.len() < MAX_BATCH && started.elapsed() < MAX_GATHERING {
        tokio::task::yield_now().await;
        if waiting.is_empty() {
            return;
        }
        let room = MAX_BATCH - group.len();
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
