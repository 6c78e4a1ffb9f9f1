//! The rows that wait to be written, and how they gather.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::RecordError;
use crate::sessions::row::Row;

/// Requests that may wait for their row. At 20 µs per row this is well under a second of work.
pub(super) const QUEUE: usize = 8192;
/// Rows in one transaction.
pub(super) const MAX_ROWS: usize = 512;
/// How long a group waits for more rows at most. About as long as a commit takes.
const MAX_GATHERING: Duration = Duration::from_millis(2);

/// Where to tell what became of a row.
pub(super) type Requester = oneshot::Sender<Result<(), RecordError>>;

/// A row, and who waits for it.
pub(super) struct Pending {
    pub(super) row: Row,
    /// None where nobody does.
    pub(super) requester: Option<Requester>,
}

impl Pending {
    /// Tells who waits. A requester that went away leaves a row without a token, which does no harm.
    pub(super) fn tell(self, outcome: Result<(), RecordError>) -> Row {
        if let Some(requester) = self.requester {
            let _ = requester.send(outcome);
        }
        self.row
    }
}

/// Lets requests that are on their way catch this group: a commit costs as much as the rows of many. It goes on while
/// requests come faster than they are looked for, which on an idle server is not at all, and for a bounded time.
pub(super) async fn gather(waiting: &mut mpsc::Receiver<Pending>, group: &mut Vec<Pending>) {
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
