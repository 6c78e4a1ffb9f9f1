//! Rows that go into their table at once: on PostgreSQL, and where nobody waits for them.

use std::sync::Arc;
use std::time::Duration;

use key_admin::Activity;
use tokio::sync::mpsc;

use super::queue::{MAX_ROWS, Pending, gather};
use super::writing::Writer;
use super::{IssuanceLog, RecordError, count};
use crate::sessions::row::Row;

/// How long rows wait for others where no request waits for them.
const BUFFERED_FOR: Duration = Duration::from_millis(10);
/// How long a database that was away is left alone.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The task that writes what waits, a group at a time.
pub(super) struct Direct {
    pub(super) writer: Writer,
    pub(super) activity: Arc<Activity>,
    pub(super) log: IssuanceLog,
}

impl Direct {
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Pending>) {
        let mut group = Vec::with_capacity(MAX_ROWS);
        while waiting.recv_many(&mut group, MAX_ROWS).await > 0 {
            match self.log {
                IssuanceLog::Durable => gather(&mut waiting, &mut group).await,
                IssuanceLog::Buffered => self.gather_long(&mut waiting, &mut group).await,
            }
            let outcome = self.write(&group).await;
            // One row that the database refuses must not take the others with it.
            let one_by_one = outcome == Err(RecordError::Refused) && group.len() > 1;
            for pending in group.drain(..) {
                let outcome = if one_by_one {
                    self.write(std::slice::from_ref(&pending)).await
                } else {
                    outcome
                };
                let row = pending.tell(outcome);
                if self.log == IssuanceLog::Buffered {
                    let arrivals = self.writer.database().arrivals();
                    arrivals.arrive(std::iter::once(row.session()));
                }
            }
        }
    }

    /// The same as [`gather`] where nobody waits, unless somebody looks for what is on its way.
    async fn gather_long(&self, waiting: &mut mpsc::Receiver<Pending>, group: &mut Vec<Pending>) {
        if group.len() + waiting.len() < MAX_ROWS {
            let wanted = self.writer.database().arrivals().wanted();
            let _ = tokio::time::timeout(BUFFERED_FOR, wanted).await;
        }
        let room = MAX_ROWS.saturating_sub(group.len());
        if room > 0 && !waiting.is_empty() {
            waiting.recv_many(group, room).await;
        }
    }

    /// The tokens of buffered rows have left: they are tried until the database is back. The queue fills up meanwhile, and
    /// then no more tokens leave.
    async fn write(&mut self, pending: &[Pending]) -> Result<(), RecordError> {
        let rows: Vec<&Row> = pending.iter().map(|it| &it.row).collect();
        loop {
            match (self.writer.write(&rows).await, self.log) {
                (Err(RecordError::Unavailable), IssuanceLog::Buffered) => {
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                (outcome, _) => {
                    if outcome.is_ok() {
                        count(&self.activity, &rows);
                    }
                    return outcome;
                }
            }
        }
    }
}
