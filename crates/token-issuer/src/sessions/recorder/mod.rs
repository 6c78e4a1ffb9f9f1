//! Writes session rows, and answers when they are committed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`queue`] | the rows that wait, and how they gather into groups |
//! | [`direct`] | the task that writes groups into their table: on PostgreSQL, and where nobody waits for them |
//! | [`late`] | the tasks that commit groups to the embedded engine's [intake](storage::intake), and sort many of them later |
//! | [`writing`] | the transactions |
//!
//! Where rows get into their table after their tokens have left, because they were in the intake or because the operator has chosen
//! [`IssuanceLog::Buffered`], who reads sessions or counts [waits](storage::Arrivals) for those that this node has answered.

mod direct;
mod late;
mod queue;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use key_admin::Activity;
use serde::{Deserialize, Serialize};
use storage::{Database, Intake, SessionId, StorageError};
use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use self::direct::Direct;
pub(super) use self::late::take_over;
use self::queue::{Pending, QUEUE, Requester};
use self::writing::{Writer, within_time};
use super::row::Row;
use super::{AttributeHasher, store};
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

/// How long a request waits for a place in the queue where it does not wait for its row.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes session rows.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Pending>,
    database: Database,
    hasher: Arc<AttributeHasher>,
    activity: Arc<Activity>,
    steps: Arc<Steps>,
    log: IssuanceLog,
    /// Do rows get into their table some time after their tokens have left?
    late: bool,
}

impl Recorder {
    /// Sorts what an earlier process has left, and starts the tasks that write.
    pub(crate) async fn start(
        database: Database,
        log: IssuanceLog,
        hasher: Arc<AttributeHasher>,
        activity: Arc<Activity>,
        steps: Arc<Steps>,
    ) -> Result<Self, StorageError> {
        let refused = take_over(&database).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let intake = match log {
            IssuanceLog::Durable => Intake::of(&database),
            IssuanceLog::Buffered => None,
        };
        let late = intake.is_some() || log == IssuanceLog::Buffered;
        if let Some(intake) = intake {
            let activity = activity.clone();
            late::start(database.clone(), intake, activity, waiting, refused);
        } else {
            let direct = Direct {
                writer: Writer::new(database.clone()),
                activity: activity.clone(),
                log,
            };
            tokio::spawn(direct.run(waiting));
        }
        Ok(Self {
            queue,
            database,
            hasher,
            activity,
            steps,
            log,
            late,
        })
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
            let place = self.place_in_time().await?;
            self.enter(place, row, None);
            return Ok(Recorded(()));
        }
        let (requester, committed) = oneshot::channel();
        let place = self.queue.try_reserve().map_err(|error| match error {
            TrySendError::Full(()) => RecordError::Overloaded,
            TrySendError::Closed(()) => RecordError::Unavailable,
        })?;
        self.enter(place, row, Some(requester));
        match committed.await {
            Ok(Ok(())) => Ok(Recorded(())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RecordError::Unavailable),
        }
    }

    fn enter(&self, place: Permit<'_, Pending>, row: Row, requester: Option<Requester>) {
        if self.late {
            self.database.arrivals().depart(row.session());
        }
        place.send(Pending { row, requester });
    }

    /// A place in the queue, with some patience. Who waits for its row is slowed down by that; others only by this.
    async fn place_in_time(&self) -> Result<Permit<'_, Pending>, RecordError> {
        match tokio::time::timeout(PATIENCE, self.queue.reserve()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(RecordError::Unavailable),
            Err(_) => Err(RecordError::Overloaded),
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
        let _timer = self.steps.record.time();
        let rows = tokens
            .iter()
            .map(|token| Row::new(token, origin, &self.hasher));
        let rows: Vec<Row> = rows
            .collect::<Result<_, _>>()
            .map_err(|_| RecordError::Refused)?;
        let rows: Vec<&Row> = rows.iter().collect();
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
            store::record(tx.conn(), &rows).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await?;
        if recorded {
            count(&self.activity, &rows);
        }
        Ok(recorded)
    }
}

fn count(activity: &Activity, rows: &[&Row]) {
    activity.issued(rows.iter().map(|row| (row.organization(), row.api_key_id)));
}
